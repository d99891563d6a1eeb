"""The script of each failing check shows it alone, with Paddle and what it is about, and no suite.

All scripts of a test run in forks of one process that has imported Paddle, and cannot import the
suite.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from parameterized import parameterized

from conformance import reproduce
from conformance.cases import all_losses
from conformance.checks import FAIL, OTHER_ROWS, RANDOM, SHARDED, Check, checks_of
from conformance.implementation import UsageError, load
from conformance.layers import STATE_PROPERTIES
from tests.running import HINGE, ROOT, conformance, findings
from tests.test_checker import WRONG

LOSSES = all_losses()
CHECKS = {
    check.id: check
    for loss in LOSSES.values()
    for profile in ("full", "exhaustive")
    for check in checks_of(loss, profile)
}
WITHOUT_SCRIPT = (OTHER_ROWS, RANDOM, SHARDED)

SUBTLE = ROOT / "tests" / "implementations" / "subtle.py"
SECOND = "soft_margin and not multi and not program and float64 and (paddle_mean or lead_of_1)"
# implementation, check that must fail, what the output of its script must contain
TELLING = [
    *((f"{HINGE}:{name}", f"hinge_embedding/{check}", "expected") for name, check, _ in WRONG),
    ("paddle.nn", "hinge_embedding/at_the_kink/float32/gradient", "received gradient of input"),
    ("paddle.nn", "hinge_embedding/at_the_kink/float32/torch", "(torch 2.13"),
    ("paddle.nn", "hinge_embedding/label_int64/float32/program", "must be ['float32', 'float64']"),
    ("paddle.nn", "hinge_embedding/shape_0d/float32/shape", "Tensor(shape=[1]"),
    ("paddle.nn", "hinge_embedding/defaults/extra_repr", "expected"),
    ("paddle.nn", "multi_margin/weight_is_shown_and_saved/state_dict", "['weight']"),
    ("paddle.nn", "multi_margin/separable_is_exactly_0/float64/value", "received value"),
    ("paddle.nn", "multi_margin/p_0_is_refused/float32/error", "expected ValueError with"),
    ("paddle.nn", "multi_margin/p_0_is_refused/float32/error_layer", "expected ValueError with"),
    ("paddle.nn", "multi_label_margin/paddle_none_in_every_mode/float32/saved", "(eager)"),
    ("paddle.nn", "triplet_margin/p_2_5/float64/program", "(eager)"),
    ("paddle.nn", "triplet_margin_with_distance/l1/float32/layer", "(the function)"),
    ("paddle.nn", "hinge_embedding/at_the_kink/float16/value", "not registered"),
]

RUNNER = """
import contextlib, json, os, runpy, sys, traceback
import paddle
sys.modules["conformance"] = None  # importing it raises
for path in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        with open(path + ".out", "w") as out:
            os.dup2(out.fileno(), 1)
            os.dup2(out.fileno(), 2)
            status = 0
            try:
                runpy.run_path(path)
            except SystemExit as end:
                status = int(end.code)
            except BaseException:
                traceback.print_exc()
                status = 3
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    print(path, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def run_all(scripts: dict[str, str], path: Path) -> dict[str, tuple[int, str]]:
    """The exit status and the output of each script; ``path`` is all that Python may import."""
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder, f"script_{n}.py") for n, name in enumerate(scripts)}
        for name, file in files.items():
            file.write_text(scripts[name], encoding="utf-8")
        environment = {
            **os.environ,
            "PYTHONPATH": str(path),
            "OMP_NUM_THREADS": "1",  # more would not survive a fork
            "PYTHONWARNINGS": "ignore",
            "GLOG_minloglevel": "3",
        }
        done = subprocess.run(
            [sys.executable, "-c", RUNNER, *map(str, files.values())],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        status = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())
        assert len(status) == len(files), done.stderr
        return {
            name: (int(status[str(file)]), Path(f"{file}.out").read_text(encoding="utf-8"))
            for name, file in files.items()
        }


class TestSecondGradient(unittest.TestCase):
    """An implementation in one file, with one subtle error."""

    wrong: dict[str, dict]
    right: dict[str, dict]
    ran: dict[str, tuple[int, str]]

    @classmethod
    def setUpClass(cls) -> None:
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(SUBTLE, folder)
            found = {}
            for name in ("right", "wrong"):
                path = Path(folder, f"{name}.json")
                done = conformance(
                    *("-n", "0", "-i", f"subtle:{name}", "-k", SECOND, "--json", str(path)),
                    folder=folder,
                )
                assert done.returncode == (name == "wrong"), done.stdout + done.stderr
                found[name] = findings(path)
            cls.wrong, cls.right = found["wrong"], found["right"]
            scripts = {k: v["script"] for k, v in cls.wrong.items() if v["verdict"] == FAIL}
            cls.ran = run_all(scripts, Path(folder))

    def test_it_is_caught_by_the_second_gradient_alone(self) -> None:
        failed = {each for each, found in self.wrong.items() if found["verdict"] == FAIL}
        seconds = {each for each in self.wrong if each.endswith("/second_gradient")}
        self.assertEqual(failed, seconds)
        self.assertGreaterEqual(len(failed), 5)

    def test_without_the_error_nothing_is(self) -> None:
        self.assertEqual([k for k, found in self.right.items() if found["verdict"] == FAIL], [])
        self.assertEqual(set(self.right), set(self.wrong))

    def test_each_script_prints_what_is_expected_and_what_comes(self) -> None:
        for name, (status, output) in self.ran.items():
            self.assertEqual((status, output.splitlines()[-1]), (1, "differs"), f"{name}\n{output}")
            pattern = r"^{} second gradient of \w+ \[\d.*?\] \S* (.*?)(?: \(formula\))?$"
            wanted, came = (
                [
                    float(each)
                    for line in re.findall(pattern.format(kind), output, re.M)
                    for each in line.split()
                ]
                for kind in ("expected", "received")
            )
            self.assertEqual(len(wanted), len(came))
            off = max(abs(ours - right) for right, ours in zip(wanted, came))
            # What cancels in a sum is as far off as its largest term.
            self.assertTrue(1e-6 < off / max(map(abs, wanted)) < 1e-3, output)


class TestProperties(unittest.TestCase):
    """One script or more of each property, where the check fails and where it does not."""

    failing: dict[str, tuple[int, str]]
    right: dict[str, tuple[int, str]]

    @classmethod
    def setUpClass(cls) -> None:
        named = [(name, CHECKS[check_id]) for name, check_id, _ in TELLING]
        cls.failing = run_all({key(n, c.id): script(n, c) for n, c in named}, ROOT)
        chosen = one_of_each_property()
        scripts = {check.id: script("paddle_margin.nn", check) for check in chosen}
        cls.right = run_all(scripts, ROOT)

    @parameterized.expand(TELLING)
    def test_differs_where_the_check_fails(self, name: str, check_id: str, text: str) -> None:
        status, output = self.failing[key(name, check_id)]
        self.assertIn(text, output)
        raised = status == 3 and "Error: " in output
        self.assertTrue(raised or (status == 1 and output.endswith("\ndiffers\n")), output)

    def test_agrees_where_the_check_conforms(self) -> None:
        properties = {check_id.rpartition("/")[2] for check_id in self.right}
        self.assertEqual(properties, {c.name for c in CHECKS.values()} - set(WITHOUT_SCRIPT))
        for check_id, (status, output) in self.right.items():
            self.assertEqual((status, output.splitlines()[-1]), (0, "agrees"), check_id + output)

    def test_is_short_and_without_the_suite(self) -> None:
        lengths = []
        for name, check_id, _ in TELLING:
            text = script(name, CHECKS[check_id])
            self.assertNotIn("conformance", text)
            lengths.append(len(text.splitlines()))
        self.assertLessEqual(sorted(lengths)[len(lengths) // 2], 26)
        self.assertLessEqual(max(lengths), 40)

    @parameterized.expand(
        [
            ("hinge_embedding/two_processes/sharded", "no single call"),
            ("hinge_embedding/no_such_row", "no check has this id"),
        ]
    )
    def test_what_has_no_script_says_so(self, check_id: str, text: str) -> None:
        with self.assertRaisesRegex(UsageError, text):
            reproduce.script(check_id, "paddle.nn")


def key(name: str, check_id: str) -> str:
    """An implementation and a check, as one name."""
    return f"{name} {check_id}"


def script(name: str, check: Check) -> str:
    """The script of a check of an implementation."""
    return reproduce.of_check(check, load(name, list(LOSSES.values())))


def one_of_each_property() -> list[Check]:
    """A check of each property, of another loss each time: those that are common to all losses."""
    found: dict[str, Check] = {}
    for turn, name in enumerate(sorted({check.name for check in CHECKS.values()})):
        if name in WITHOUT_SCRIPT:
            continue
        first = turn % len(LOSSES)
        stems = [*LOSSES][first:] + [*LOSSES][:first]
        mine = [c for c in CHECKS.values() if c.name == name and is_common(c)]
        found[name] = min(mine, key=lambda check: stems.index(check.loss.stem))
    return list(found.values())


def is_common(check: Check) -> bool:
    """Whether the check is of one of the rows that conform and have a formula."""
    row = check.row if isinstance(check.row, str) else check.row.id
    if check.name in ("printed", "exact", "signature", *STATE_PROPERTIES):
        return True
    if check.name.startswith("error"):
        return row == "reduction_capitalised_is_refused"
    return row in ("reduction_none", "paddle_none", "paddle_mean", "torch_spelling")


if __name__ == "__main__":
    unittest.main()
