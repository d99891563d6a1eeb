"""Triplet margin loss with a distance of one's own."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Callable, Optional

import paddle

from paddle_margin import _checks, _fused
from paddle_margin._distance import triplet_loss
from paddle_margin._layer import MarginLoss
from paddle_margin._losses.triplet_margin import triplet_margin_loss
from paddle_margin._numerics import scalar, widened
from paddle_margin._spellings import torch_names
from paddle_margin._sums import reduce

Distance = Callable[[paddle.Tensor, paddle.Tensor], paddle.Tensor]


@torch_names(anchor="input")
def triplet_margin_with_distance_loss(
    input: paddle.Tensor,
    positive: paddle.Tensor,
    negative: paddle.Tensor,
    distance_function: Optional[Distance] = None,
    margin: Any = 1.0,
    swap: bool = False,
    reduction: str = "mean",
    name: Optional[str] = None,
) -> paddle.Tensor:
    r"""Triplet loss under any distance: a function, or a layer that learns one.

    For learning embeddings from triplets where the p-norm of a difference is not what counts.

    .. math::
        \ell_n = \max(0, d(a_n, p_n) - d(a_n, n_n) + m)

    With ``swap`` the second distance is the smaller of ``d(a, n)`` and ``d(p, n)``.

    Domain: whatever the distance takes; negative distances and NaN are not checked. Where the
    term is exactly 0 its gradient passes; a tie in ``swap`` shares it evenly.

    Args:
        input: the anchors; float16, bfloat16, float32 or float64.
        positive: the objects to come near; as many axes; floating.
        negative: the objects to stay away from; likewise.
        distance_function: takes two of the tensors and returns a floating tensor of distances;
            ``None`` is the 2-norm of the difference plus 1e-6 over the last axis.
        margin: a number, or a tensor of one element, at least 0; such a tensor gets a gradient
            if it asks for one.
        swap: whether the positive may stand in for the anchor.
        reduction: ``'none'``, ``'mean'`` or ``'sum'``.
        name: the name of the last operator.

    ``anchor`` is another name of ``input``; ``size_average`` and ``reduce`` are deprecated
    forms of ``reduction``. All three are keywords.

    Returns:
        A tensor of the widest dtype of the three inputs: of the distances' shape for
        ``'none'``, else 0-D.

    Raises:
        TypeError: an input or a distance is not floating, ``margin`` is no number, or
            ``distance_function`` cannot be called.
        ValueError: the shapes do not fit, ``margin`` is below 0, or ``reduction`` is none of
            the three.

    Differences: paddle.nn's layer ignores the distance function, and its function refuses
    negative distances and NaN in eager mode. torch refuses margin 0.

    Source:
    https://docs.pytorch.org/docs/stable/generated/torch.nn.TripletMarginWithDistanceLoss.html

    Examples:
        >>> import paddle
        >>> from paddle_margin.nn.functional import triplet_margin_with_distance_loss
        >>> a, p = paddle.to_tensor([[0.0, 0.0]]), paddle.to_tensor([[3.0, 4.0]])
        >>> l1 = lambda u, v: (u - v).abs().sum(-1)
        >>> print(triplet_margin_with_distance_loss(a, p, a, l1).item())
        8.0
    """
    if distance_function is None:
        return triplet_margin_loss(
            input, positive, negative, margin, swap=swap, reduction=reduction, name=name
        )
    _checks.check_reduction(reduction)
    _checks.check_margin_not_negative(margin)
    _checks.check_callable(distance_function, "distance_function")
    dtype, working = _checks.result_dtype(input=input, positive=positive, negative=negative)
    _checks.check_same_rank(input=input, positive=positive, negative=negative)

    near = _measured(distance_function, input, positive)
    far = _measured(distance_function, input, negative)
    if swap:
        swapped = _measured(distance_function, positive, negative)
        # Paddle's minimum shares the gradient of a tie evenly.
        far = paddle.minimum(*_widened(far, swapped))
    if (
        near.dtype == far.dtype == dtype
        and near.shape == far.shape
        and not _checks.is_tensor(margin)
        and _fused.serves(near, far)
    ):
        return _fused.loss(
            "triplet_margin_with_distance", (near, far), None, reduction, margin=margin
        )
    near, far = widened(near, "float64"), widened(far, "float64")
    loss = triplet_loss(near, far, scalar(margin, "float64", working))
    return reduce(loss, reduction, dtype, name)


def _measured(distance: Distance, u: paddle.Tensor, v: paddle.Tensor) -> paddle.Tensor:
    result = distance(u, v)
    _checks.working_dtype(result, "the result of distance_function")
    return result


def _widened(u: paddle.Tensor, v: paddle.Tensor) -> tuple[paddle.Tensor, paddle.Tensor]:
    """Two distances in the dtype that both are computed in."""
    working = _checks.result_dtype(u=u, v=v)[1]
    return widened(u, working), widened(v, working)


class TripletMarginWithDistanceLoss(MarginLoss):
    """Layer of :func:`paddle_margin.nn.functional.triplet_margin_with_distance_loss`.

    Args:
        distance_function: takes two tensors and returns their distances; where it is a layer it
            becomes a sub-layer. ``None`` is the 2-norm of the difference plus 1e-6.
        margin: a number, or a tensor of one element, at least 0.
        swap: whether the positive may stand in for the anchor.
        reduction: ``'none'``, ``'mean'`` or ``'sum'``.
        name: the name of the last operator.

    Raises:
        TypeError: ``margin`` is no number, or ``distance_function`` cannot be called.
        ValueError: ``margin`` is below 0, or ``reduction`` is none of the three.

    Shape:
        Whatever the distance takes; the result has the distances' shape for ``'none'``, else
        it is 0-D.
    """

    _torch_inputs = MappingProxyType({"anchor": "input"})

    @torch_names()
    def __init__(
        self,
        distance_function: Optional[Distance] = None,
        margin: Any = 1.0,
        swap: bool = False,
        reduction: str = "mean",
        name: Optional[str] = None,
    ) -> None:
        super().__init__()
        _checks.check_reduction(reduction)
        _checks.check_margin_not_negative(margin)
        if distance_function is not None:
            _checks.check_callable(distance_function, "distance_function")
        self.distance_function = distance_function
        self.margin = margin
        self.swap = swap
        self.reduction = reduction
        self.name = name

    def forward(
        self, input: paddle.Tensor, positive: paddle.Tensor, negative: paddle.Tensor
    ) -> paddle.Tensor:
        return triplet_margin_with_distance_loss(
            input,
            positive,
            negative,
            self.distance_function,
            self.margin,
            self.swap,
            self.reduction,
            self.name,
        )
