"""The arithmetic that several losses share, composed from Paddle's operators.

Every form here keeps NaN, has a second gradient, writes nothing in place and takes no Python
decision on an unknown dimension.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Optional, Union

import numpy as np
import paddle
import paddle.nn.functional as F

from paddle_margin._checks import UNKNOWN, is_tensor

Count = Union[int, paddle.Tensor]

_GROUP = 32
"""Terms that are added one after the other: their rounding errors stay under 4 ULP."""
_LEVELS = 5
"""Levels of groups that any number of classes needs: 32**5 is 33 million."""


def scalar(value: Any, dtype: str, rounded_to: str) -> paddle.Tensor:
    """A number or a one-element tensor as a 0-D tensor, which never changes a result's shape.

    Args:
        value: a number, or a tensor of one element, whose gradient is kept.
        dtype: the dtype of the result.
        rounded_to: the dtype that a Python number counts as.
    """
    if is_tensor(value):
        return paddle.reshape(value, []).cast(rounded_to).cast(dtype)
    return paddle.full([], rounded(value, rounded_to), dtype)


def rounded(value: Any, dtype: str) -> float:
    """A Python number as ``dtype`` holds it."""
    with np.errstate(over="ignore"):
        return float(np.dtype(dtype).type(value))


def filled_like(tensor: paddle.Tensor, value: float) -> paddle.Tensor:
    """A constant of the shape and dtype of ``tensor``.

    ``paddle.full_like`` does the same with a warning while a graph is built.
    """
    return paddle.expand_as(paddle.full([], value, tensor.dtype), tensor)


def clamp_passing(z: paddle.Tensor) -> paddle.Tensor:
    """``max(0, z)``, whose gradient passes where ``z`` is exactly 0; NaN stays NaN."""
    return paddle.where(z < 0, F.relu(z), z)


def power(z: paddle.Tensor, p: float) -> paddle.Tensor:
    """``z ** p`` for ``z`` at least 0, with gradient 0 where ``z`` is 0; NaN stays NaN."""
    if p == 1:
        return z
    if p == 2:
        return z * z
    zero = z == 0
    base = paddle.where(zero, filled_like(z, 1), z)
    # Paddle keeps the exponent in float32: what that loses is a second, tiny exponent.
    coarse = rounded(p, "float32")
    result = paddle.pow(base, coarse)
    if p != coarse:
        finite = paddle.minimum(base, paddle.full([], np.finfo("float64").max, z.dtype))
        result = result * paddle.exp(paddle.log(finite) * (p - coarse))
    return paddle.where(zero, filled_like(z, 0), result)


def sum_classes(terms: paddle.Tensor, exact: bool) -> paddle.Tensor:
    """Sum a float64 tensor over its last axis.

    Args:
        terms: shape ``[N, C]``.
        exact: whether float64 accuracy is wanted. Paddle adds along an axis one term after
            the other, which loses 99 ULP on 1,000 equal terms; here they are added in groups.

    Returns:
        Shape ``[N]``.
    """
    classes = terms.shape[-1]
    if not exact or 0 <= classes <= _GROUP:
        return paddle.sum(terms, axis=-1)
    for _ in range(_levels(classes)):
        terms = paddle.sum(_grouped(terms), axis=-1)
    return paddle.sum(terms, axis=-1)


def spread_classes(column: paddle.Tensor, like: paddle.Tensor, exact: bool) -> paddle.Tensor:
    """Repeat a column for every class.

    Args:
        column: shape ``[N, 1]``.
        like: shape ``[N, C]``.
        exact: as in :func:`sum_classes`, for the gradient, which is a sum over the classes.

    Returns:
        Shape ``[N, C]``, or ``[N, 1]`` where broadcasting serves as well.
    """
    classes = like.shape[-1]
    if not exact or 0 <= classes <= _GROUP:
        return column
    counts = [class_count(like)]
    for _ in range(_levels(classes)):
        counts.append(_groups(counts[-1]))
    for count in reversed(counts):
        wide = paddle.expand(paddle.unsqueeze(column, -1), [*column.shape, _GROUP])
        column = _first(_reshape(wide, [_times(column.shape[-1], _GROUP)]), count)
    return column


def class_count(tensor: paddle.Tensor) -> Count:
    """The size of the last axis: an integer, or a 0-D int64 tensor where it is not known."""
    classes = tensor.shape[-1]
    return paddle.shape(tensor)[-1].cast("int64") if classes == UNKNOWN else classes


def count_tensor(count: Count) -> paddle.Tensor:
    """A count as a 0-D float64 tensor: dividing by a Python number multiplies by 1 / n."""
    if isinstance(count, int):
        return paddle.full([], count, "float64")
    return count.cast("float64")


def _levels(classes: int) -> int:
    if classes == UNKNOWN:
        return _LEVELS
    return math.ceil(math.log(classes, _GROUP)) - 1


def _groups(count: Count) -> Count:
    return (count + (_GROUP - 1)) // _GROUP


def _grouped(terms: paddle.Tensor) -> paddle.Tensor:
    """``[N, C]`` as ``[N, C / 32, 32]``, filled up with zeros."""
    filled = F.pad(terms, [0, 0, 0, _GROUP - 1])
    groups = _groups(class_count(terms))
    return _reshape(
        _first(filled, groups * _GROUP), [UNKNOWN if is_tensor(groups) else groups, _GROUP]
    )


def _first(tensor: paddle.Tensor, count: Count) -> paddle.Tensor:
    return paddle.slice(tensor, axes=[1], starts=[0], ends=[count])


def _reshape(tensor: paddle.Tensor, sizes: list[int]) -> paddle.Tensor:
    """Reshape all but the first axis, which may be unknown (0 copies it)."""
    return paddle.reshape(tensor, [max(tensor.shape[0], 0), *sizes])


def _times(size: int, factor: int) -> int:
    return UNKNOWN if size == UNKNOWN else size * factor


def reduce(
    loss: paddle.Tensor, reduction: str, dtype: paddle.dtype, name: Optional[str]
) -> paddle.Tensor:
    """The common end of every loss: reduce, then round once to the result's dtype.

    Args:
        loss: the loss of each element, in the dtype it was computed in.
        reduction: ``'none'``, ``'mean'`` or ``'sum'``.
        dtype: the dtype of the result.
        name: the name of the last operator that takes one.
    """
    if reduction == "none":
        return loss if loss.dtype == dtype else paddle.cast(loss, dtype)
    if reduction == "sum":
        return paddle.sum(loss, dtype="float64", name=name).cast(dtype)
    # paddle.mean adds in the tensor's own dtype: 1 % off at ten million float32 elements.
    total = paddle.sum(loss, dtype="float64")
    count = paddle.numel(loss) if UNKNOWN in loss.shape else math.prod(loss.shape)
    return paddle.divide(total, count_tensor(count), name=name).cast(dtype)


def broadcast(tensors: Sequence[paddle.Tensor], same_shape: bool) -> Sequence[paddle.Tensor]:
    """Give tensors one shape.

    Operators broadcast by themselves, but ``where`` adds zeros to do so while a graph is
    built, which turns -0 into 0.
    """
    return tensors if same_shape else paddle.broadcast_tensors(list(tensors))
