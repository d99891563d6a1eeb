"""What the arguments of a loss may be, as data that tests draw from.

*Documented* is what paddle.nn's pages name; *hostile* is what the contract promises besides: labels
outside the documented ones, margins below 0, broadcast shapes, NaN and infinity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional, Union

INF, NAN = float("inf"), float("nan")


@dataclass(frozen=True)
class Interval:
    """Real numbers between two bounds.

    Args:
        low: the lower bound.
        high: the upper bound, which belongs to it.
        open: whether ``low`` is left out.
    """

    low: float
    high: float
    open: bool = False

    def __contains__(self, number: float) -> bool:
        return self.low <= number <= self.high and not (self.open and number == self.low)


EVERY_NUMBER = Interval(-INF, INF)
SUMMABLE: Mapping[str, Interval] = {"float64": Interval(0.0, 1e300)}
"""Sizes of which a few may be added. Only float64 has nothing wider to add in."""
POSITIVE = Interval(0.0, INF, open=True)


@dataclass(frozen=True)
class Reals:
    """A tensor of scores or vectors, in the row's dtype; documented are all finite numbers.

    Args:
        magnitudes: by dtype, what an element other than 0 may be in size for accuracy to be
            promised; all that the dtype holds where it is not named.
        vectors: whether a vector along the last axis must have an element other than 0.
        special: whether NaN and infinity have a promised result.
    """

    magnitudes: Mapping[str, Interval] = field(default_factory=dict)
    vectors: bool = False
    special: bool = True


@dataclass(frozen=True)
class Labels:
    """A tensor of labels.

    Args:
        documented: the values.
        hostile: other values, drawn for floating dtypes only.
        dtypes: the documented dtypes.
        hostile_dtypes: other dtypes that hold every documented value.
    """

    documented: tuple[float, ...]
    hostile: tuple[float, ...] = ()
    dtypes: tuple[str, ...] = ("float32", "float64")
    hostile_dtypes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Classes:
    """A tensor of class indices, up to the size of the first input's last axis less 1.

    Args:
        first: the smallest: 0, or -1 where that ends the list of a sample's classes.
        dtypes: the documented dtypes.
        hostile_dtypes: other dtypes.
    """

    first: int
    dtypes: tuple[str, ...] = ("int64", "int32")
    hostile_dtypes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Weights:
    """An optional tensor with a factor for each class, in the row's dtype; finite ones documented.

    Args:
        drawn: its elements.
    """

    drawn: tuple[float, ...] = (1.0, 0.5, 2.0, 0.3, 0.0, -2.0)


@dataclass(frozen=True)
class Numbers:
    """An option that is a number.

    Args:
        documented: the documented numbers; of an interval the finite ones.
        drawn: documented numbers to draw.
        hostile: others to draw.
        accepted: all that may be drawn besides those.
        tensor: whether a tensor of one element serves too, and gets a gradient.
    """

    documented: Union[Interval, tuple[float, ...]]
    drawn: tuple[float, ...]
    hostile: tuple[float, ...] = ()
    accepted: Optional[Interval] = None
    tensor: bool = False


@dataclass(frozen=True)
class Choice:
    """An option that is one of some values.

    Args:
        documented: the documented values.
        hostile: other values to draw.
        callables: whether any function is documented as well.
    """

    documented: tuple[Any, ...]
    hostile: tuple[Any, ...] = ()
    callables: bool = False


REDUCTION = Choice(("none", "mean", "sum"))
FLAG = Choice((False, True))
SIZES: Mapping[str, tuple[int, ...]] = {"N": (1, 2, 3, 0), "C": (1, 2, 3, 4), "D": (1, 2, 3)}
"""Few: a wrong rule shows in few elements, and the formula is slow."""


def axes(shape: str, more: Sequence[str]) -> list[str]:
    """The names of the axes of a shape, with ``more`` in the place of its ``...``."""
    names = shape.split()
    if "..." not in names:
        return names
    at = names.index("...")
    return [*names[:at], *more, *names[at + 1 :]]


def margins(
    accepted: Interval = Interval(-1e300, 1e300),
    documented: Interval = EVERY_NUMBER,
    hostile: tuple[float, ...] = (),
) -> Numbers:
    """A margin.

    Args:
        accepted: the finite ones that are drawn.
        documented: the documented ones.
        hostile: others that must be drawn.
    """
    drawn = (1.0, 0.0, 0.3, 0.5, 2.0, 1e-3, 1e-30, -0.5, -1.0)
    named = tuple(number for number in drawn if number in documented)
    others = tuple(number for number in drawn if number in accepted and number not in named)
    return Numbers(documented, named, (*hostile, *others), accepted, tensor=True)


@dataclass(frozen=True)
class Domain:
    """What the arguments of a loss may be.

    Args:
        shapes: documented shapes of the inputs in order, each as named axes: ``("N C", "N")``.
            ``...`` stands for any number of further axes, the same of every input.
        inputs: the kind of each input.
        options: the kind of each option.
        hostile_shapes: shapes besides; a digit is an axis of that size, and no axis at all ``""``.
        sizes: of each named axis the sizes to draw.
        empty: whether a size of 0 is documented.
        dtypes: the documented dtypes.
        exhaustive: for losses of one element at a time, the other inputs' values with which the
            first input takes every value of the half precisions.
    """

    shapes: tuple[tuple[str, ...], ...]
    inputs: Mapping[str, Union[Reals, Labels, Classes]]
    options: Mapping[str, Union[Numbers, Choice, Weights]]
    hostile_shapes: tuple[tuple[str, ...], ...] = ()
    sizes: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: dict(SIZES))
    empty: bool = False
    dtypes: tuple[str, ...] = ("float32", "float64")
    exhaustive: tuple[Mapping[str, float], ...] = ()
