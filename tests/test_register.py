"""The register of known differences: what it matches, and what it refuses."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

from parameterized import parameterized

from conformance import register
from conformance.implementation import UsageError

GOOD = {
    "id": '"kink"',
    "implementation": '"paddle.nn"',
    "versions": '"==3.3.*"',
    "reason": '"why"',
    "checks": '["a/*/float32/{value,torch}"]',
}


def written(**changes: str | None) -> Path:
    """A register of one entry in a temporary file; ``None`` leaves a key out."""
    keys = {**GOOD, **changes}
    lines = [f"{key} = {value}" for key, value in keys.items() if value is not None]
    with tempfile.NamedTemporaryFile("w", suffix=".toml", delete=False) as file:
        file.write("\n".join(["[[entry]]", *lines]))
    return Path(file.name)


class TestRegister(unittest.TestCase):
    @parameterized.expand(
        [
            ("a{b,c}d", ["abd", "acd"]),
            ("{a,b}{c,d}", ["ac", "ad", "bc", "bd"]),
            ("plain", ["plain"]),
        ]
    )
    def test_alternatives(self, pattern, expected):
        self.assertEqual(register.alternatives(pattern), expected)

    @parameterized.expand(
        [
            ("a/row/float32/value", True),
            ("a/row/float32/torch", True),
            ("a/row/float32/gradient", False),
            ("a/row/float64/value", False),
            ("b/row/float32/value", False),
        ]
    )
    def test_matching(self, check_id, expected):
        read = register.read(written(), "paddle.nn", "3.3.1")
        self.assertEqual(read.entry(check_id) is not None, expected)

    @parameterized.expand([("torch.nn", "3.3.1"), ("paddle.nn", "3.2.2")])
    def test_others_have_no_entries(self, implementation, version):
        self.assertEqual(register.read(written(), implementation, version).entries, ())

    @parameterized.expand(
        [
            ("all fail", {"a/x/float32/value": "known difference"}, True, 0),
            (
                "one passes",
                {"a/x/float32/value": "known difference", "a/y/float32/torch": "conformant"},
                True,
                1,
            ),
            ("none ran", {"a/x/float32/value": "not run"}, True, 1),
            ("none is there", {"a/x/float32/gradient": "FAIL"}, True, 1),
            ("none is selected", {"a/x/float32/gradient": "FAIL"}, False, 0),
            ("a selected one passes", {"a/x/float32/value": "conformant"}, False, 1),
        ]
    )
    def test_stale(self, name, statuses, whole, count):
        read = register.read(written(), "paddle.nn", "3.3.1")
        self.assertEqual(len(read.stale(statuses, whole)), count)

    @parameterized.expand(
        [
            ({"reasn": '"why"'}, "unknown key 'reasn'"),
            ({"reason": None}, "reason is missing"),
            ({"reason": '""'}, "reason is missing"),
            ({"checks": "[]"}, "checks is missing"),
            ({"versions": '"3.3"'}, "versions"),
            ({"divergence": '"3"'}, "divergence"),
            ({"id": None}, "number 1"),
        ]
    )
    def test_typos_are_refused_by_name(self, changes, text):
        with self.assertRaisesRegex(UsageError, "register entry .*" + text):
            register.read(written(**changes), "paddle.nn", "3.3.1")

    def test_our_own_register_is_in_order(self):
        read = register.read(register.DEFAULT, "paddle.nn", "3.3.1")
        self.assertTrue(read.entries)


if __name__ == "__main__":
    unittest.main()
