"""Compares what a row gave with what it should give; says so in one line where they differ."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Optional, TypeVar

import numpy as np
from mpmath import mp, mpf

from conformance import oracle, ulp
from conformance.autodiff import each
from conformance.checks import CONFORMANT, FAIL, PASSED, Measure, Verdict, failed, unspecified
from conformance.eager import Outcome, Row
from conformance.implementation import Received
from conformance.text import error_text, input_text, number_text

PRINTED_DECIMALS = 4
"""What an integer in a printed tensor stands for at least: both frameworks print more."""

V = TypeVar("V", bound=Verdict)


def with_exact(
    row: Row, got: Received, exact: oracle.Exact, budget: float, kind: str, source: str
) -> Verdict:
    """Compare with exact values, within a budget.

    Args:
        row: the row.
        got: what was received.
        exact: what it should be.
        budget: ULP allowed, before the condition number.
        kind: the dtype whose ULP count.
        source: where the expected values come from.
    """
    return _within(row, got, exact, oracle.allowed(exact, budget, kind), kind, source)


def with_other(
    row: Row,
    got: Received,
    other: np.ndarray,
    exact: Optional[oracle.Exact],
    budget: float,
    kind: str,
    source: str,
) -> Verdict:
    """Compare with another result, which may be as far from exact as it is.

    Args:
        row: the row.
        got: what was received.
        other: the other result's elements in float64.
        exact: the exact values, where the formula claims any.
        budget: ULP allowed, before the condition number.
        kind: the dtype whose ULP count.
        source: where the other result comes from.
    """
    if exact is not None and exact.values.shape != other.shape:
        shapes = f"{list(other.shape)}, formula {list(exact.values.shape)}"
        return failed(f"expected {source}'s shape {shapes}")
    target, permitted = near_other(other, exact, budget, kind)
    return _within(row, got, target, permitted, kind, source)


def near_other(
    other: np.ndarray, exact: Optional[oracle.Exact], budget: float, kind: str
) -> tuple[oracle.Exact, np.ndarray]:
    """Another result as what is expected, and how far off each element may be.

    Args:
        other: as in :func:`with_other`, and so the others.
        exact: of the same shape.
        budget: as there.
        kind: as there.
    """
    values = exactly(other)
    target = oracle.Exact(values, each(abs, values))
    if exact is None:
        return target, oracle.allowed(target, budget, kind)
    own = np.frompyfunc(lambda t, e: mpf(0) if e is None else ulp.error(float(t), e, kind), 2, 1)
    permitted = oracle.allowed(exact, budget, kind) + own(values, exact.values)
    claimed = np.frompyfunc(lambda t, e: None if e is None else t, 2, 1)(values, exact.values)
    target = oracle.Exact(np.asarray(claimed, dtype=object), target.scale)
    return target, np.asarray(permitted, dtype=object)


def exactly(values: np.ndarray) -> np.ndarray:
    """Floating values as an object array of ``mpf``."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.frompyfunc(mpf, 1, 1)(np.asarray(values, np.float64)), dtype=object)


def _within(
    row: Row, got: Received, exact: oracle.Exact, permitted: np.ndarray, kind: str, source: str
) -> Verdict:
    if got.raw.shape != exact.values.shape:
        shapes = f"shape {list(exact.values.shape)} ({source}), received {list(got.raw.shape)}"
        return failed(f"expected {shapes}; {input_text(row)}")
    worst = oracle.worst(got.values.astype(np.float64), exact, permitted, kind)
    if worst is None:
        nothing = unspecified("neither the formula nor the reference claims a number here")
        return nothing if exact.values.size else PASSED
    where = input_text(row, worst.index)
    measure = Measure(worst.distance, worst.ratio, where, worst.histogram)
    if worst.ratio <= 1:
        return Verdict(CONFORMANT, measure=measure)
    expected = mp.nstr(exact.values[worst.index], 17)
    received = number_text(got.values[worst.index])
    return failed(
        f"expected {expected} ({source}), received {received}: {worst.distance:.3g} ULP of {kind}, "
        f"{worst.ratio:.3g} of what is allowed, at {list(worst.index)}; {where}",
        measure,
    )


def with_sign(row: Row, got: Received, found: Verdict) -> Verdict:
    """A verdict on a loss that is never negative, however near to 0 a result is."""
    below = np.argwhere(np.atleast_1d(got.values) < 0)
    if found.status == FAIL or not below.size:
        return found
    index = tuple(int(i) for i in below[0]) if got.raw.ndim else ()
    received = number_text(got.values[index])
    return failed(
        f"expected no negative loss, received {received} at {list(index)}; {input_text(row, index)}"
    )


def no_number(row: Row, got: Received, quantity: str) -> Verdict:
    """The failure of a NaN where the loss is finite."""
    index = tuple(int(i) for i in np.argwhere(np.isnan(got.values))[0])
    return failed(
        f"expected no NaN in {quantity}, as the loss is finite, received nan at {list(index)}; "
        f"{input_text(row)}"
    )


def together(found: Sequence[V]) -> V:
    """The worst of some verdicts, with the histograms of all."""
    worst = max(found, key=_badness)
    if worst.measure is None:
        return worst
    measured = [verdict.measure.histogram for verdict in found if verdict.measure]
    counts = tuple(map(sum, zip(*measured)))
    return replace(worst, measure=replace(worst.measure, histogram=counts))


def _badness(verdict: Verdict) -> tuple[bool, bool, float]:
    ratio = verdict.measure.ratio if verdict.measure else 0.0
    return verdict.status == FAIL, verdict.status == CONFORMANT, ratio


def same_bits(
    row: Row, got: Received, wanted: Received, source: str, signed_zero: bool = True
) -> Verdict:
    """Compare with another result, bit for bit; arguments as ``Received.same_bits``."""
    if got.same_bits(wanted, signed_zero):
        return PASSED
    if got.dtype != wanted.dtype or got.raw.shape != wanted.raw.shape:
        both = f"{wanted.dtype} {list(wanted.raw.shape)} ({source}), received {got.dtype}"
        return failed(f"expected {both} {list(got.raw.shape)}; {input_text(row)}")
    mine, theirs = np.atleast_1d(got.values), np.atleast_1d(wanted.values)
    bits = f"u{got.raw.itemsize}"
    differ = np.atleast_1d(got.raw).view(bits) != np.atleast_1d(wanted.raw).view(bits)
    index = tuple(int(i) for i in np.argwhere(differ & ~((mine != mine) & (theirs != theirs)))[0])
    where = index if wanted.raw.ndim else ()
    return failed(
        f"expected {number_text(theirs[index])} ({source}), received {number_text(mine[index])} "
        f"at {list(where)}; {input_text(row, where)}"
    )


def with_printed(row: Row, got: Received) -> Verdict:
    """Compare with what a documentation prints, to each last digit."""
    printed = row.case.printed
    assert printed is not None
    tokens = printed_numbers(printed.text)
    values = got.values.ravel()
    if len(tokens) == len(values) and all(
        _prints_as(value, token, got.dtype, printed.units) for value, token in zip(values, tokens)
    ):
        return PASSED
    shown = " ".join(str(value) for value in values[:9])
    return failed(f"expected {printed.text} ({printed.source}), received {shown}")


def _prints_as(value: Any, token: str, dtype: str, units: float) -> bool:
    """Whether a value is what a documentation prints, as near as its dtype comes to that."""
    number = Decimal(token)
    if not number.is_finite() or not np.isfinite(value):
        return str(float(token)) == str(float(value))
    spacing = Decimal(float(ulp.ulp(mpf(float(value)), dtype)))
    return abs(Decimal(float(value)) - number) <= printed_error(token, units) + spacing / 2


def printed_numbers(text: str) -> list[str]:
    """The numbers that a documentation prints."""
    return re.findall(r"[-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|inf|nan)", text)


def printed_error(token: str, units: float) -> Decimal:
    """How far a value may be from what is printed of it, its own rounding apart."""
    exponent = Decimal(token).as_tuple().exponent
    if not isinstance(exponent, int):
        return Decimal(0)
    return Decimal(units).scaleb(exponent if exponent < 0 else -PRINTED_DECIMALS)


def with_raised(row: Row, error: Optional[Exception], returned: str) -> Verdict:
    """Compare an error with the one that the row must raise.

    Args:
        row: the row.
        error: what was raised.
        returned: what was returned instead, in words.
    """
    raises = row.case.raises
    assert raises is not None
    wanted = f"{raises.kind.__name__} with {', '.join(raises.match)}"
    if error is None:
        return failed(f"expected {wanted}, received {returned}; {input_text(row)}")
    fits = isinstance(error, raises.kind) and all(re.search(m, str(error)) for m in raises.match)
    return PASSED if fits else failed(f"expected {wanted}, received {error_text(error)}")


def with_warnings(row: Row, outcome: Outcome) -> Verdict:
    """Compare the warnings with those that the row may give; nothing may be printed."""
    case = row.case
    if outcome.printed.strip():
        return failed(f"expected nothing printed, received {_short(outcome.printed)!r}")
    given = False
    for category, text in outcome.warnings:
        wanted = case.warns is not None and issubclass(category, case.warns)
        if not (wanted and all(re.search(match, text) for match in case.warns_match)):
            return failed(f"expected no {category.__name__}, received {_short(text)!r}")
        given = True
    if case.warns is None or given:
        return PASSED
    wanted_text = f"{case.warns.__name__} with {', '.join(case.warns_match)}"
    return failed(f"expected a {wanted_text}, received none; {input_text(row)}")


def instead(outcome: Outcome) -> str:
    """What a call gave where a tensor was expected."""
    return error_text(outcome.error) if outcome.error else outcome.returned


def no_gradient(outcome: Outcome) -> str:
    """What asking for a gradient gave where there is none."""
    return error_text(outcome.gradient_error) if outcome.gradient_error else "none"


def first(received: Received) -> str:
    """The beginning of a result."""
    return ", ".join(number_text(value) for value in received.values.ravel()[:2]) or "nothing"


def _short(text: str) -> str:
    return " ".join(text.split())[:160]
