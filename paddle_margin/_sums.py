"""Sums over classes and over elements that keep their accuracy."""

from __future__ import annotations

import math
from typing import Optional, Union

import paddle
import paddle.nn.functional as F

from paddle_margin._checks import UNKNOWN, is_sharded
from paddle_margin._numerics import constant, filled_like, fixed, where

Count = Union[int, paddle.Tensor]

_GROUP = 32
"""Terms that are added one after the other: their rounding errors stay under 4 ULP."""
_LEVELS = 5
"""Levels of groups that any number of terms needs: 32**5 is 33 million."""


def sum_classes(terms: paddle.Tensor, exact: bool) -> paddle.Tensor:
    """Sum a float64 tensor over its last axis.

    Args:
        terms: shape ``[..., C]``, two axes at least.
        exact: whether float64 accuracy is wanted. Paddle adds along an axis one term after
            the other, which loses 99 ULP on 1,000 equal terms; here they are added in groups.

    Returns:
        Shape ``[...]``.
    """
    if not exact or not _grouping_serves(terms):
        return paddle.sum(terms, axis=-1)
    for _ in range(_levels(terms.shape[-1])):
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
    if not exact or not _grouping_serves(like):
        return column
    counts = [class_count(like)]
    for _ in range(_levels(like.shape[-1])):
        counts.append(_groups(counts[-1]))
    width: Count = 1
    for count in reversed(counts):
        wide = paddle.expand(paddle.unsqueeze(column, -1), [*column.shape, _GROUP])
        column = _first(_reshape(wide, [width * _GROUP], last=2), count)
        width = count
    return column


def class_count(tensor: paddle.Tensor) -> Count:
    """The size of the last axis: an integer, or a 0-D int64 tensor where it is not known."""
    classes = tensor.shape[-1]
    return paddle.shape(tensor)[-1].cast("int64") if classes == UNKNOWN else classes


def count_tensor(count: Count) -> paddle.Tensor:
    """A count as a 0-D float64 tensor: dividing by a Python number multiplies by 1 / n."""
    if isinstance(count, int):
        return constant(count, "float64")
    return count.cast("float64")


def _grouping_serves(tensor: paddle.Tensor) -> bool:
    """Whether to add in groups: not a few terms, and not a DistTensor, whose padding crashes."""
    return not 0 <= tensor.shape[-1] <= _GROUP and not is_sharded(tensor)


def _levels(classes: int) -> int:
    if classes == UNKNOWN:
        return _LEVELS
    return math.ceil(math.log(classes, _GROUP)) - 1


def _groups(count: Count) -> Count:
    return (count + (_GROUP - 1)) // _GROUP


def _grouped(terms: paddle.Tensor) -> paddle.Tensor:
    """``[..., C]`` as ``[..., C / 32, 32]``, filled up with zeros."""
    count = class_count(terms)
    groups = _groups(count)
    if isinstance(count, int):
        missing = groups * _GROUP - count
        return _reshape(_fill(terms, missing) if missing else terms, [groups, _GROUP])
    filled = _first(_fill(terms, _GROUP - 1), groups * _GROUP)
    return _reshape(filled, [groups, _GROUP])


def _fill(tensor: paddle.Tensor, zeros: int) -> paddle.Tensor:
    return F.pad(tensor, [0, 0] * (len(tensor.shape) - 1) + [0, zeros])


def _first(tensor: paddle.Tensor, count: Count) -> paddle.Tensor:
    return paddle.slice(tensor, axes=[len(tensor.shape) - 1], starts=[0], ends=[count])


def _reshape(tensor: paddle.Tensor, sizes: list[Count], last: int = 1) -> paddle.Tensor:
    """Give the last axes other sizes; 0 copies a leading one, which may be unknown."""
    return paddle.reshape(tensor, [0] * (len(tensor.shape) - last) + sizes)


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
        return rounded_result(loss, dtype)
    # paddle.mean adds in the tensor's own dtype: 1 % off at ten million float32 elements. On
    # uneven shards it averages the shards' averages.
    wide = loss.cast("float64")
    if dtype == paddle.float64 and not is_sharded(loss):
        total = paddle.reshape(sum_classes(paddle.reshape(wide, [1, -1]), exact=True), [])
    else:
        total = paddle.sum(wide)
    if reduction == "mean":
        count = paddle.numel(loss) if UNKNOWN in loss.shape else math.prod(loss.shape)
        total = paddle.divide(total, count_tensor(count), name=name)
    return rounded_result(total, dtype)


def rounded_result(result: paddle.Tensor, dtype: paddle.dtype) -> paddle.Tensor:
    """A result rounded once to its dtype."""
    if result.dtype == dtype:
        return result
    if dtype == paddle.float16:
        # Paddle's cast makes up to 1e-4 of numbers between 2**-89 and 2**-77, which are 0.
        lost = fixed(where(paddle.abs(result) < 2.0**-26, result, filled_like(result, 0)))
        result = result - lost
    return result.cast(dtype)
