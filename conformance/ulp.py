"""Floating dtypes as numbers: what they can hold, and how far apart two values are in them.

NumPy has no bfloat16, so values travel as float64 arrays that the dtype can hold exactly,
together with the dtype's name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from mpmath import mp, mpf


@dataclass(frozen=True)
class Format:
    """A binary floating format.

    Args:
        precision: bits of the significand, the hidden one included.
        least: exponent of the smallest normal number.
        largest: the largest finite number.
    """

    precision: int
    least: int
    largest: float

    @property
    def greatest(self) -> int:
        """Exponent of the largest number."""
        return 1 - self.least

    @property
    def smallest_normal(self) -> float:
        """The smallest number of full precision."""
        return float(2.0**self.least)

    @property
    def smallest(self) -> float:
        """The smallest number above 0."""
        return float(2.0 ** (self.least - self.precision + 1))

    def holds(self, value: mpf) -> bool:
        """Whether a finite ``value`` is one of its numbers."""
        _, mantissa, exponent, bits = value._mpf_
        if not mantissa:
            return True
        lowest = self.least - self.precision + 1
        return bits <= self.precision and lowest <= exponent <= self.greatest + 1 - bits


DIGITS = 60
"""Decimal digits of whatever is computed here: no dtype has more than 17."""
FORMATS = {
    "float16": Format(11, -14, 65504.0),
    "bfloat16": Format(8, -126, (2 - 2.0**-7) * 2.0**127),
    "float32": Format(24, -126, (2 - 2.0**-23) * 2.0**127),
    "float64": Format(53, -1022, float(np.finfo(np.float64).max)),
}


BINS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 64.0, 1024.0, 1e6, float("inf"))
"""The upper edges of histograms, in ULP; each is in its own bin."""


def is_finite(value: mpf) -> bool:
    """As ``mp.isfinite``, in less time: only a special value has an exponent and no mantissa."""
    _, mantissa, exponent, _ = value._mpf_
    return bool(mantissa) or not exponent


def is_floating(dtype: str) -> bool:
    """Whether ``dtype`` is one of the four floating dtypes."""
    return dtype in FORMATS


def computed_in(dtype: str) -> str:
    """The dtype that a loss of ``dtype`` is computed in: float32 for half precision."""
    return "float64" if dtype == "float64" else "float32"


def promote(first: str, second: str) -> str:
    """The wider of two floating dtypes; float32 for float16 with bfloat16."""
    if first == second:
        return first
    if "float64" in (first, second):
        return "float64"
    return "float32"


def quantize(data: Any, dtype: str) -> np.ndarray:
    """Round ``data`` once to ``dtype``, to nearest even.

    Args:
        data: numbers of any shape.
        dtype: a Paddle dtype name.

    Returns:
        For a floating dtype a float64 array of values that the dtype holds exactly (infinity
        where it overflows); for any other an array of that dtype.
    """
    if not is_floating(dtype):
        return np.asarray(data).astype(dtype)
    values = np.asarray(data, dtype=np.float64)
    if dtype == "float64":
        return values
    form = FORMATS[dtype]
    exponent = np.maximum(np.frexp(values)[1] - 1, form.least) - (form.precision - 1)
    with np.errstate(invalid="ignore"):
        rounded = np.ldexp(np.rint(np.ldexp(values, -exponent)), exponent)
    overflows = np.abs(rounded) > form.largest
    return np.where(overflows, np.copysign(np.inf, values), rounded)


def ulp(value: Any, dtype: str) -> mpf:
    """The distance between neighbours of ``dtype`` at ``|value|``, subnormal ones included.

    Beyond the largest number it is that of the last binade; ``value`` must be finite.
    """
    form = FORMATS[dtype]
    exponent = mp.frexp(value)[1] - 1 if value else form.least
    return _power_of_2(min(max(exponent, form.least), form.greatest) - (form.precision - 1))


@cache
def _power_of_2(exponent: int) -> mpf:
    return mp.ldexp(mpf(1), exponent)


def rounds_to_infinity(value: mpf, dtype: str) -> bool:
    """Whether the nearest number of ``dtype`` to ``value`` is an infinity."""
    return bool(abs(value) >= _least_infinite(dtype))


@cache
@mp.workdps(DIGITS)
def _least_infinite(dtype: str) -> mpf:
    largest = mpf(FORMATS[dtype].largest)
    return largest + ulp(largest, dtype) / 2


def error(got: float, exact: mpf, dtype: str) -> mpf:
    """The absolute error of ``got`` against ``exact``.

    Two NaNs agree, and so does an infinity with every exact value that rounds to it in
    ``dtype``; a NaN or an infinity against anything else is infinitely wrong.
    """
    if is_finite(exact) and math.isfinite(got):
        return abs(exact - got)
    if mp.isnan(exact) or np.isnan(got):
        return mpf(0) if mp.isnan(exact) and np.isnan(got) else mp.inf
    same_sign = (got > 0) == (exact > 0)
    overflow = np.isinf(got) and (mp.isinf(exact) or rounds_to_infinity(exact, dtype))
    return mpf(0) if overflow and same_sign else mp.inf


def distance(got: float, exact: mpf, dtype: str) -> float:
    """The error of ``got`` in ULP of ``dtype`` at ``exact`` (see :func:`error`)."""
    return in_ulp(error(got, exact, dtype), exact, dtype)


def in_ulp(wrong: mpf, exact: mpf, dtype: str) -> float:
    """An absolute error in ULP of ``dtype`` at ``exact``."""
    if not wrong or not is_finite(wrong):
        return float(wrong)
    return float(wrong / ulp(exact, dtype))
