"""Which checks a mutant meets, under which backend, and in which order.

A line is at work under one backend, under the other or under both: formulas are composed of
Paddle's operators, which the kernels stand in for where they serve; calls of the kernels and the
gradients of their gradients are reached by the fused form alone. So the library as it is is traced
under both, and a mutant meets the checks of every backend whose trace reaches its lines.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from conformance.case import Case, Loss
from conformance.checks import OTHER_ROWS, RANDOM, SHARDED, Check, checks_of
from conformance.modes import MODES
from mutation.mutants import Mutant

BACKENDS = ("fused", "composed")

IMPORT = "import"
"""What importing the package and choosing a backend is called: a unit of a trace, a catcher."""

SOT = "to_static_sot"
"""The mode whose lines no trace shows: it puts its own functions in the interpreter's place."""

CALLS = ("_fused.py", "_backend.py")
"""What chooses and calls the kernels; so does a statement elsewhere that names ``_fused``. Their
tests look at these, and at what the fused form alone reaches: gradients of its gradients."""

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
class Step:
    """One check under one backend."""

    backend: str
    check: Check


@dataclass(frozen=True)
class Steps:
    """What a mutant meets.

    Args:
        suite: of the conformance suite, in order.
        tests: whether the tests of the kernels follow.
    """

    suite: tuple[Step, ...]
    tests: bool


def unit(check: Check) -> str:
    """What is run, and traced, at once: a row in a dtype, a mode of a loss, or one other check."""
    if check.name in MODES:
        # One traced layer is called, saved and loaded.
        traced = check.name.replace("saved", "to_static_ast").replace("inference", "to_static_ast")
        return f"{check.loss.stem}/{traced}"
    if isinstance(check.row, Case):
        return f"{check.loss.stem}/{check.row.id}/{check.dtype}"
    return check.id


def all_checks(loss: Loss) -> list[Check]:
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
        reaches: what each of them reaches, by stem and backend.
        texts: the files as they are, relative to the package.
    """

    def __init__(
        self,
        losses: Sequence[Loss],
        reaches: Mapping[tuple[str, str], Reach],
        texts: Mapping[str, str],
    ) -> None:
        self._losses = losses
        self._texts = texts
        self._lines: dict[str, dict[str, frozenset[Line]]] = {name: {} for name in BACKENDS}
        for (_, backend), reach in reaches.items():
            self._lines[backend].update(reach.lines)
        self._imported = frozenset().union(*(own.pop(IMPORT) for own in self._lines.values()))
        ordered = [list(_in_turn(loss)) for loss in losses]
        both = itertools.zip_longest(*ordered)
        self._checks = sorted(
            (check for several in both for check in several if check is not None), key=_stage
        )

    def steps(self, mutant: Mutant) -> Steps:
        """What can tell a mutant, checks that are quick and unlike each other first.

        Of the two backends, the one that more checks show the mutant under comes first: the fused
        one where it is about choosing a backend, as it takes the same way under both.
        """
        own = self._at_work(mutant)
        losses = self._concerned(mutant, own)
        reached = {name: self._reached(name, own, losses) for name in BACKENDS}
        order = sorted(BACKENDS, key=lambda name: -len(reached[name]))
        found = [
            Step(name, check)
            for turn, name in enumerate(order)
            for check in self._checks
            if any(check.loss is loss for loss in losses)
            and (unit(check) in reached[name] or _always_tells(check, losses))
            and not (turn and _is_alike(check))
        ]
        found.sort(key=lambda step: _stage(step.check))
        if "sharded" in mutant.function + mutant.old or ".is_dist()" in mutant.old:
            checks = [Check(loss, "two_processes", "", SHARDED) for loss in losses]
            found += [Step(name, check) for name in order if reached[name] for check in checks]
        fused_alone = bool(reached["fused"]) and not reached["composed"]
        return Steps(tuple(found), fused_alone or self._calls(mutant))

    def _at_work(self, mutant: Mutant) -> frozenset[Line]:
        """The lines at which a mutant is at work."""
        first, last = mutant.lines
        own = frozenset((mutant.file, line) for line in range(first, last + 1))
        if not self._imported & own:
            return own
        # What is made when the file is imported is at work wherever the file is.
        every = (lines for units in self._lines.values() for lines in units.values())
        return frozenset(line for lines in every for line in lines if line[0] == mutant.file)

    def _concerned(self, mutant: Mutant, own: frozenset[Line]) -> list[Loss]:
        """The losses that reach it; a loss's own file is for the rows of that loss to tell."""
        reached = {
            each.partition("/")[0]
            for units in self._lines.values()
            for each, lines in units.items()
            if lines & own
        }
        folder, _, name = mutant.file.rpartition("/")
        return [
            loss
            for loss in self._losses
            if loss.stem in reached and (not folder or loss.stem == name.removesuffix(".py"))
        ]

    def _reached(self, backend: str, own: frozenset[Line], losses: Sequence[Loss]) -> set[str]:
        stems = {loss.stem for loss in losses}
        return {
            each
            for each, lines in self._lines[backend].items()
            if each.partition("/")[0] in stems and lines & own
        }

    def _calls(self, mutant: Mutant) -> bool:
        """Whether a mutant is about calling the kernels, which tests of their own look at."""
        first, last = mutant.lines
        statement = self._texts[mutant.file].splitlines()[first - 1 : last]
        return mutant.file in CALLS or any("_fused." in line for line in statement)


def _always_tells(check: Check, losses: Sequence[Loss]) -> bool:
    """Whether no trace says what a check reaches."""
    # SOT can lose a name of code that it translated for an earlier loss.
    return check.name == "signature" or (check.name == SOT and check.loss is losses[0])


def _is_alike(check: Check) -> bool:
    """Whether the second backend shows no more: a graph is composed under either."""
    return check.name == "signature" or check.name in MODES


def _in_turn(loss: Loss) -> Iterator[Check]:
    """A loss's checks, of one row of each clause in turn."""
    by_clause: dict[str, list[Check]] = defaultdict(list)
    for check in all_checks(loss):
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
