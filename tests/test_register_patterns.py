"""The register's patterns, written from reports: they match what differs, and nothing else."""

from __future__ import annotations

import sys
import tempfile
import unittest
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from parameterized import parameterized

from conformance import register
from conformance.findings import Finding, Report

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import patterns
import register_patterns

ROWS = ("kink", "label_0", "label_1", "label_2", "label_nan", "margin_0", "margin_nan")
EVERY = [
    f"{stem}/{row}/{dtype}/{name}"
    for stem in ("hinge", "ranking")
    for row in ROWS
    for dtype in ("float32", "float64")
    for name in ("value", "gradient", "saved", "saved_batch")
]
ENTRY = """# A head.

[[entry]]
id = "{id}"
implementation = "{implementation}"
versions = ">=0"
reason = "why"
checks = ["x"]
"""


def finding(check_id: str, verdict: str) -> Finding:
    """A finding that says something else than was expected."""
    stem, row, dtype, name = check_id.split("/")
    text = "" if verdict == "conformant" else "expected 1 (0x1p+0) (formula), received 2"
    return Finding(check_id, stem, row, dtype, name, "value", "C1", verdict, text)


class TestPatterns(unittest.TestCase):
    @settings(max_examples=150, deadline=None)
    @given(st.sets(st.sampled_from(EVERY)), st.sets(st.sampled_from(EVERY)))
    def test_all_that_is_wanted_and_nothing_forbidden(self, wanted, allowed):
        found = patterns.Compressor(EVERY, allowed).patterns(wanted)
        matched = [patterns.matching(pattern, EVERY) for pattern in found]
        self.assertLessEqual(wanted, set().union(*matched))
        self.assertLessEqual(set().union(*matched), wanted | allowed)
        for pattern, own in zip(found, matched):
            self.assertTrue(own & wanted, pattern)

    @parameterized.expand(
        [
            ("one check", "hinge/kink/float32/value", ["hinge/kink/float32/value"]),
            ("a whole property", "hinge/*/float32/value", ["hinge/*/float32/value"]),
            (
                "rows that begin alike",
                "hinge/label_*/*/saved*",
                ["hinge/label_*/{float32,float64}/saved*"],
            ),
            ("rows that end alike", "ranking/*_nan/float64/value", None),
            ("two losses", "*/kink/float32/value", ["{hinge,ranking}/kink/float32/value"]),
        ]
    )
    def test_short(self, name, wanted, expected):
        wanted = patterns.matching(wanted, EVERY)
        found = patterns.Compressor(EVERY, ()).patterns(wanted)
        self.assertEqual(found, expected or ["ranking/{label_nan,margin_nan}/float64/value"])


class TestRegisterPatterns(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def report(self, version: str, differs: str, implementation: str = "paddle.nn") -> str:
        """A report in which the checks that a pattern matches differ."""
        wrong = patterns.matching(differs, EVERY)
        report = Report(implementation, version if implementation == "paddle.nn" else "0.1")
        report.environment = {"paddlepaddle": version}
        report.findings = [finding(i, "FAIL" if i in wrong else "conformant") for i in EVERY]
        path = self.folder / f"{version}.json"
        report.write(path)
        return str(path)

    def write(self, rule: str, *reports: str, implementation: str = "paddle.nn") -> int:
        """Rewrite the register of one entry with one rule."""
        rules = self.folder / "rules.toml"
        rules.write_text(
            f'[[rule]]\nentry = "one"\nimplementation = "{implementation}"\n{rule}\n',
            encoding="utf-8",
        )
        path = self.folder / f"{implementation}.toml"
        text = ENTRY.format(id="one", implementation=implementation)
        path.write_text(text, encoding="utf-8")
        arguments = ["--registers", str(self.folder), "--rules", str(rules)]
        return register_patterns.main([*arguments, *reports])

    def known(self, version: str, implementation: str = "paddle.nn") -> set[str]:
        """The checks that the register knows in a version."""
        path = self.folder / f"{implementation}.toml"
        own = version if implementation == "paddle.nn" else "0.1"
        read = register.read(path, implementation, own, version)
        return {i for i in EVERY if read.entry(i)}

    def test_versions_that_differ(self):
        earlier = self.report("3.1.1", "hinge/label_*/*/value")
        later = self.report("3.3.1", "hinge/label_{0,1}/*/value")
        self.assertEqual(self.write("losses = 'hinge'", earlier, later), 0)
        self.assertEqual(self.known("3.1.1"), patterns.matching("hinge/label_*/*/value", EVERY))
        self.assertEqual(self.known("3.3.1"), patterns.matching("hinge/label_{0,1}/*/value", EVERY))
        self.assertEqual(self.known("3.4.0"), set())
        text = (self.folder / "paddle.nn.toml").read_text(encoding="utf-8")
        self.assertTrue(text.startswith("# A head.\n\n[[entry]]\n"), text)
        self.assertIn('versions = ">=3.1,<3.4"', text)
        self.assertIn('checks_in."==3.1.*" = [', text)

    def test_another_implementation_goes_by_paddles_version(self):
        earlier = self.report("3.1.1", "hinge/kink/float32/value", "mine")
        later = self.report("3.3.1", "no/such/check/there", "mine")
        self.assertEqual(self.write("", earlier, later, implementation="mine"), 0)
        self.assertEqual(len(self.known("3.1.1", "mine")), 1)
        self.assertEqual(self.known("3.3.1", "mine"), set())

    @parameterized.expand(
        [
            ("losses = 'hinge'", 0),
            ("losses = 'ranking'", 1),
            ("rows = 'label_0'", 0),
            ("rows = 'label'", 1),
            ("properties = 'value'", 0),
            ("properties = 'gradient'", 1),
            ("says = 'received 2$'", 0),
            ("says = '0x1p'", 1),
        ]
    )
    def test_a_difference_without_a_rule_is_a_failure(self, rule, status):
        report = self.report("3.3.1", "hinge/label_0/float32/value")
        self.assertEqual(self.write(rule, report), status)

    def test_what_differs_in_some_reports_only_is_left_out(self):
        first = self.report("3.3.1", "hinge/label_{0,1}/float32/value")
        Path(first).rename(self.folder / "first.json")
        second = self.report("3.3.1", "hinge/label_0/float32/value")
        self.write("", str(self.folder / "first.json"), second)
        self.assertEqual(self.known("3.3.1"), {"hinge/label_0/float32/value"})

    def test_an_unsteady_entry_keeps_its_patterns(self):
        report = self.report("3.3.1", "hinge/label_0/float32/{value,gradient}")
        text = ENTRY.format(id="one", implementation="paddle.nn")
        more = text.partition("\n\n")[2].replace('"one"', '"two"').replace("x", "hinge/*/*/value")
        rules = self.folder / "rules.toml"
        rules.write_text('[[rule]]\nentry = "one"\n', encoding="utf-8")
        path = self.folder / "paddle.nn.toml"
        path.write_text(f"{text}\n{more}unsteady = true\n", encoding="utf-8")
        register_patterns.main(
            ["--registers", str(self.folder), "--rules", str(rules), report],
        )
        one, two = register.tables(path)
        self.assertEqual(one["checks"], ["hinge/label_0/float32/gradient"])
        self.assertEqual(two["checks"], ["hinge/*/*/value"])

    @parameterized.expand(
        [
            (("3.1",), "==3.1.*"),
            (("3.1", "3.2"), ">=3.1,<3.3"),
            (("3.1", "3.2", "3.3"), ">=3.1,<3.4"),
            (("3.1", "3.3"), ">=3.1,<3.4,!=3.2.*"),
        ]
    )
    def test_specifiers(self, group, expected):
        found = register_patterns.specifier(group, ["3.1", "3.2", "3.3"])
        self.assertEqual(found, expected)


if __name__ == "__main__":
    unittest.main()
