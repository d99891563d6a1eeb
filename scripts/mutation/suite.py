"""Runs the suite on the library and on its mutants, each in a child of a process that has all.

Paddle, the rows and the formulas' results are loaded once, before anything runs on Paddle (which
would start threads that a child lacks). A child then needs a quarter of a second to its first
verdict. A mutant meets the checks whose rows reach its lines, as traced runs of the library have
shown, one under each backend, and ends at the first failure.
"""

from __future__ import annotations

import compileall
import importlib
import os
import shutil
import sys
import unittest
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Callable, Optional
from unittest import mock

from conformance import implementation, oracle
from conformance.case import Case, Loss
from conformance.checker import Checker
from conformance.checks import FAIL, Check
from conformance.modes import MODES
from mutation.children import Say
from mutation.mutants import Mutant
from mutation.plan import BACKENDS, IMPORT, SOT, Line, Reach, Steps, all_checks, unit

PACKAGE = "paddle_margin"
UNDER_TEST = "paddle_margin.nn"
TESTS = "tests"
"""What catches a mutant that the suite lets pass and the tests of the kernels do not."""
TESTED = "tests.test_fused"


@dataclass(frozen=True)
class Found:
    """What became of a mutant.

    Args:
        kind: the group of the check that failed, or ``import``, ``crash`` or ``time-out``; empty
            where nothing caught it.
        check: the id of that check.
        text: what it said.
    """

    kind: str
    check: str = ""
    text: str = ""


def remember(losses: Sequence[Loss]) -> None:
    """Evaluate the formulas of all rows, for this process and its children."""
    for name in ("evaluate", "second_gradients"):
        mock.patch.object(oracle, name, _remembered(getattr(oracle, name), losses)).start()


def _remembered(function: Callable[..., Any], losses: Sequence[Loss]) -> Callable[..., Any]:
    second = function is oracle.second_gradients
    # The rows outlive this, so no other one gets the id of one of them.
    known = {
        (id(case), *dtype): function(loss, case, *dtype)
        for loss in losses
        for case in loss.cases
        for dtype in ([()] if second else [(each,) for each in case.dtypes])
        if not second or "float64" in case.dtypes
    }

    def call(loss: Loss, case: Case, *dtype: str) -> Any:
        key = (id(case), *dtype)
        return known[key] if key in known else function(loss, case, *dtype)

    return call


def compiled(source: Path, folder: Path) -> Path:
    """A copy of the package, compiled, in a folder of its own."""
    target = folder / PACKAGE
    shutil.copytree(source / PACKAGE, target, ignore=shutil.ignore_patterns("__pycache__"))
    compileall.compile_dir(target, quiet=1)
    return folder


def mutated(plain: Path, folder: Path, mutant: Mutant) -> Path:
    """A copy of the package with one file changed, which alone is compiled again."""
    shutil.copytree(plain / PACKAGE, folder / PACKAGE)
    (folder / PACKAGE / mutant.file).write_text(mutant.text, encoding="utf-8")
    return folder


def trace(folder: Path, loss: Loss, losses: Sequence[Loss], backend: str, say: Say) -> Reach:
    """Make all checks of a loss under a backend, and note what they reach.

    Args:
        folder: where the package lies.
        loss: the loss.
        losses: all losses.
        backend: one of ``BACKENDS``.
        say: told of each check.
    """
    lines: dict[str, set[Line]] = defaultdict(set)
    root = str(folder / PACKAGE) + os.sep
    with _traced(root, lines[IMPORT]):
        under_test = _imported(folder, losses)
        _choose(backend)
    checks = all_checks(loss)
    checker = Checker(under_test, False, checks)
    failed = []
    for check in sorted(checks, key=lambda each: each.name in MODES):
        say(check.id)
        with _traced(root, None if check.name == SOT else lines[unit(check)]):
            verdict = checker.run(check)
        if verdict.status == FAIL:
            failed.append(f"{backend}: {check.id}: {verdict.text}")
    checker.close()
    return Reach(tuple(failed), {name: frozenset(found) for name, found in lines.items()})


class _traced:
    """Note the lines under a folder that are run within a ``with``."""

    def __init__(self, root: str, into: Optional[set[Line]]) -> None:
        self._root = root
        self._into = into

    def __enter__(self) -> None:
        if self._into is not None:
            sys.settrace(self._enter)

    def __exit__(self, *_: Any) -> None:
        sys.settrace(None)

    def _enter(self, frame: FrameType, event: str, _: Any) -> Optional[Callable[..., Any]]:
        name = frame.f_code.co_filename
        if not name.startswith(self._root):
            return None
        file, into = name[len(self._root) :], self._into
        assert into is not None

        def line(frame: FrameType, event: str, _: Any) -> Callable[..., Any]:
            into.add((file, frame.f_lineno))
            return line

        return line(frame, event, None)


def _imported(folder: Path, losses: Sequence[Loss]) -> implementation.Implementation:
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(folder))
    for name in [each for each in sys.modules if each.partition(".")[0] == PACKAGE]:
        del sys.modules[name]
    return implementation.load(UNDER_TEST, losses)


def _choose(backend: str) -> None:
    """Choose a backend, for this process and those that a check starts."""
    sys.modules[PACKAGE].set_backend(backend)
    os.environ["PADDLE_MARGIN_BACKEND"] = backend


def judge(folder: Path, steps: Steps, losses: Sequence[Loss], say: Say) -> Found:
    """Make checks of a mutant until one fails.

    Args:
        folder: where the mutated package lies.
        steps: what it meets.
        losses: all losses.
        say: told of each check.
    """
    say(IMPORT)
    try:
        under_test = _imported(folder, losses)
        for backend in BACKENDS:
            _choose(backend)
    except Exception as error:
        return Found(IMPORT, IMPORT, f"{type(error).__name__}: {error}")
    found = _suite(under_test, steps, say)
    if not found.kind and steps.tests:
        found = _tests(folder, say)
    return found


def _suite(under_test: implementation.Implementation, steps: Steps, say: Say) -> Found:
    checkers: dict[tuple[str, str], Checker] = {}
    checks = [step.check for step in steps.suite]
    try:
        for step in steps.suite:
            check, key = step.check, (step.check.loss.stem, step.backend)
            say(check.id)
            if key not in checkers:
                checkers[key] = Checker(under_test, False, checks)
            _choose(step.backend)
            text = _failure(checkers[key], check)
            if text:
                return Found(check.group, check.id, f"{step.backend}: {text}")
    finally:
        for checker in checkers.values():
            checker.close()
    return Found("")


def tested(folder: Path, losses: Sequence[Loss], say: Say) -> Found:
    """Import a package, and run the tests of the kernels on it."""
    _imported(folder, losses)
    return _tests(folder, say)


def _tests(folder: Path, say: Say) -> Found:
    """Run the tests of the kernels on the package that was imported, until one fails."""
    sys.modules[PACKAGE].set_backend("auto")
    os.environ.pop("PADDLE_MARGIN_BACKEND", None)

    class Result(unittest.TestResult):
        def startTest(self, test: unittest.TestCase) -> None:
            say(test.id())
            super().startTest(test)

    result = Result()
    result.failfast = True
    module = importlib.import_module(TESTED)
    # Where the processes that it starts find the package.
    with mock.patch.object(module, "ROOT", folder):
        unittest.defaultTestLoader.loadTestsFromModule(module).run(result)
    for test, text in [*result.failures, *result.errors]:
        return Found(TESTS, test.id(), text.strip().splitlines()[-1])
    return Found("")


def _failure(checker: Checker, check: Check) -> str:
    try:
        verdict = checker.run(check)
    except Exception as error:
        return f"the suite itself failed: {type(error).__name__}: {error}"
    return (verdict.text or FAIL) if verdict.status == FAIL else ""
