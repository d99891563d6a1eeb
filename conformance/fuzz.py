"""Seeded random calls, drawn from the domain of a loss, each held against the exact formula.

Hypothesis draws the calls and reduces one that fails to a smallest one. One call is one input.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any, Optional

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, PrimitiveProvider

from conformance.case import Case, Loss
from conformance.checks import CONFORMANT, FAIL, NOT_RUN, Found
from conformance.compare import together
from conformance.draws import calls
from conformance.eager import Row
from conformance.text import input_text

if TYPE_CHECKING:
    from conformance.checker import Checker

PROPERTIES = ("value", "gradient", "dtype", "shape", "unchanged")
"""What is checked of each call."""
BACKEND = "conformance"


class Uniform(PrimitiveProvider):
    """Draws that follow from the seed alone.

    Hypothesis's own prefer the constants of whatever modules are loaded, the implementation's too.
    """

    random = Random()

    def draw_integer(
        self,
        min_value: Optional[int] = None,
        max_value: Optional[int] = None,
        *,
        weights: Any = None,
        shrink_towards: int = 0,
    ) -> int:
        assert min_value is not None
        assert max_value is not None
        return self.random.randint(min_value, max_value)

    def draw_boolean(self, p: float = 0.5) -> bool:
        return self.random.random() < p

    def draw_float(self, **constraints: Any) -> float:
        raise NotImplementedError

    def draw_string(self, *arguments: Any, **constraints: Any) -> str:
        raise NotImplementedError

    def draw_bytes(self, *arguments: Any, **constraints: Any) -> bytes:
        raise NotImplementedError


AVAILABLE_PROVIDERS[BACKEND] = f"{__name__}.{Uniform.__name__}"


class _Failed(AssertionError):
    """A call that does not give what the contract promises."""


def each_call(
    hold: Callable[[Case], None],
    loss: Loss,
    dtype: str,
    examples: int,
    number: int,
    hostile: bool = True,
) -> None:
    """Draw calls of a loss, until one makes ``hold`` raise; that one is reduced and raises again.

    Args:
        hold: what to do with each.
        loss: the loss.
        dtype: the dtype that the calls run in.
        examples: how many calls.
        number: the seed, which gives the same calls on every machine.
        hostile: whether to leave paddle.nn's documented domain.
    """

    @seed(number)
    @settings(
        max_examples=examples,
        backend=BACKEND,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    @given(calls(loss, dtype, hostile))
    def drawn(case: Case) -> None:
        hold(case)

    Uniform.random.seed(number)
    drawn()


def run(
    checker: Checker, loss: Loss, dtype: str, examples: int, number: int, hostile: bool = True
) -> Found:
    """Make random calls of a loss, and hold each against its formula.

    Args:
        checker: of the implementation.
        loss: as in :func:`each_call`.
        dtype: as in :func:`each_call`.
        examples: as in :func:`each_call`.
        number: as in :func:`each_call`.
        hostile: as in :func:`each_call`.

    Returns:
        The first failure, reduced, with its case; without one the result nearest to its limit.
    """
    implementation = checker.implementation
    if implementation.function(loss) is None:
        return Found(NOT_RUN, f"{implementation.function_path(loss)} is missing")
    nearest = Found(CONFORMANT)
    failures: list[Found] = []

    def hold(case: Case) -> None:
        nonlocal nearest
        found = judge(checker, Row(implementation, loss, case, dtype))
        if found.status == FAIL:
            failures.append(found)
            raise _Failed
        nearest = _nearest([nearest, found])

    try:
        each_call(hold, loss, dtype, examples, number, hostile)
    except Exception:
        # The smallest call comes last; Hypothesis complains where one does not fail each time.
        if not failures:
            raise
        return failures[-1]
    return nearest


def judge(checker: Checker, row: Row) -> Found:
    """One call: its first failure, else its result nearest to its limit."""
    outcome = row.first_order()
    held = [Found(CONFORMANT)]
    for name in PROPERTIES:
        verdict = checker.judge(row, outcome, name)
        if verdict.status == FAIL:
            text = f"{name}: {verdict.text}"
            if verdict.measure is None and (given := input_text(row)) not in text:
                text += f"; {given}"
            return Found(FAIL, text, verdict.measure, row.case, name)
        held.append(Found(CONFORMANT, "", verdict.measure, row.case, name))
    return _nearest(held)


def _nearest(held: list[Found]) -> Found:
    """The one nearest to its limit, with the histograms of all."""
    measured = [found for found in held if found.measure is not None]
    return together(measured) if measured else held[0]
