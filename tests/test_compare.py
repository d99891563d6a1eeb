"""``python -m conformance compare``: better, worse, new, gone, and what its status says."""

from __future__ import annotations

from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import TestCase

from parameterized import parameterized

from conformance.__main__ import main
from conformance.checks import CONFORMANT, DEFECT, FAIL, KNOWN, NOT_RUN, UNSPECIFIED
from conformance.findings import Report
from tests.reports import finding, report

ID = "soft_margin/at_0/float32/value"


def compared(old: Report, new: Report, *options: str) -> tuple[int, str]:
    """The exit status and the output of the command."""
    with TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name in ("old.json", "new.json")]
        for made, path in zip((old, new), paths):
            made.write(path)
        with redirect_stdout(StringIO()) as printed:
            status = main(["compare", *map(str, paths), *options])
    return status, printed.getvalue()


class Compare(TestCase):
    @parameterized.expand(
        [
            (CONFORMANT, KNOWN),
            (CONFORMANT, DEFECT),
            (CONFORMANT, UNSPECIFIED),
            (CONFORMANT, NOT_RUN),
            (CONFORMANT, FAIL),
            (KNOWN, FAIL),
            (NOT_RUN, FAIL),
        ]
    )
    def test_worse(self, before: str, after: str) -> None:
        status, text = compared(report(finding(ID, before)), report(finding(ID, after, text="why")))
        self.assertEqual(status, 1)
        self.assertIn(f"worse: {ID}: {before} -> {after}\n  why", text)
        self.assertIn("1 worse, 0 better, 0 less accurate, 0 new, 0 gone", text)

    @parameterized.expand(
        [(FAIL, CONFORMANT), (KNOWN, CONFORMANT), (NOT_RUN, CONFORMANT), (FAIL, KNOWN)]
    )
    def test_better(self, before: str, after: str) -> None:
        status, text = compared(report(finding(ID, before)), report(finding(ID, after)))
        self.assertEqual(status, 0)
        self.assertIn(f"better: {ID}: {before} -> {after}", text)
        self.assertIn("0 worse, 1 better", text)

    @parameterized.expand(
        [(FAIL, FAIL), (FAIL, NOT_RUN), (KNOWN, NOT_RUN), (NOT_RUN, KNOWN), (DEFECT, UNSPECIFIED)]
    )
    def test_neither(self, before: str, after: str) -> None:
        status, text = compared(report(finding(ID, before)), report(finding(ID, after)))
        self.assertEqual(status, 0)
        self.assertIn("0 worse, 0 better", text)
        self.assertRegex(text, rf"{before} +{after} +1")

    def test_new_and_gone(self) -> None:
        other = ID.replace("at_0", "at_1")
        status, text = compared(report(finding(ID)), report(finding(other, FAIL)))
        self.assertEqual(status, 0)
        self.assertRegex(text, r"no such check +FAIL +1")
        self.assertRegex(text, r"conformant +no such check +1")
        self.assertIn("1 new, 1 gone", text)

    @parameterized.expand([(0.3, True), (0.15, False), (0.05, False)])
    def test_less_accurate_is_said_and_is_no_failure(self, ratio: float, is_said: bool) -> None:
        old = report(finding(ID, distance=0.25, ratio=0.1))
        status, text = compared(old, report(finding(ID, distance=0.75, ratio=ratio)))
        self.assertEqual(status, 0)
        line = f"less accurate within its budget: {ID}: 0.25 -> 0.75 ULP, 10 % -> 30 %"
        self.assertEqual((line in text, "1 less accurate" in text), (is_said, is_said))

    def test_broken_is_worse_and_what_was_broken_before_is_not(self) -> None:
        broken = report(finding(ID), broken=[("worker 1", "died")])
        status, text = compared(report(finding(ID)), broken)
        self.assertEqual(status, 1)
        self.assertIn("worse: broken worker 1\n  died", text)
        self.assertEqual(compared(broken, broken)[0], 0)

    def test_long_lists_are_cut_unless_all_is_asked_for(self) -> None:
        ids = [f"soft_margin/row_{n}/float32/value" for n in range(30)]
        old, new = report(*map(finding, ids)), report(*(finding(id, FAIL) for id in ids))
        self.assertIn("and 10 others", compared(old, new)[1])
        whole = compared(old, new, "--all")[1]
        self.assertEqual(sum(f"worse: {id}" in whole for id in ids), 30)

    def test_both_reports_are_named(self) -> None:
        old, new = report(version="1.0"), report(version="2.0", profile="full", whole=False, seed=7)
        text = compared(old, new)[1]
        self.assertIn("old: mine.losses 1.0, profile quick, seed 0\n", text)
        self.assertIn("new: mine.losses 2.0, profile full, seed 7, a part of it\n", text)

    @parameterized.expand(
        [
            ("missing", None),
            ("no_json", "<html>"),
            ("another_schema", '{"schema": 7}'),
            ("no_findings", '{"schema": 1}'),
            ("unknown_field", '{"schema": 1, "findings": [], "stale": [], "broken": [], "x": 1}'),
            ("binary", "\x00\xff"),
        ]
    )
    def test_an_unreadable_file_is_bad_usage(self, name: str, text: str) -> None:
        with TemporaryDirectory() as folder:
            good, bad = Path(folder, "good.json"), Path(folder, f"{name}.json")
            report().write(good)
            if text is not None:
                bad.write_bytes(text.encode("latin-1"))
            with redirect_stderr(StringIO()) as said, self.assertRaises(SystemExit) as ended:
                main(["compare", str(good), str(bad)])
        self.assertEqual(ended.exception.code, 2)
        self.assertEqual(len(said.getvalue().splitlines()), 1)
        self.assertIn(f"{name}.json: ", said.getvalue())
