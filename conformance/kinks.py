"""Whether rounding decides on which side of a kink a number is, and so which gradient is right.

Whoever writes a row by hand sees to it that rounding does not decide. A row that is drawn cannot:
of it a gradient is claimed only where a kink is farther away than rounding reaches, or where every
step to it is exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from mpmath import mpf

from conformance.ulp import FORMATS, computed_in, ulp

if TYPE_CHECKING:
    from conformance.autodiff import Number

GIVEN, SUM, NEGATIVE, OTHER = range(4)
"""How a number was made: of no other, as a sum, as the negative of one, or otherwise."""
FEW = 6
"""Terms that are added in every order to see whether one of them needs rounding."""
_doubting: ContextVar[bool] = ContextVar("doubting", default=False)


@contextmanager
def doubting(wanted: bool) -> Iterator[None]:
    """Claim no gradient that rounding decides."""
    token = _doubting.set(wanted)
    try:
        yield
    finally:
        _doubting.reset(token)


def reach_of_rounding(scale: mpf, working: str) -> mpf:
    """How far rounding may move a number whose largest term is ``scale``."""
    return 8 * ulp(scale, computed_in(working))


def is_undecided(z: Number) -> bool:
    """Whether rounding decides on which side of 0 a finite number is."""
    if not _doubting.get() or abs(z.value) > reach_of_rounding(z.scale, z.working):
        return False
    return not _is_exact(z)


def are_undecided(rivals: Sequence[Number]) -> bool:
    """Whether rounding decides which of some numbers is the largest."""
    return _doubting.get() and len(rivals) > 1 and not all(map(_is_exact, rivals))


def _is_exact(z: Number) -> bool:
    """Whether no step to a number needs rounding, in whatever order its terms are added."""
    terms = _terms(z)
    if len(terms) > FEW:
        return False
    form = FORMATS[computed_in(z.working)]
    sums = [mpf(0)]
    for _, value in terms:
        sums += [value + other for other in sums]
    return all(map(form.holds, sums)) and all(_is_exact_term(term) for term, _ in terms)


def _is_exact_term(term: Number) -> bool:
    vanishing = (part.value == 0 and _is_exact(part) for part in term.parts)
    return all(map(_is_exact, term.parts)) or (term.value == 0 and any(vanishing))


def _terms(z: Number) -> list[tuple[Number, mpf]]:
    """The numbers that a sum was made of, none of them a sum, and what each brings into it."""
    if z.made == SUM:
        return [term for part in z.parts for term in _terms(part)]
    if z.made == NEGATIVE:
        return [(term, -value) for term, value in _terms(z.parts[0])]
    return [(z, z.value)]
