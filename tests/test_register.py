"""The register of known differences: what it matches, in which versions, and what it refuses."""

from __future__ import annotations

import os
import tempfile
import unittest
from pathlib import Path

from parameterized import parameterized

from conformance import register, upstream
from conformance.cases import all_losses
from conformance.checker import Checker
from conformance.checks import FAIL
from conformance.implementation import UsageError, load

GOOD = {
    "id": '"kink"',
    "implementation": '"paddle.nn"',
    "versions": '">=3.1,<3.4"',
    "reason": '"why"',
    "checks": '["a/*/float32/{value,torch}"]',
}
KNOWN, DEFECT = "known difference", "reference defect"
REAL = "hinge_embedding/at_the_kink/float32/{}"
"""A check that there is."""


def text(**changes: str | None) -> str:
    """An entry; ``None`` leaves a key out."""
    keys = {**GOOD, **changes}
    lines = [f"{key} = {value}" for key, value in keys.items() if value is not None]
    return "\n".join(["[[entry]]", *lines, ""])


class TestRegister(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def written(self, name: str = "one.toml", **changes: str | None) -> Path:
        """A register of one entry."""
        path = self.folder / name
        path.write_text(text(**changes), encoding="utf-8")
        return path

    def read(self, version: str = "3.3.1", **changes: str | None) -> register.Register:
        """The register of paddle.nn in a version."""
        return register.read(self.written(**changes), "paddle.nn", version, version)

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
        self.assertEqual(self.read().entry(check_id) is not None, expected)

    @parameterized.expand([("torch.nn", "3.3.1"), ("paddle.nn", "3.0.0"), ("paddle.nn", "3.4.0")])
    def test_others_have_no_entries(self, implementation, version):
        found = register.read(self.written(), implementation, version)
        self.assertEqual(found.entries, ())

    @parameterized.expand([("3.1.1", "3.1.1", 1), ("3.2.0", "3.3.1", 0), ("none", "", 0)])
    def test_entries_of_another_name_go_by_paddles_version(self, name, paddle, count):
        changes = {"implementation": '"mine.losses"', "versions": '">=0"', "paddle": '"<3.2"'}
        found = register.read(self.written(**changes), "mine.losses", "0.1", paddle)
        self.assertEqual(len(found.entries), count)

    @parameterized.expand([("3.1.1", True), ("3.2.2", False), ("3.3.1", False)])
    def test_patterns_of_some_versions(self, version, expected):
        found = self.read(version, checks_in='{"==3.1.*" = ["a/row/float64/*"]}')
        self.assertEqual(found.entry("a/row/float64/value") is not None, expected)
        self.assertIsNotNone(found.entry("a/row/float32/value"))

    @parameterized.expand([("3.1.1", True), ("3.2.2", False)])
    def test_patterns_of_some_versions_of_paddle(self, paddle, expected):
        changes = {
            "implementation": '"mine.losses"',
            "versions": '">=0"',
            "paddle": '"<3.3"',
            "checks_in": '{"<3.2" = ["a/row/float64/*"]}',
        }
        found = register.read(self.written(**changes), "mine.losses", "0.1", paddle)
        self.assertEqual(found.entry("a/row/float64/value") is not None, expected)

    def test_a_defect_of_a_reference_has_its_own_verdict(self):
        self.assertEqual(self.read().entries[0].verdict, KNOWN)
        self.assertEqual(self.read(defect="true").entries[0].verdict, DEFECT)

    @parameterized.expand(
        [
            ("all fail", {"a/x/float32/value": KNOWN}, True, 0),
            (
                "one passes",
                {"a/x/float32/value": KNOWN, "a/y/float32/torch": "conformant"},
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
        self.assertEqual(len(self.read().stale(statuses, whole)), count)

    @parameterized.expand([("3.1.1", 1), ("3.2.2", 0)])
    def test_stale_in_one_version_only(self, version, count):
        found = self.read(version, checks_in='{"==3.1.*" = ["a/row/float64/value"]}')
        statuses = {"a/x/float32/value": KNOWN, "a/row/float64/value": "conformant"}
        self.assertEqual(len(found.stale(statuses, True)), count)

    def test_a_defect_is_no_known_difference(self):
        stale = self.read(defect="true").stale({"a/x/float32/value": DEFECT}, True)
        self.assertEqual(stale, [])

    @parameterized.expand(
        [
            ("it comes and goes", {"a/x/float32/value": "conformant"}, 0),
            ("it came", {"a/x/float32/value": KNOWN}, 0),
            ("it could not be checked", {"a/x/float32/value": "not run"}, 1),
            ("there is no such check", {"b/x/float32/value": KNOWN}, 1),
        ]
    )
    def test_an_unsteady_difference(self, name, statuses, count):
        found = self.read(unsteady="true")
        self.assertEqual(len(found.stale(statuses, True)), count)

    @parameterized.expand([("saved_unknown", 0), ("no_such_property", 1)])
    def test_a_pattern_of_a_larger_profile_is_not_stale(self, name, count):
        found = self.read(checks=f'["{REAL.format(name)}"]')
        self.assertEqual(len(found.stale({REAL.format("value"): "conformant"}, True)), count)

    def test_a_folder_of_registers(self):
        self.written("a.toml")
        self.written("b.toml", id='"other"', implementation='"torch.nn"', versions='"==2.13.*"')
        read = register.read(self.folder, "torch.nn", "2.13.0+cpu")
        self.assertEqual([entry.id for entry in read.entries], ["other"])
        self.written("c.toml")
        with self.assertRaisesRegex(UsageError, "'kink': the id occurs 2 times"):
            register.read(self.folder, "torch.nn", "2.13.0")

    @parameterized.expand(
        [
            ({"reasn": '"why"'}, "unknown key 'reasn'"),
            ({"reason": None}, "reason is missing"),
            ({"reason": '""'}, "reason is missing"),
            ({"checks": "[]"}, "checks is missing"),
            ({"checks": None, "checks_in": '{"3.3" = ["a"]}'}, "checks_in"),
            ({"versions": '"3.3"'}, "versions"),
            ({"paddle": '"3.3"'}, "paddle"),
            ({"divergence": '"3"'}, "divergence"),
            ({"unsteady": '"yes"'}, "unsteady"),
            ({"id": None}, "number 1"),
        ]
    )
    def test_typos_are_refused_by_name(self, changes, expected):
        with self.assertRaisesRegex(UsageError, "register entry .*" + expected):
            self.read(**changes)


class TestOurRegister(unittest.TestCase):
    @parameterized.expand(
        [
            ("paddle.nn", "3.1.1"),
            ("paddle.nn", "3.2.2"),
            ("paddle.nn", "3.3.1"),
            ("torch.nn", "2.13.0"),
        ]
    )
    def test_each_version_has_entries(self, implementation, version):
        self.assertTrue(register.read(register.DEFAULT, implementation, version).entries)

    def test_each_entry_has_its_numbers(self):
        for table in register.tables(register.DEFAULT):
            self.assertTrue(table.get("measured"), table["id"])
            self.assertRegex(table.get("link", "https://"), "^https://")

    @parameterized.expand([("3.1.1",), ("3.2.2",), ("3.3.1",)])
    def test_all_24_divergences_are_there(self, version):
        read = register.read(register.DEFAULT, "paddle.nn", version)
        numbers = {entry.divergence for entry in read.entries} - {None}
        self.assertEqual(numbers, set(range(1, 25)))

    @parameterized.expand([(number,) for number in range(1, 25)])
    def test_each_divergence_is_found_without_being_told(self, number):
        os.environ.setdefault("GLOG_minloglevel", "3")
        made = load("paddle.nn", list(all_losses().values()))
        entries = register.read(register.DEFAULT, made.name, made.version, made.paddle)
        entry = next(entry for entry in entries.entries if entry.divergence == number)
        check = upstream.candidates(entries, entry)[0]
        checker = Checker(made, False, [check])
        self.addCleanup(checker.close)
        self.assertEqual(checker.run(check).status, FAIL, check.id)


if __name__ == "__main__":
    unittest.main()
