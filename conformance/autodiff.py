"""Reverse-mode differentiation over multiprecision numbers, with a condition number.

A formula of a loss is ordinary arithmetic on :class:`Number`. Each number knows, besides its
value, the largest term that went into it (its *scale*), because rounding that term is what an
implementation cannot avoid; the same is carried through the derivatives.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, Callable

import numpy as np
from mpmath import mp, mpf

from conformance.kinks import (
    GIVEN,
    NEGATIVE,
    OTHER,
    SUM,
    are_undecided,
    is_undecided,
    reach_of_rounding,
)
from conformance.ulp import is_finite

ZERO, ONE = mpf(0), mpf(1)
_serials = itertools.count()


class Number:
    """A multiprecision value that remembers how it was made.

    Args:
        value: the value; NaN and infinities behave as in IEEE 754.
        working: the dtype that the row runs in, which decides how close to a kink is close.
        scale: the largest term that went into the value; 0 for a number as given.
        sources: for each number it depends on, the derivative by it and the derivative's scale.
        live: whether a gradient may be asked for.
        made: how it was made, one of the kinds of :mod:`conformance.kinks`.
        parts: the numbers that it was made of.
    """

    __slots__ = ("live", "made", "parts", "scale", "serial", "sources", "value", "working")

    def __init__(
        self,
        value: Any,
        working: str,
        scale: mpf = ZERO,
        sources: Sequence[tuple[Number, mpf, mpf]] = (),
        live: bool = False,
        made: int = GIVEN,
        parts: Sequence[Number] = (),
    ) -> None:
        self.value: mpf = value if type(value) is mpf else mpf(value)
        self.working = working
        self.scale = _finite_scale(self.value, scale)
        self.sources = [source for source in sources if source[0].live]
        self.live: bool = live or bool(self.sources)
        self.serial = next(_serials)
        self.made = made
        self.parts = parts

    @property
    def reach(self) -> mpf:
        """The larger of ``|value|`` and ``scale``: what this number brings into a sum."""
        if self.scale is ZERO:
            return abs(self.value) if is_finite(self.value) else ZERO
        return max(abs(self.value), self.scale) if is_finite(self.value) else ZERO

    def _with(self, other: Any) -> Number:
        return other if isinstance(other, Number) else Number(other, self.working)

    def __add__(self, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        b = self._with(other)
        scale = max(self.reach, b.reach)
        return Number(
            self.value + b.value,
            self.working,
            scale,
            ((self, ONE, ZERO), (b, ONE, ZERO)),
            made=SUM,
            parts=(self, b),
        )

    def __neg__(self) -> Number:
        return Number(
            -self.value,
            self.working,
            self.scale,
            ((self, -ONE, ZERO),),
            made=NEGATIVE,
            parts=(self,),
        )

    def __sub__(self, other: Any) -> Any:
        return NotImplemented if isinstance(other, np.ndarray) else self + -self._with(other)

    def __rsub__(self, other: Any) -> Number:
        return self._with(other) - self

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        b = self._with(other)
        scale = ZERO
        if self.scale is not ZERO or b.scale is not ZERO:
            scale = abs(self.value) * b.scale + abs(b.value) * self.scale
        return Number(
            self.value * b.value,
            self.working,
            scale,
            ((self, b.value, b.scale), (b, self.value, self.scale)),
            made=OTHER,
            parts=(self, b),
        )

    def __truediv__(self, other: Any) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        b = self._with(other)
        return self * _unary(b, _divide(ONE, b.value), *_power_derivatives(b.value, -ONE))

    def __rtruediv__(self, other: Any) -> Number:
        quotient: Number = self._with(other) / self
        return quotient

    def __abs__(self) -> Number:
        slope = ZERO if self.value == 0 else mpf(mp.sign(self.value))
        size = _unary(self, abs(self.value), slope, ZERO)
        return _unclaimed(size, [self]) if is_undecided(self) else size

    __radd__ = __add__
    __rmul__ = __mul__


def _finite_scale(value: mpf, scale: mpf) -> mpf:
    if scale is ZERO or is_finite(scale):
        return scale
    return abs(value) if is_finite(value) else ZERO


def _divide(a: mpf, b: mpf) -> mpf:
    if b != 0:
        return a / b
    return mp.nan if a == 0 or mp.isnan(a) else a * mp.inf


def _power(base: mpf, exponent: mpf) -> mpf:
    if base == 0 and exponent < 0:
        return mp.inf
    return base**exponent


def _power_derivatives(base: mpf, p: mpf) -> tuple[mpf, mpf]:
    first = p * _power(base, p - 1)
    second = p * (p - 1) * _power(base, p - 2) if p != 1 else ZERO
    return first, second


def _unary(z: Number, value: mpf, slope: mpf, curvature: mpf) -> Number:
    """``value`` = f(z), with f'(z) and f''(z)."""
    steepness = abs(curvature) * z.scale if z.scale else ZERO
    scale = abs(slope) * z.scale if z.scale else ZERO
    sources = ((z, slope, _finite_scale(slope, steepness)),)
    return Number(value, z.working, scale, sources, made=OTHER, parts=(z,))


def power(z: Number, p: mpf) -> Number:
    """``z**p`` for a ``z`` of 0 or more and a plain number ``p``."""
    return z if p == 1 else _unary(z, _power(z.value, p), *_power_derivatives(z.value, p))


def sqrt(z: Number) -> Number:
    """The square root."""
    return power(z, mpf(1) / 2)


def exp(z: Number) -> Number:
    """e to the power of ``z``."""
    value = mp.exp(z.value)
    return _unary(z, value, value, value)


def log1p(z: Number) -> Number:
    """log(1 + z), exact for a tiny ``z`` too."""
    slope = _divide(ONE, ONE + z.value)
    return _unary(z, mp.log1p(z.value), slope, -slope * slope)


def total(numbers: Iterable[Number], working: str) -> Number:
    """The sum; its scale is the sum of all magnitudes, as a condition number wants it."""
    terms = list(numbers)
    scale = mp.fsum(term.reach for term in terms)
    value = mp.fsum(term.value for term in terms)
    sources = [(term, ONE, ZERO) for term in terms]
    return Number(value, working, scale, sources, made=SUM, parts=terms)


def undefined(numbers: Iterable[Number], working: str) -> Number:
    """NaN, with nothing claimed of the gradient of any of ``numbers``."""
    return Number(mp.nan, working, sources=[(number, mp.nan, ZERO) for number in numbers])


def _unclaimed(number: Number, of: Iterable[Number]) -> Number:
    """``number``, with nothing claimed of its gradient."""
    sources = [(source, mp.nan, ZERO) for source in of]
    return Number(number.value, number.working, number.scale, sources)


def clamp(z: Number, passes_at_zero: bool) -> Number:
    """``max(0, z)``, NaN for NaN.

    Below zero by more than rounding can hide, the result is 0 with a scale of 0: nothing but
    0 is right.

    Args:
        z: the number.
        passes_at_zero: the gradient exactly at the kink: 1 if true, else 0.
    """
    if mp.isnan(z.value):
        return undefined([z], z.working)
    if z.value > 0 or (z.value == 0 and passes_at_zero):
        sources = ((z, ONE, ZERO),)
        clamped = Number(z.value, z.working, z.scale, sources, made=SUM, parts=(z,))
    else:
        beyond_rounding = z.value < -reach_of_rounding(z.scale, z.working)
        clamped = Number(ZERO, z.working, ZERO if beyond_rounding else z.scale)
    return _unclaimed(clamped, [z]) if is_undecided(z) else clamped


def maximum(numbers: Sequence[Number]) -> Number:
    """The largest of some numbers, NaN for NaN; ties share the gradient evenly."""
    working = numbers[0].working
    if any(mp.isnan(number.value) for number in numbers):
        return undefined(numbers, working)
    largest = max(number.value for number in numbers)
    ties = [number for number in numbers if number.value == largest]
    scale = max(number.scale for number in numbers)
    shares = [(tie, ONE / len(ties), ZERO) for tie in ties]
    picked = Number(largest, working, scale, shares, made=SUM, parts=ties[:1])
    close = largest - reach_of_rounding(scale, working)
    undecided = are_undecided([number for number in numbers if number.value >= close])
    return _unclaimed(picked, numbers) if undecided else picked


def each(function: Callable[..., Any], *arrays: Any) -> np.ndarray:
    """``function`` of every element, broadcast; an object array, of shape ``[]`` too."""
    with np.errstate(all="ignore"):
        result = np.frompyfunc(function, len(arrays), 1)(*arrays)
    return np.asarray(result, dtype=object)


def select(mask: Any, yes: Any, no: Any) -> np.ndarray:
    """Elements of ``yes`` where ``mask``, else of ``no``; the other is as if never computed."""
    return each(lambda chosen, a, b: a if chosen else b, mask, yes, no)


def backward(seeds: Iterable[tuple[Number, mpf]]) -> dict[int, tuple[mpf, mpf]]:
    """The gradient of the sum of ``cotangent * number``.

    Args:
        seeds: numbers and their cotangents.

    Returns:
        Value and scale of the gradient by the ``serial`` of every number that went in.
    """
    pending: dict[int, list[tuple[mpf, mpf]]] = {}
    nodes: dict[int, Number] = {}

    def push(number: Number, value: mpf, scale: mpf) -> None:
        nodes[number.serial] = number
        pending.setdefault(number.serial, []).append((value, scale))

    for number, cotangent in seeds:
        push(number, cotangent, ZERO)
    for serial in _newest_first(nodes):
        value, scale = _accumulated(pending[serial])
        pending[serial] = [(value, scale)]
        for source, slope, slope_scale in nodes[serial].sources:
            part = value if slope is ONE else value * slope
            grown = ZERO
            if not (scale is ZERO and slope_scale is ZERO) and is_finite(part):
                grown = abs(value) * slope_scale + scale * abs(slope)
            push(source, part, grown)
    return {serial: parts[0] for serial, parts in pending.items()}


def _newest_first(nodes: dict[int, Number]) -> list[int]:
    """Every number that the given ones depend on: users before what they use."""
    seen: set[int] = set()
    waiting = list(nodes.values())
    while waiting:
        number = waiting.pop()
        if number.serial not in seen:
            seen.add(number.serial)
            waiting.extend(source for source, _, _ in number.sources)
    return sorted(seen, reverse=True)


def _accumulated(parts: list[tuple[mpf, mpf]]) -> tuple[mpf, mpf]:
    if len(parts) == 1:
        return parts[0]
    value = mp.fsum(part for part, _ in parts)
    reach = mp.fsum(max(abs(part), scale) for part, scale in parts if is_finite(part))
    return value, reach


def softplus(z: Number) -> Number:
    """``log(1 + exp(z))``; at an infinite ``z`` the limits of it and of its derivative."""
    if z.value == mp.inf:
        return z
    return Number(ZERO, z.working) if z.value == -mp.inf else log1p(exp(z))


def complement(z: Number) -> Number:
    """``1 - z`` of a number as given, which takes one rounding and no more."""
    return Number(ONE - z.value, z.working, sources=((z, -ONE, ZERO),))
