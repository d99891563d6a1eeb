"""Triplet margin loss."""

from __future__ import annotations

import math
from functools import partial
from types import MappingProxyType
from typing import Any, Optional

import paddle

from paddle_margin import _checks, _fused
from paddle_margin._distance import pairwise_distance, triplet_loss, vector_norm
from paddle_margin._layer import MarginLoss
from paddle_margin._numerics import (
    as_rows,
    constant,
    filled_like,
    fixed,
    rounded,
    scalar,
    where,
    widened,
)
from paddle_margin._spellings import torch_names
from paddle_margin._sums import reduce


@torch_names(anchor="input", eps="epsilon")
def triplet_margin_loss(
    input: paddle.Tensor,
    positive: paddle.Tensor,
    negative: paddle.Tensor,
    margin: Any = 1.0,
    p: float = 2,
    epsilon: float = 1e-06,
    swap: bool = False,
    reduction: str = "mean",
    name: Optional[str] = None,
) -> paddle.Tensor:
    r"""Loss of three vectors: the anchor must be nearer to the positive than to the negative.

    For learning embeddings from triplets, where only the order of two distances is known.

    .. math::
        \ell_n = \max(0, d(a_n, p_n) - d(a_n, n_n) + m), \qquad
        d(u, v) = \lVert u - v + \varepsilon \rVert_p

    With ``swap`` the second distance is the smaller of ``d(a, n)`` and ``d(p, n)``.

    Domain: any vectors. Where the term is exactly 0 its gradient passes. At distance 0 the
    gradient is 0; ties at ``p = inf`` and in ``swap`` share it evenly. Infinity stays infinity;
    NaN in, NaN out.

    Args:
        input: the anchors, [..., M]; float16, bfloat16, float32 or float64.
        positive: the vectors to come near; a shape that broadcasts, as many axes; floating.
        negative: the vectors to stay away from; likewise.
        margin: a number, or a tensor of one element, at least 0; such a tensor gets a gradient
            if it asks for one.
        p: the order of the norm: any number, infinity too.
        epsilon: added to each difference.
        swap: whether the positive may stand in for the anchor (Balntas et al., 2016).
        reduction: ``'none'``, ``'mean'`` or ``'sum'``.
        name: the name of the last operator.

    ``anchor`` and ``eps`` are other names of ``input`` and ``epsilon``; ``size_average`` and
    ``reduce`` are deprecated forms of ``reduction``. All are keywords.

    Returns:
        A tensor of the widest dtype of the three: of their shape without the last axis for
        ``'none'``, else 0-D.

    Raises:
        TypeError: a vector is not floating; ``margin``, ``p`` or ``epsilon`` is no number.
        ValueError: the shapes do not fit, ``margin`` is below 0, ``p`` or ``epsilon`` is NaN,
            or ``reduction`` is none of the three.

    Differences: paddle.nn has no second gradient, NaN gradients at distance 0 with
    ``epsilon=0``, float32 accuracy for orders as 1.5 and 3, and turns infinity into the largest
    number. torch refuses margin 0.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.TripletMarginLoss.html

    Examples:
        >>> import paddle
        >>> from paddle_margin.nn.functional import triplet_margin_loss
        >>> a, p = paddle.to_tensor([[0.0, 0.0]]), paddle.to_tensor([[3.0, 4.0]])
        >>> print(triplet_margin_loss(a, p, a, epsilon=0.0).item())
        6.0
    """
    _checks.check_reduction(reduction)
    _checks.check_margin_not_negative(margin)
    _checks.check_real_number(p, "p")
    _checks.check_real_number(epsilon, "epsilon")
    dtype, working = _checks.result_dtype(input=input, positive=positive, negative=negative)
    _checks.check_same_rank(input=input, positive=positive, negative=negative)
    if (
        p in (1, 2, float("inf"))
        and _checks.same_dtype(input, positive, negative)
        and input.shape == positive.shape == negative.shape
        and not _checks.is_tensor(margin)
        and _fused.serves(input, positive, negative)
    ):
        *leading, size = input.shape or [1]
        shape = (math.prod(leading), size)
        shift = rounded(epsilon, working)
        gradient = partial(_gradient, margin, shift, swap) if p == 2 else None
        return _fused.loss(
            "triplet_margin",
            (input, positive, negative),
            None,
            reduction,
            gradient,
            shape=shape,
            result=leading,
            margin=margin,
            p=p,
            epsilon=epsilon,
            swap=swap,
        )
    order, shift = rounded(p, working), rounded(epsilon, working)
    exact = working == "float64"
    # Of each pair one in rows is enough.
    anchor, far = widened(as_rows(input), "float64"), widened(as_rows(negative), "float64")
    near = widened(positive, "float64")
    far_distance = pairwise_distance(anchor, far, order, shift, exact)
    if swap:
        # Paddle's minimum shares the gradient of a tie evenly.
        swapped = pairwise_distance(near, far, order, shift, exact)
        far_distance = paddle.minimum(far_distance, swapped)
    near_distance = pairwise_distance(anchor, near, order, shift, exact)
    loss = triplet_loss(near_distance, far_distance, scalar(margin, "float64", working))
    if len(input.shape) < 2:
        loss = paddle.reshape(loss, [])
    return reduce(loss, reduction, dtype, name)


def _gradient(
    margin: float,
    shift: float,
    swap: bool,
    upstream: paddle.Tensor,
    *vectors: paddle.Tensor,
) -> list[paddle.Tensor]:
    """The gradients of all three for ``p = 2`` from operators that have one, for :mod:`_fused`."""
    working = "float64" if vectors[0].dtype == paddle.float64 else "float32"
    rows = [widened(as_rows(vector), "float64") for vector in vectors]
    pairs = [(0, 1), (0, 2), (1, 2)][: 3 if swap else 2]
    differences = [(rows[i] - rows[j]) + constant(shift, "float64") for i, j in pairs]
    distances = [vector_norm(each, 2, working == "float64") for each in differences]
    near, far, *swapped = [fixed(each) for each in distances]
    nearest = paddle.minimum(far, swapped[0]) if swap else far
    passes = (near - nearest) + scalar(margin, "float64", working) >= 0
    of_near = passes.cast("float64") * upstream
    weights = [of_near, -of_near]
    if swap:
        share = 0.5 * ((far < swapped[0]).cast("float64") + (far <= swapped[0]).cast("float64"))
        weights = [of_near, -of_near * share, -of_near * (1 - share)]
    gradients = [filled_like(rows[0], 0)] * 3
    for (i, j), weight, difference, distance in zip(pairs, weights, differences, distances):
        slopes = paddle.unsqueeze(weight, -1) * _direction(difference, distance)
        gradients[i], gradients[j] = gradients[i] + slopes, gradients[j] - slopes
    return [paddle.reshape(each, vectors[0].shape) for each in gradients]


def _direction(difference: paddle.Tensor, distance: paddle.Tensor) -> paddle.Tensor:
    """A vector over its norm; 0 where that is 0 or infinite."""
    usable = paddle.logical_and(distance > 0, paddle.isfinite(distance))
    length = where(usable, distance, filled_like(distance, 1))
    whole = filled_like(difference, 0) + paddle.unsqueeze(usable.cast("float64"), -1) > 0
    return where(whole, difference, filled_like(difference, 0)) / paddle.unsqueeze(length, -1)


class TripletMarginLoss(MarginLoss):
    """Layer of :func:`paddle_margin.nn.functional.triplet_margin_loss`.

    Args:
        margin: a number, or a tensor of one element, at least 0.
        p: the order of the norm: any number, infinity too.
        epsilon: added to each difference.
        swap: whether the positive may stand in for the anchor.
        reduction: ``'none'``, ``'mean'`` or ``'sum'``.
        name: the name of the last operator.

    Raises:
        TypeError: ``margin``, ``p`` or ``epsilon`` is no number.
        ValueError: ``margin`` is below 0, ``p`` or ``epsilon`` is NaN, or ``reduction`` is none
            of the three.

    Shape:
        ``input``, ``positive`` and ``negative`` [..., M]; the result is [...] for ``'none'``,
        else 0-D.
    """

    _torch_inputs = MappingProxyType({"anchor": "input"})

    @torch_names(eps="epsilon")
    def __init__(
        self,
        margin: Any = 1.0,
        p: float = 2.0,
        epsilon: float = 1e-06,
        swap: bool = False,
        reduction: str = "mean",
        name: Optional[str] = None,
    ) -> None:
        super().__init__()
        _checks.check_reduction(reduction)
        _checks.check_margin_not_negative(margin)
        _checks.check_real_number(p, "p")
        _checks.check_real_number(epsilon, "epsilon")
        self.margin = margin
        self.p = p
        self.epsilon = epsilon
        self.swap = swap
        self.reduction = reduction
        self.name = name

    def forward(
        self, input: paddle.Tensor, positive: paddle.Tensor, negative: paddle.Tensor
    ) -> paddle.Tensor:
        return triplet_margin_loss(
            input,
            positive,
            negative,
            self.margin,
            self.p,
            self.epsilon,
            self.swap,
            self.reduction,
            self.name,
        )
