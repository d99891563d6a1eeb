"""What goes wrong around a check is that check's failure, and never a pass or the end of a run."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

from parameterized import parameterized

from conformance.cases import all_losses
from conformance.checks import checks_of
from tests.running import HOSTILE, ROOT, conformance, environment, findings, run

LOSSES = all_losses()
LIMIT = "2"
FAIL, NOT_RUN, PASSED = "FAIL", "not run", "conformant"
HOSTILE_SELECTED = (
    "(reduction_sum/float32 or reduction_mean/float32) and (value or torch)"
    " or hinge and reduction_sum and (value or shape)"
)


def is_selected(check_id: str) -> bool:
    """Whether ``HOSTILE_SELECTED`` selects a check."""
    stem, row, dtype, name = (*check_id.split("/"), "", "")[:4]
    if row == "reduction_sum" and stem == "hinge_embedding" and name in ("value", "shape"):
        return True
    rows = ("reduction_sum", "reduction_mean")
    return row in rows and dtype == "float32" and name in ("value", "torch")


class TestHostile(unittest.TestCase):
    """One run of functions that do what none may, each in its own way."""

    status: int
    printed: str
    found: dict[str, dict[str, Any]]
    testcases: list[ElementTree.Element]

    @classmethod
    def setUpClass(cls) -> None:
        with tempfile.TemporaryDirectory() as folder:
            json_file, junit = Path(folder, "run.json"), Path(folder, "junit.xml")
            done = conformance(
                *("-i", HOSTILE, "-n", "1", "--limit", LIMIT, "-k", HOSTILE_SELECTED),
                *("--json", str(json_file), "--junit-xml", str(junit)),
            )
            cls.status, cls.printed = done.returncode, done.stderr
            cls.found = findings(json_file)
            cls.testcases = list(ElementTree.parse(junit).getroot().iter("testcase"))

    def test_the_run_fails_and_says_nothing_else(self) -> None:
        self.assertEqual((self.status, self.printed), (1, ""))

    def test_each_selected_check_has_one_finding(self) -> None:
        ids = [check.id for loss in LOSSES.values() for check in checks_of(loss)]
        selected = {each for each in ids if is_selected(each)}
        self.assertEqual(set(self.found), selected)
        self.assertEqual({case.get("name") for case in self.testcases}, selected)
        self.assertEqual(len(self.testcases), len(selected))

    def test_junit_has_the_verdicts(self) -> None:
        for case in self.testcases:
            kinds = {PASSED: [], FAIL: ["failure"], NOT_RUN: ["skipped"]}
            verdict = self.found[case.get("name", "")]["verdict"]
            self.assertEqual([child.tag for child in case], kinds[verdict])

    @parameterized.expand(
        [
            ("hinge_embedding/reduction_sum/float16/value", "Segmentation fault, in _ends"),
            ("hinge_embedding/reduction_sum/bfloat16/value", "Aborted, in _ends_its_process"),
            ("hinge_embedding/reduction_sum/float32/value", "the end of the process"),
            ("margin_ranking/reduction_sum/float32/value", f"within {LIMIT} s, in _loops, line"),
            ("soft_margin/reduction_sum/float32/value", f"within {LIMIT} s, in _hangs_in_c, line"),
            ("multi_margin/reduction_sum/float32/value", "SystemExit: 0"),
            ("multi_margin/reduction_sum/float32/torch", "SystemExit: 0"),
            ("multi_label_margin/reduction_sum/float32/value", "KeyboardInterrupt"),
        ]
    )
    def test_what_it_does_is_the_failure_of_its_check(self, check_id: str, text: str) -> None:
        found = self.found[check_id]
        self.assertEqual(found["verdict"], FAIL)
        self.assertIn(f"expected an answer, received {text}", found["text"].replace("none ", ""))
        self.assertIn(check_id, found["script"])

    def test_a_row_that_ends_its_process_is_run_once(self) -> None:
        found = self.found["margin_ranking/reduction_sum/float32/torch"]
        self.assertEqual(found["verdict"], FAIL)
        self.assertIn("the row ended the process of margin_ranking/reduction_sum", found["text"])

    def test_the_rest_of_a_loss_is_left_out_after_three(self) -> None:
        of_hinge = [v for k, v in self.found.items() if k.startswith("hinge_embedding")]
        left_out = [each for each in of_hinge if each["verdict"] == NOT_RUN]
        self.assertTrue(left_out)
        for each in left_out:
            self.assertIn("3 rows or modes of hinge_embedding ended", each["text"])
        failed = {each["dtype"] for each in of_hinge if each["verdict"] == FAIL}
        self.assertGreaterEqual(len(failed), 3)

    @parameterized.expand(
        [(stem,) for stem in ("hinge_embedding", "margin_ranking", "soft_margin", "multi_margin")]
    )
    def test_other_rows_are_checked(self, stem: str) -> None:
        for name in ("value", "torch"):
            found = self.found[f"{stem}/reduction_mean/float32/{name}"]
            self.assertEqual(found["verdict"], PASSED, found)

    def test_what_is_missing_is_not_run(self) -> None:
        found = self.found["multi_label_soft_margin/reduction_sum/float32/value"]
        self.assertEqual(found["verdict"], NOT_RUN)
        self.assertIn("multi_label_soft_margin_loss is missing", found["text"])


class TestGoldens(unittest.TestCase):
    """One run with half of the goldens missing and a bit of one flipped."""

    status: int
    found: dict[str, dict[str, Any]]
    stems = tuple(LOSSES)

    @classmethod
    def setUpClass(cls) -> None:
        with tempfile.TemporaryDirectory() as folder:
            project = Path(folder)
            for package in ("conformance", "paddle_margin"):
                shutil.copytree(ROOT / package, project / package)
            goldens = project / "conformance" / "goldens"
            for stem in cls.stems[1::2]:
                (goldens / f"{stem}.safetensors").unlink()
            flipped = goldens / f"{cls.stems[0]}.safetensors"
            data = bytearray(flipped.read_bytes())
            data[-1] ^= 1
            flipped.write_bytes(data)
            path = project / "run.json"
            done = conformance(
                *("-n", "0", "-k", "reduction_sum/float32 and torch", "--json", str(path)),
                folder=folder,
                project=project,
            )
            cls.status, cls.found = done.returncode, findings(path)

    def test_a_missing_golden_is_not_run(self) -> None:
        for stem in self.stems[1::2]:
            found = self.found[f"{stem}/reduction_sum/float32/torch"]
            self.assertEqual(found["verdict"], NOT_RUN)
            self.assertIn(f"no goldens of {stem}", found["text"])

    def test_a_flipped_bit_is_a_failure(self) -> None:
        found = self.found[f"{self.stems[0]}/reduction_sum/float32/torch"]
        self.assertEqual((found["verdict"], self.status), (FAIL, 1))
        self.assertIn(f"{self.stems[0]}.safetensors", found["text"])

    def test_the_others_pass(self) -> None:
        for stem in self.stems[2::2]:
            found = self.found[f"{stem}/reduction_sum/float32/torch"]
            self.assertEqual(found["verdict"], PASSED, found)


class TestInterruption(unittest.TestCase):
    """A run that is interrupted leaves the reports of the one before, and no process."""

    @parameterized.expand([("SIGINT", 2), ("SIGKILL", -9)])
    def test_reports_stay_whole(self, name: str, status: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            paths = {kind: Path(folder, f"run.{kind}") for kind in ("json", "html", "junit-xml")}
            for kind, path in paths.items():
                path.write_text(f"the {kind} before", encoding="utf-8")
            options = [text for kind, path in paths.items() for text in (f"--{kind}", str(path))]
            command = [sys.executable, "-m", "conformance", "-n", "1", "-k", "hinge", *options]
            mark = f"conformance-test-{time.monotonic_ns()}"
            started = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**environment(), "MARK": mark},
                stderr=subprocess.PIPE,
                start_new_session=True,
                text=True,
                # A shell starts what runs in its background with SIGINT ignored.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
            while len(processes(mark)) < 2 and started.poll() is None:
                time.sleep(0.05)
            time.sleep(1)
            started.send_signal(getattr(signal, name))
            errors = started.communicate()[1]
            self.assertEqual(started.returncode, status, errors)
            self.assertLessEqual(len(errors.splitlines()), 1)
            for kind, path in paths.items():
                self.assertEqual(path.read_text(encoding="utf-8"), f"the {kind} before")
            end = time.monotonic() + 30
            while processes(mark) and time.monotonic() < end:
                time.sleep(0.1)
            self.assertEqual(processes(mark), [])

    def test_the_end_while_a_report_is_written_leaves_the_one_before(self) -> None:
        script = (
            "import os, pathlib, sys\n"
            "from conformance.findings import write_text\n"
            "pathlib.Path.replace = lambda *_: os.kill(os.getpid(), 9)\n"
            "write_text(pathlib.Path(sys.argv[1]), 'new')\n"
        )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "run.json")
            path.write_text("old", encoding="utf-8")
            self.assertEqual(run("-c", script, str(path)).returncode, -9)
            self.assertEqual(path.read_text(encoding="utf-8"), "old")


def processes(mark: str) -> list[str]:
    """The processes that have ``mark`` in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            continue
    return found
