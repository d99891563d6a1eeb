"""Runs the suite on the library and on its mutants, each in a child of a process that has all.

Paddle, the rows and the formulas' results are loaded once, before anything runs on Paddle (which
would start threads that a child lacks). A child then needs a quarter of a second to its first
verdict. A mutant meets the checks whose rows reach its lines, as one traced run of the library as
it is has shown, and ends at the first failure.
"""

from __future__ import annotations

import compileall
import itertools
import os
import shutil
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Callable, Optional
from unittest import mock

from conformance import implementation, oracle
from conformance.case import Case, Loss
from conformance.checker import Checker
from conformance.checks import FAIL, OTHER_ROWS, RANDOM, SHARDED, Check, checks_of
from conformance.modes import MODES
from mutation.children import Say
from mutation.mutants import Mutant

PACKAGE = "paddle_margin"
UNDER_TEST = "paddle_margin.nn"
IMPORT = "import"
"""What importing the package is called, as a unit of a trace and as what catches a mutant."""

SOT = "to_static_sot"
"""The mode whose lines no trace shows: it puts its own functions in the interpreter's place."""

Line = tuple[str, int]


@dataclass(frozen=True)
class Reach:
    """What the library as it is shows: its failures, and the lines that each unit reaches.

    Args:
        failed: the ids of checks that fail.
        lines: by unit (see :func:`unit`).
    """

    failed: tuple[str, ...]
    lines: dict[str, frozenset[Line]]


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


def unit(check: Check) -> str:
    """What is run, and traced, at once: a row in a dtype, a mode of a loss, or one other check."""
    if check.name in MODES:
        # One traced layer is called, saved and loaded.
        traced = check.name.replace("saved", "to_static_ast").replace("inference", "to_static_ast")
        return f"{check.loss.stem}/{traced}"
    if isinstance(check.row, Case):
        return f"{check.loss.stem}/{check.row.id}/{check.dtype}"
    return check.id


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


def trace(folder: Path, loss: Loss, losses: Sequence[Loss], say: Say) -> Reach:
    """Make all checks of a loss, and note what they reach.

    Args:
        folder: where the package lies.
        loss: the loss.
        losses: all losses.
        say: told of each check.
    """
    lines: dict[str, set[Line]] = defaultdict(set)
    root = str(folder / PACKAGE) + os.sep
    with _traced(root, lines[IMPORT]):
        under_test = _imported(folder, losses)
    checks = _checks(loss)
    checker = Checker(under_test, False, checks)
    failed = []
    for check in sorted(checks, key=lambda each: each.name in MODES):
        say(check.id)
        with _traced(root, None if check.name == SOT else lines[unit(check)]):
            verdict = checker.run(check)
        if verdict.status == FAIL:
            failed.append(f"{check.id}: {verdict.text}")
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


def _checks(loss: Loss) -> list[Check]:
    """What ``python -m conformance`` makes of a loss, and the rows that it leaves out as slow."""
    found = {check.id: check for check in checks_of(loss) if check.name != OTHER_ROWS}
    for check in checks_of(loss, "full"):
        if _is_slow(check) and check.name not in (*MODES, OTHER_ROWS):
            found.setdefault(check.id, check)
    return list(found.values())


def _is_slow(check: Check) -> bool:
    return isinstance(check.row, Case) and (
        check.row.profile != "quick" or check.row.exact is not None
    )


class Plan:
    """Which checks a mutant meets, and in which order.

    Args:
        losses: all losses.
        reaches: what each of them reaches, by stem.
    """

    def __init__(self, losses: Sequence[Loss], reaches: Mapping[str, Reach]) -> None:
        self._losses = losses
        self._lines = {u: lines for each in reaches.values() for u, lines in each.lines.items()}
        self._imported = self._lines.pop(IMPORT)
        ordered = [list(_in_turn(loss)) for loss in losses]
        both = itertools.zip_longest(*ordered)
        self._checks = sorted(
            (check for several in both for check in several if check is not None), key=_stage
        )

    def checks(self, mutant: Mutant) -> list[Check]:
        """The checks that can tell a mutant, those that are quick and unlike each other first.

        A loss's own file is for the rows of that loss alone to tell.
        """
        first, last = mutant.lines
        own = {(mutant.file, line) for line in range(first, last + 1)}
        if self._imported & own:
            # What is made when the file is imported is at work wherever the file is.
            own = {
                line for lines in self._lines.values() for line in lines if line[0] == mutant.file
            }
        reached = {each.partition("/")[0] for each, lines in self._lines.items() if lines & own}
        folder, _, name = mutant.file.rpartition("/")
        losses = [
            loss
            for loss in self._losses
            if loss.stem in reached and (not folder or loss.stem == name.removesuffix(".py"))
        ]
        found = [
            check
            for check in self._checks
            if any(check.loss is loss for loss in losses) and self._tells(check, own, losses)
        ]
        if "sharded" in mutant.function + mutant.old:
            found += [Check(loss, "two_processes", "", SHARDED) for loss in losses]
        return found

    def _tells(self, check: Check, own: set[Line], losses: Sequence[Loss]) -> bool:
        if check.name == SOT:
            # It can lose a name of code that it translated for an earlier loss.
            return check.loss is losses[0]
        return check.name == "signature" or not own.isdisjoint(self._lines.get(unit(check), ()))


def _in_turn(loss: Loss) -> Iterator[Check]:
    """A loss's checks, of one row of each clause in turn."""
    by_clause: dict[str, list[Check]] = defaultdict(list)
    for check in _checks(loss):
        clause = check.row.clause if isinstance(check.row, Case) else ""
        by_clause[clause].append(check)
    rows = ([list(own) for _, own in itertools.groupby(each, unit)] for each in by_clause.values())
    for several in itertools.zip_longest(*rows, fillvalue=[]):
        for own in several:
            yield from own


def _stage(check: Check) -> int:
    """One dtype of each row and the layers first, then graphs, other dtypes, what takes longest."""
    if not isinstance(check.row, Case):
        return {"signature": 0, RANDOM: 3}.get(check.name, 1)
    if check.name in MODES:
        kind = check.name.split("_")[0]
        return 5 if check.name == SOT else 2 if kind == "program" else 4
    if _is_slow(check):
        return 6
    dtypes = check.row.dtypes
    turn = check.loss.cases.index(check.row) % len(dtypes)
    return 1 if check.dtype == dtypes[turn] else 3


def judge(folder: Path, checks: Sequence[Check], losses: Sequence[Loss], say: Say) -> Found:
    """Make checks of a mutant until one fails.

    Args:
        folder: where the mutated package lies.
        checks: in order.
        losses: all losses.
        say: told of each check.
    """
    say(IMPORT)
    try:
        under_test = _imported(folder, losses)
    except Exception as error:
        return Found(IMPORT, IMPORT, f"{type(error).__name__}: {error}")
    checkers: dict[str, Checker] = {}
    try:
        for check in checks:
            say(check.id)
            stem = check.loss.stem
            if stem not in checkers:
                checkers[stem] = Checker(under_test, False, checks)
            text = _failure(checkers[stem], check)
            if text:
                return Found(check.group, check.id, text)
    finally:
        for checker in checkers.values():
            checker.close()
    return Found("")


def _failure(checker: Checker, check: Check) -> str:
    try:
        verdict = checker.run(check)
    except Exception as error:
        return f"the suite itself failed: {type(error).__name__}: {error}"
    return (verdict.text or FAIL) if verdict.status == FAIL else ""
