"""The library's own parts that no row of the suite can see."""

from __future__ import annotations

import inspect
import resource
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest import TestCase
from unittest.mock import patch

import numpy as np
import paddle
from parameterized import parameterized

import paddle_margin.nn.functional as F
from paddle_margin import _require, nn

ROOT = Path(__file__).parents[1]
FUNCTIONS = [name for name in dir(F) if name.endswith("_loss")]
LAYERS = [name for name in dir(nn) if name.endswith("Loss")]


class TestRequirement(TestCase):
    def test_without_paddle_it_says_how_to_install_in_two_languages(self) -> None:
        missing = ModuleNotFoundError("No module named 'paddle'", name="paddle")
        failing = patch("importlib.import_module", side_effect=missing)
        with failing, self.assertRaises(ImportError) as caught:
            _require.paddle_at_least("3.1")
        text = str(caught.exception)
        for part in ("pip install paddlepaddle\n", "pip install paddlepaddle-gpu", "安装"):
            self.assertIn(part, text)

    def test_another_missing_module_is_not_taken_for_paddle(self) -> None:
        missing = ModuleNotFoundError("No module named 'numpy'", name="numpy")
        failing = patch("importlib.import_module", side_effect=missing)
        with failing, self.assertRaises(ModuleNotFoundError) as caught:
            _require.paddle_at_least("3.1")
        self.assertEqual(caught.exception.name, "numpy")

    @parameterized.expand([("3.0.0",), ("2.6.2",), ("3.0.0rc1",)])
    def test_an_older_paddle_is_refused_with_both_versions(self, version: str) -> None:
        older = patch("importlib.import_module", return_value=SimpleNamespace(__version__=version))
        with older, self.assertRaisesRegex(ImportError, rf"3\.1.*received {version}"):
            _require.paddle_at_least("3.1")

    @parameterized.expand([("3.1.0",), ("3.10.0",), ("4.0.0",), ("0.0.0",)])
    def test_a_newer_paddle_and_a_development_build_serve(self, version: str) -> None:
        with patch("importlib.import_module", return_value=SimpleNamespace(__version__=version)):
            _require.paddle_at_least("3.1")

    def test_importing_needs_no_torch_and_no_conformance(self) -> None:
        code = "import sys, paddle_margin; print({'torch', 'conformance'} & set(sys.modules))"
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, capture_output=True, text=True
        )
        self.assertEqual(done.stdout.strip(), "set()", done.stderr)


class TestNames(TestCase):
    def test_there_are_nine_layers_and_eleven_names_of_functions(self) -> None:
        self.assertEqual((len(LAYERS), len(FUNCTIONS)), (9, 11))

    @parameterized.expand([(name,) for name in FUNCTIONS if not name.startswith("multilabel")])
    def test_functions_have_paddles_signature(self, name: str) -> None:
        theirs = inspect.signature(getattr(paddle.nn.functional, name))
        ours = inspect.signature(getattr(F, name))
        self.assertEqual(_plain(ours), _plain(theirs))

    @parameterized.expand([(name,) for name in LAYERS])
    def test_layers_have_paddles_signature(self, name: str) -> None:
        theirs = inspect.signature(getattr(paddle.nn, name).__init__)
        ours = inspect.signature(getattr(nn, name).__init__)
        self.assertEqual(_plain(ours), _plain(theirs))

    @parameterized.expand([(name,) for name in FUNCTIONS])
    def test_every_function_documents_what_it_takes(self, name: str) -> None:
        text = inspect.getdoc(getattr(F, name)) or ""
        for part in ("Args:", "Returns:", "Raises:", "Differences:", "Source:", ">>>"):
            self.assertIn(part, text)


def _plain(signature: inspect.Signature) -> list[tuple[str, object]]:
    return [(p.name, p.default) for p in signature.parameters.values()]


class TestGradient(TestCase):
    def test_a_power_of_a_subnormal_term_has_no_nan(self) -> None:
        input = paddle.to_tensor([[2.0**-1074, 0.0]], "float64", stop_gradient=False)
        F.multi_margin_loss(input, paddle.to_tensor([1]), p=1.3, margin=0.0).backward()
        # 1.3 * (2**-1074)**0.3 / 2, to the accuracy that is left there
        np.testing.assert_allclose(input.grad.numpy()[0, 0], 0.65 * 2.0**-322.2, rtol=1e-5)


class TestMemory(TestCase):
    def test_multi_label_margin_with_few_targets_needs_no_cube(self) -> None:
        samples, classes = 4096, 1000
        rng = np.random.default_rng(0)
        label = np.full((samples, classes), -1)
        label[:, :3] = rng.integers(0, classes, (samples, 3))
        input = paddle.to_tensor(
            rng.standard_normal((samples, classes)).astype("float32"), stop_gradient=False
        )
        F.multi_label_margin_loss(input, paddle.to_tensor(label)).backward()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        self.assertLess(peak, 2 * 2**30)


class TestProject(TestCase):
    def test_ci_runs_the_second_command_of_both_readmes(self) -> None:
        script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
        for page in ("README.md", "README.zh-CN.md"):
            text = (ROOT / page).read_text(encoding="utf-8")
            commands = [line for line in text.splitlines() if line.startswith("python3 -m venv")]
            self.assertEqual(len(commands), 2)
            self.assertIn(commands[1], script.splitlines())

    @parameterized.expand([("README.md",), ("README.zh-CN.md",)])
    def test_the_example_of_the_readme_runs(self, page: str) -> None:
        text = (ROOT / page).read_text(encoding="utf-8")
        code = text.split("```python\n")[1].split("```")[0]
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, capture_output=True, text=True
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("[16, 4]", done.stdout)

    @parameterized.expand([(name,) for name in FUNCTIONS])
    def test_the_example_of_the_docstring_prints_what_it_says(self, name: str) -> None:
        import doctest

        function = getattr(F, name)
        test = doctest.DocTestFinder(recurse=False).find(inspect.unwrap(function), name, globs={})
        runner = doctest.DocTestRunner(verbose=False)
        for each in test:
            runner.run(each)
        self.assertGreater(runner.tries, 0)
        self.assertEqual(runner.failures, 0)
