"""Triplet margin loss."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Optional

import paddle

from paddle_margin import _checks
from paddle_margin._distance import pairwise_distance, triplet_loss
from paddle_margin._layer import MarginLoss
from paddle_margin._numerics import as_rows, rounded, scalar, widened
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
    order, shift = rounded(p, working), rounded(epsilon, working)
    exact = working == "float64"
    # Of each pair one in rows is enough.
    anchor, far = widened(as_rows(input), "float64"), widened(as_rows(negative), "float64")
    near = widened(positive, "float64")
    loss = triplet_loss(
        pairwise_distance(anchor, near, order, shift, exact),
        pairwise_distance(anchor, far, order, shift, exact),
        pairwise_distance(near, far, order, shift, exact) if swap else None,
        scalar(margin, "float64", working),
    )
    if len(input.shape) < 2:
        loss = paddle.reshape(loss, [])
    return reduce(loss, reduction, dtype, name)


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
