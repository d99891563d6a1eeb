"""Distances between vectors: p-norms of our own, because Paddle's have no second gradient."""

from __future__ import annotations

import paddle

from paddle_margin import _checks
from paddle_margin._numerics import (
    clamp_passing,
    constant,
    filled_like,
    fixed,
    infinity_like,
    power,
    where,
)
from paddle_margin._sums import sum_classes


def pairwise_distance(
    u: paddle.Tensor, v: paddle.Tensor, p: float, epsilon: float, exact: bool
) -> paddle.Tensor:
    """``‖u - v + epsilon‖_p`` over the last axis.

    Args:
        u, v: float64 tensors, two axes at least.
        p: any number, infinities too.
        epsilon: added to each difference.
        exact: whether float64 accuracy is wanted, and not only float32's.
    """
    return vector_norm((u - v) + constant(epsilon, u.dtype), p, exact)


def vector_norm(u: paddle.Tensor, p: float, exact: bool) -> paddle.Tensor:
    """The p-norm over the last axis; its gradient is 0 where it is 0, and NaN stays NaN."""
    # What is infinite must not meet a factor 0: of the loss, or in the gradient of Paddle's abs.
    infinite = paddle.isinf(u)
    finite = where(infinite, filled_like(u, 0), u)
    endless = paddle.any(infinite, axis=-1)
    if p > 0:
        norm = _norm(finite, p, exact)
        endless = paddle.logical_and(endless, paddle.logical_not(paddle.isnan(norm)))
    else:
        norm = _norm(where(infinite, infinity_like(u), paddle.abs(finite)), p, exact)
        endless = paddle.logical_and(endless, paddle.all(infinite, axis=-1))
    return norm if p == 0 else where(endless, infinity_like(norm), norm)


def _norm(u: paddle.Tensor, p: float, exact: bool) -> paddle.Tensor:
    size = paddle.abs(u)
    if p == 0:
        nan = where(paddle.isnan(size), size, filled_like(size, 0))
        return sum_classes((size > 0).cast(u.dtype) + nan, exact)
    if p in (float("inf"), float("-inf")):
        return _extreme(size, largest=p > 0)
    if p == 1:
        return sum_classes(size, exact)
    if p == 2:
        return power(sum_classes(u * u, exact), 0.5)
    return _general(size, p, exact)


def _extreme(size: paddle.Tensor, largest: bool) -> paddle.Tensor:
    """The largest or smallest element; ties share the gradient evenly."""
    if largest:
        tied = size >= paddle.amax(size, axis=-1, keepdim=True)
    else:
        tied = size <= paddle.amin(size, axis=-1, keepdim=True)
    tied = paddle.logical_or(tied, paddle.isnan(size))
    picked = where(tied, size, filled_like(size, 0))
    return paddle.sum(picked, axis=-1) / paddle.sum(tied.cast(size.dtype), axis=-1)


def _general(size: paddle.Tensor, p: float, exact: bool) -> paddle.Tensor:
    """The norm of any other order, of elements scaled by the largest: no power overflows."""
    largest = paddle.amax(fixed(size), axis=-1, keepdim=True)
    usable = paddle.logical_and(largest > 0, paddle.isfinite(largest))
    scale = where(usable, largest, filled_like(largest, 1))
    size = size / scale
    if p > 0:
        return power(sum_classes(power(size, p), exact), 1 / p) * paddle.squeeze(scale, -1)
    # An infinite element adds nothing.
    infinite = paddle.isinf(size)
    total = sum_classes(where(infinite, filled_like(size, 0), power(size, p)), exact)
    norm = power(total, 1 / p) * paddle.squeeze(scale, -1)
    # A zero element makes the sum infinite, and its power 1 / p zero.
    vanishing = paddle.any(size <= 0, axis=-1)
    return where(vanishing, filled_like(norm, 0), norm)


def triplet_loss(near: paddle.Tensor, far: paddle.Tensor, margin: paddle.Tensor) -> paddle.Tensor:
    """``max(0, near - far + margin)``, of float64 distances.

    Args:
        near: from the anchor to the positive.
        far: the one that counts, to the negative.
        margin: 0-D.

    Raises:
        ValueError: the distances do not broadcast.
    """
    _checks.check_broadcast(positive_distance=near, negative_distance=far)
    return clamp_passing((near - far) + margin)
