"""``python -m conformance`` as a user runs it: exit statuses, texts, scripts that run."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from parameterized import parameterized

ROOT = Path(__file__).parents[1]


def run(*arguments: str, folder: str = str(ROOT)) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, the project importable."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )


def conformance(*arguments: str, folder: str = str(ROOT)) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return run("-m", "conformance", *arguments, folder=folder)


class TestCommand(unittest.TestCase):
    @parameterized.expand(
        [
            (["--bad"], "--bad"),
            (["-i", "no_such_module"], "no_such_module"),
            (["-i", "numpy"], "none of the losses"),
            (["-i", "paddle:no_such_attribute"], "no_such_attribute"),
            (["-k", "no_such_row"], "selects no check"),
            (["-k", "a b ("], "-k"),
            (["--register", "no_such_file"], "no_such_file"),
            (["reproduce", "hinge_embedding/no_such_row"], "no_such_row"),
            (["reproduce", "no_such_loss/row"], "no_such_loss"),
        ]
    )
    def test_bad_usage_is_one_line(self, arguments, text):
        done = conformance(*arguments)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        self.assertIn(text, done.stderr)
        self.assertEqual(done.stdout, "")

    def test_passes_from_any_folder_whatever_pytest_is_told_there(self):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
            Path(folder, "conftest.py").write_text("raise RuntimeError\n")
            done = conformance("-k", "at_the_kink/float32/value and hinge", folder=folder)
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        self.assertEqual(done.stdout.splitlines()[-1], "1 conformant")
        self.assertLessEqual(max(map(len, done.stdout.splitlines()[3:])), 80)

    def test_failures_are_shown_with_a_command(self):
        wrong = "tests.implementations.hinge:wrong_kink"
        with tempfile.TemporaryDirectory() as folder:
            junit = Path(folder, "junit.xml")
            done = conformance(
                *("-i", wrong, "-k", "at_the_kink/float32/gradient and hinge"),
                *("--junit-xml", str(junit)),
            )
            failures = ElementTree.parse(junit).getroot().iter("failure")
            self.assertEqual(len(list(failures)), 1)
        self.assertEqual(done.returncode, 1)
        self.assertIn("expected -1.0 (formula", done.stdout)
        self.assertIn(f"python -m conformance reproduce -i {wrong}", done.stdout)

    def test_a_registered_difference_that_is_gone_is_a_failure(self):
        wrong = "tests.implementations.hinge:correct"
        with tempfile.TemporaryDirectory() as folder:
            register = Path(folder, "register.toml")
            register.write_text(
                f'[[entry]]\nid = "gone"\nimplementation = "{wrong}"\nversions = ">=0"\n'
                'reason = "none"\nchecks = ["hinge_embedding/at_the_kink/float32/value"]\n'
            )
            done = conformance(
                "-i", wrong, "-k", "at_the_kink/float32/value", "--register", register
            )
        self.assertEqual(done.returncode, 1)
        self.assertIn("no longer occurs: gone", done.stdout)

    @parameterized.expand(
        [
            ("hinge_embedding/at_the_kink/float32/gradient", "received gradient of input"),
            ("hinge_embedding/label_int64/float32/program", "must be ['float32', 'float64']"),
            ("hinge_embedding/shape_0d/float32/shape", "Tensor(shape=[1]"),
            ("hinge_embedding/defaults/extra_repr", "expected"),
            ("multi_margin/weight_is_shown_and_saved/state_dict", "'weight'"),
            ("multi_margin/separable_is_exactly_0/float64/value", "received"),
            ("multi_margin/p_0_is_refused/float32/error", "expected ValueError"),
            ("multi_margin/weight/float32/saved_batch", "received"),
        ]
    )
    def test_scripts_run_without_the_suite(self, check_id, text):
        script = conformance("reproduce", check_id, "-i", "paddle.nn").stdout
        self.assertLessEqual(len(script.splitlines()), 25)
        self.assertNotIn("conformance", script)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "script.py")
            path.write_text(script)
            done = run(str(path), folder=folder)
            self.assertIn(text, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
