"""``python -m conformance`` as a user runs it: exit statuses, texts, scripts that run."""

from __future__ import annotations

import itertools
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from parameterized import parameterized

from conformance.checks import part_of
from tests.running import conformance, findings, run


class TestCommand(unittest.TestCase):
    @parameterized.expand(
        [
            (["--bad"], "--bad"),
            (["-i", "no_such_module"], "no_such_module"),
            (["-i", "numpy"], "none of the losses"),
            (["-i", "paddle:no_such_attribute"], "no_such_attribute"),
            (["-n", "0", "-k", "no_such_row"], "selects no check"),
            (["-n", "1", "-k", "a b ("], "-k 'a b ('"),
            (["--register", "no_such_file"], "no_such_file"),
            (["--json", "no_such_folder/run.json"], "no_such_folder"),
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

    @parameterized.expand(
        [
            ("import sys; sys.exit(3)", "SystemExit: 3"),
            ("import os; 'PYTEST_XDIST_WORKER' in os.environ and os._exit(3)", "-n 0"),
        ]
    )
    def test_a_module_that_ends_its_process_is_one_line(self, text, expected):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "ends.py").write_text(
                f"{text}\nfrom paddle.nn.functional import soft_margin_loss\n"
            )
            done = conformance("-n", "1", "-i", "ends", "-k", "paddle_none", folder=folder)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        self.assertIn(expected, done.stderr)

    def test_a_typo_in_the_register_is_one_line(self):
        with tempfile.TemporaryDirectory() as folder:
            register = Path(folder, "register.toml")
            register.write_text(
                '[[entry]]\nid = "typo"\nimplementation = "paddle.nn"\nversions = ">=0"\n'
                'reasn = "none"\nchecks = ["*"]\n'
            )
            done = conformance("-i", "paddle.nn", "--register", str(register))
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        self.assertIn("'typo': unknown key 'reasn'", done.stderr)

    def test_any_number_of_processes_gives_the_same_verdicts(self):
        verdicts = []
        with tempfile.TemporaryDirectory() as folder:
            for processes in ("0", "1", "2"):
                path = Path(folder, f"{processes}.json")
                done = conformance(
                    *("-i", "tests.implementations.hinge:wrong_kink", "-n", processes),
                    *("-k", "hinge and (at_the_kink or lucid)", "--json", str(path)),
                )
                self.assertEqual(done.returncode, 1, done.stderr)
                verdicts.append(
                    {k: (v["verdict"], v.get("text")) for k, v in findings(path).items()}
                )
        self.assertEqual(verdicts[0], verdicts[1])
        self.assertEqual(verdicts[0], verdicts[2])
        self.assertLessEqual(
            {"FAIL", "conformant", "not run"}, {v for v, _ in verdicts[0].values()}
        )

    def test_parts_are_disjoint_and_together_the_whole(self):
        whole = conformance("--list").stdout.splitlines()
        parts = [conformance("--list", "--fraction", f"{i}/2").stdout.splitlines() for i in (1, 2)]
        self.assertEqual(sorted(parts[0] + parts[1]), sorted(whole))
        self.assertTrue(parts[0] and parts[1])
        for count in (2, 3):
            in_parts = [part_of(whole, f"{i + 1}/{count}") for i in range(count)]
            self.assertEqual(sorted(itertools.chain(*in_parts)), sorted(whole))
            rows = [{each.rpartition("/")[0] for each in part} for part in in_parts]
            self.assertEqual(sum(map(len, rows)), len(set().union(*rows)))

    def test_the_register_is_not_judged_on_a_part(self):
        wrong = "tests.implementations.hinge:raises"
        with tempfile.TemporaryDirectory() as folder:
            register = Path(folder, "register.toml")
            register.write_text(
                f'[[entry]]\nid = "gone"\nimplementation = "{wrong}"\nversions = ">=0"\n'
                'reason = "none"\nchecks = ["*/no_such_row/*", "*/float32/value"]\n'
            )
            done = conformance(
                *("-i", wrong, "-n", "0", "--fraction", "1/3", "--register", str(register))
            )
        self.assertEqual(done.returncode, 1)
        self.assertIn(" known difference, ", done.stdout.splitlines()[-1])
        self.assertNotIn("no longer occurs", done.stdout)

    def test_the_seed_is_that_of_the_random_rows(self):
        listed = [conformance("--list", "--seed", seed).stdout for seed in ("0", "7")]
        self.assertIn("/seed_7_batch_0", listed[1])
        self.assertNotIn("/seed_7_", listed[0])
        fixed = [{x for x in ids.splitlines() if "/seed_" not in x} for ids in listed]
        self.assertEqual(fixed[0], fixed[1])

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
                *("-i", wrong, "-n", "0", "-k", "at_the_kink/float32/gradient and hinge"),
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
                *("-i", wrong, "-n", "0", "-k", "at_the_kink/float32/value"),
                *("--register", str(register)),
            )
        self.assertEqual(done.returncode, 1)
        self.assertIn("no longer occurs: gone", done.stdout)

    def test_reproduce_prints_a_script(self):
        done = conformance("reproduce", "hinge_embedding/at_the_kink", "-i", "paddle.nn")
        self.assertEqual(done.returncode, 0, done.stderr)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "script.py")
            path.write_text(done.stdout)
            ran = run(str(path), folder=folder)
        self.assertEqual((ran.returncode, ran.stdout.splitlines()[-1]), (1, "differs"), ran.stderr)
        self.assertIn("# hinge_embedding/at_the_kink/float32/gradient", done.stdout)


if __name__ == "__main__":
    unittest.main()
