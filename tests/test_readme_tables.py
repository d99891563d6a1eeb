"""The tables that scripts write into the READMEs, from reports made by hand."""

from __future__ import annotations

import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

from conformance.findings import Finding, Report

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import pages
import scoreboard
import versions


def finding(stem: str, verdict: str, entry: str = "", clause: str = "C1") -> Finding:
    """A finding of a loss."""
    return Finding(
        f"{stem}/row/float32/value", stem, "row", "", "value", "", clause, verdict, "", entry
    )


def entry(entry_id: str, divergence: Any = None, defect: bool = False) -> dict[str, Any]:
    """An entry of the register, as a report holds it."""
    return {"id": entry_id, "divergence": divergence, "defect": defect}


def known(**counts: int) -> list[Finding]:
    """Known differences, so many of each entry."""
    return [finding("a", "known difference", k) for k, n in counts.items() for _ in range(n)]


class TestVersions(unittest.TestCase):
    def test_differences_by_version(self):
        register = [entry("kink", 3), entry("late", 2), entry("early"), entry("x"), entry("y")]
        earlier = Report("paddle.nn", "3.1.1", register=register)
        earlier.findings = known(kink=2, late=1, early=4, x=1, y=2)
        later = Report("paddle.nn", "3.3.1", register=register[:2] + register[3:])
        later.findings = [*known(kink=2, late=1000, x=1, y=2), finding("a", "conformant")]
        torch = Report("torch.nn", "2.13.0", register=[entry("broken", 3, True), entry("z")])
        torch.findings = [finding("a", "reference defect", "broken"), *known(z=5)]
        text = versions.table(
            {"paddle.nn-3.1.1": earlier, "paddle.nn-3.3.1": later, "torch.nn-2.13.0": torch}
        )
        rows = [line.strip("| ").split(" | ") for line in text.splitlines()]
        for expected in (
            ["`paddle.nn`", "3.1.1", "3.3.1"],
            ["2. `late`", "1", "1,000"],
            ["3. `kink`", "2", "2"],
            ["`early`", "4", "–"],
            ["2 others", "3", "3"],
            ["3. `broken`", "1"],
            ["1 others", "5"],
            ["paddle.nn-3.3.1", "1", "1,005", "0", "0", "0", "0"],
            ["torch.nn-2.13.0", "0", "5", "1", "0", "0", "0"],
        ):
            self.assertIn(expected, rows)

    def test_what_an_environment_needs(self):
        names = versions.requirements()
        self.assertIn("mpmath", names)
        self.assertIn("numpy", names)
        self.assertNotIn("paddlepaddle", " ".join(names))
        self.assertFalse([name for name in names if name.startswith("#")])

    def test_an_environment_is_ready_only_with_its_pins(self):
        from importlib.metadata import version

        python = Path(sys.executable)
        for pins, ready in (
            ({"numpy": version("numpy")}, True),
            ({"numpy": "0.1"}, False),
            ({"no-such-package": "1"}, False),
        ):
            self.assertEqual(versions.is_ready(python, pins), ready)
        self.assertFalse(versions.is_ready(Path("no_such_python"), {}))


class TestScoreboard(unittest.TestCase):
    def test_correctness_and_drop_in_apart(self):
        ours, theirs = Report("paddle_margin.nn"), Report("paddle.nn")
        ours.findings = [finding("a", "conformant"), finding("b", "not run")]
        theirs.findings = [*known(x=2), finding("a", "conformant")]
        lines = scoreboard.table(ours, theirs).splitlines()
        self.assertEqual(lines[2], "| a | 1 | 1 of 1 | 1 of 3 |")
        self.assertEqual(lines[3], "| b | 1 | – | – |")
        self.assertEqual(lines[4], "| all | 2 | 1 of 1 | 1 of 3 |")
        ours.findings.append(finding("a", "known difference", "x", clause="drop-in"))
        lines = scoreboard.table(ours, theirs).splitlines()
        self.assertEqual(lines[2], "| a | 2 | 1 of 1 | 1 of 3 | 0 of 1 |")


class TestPages(unittest.TestCase):
    def test_one_part_is_replaced(self):
        text = "a\n<!-- x -->\nold\n<!-- end of x -->\nb"
        self.assertEqual(
            pages.with_part(text, "x", "new\\1"), "a\n<!-- x -->\nnew\\1\n<!-- end of x -->\nb"
        )
        with self.assertRaisesRegex(SystemExit, "y: expected the lines"):
            pages.with_part(text, "y", "new")

    def test_written_whole(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "page.md")
            pages.write(path, "new")
            self.assertEqual(path.read_text(encoding="utf-8"), "new")
            self.assertEqual(list(Path(folder).iterdir()), [path])


if __name__ == "__main__":
    unittest.main()
