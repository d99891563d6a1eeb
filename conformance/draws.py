"""Draws whole calls of a loss from its domain: options, shapes and tensors.

Every draw is an integer between two bounds, the one nearest to 0 being the simplest, so that
Hypothesis reduces a call to few elements, documented options and small numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar, Union

import numpy as np
from hypothesis import strategies as st

from conformance import ulp
from conformance.case import Array, Case, Loss
from conformance.domain import Choice, Classes, Interval, Labels, Numbers, Reals, Weights, axes

T = TypeVar("T")

COMMON = (0.0, 1.0, -1.0, 2.0, 0.5, -0.0, 3.0, 0.1)
"""Numbers that meet each other, the margins and the kinks exactly."""
NOT_FINITE = (float("nan"), float("inf"), float("-inf"))
ANY_SIZE = Interval(0.0, math.inf)
FURTHER_AXES: tuple[tuple[str, ...], ...] = ((), ("2",), ("1", "2"))
"""What ``...`` stands for."""


@st.composite
def calls(draw: st.DrawFn, loss: Loss, dtype: str, hostile: bool = True) -> Case:
    """A call of a loss.

    Args:
        draw: Hypothesis's.
        loss: the loss.
        dtype: the dtype that the call runs in.
        hostile: whether to leave the documented domain.
    """
    return _Call(draw, loss, dtype, hostile).case()


@cache
def _integers(low: int, high: int) -> st.SearchStrategy[int]:
    return st.integers(low, high)


class _Call:
    """One call in the making."""

    def __init__(self, draw: st.DrawFn, loss: Loss, dtype: str, hostile: bool) -> None:
        self._draw = draw
        self._loss = loss
        self._domain = loss.domain
        self._dtype = dtype
        self._hostile = hostile
        self._special = hostile and self._rarely(6)

    def case(self) -> Case:
        """Draw it."""
        shapes = self._shapes()
        classes = shapes[0][-1] if shapes[0] else 1
        options = {
            name: self._option(kind, classes)
            for name, kind in self._domain.options.items()
            if not self._rarely(8)
        }
        pool: list[float] = []
        inputs = {}
        for name, shape in zip(self._loss.inputs, shapes):
            kind = self._domain.inputs[name]
            if isinstance(kind, Reals):
                pool = pool or self._pool(kind, options.get("margin", 1.0))
                inputs[name] = self._reals(kind, pool, shape)
            elif isinstance(kind, Labels):
                inputs[name] = self._labels(kind, shape)
            else:
                inputs[name] = self._classes(kind, shape, classes)
        return Case("drawn", "C1", inputs, options, dtypes=(self._dtype,), drawn=True)

    def _between(self, low: int, high: int) -> int:
        return self._draw(_integers(low, high))

    def _pick(self, values: Sequence[T]) -> T:
        return values[self._between(0, len(values) - 1)]

    def _rarely(self, times: int) -> bool:
        return self._between(1, times) == times

    def _shapes(self) -> list[tuple[int, ...]]:
        domain = self._domain
        patterns = domain.shapes
        if self._hostile and self._rarely(3):
            patterns = domain.hostile_shapes
        pattern = self._pick(patterns)
        more = self._pick(FURTHER_AXES) if "..." in pattern[0] else ()
        names = [axes(shape, more) for shape in pattern]
        sizes = {}
        for name in sorted({name for each in names for name in each}):
            known = (int(name),) if name.isdigit() else domain.sizes[name]
            sizes[name] = self._pick([n for n in known if n or self._hostile or domain.empty])
        return [tuple(sizes[name] for name in each) for each in names]

    def _option(self, kind: Union[Numbers, Choice, Weights], classes: int) -> Any:
        if isinstance(kind, Choice):
            return self._pick(kind.documented + kind.hostile * self._hostile)
        if isinstance(kind, Weights):
            if self._rarely(2):
                return None
            values = [self._pick(kind.drawn) for _ in range(classes)]
            return Array(values, grad=self._rarely(2))
        number = self._number(kind)
        if kind.tensor and self._hostile and self._rarely(8):
            return Array(self._pick((number, [number])), grad=True)
        return number

    def _number(self, kind: Numbers) -> float:
        if self._hostile and kind.accepted is not None and self._rarely(8):
            number = self._real(ulp.computed_in(self._dtype), Interval(0.0, kind.accepted.high))
            return number if number in kind.accepted else -number
        if self._hostile and kind.hostile and self._rarely(3):
            return self._pick(kind.hostile)
        return self._pick(kind.drawn)

    def _pool(self, kind: Reals, margin: Any) -> list[float]:
        """Few numbers for all elements, so that some are equal, opposite or a margin apart."""
        interval = kind.magnitudes.get(self._dtype, ANY_SIZE)
        shift = float(np.ravel(getattr(margin, "data", margin))[0])
        pool = []
        for _ in range(self._between(1, 4)):
            base = self._real(self._dtype, interval)
            if self._special and kind.special and self._rarely(4):
                base = self._pick(NOT_FINITE)
            kinks = (base - shift, base + shift)
            other = self._rounded(self._pick((*kinks, -base, base)))
            other = self._rounded(self._pick((other, *_beside(other, self._dtype))))
            fits = other == 0 or (math.isfinite(other) and abs(other) in interval)
            pool += [base, other if fits else base]
        return pool

    def _rounded(self, number: float) -> float:
        return float(ulp.quantize(number, self._dtype))

    def _reals(self, kind: Reals, pool: list[float], shape: tuple[int, ...]) -> Array:
        values = self._picked(pool, shape)
        if kind.vectors and values.size:
            values[..., 0] = np.where(np.any(values != 0, axis=-1), values[..., 0], 1.0)
        return Array(values)

    def _real(self, dtype: str, interval: Interval) -> float:
        """A number of a dtype, its size in an interval unless it is 0."""
        form = ulp.FORMATS[dtype]
        kind = self._between(0, 7)
        if kind < 2:
            return float(ulp.quantize(self._pick(COMMON), dtype))
        least = max(interval.low, form.smallest)
        largest = min(interval.high, form.largest)
        sign = self._pick((1.0, -1.0))
        if kind == 2:
            edges = (largest, least, form.smallest_normal, form.smallest_normal - form.smallest)
            size = self._pick(edges)
        else:
            wide = (math.frexp(least)[1] - 1, math.frexp(largest)[1] - 1)
            bits = self._pick((0, 2, form.precision - 1))
            exponent = self._between(*((-6, 6) if kind < 6 else wide))
            size = math.ldexp(2**bits + self._between(0, 2**bits - 1), exponent - bits)
        return sign * float(ulp.quantize(min(max(size, least), largest), dtype))

    def _labels(self, kind: Labels, shape: tuple[int, ...]) -> Array:
        dtype = self._dtype
        if self._rarely(4):
            dtypes = [each for each in kind.dtypes if not ulp.is_floating(each)] or [dtype]
            dtype = self._pick([*dtypes, *kind.hostile_dtypes * self._hostile])
        values = kind.documented
        if self._hostile and self._rarely(3) and dtype != "bool":
            others = kind.hostile
            if not ulp.is_floating(dtype):
                others = tuple(y for y in others if math.isfinite(y) and y == int(y))
            values += others
        return Array(self._picked(values, shape), dtype)

    def _classes(self, kind: Classes, shape: tuple[int, ...], classes: int) -> Array:
        dtypes = kind.dtypes + kind.hostile_dtypes * self._hostile
        dtype = self._pick(dtypes) if self._rarely(4) else dtypes[0]
        return Array(self._picked(range(kind.first, max(classes, 1)), shape), dtype)

    def _picked(self, values: Sequence[float], shape: tuple[int, ...]) -> np.ndarray:
        return np.array([self._pick(values) for _ in range(math.prod(shape))]).reshape(shape)


def _beside(number: float, dtype: str) -> tuple[float, float]:
    """The neighbours of a number of a dtype."""
    form = ulp.FORMATS[dtype]
    if not math.isfinite(number):
        return number, number
    exponent = max(math.frexp(number)[1] - 1, form.least) if number else form.least
    step = math.ldexp(1.0, exponent - form.precision + 1)
    return number - step, number + step
