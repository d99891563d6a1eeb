"""Margin ranking loss."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Optional

import paddle

from paddle_margin import _checks, _fused
from paddle_margin._layer import MarginLoss
from paddle_margin._numerics import broadcast, filled_like, fixed, scalar, shut, where, widened
from paddle_margin._spellings import torch_names
from paddle_margin._sums import reduce


@torch_names(input1="input", input2="other", target="label")
def margin_ranking_loss(
    input: paddle.Tensor,
    other: paddle.Tensor,
    label: paddle.Tensor,
    margin: Any = 0.0,
    reduction: str = "mean",
    name: Optional[str] = None,
) -> paddle.Tensor:
    r"""Loss of two scores: the one that the label prefers must lead by the margin.

    For learning to rank from pairs: label 1 wants ``input`` above ``other``, -1 below.

    .. math::
        \ell_i = \max(0, -y_i (a_i - b_i) + m)

    Domain: any scores; any label takes the same formula. NaN in, NaN out. Where the term is
    exactly 0 its gradient passes, so that equal scores learn with the default margin 0.

    Args:
        input: the first scores; any shape; float16, bfloat16, float32 or float64.
        other: the second scores; a shape that broadcasts with ``input``; floating.
        label: 1 or -1; a shape that broadcasts with both; integer, bool or floating.
        margin: a number, or a tensor of one element, which gets a gradient if it asks for one.
        reduction: ``'none'``, ``'mean'`` or ``'sum'``.
        name: the name of the last operator.

    ``input1``, ``input2`` and ``target`` are other names of ``input``, ``other`` and ``label``;
    ``size_average`` and ``reduce`` are deprecated forms of ``reduction``. All are keywords.

    Returns:
        A tensor of the wider dtype of both scores: of the broadcast shape for ``'none'``,
        else 0-D.

    Raises:
        TypeError: ``input`` or ``other`` is not floating, ``label`` no tensor, ``margin`` no
            number.
        ValueError: the shapes do not broadcast, or ``reduction`` is none of the three.

    Differences: paddle.nn has gradient 0 for a term of exactly 0, turns NaN into 0, takes no
    integer labels and drops a tensor margin's gradient. torch wants one number of axes.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.MarginRankingLoss.html

    Examples:
        >>> import paddle
        >>> from paddle_margin.nn.functional import margin_ranking_loss
        >>> input, other = paddle.to_tensor([1.0, 2.0]), paddle.to_tensor([2.0, 1.0])
        >>> print(margin_ranking_loss(input, other, paddle.to_tensor([1, 1])).item())
        0.5
    """
    _checks.check_reduction(reduction)
    dtype, working = _checks.result_dtype(input=input, other=other)
    _checks.check_real_label(label)
    _checks.check_number(margin, "margin")
    same_shape = _checks.check_broadcast(input=input, other=other, label=label)
    if (
        same_shape
        and _checks.same_dtype(input, other)
        and label.stop_gradient
        and not _checks.is_tensor(margin)
        and _fused.serves(input, other, label)
    ):
        return _fused.loss("margin_ranking", (input, other), label, reduction, margin=margin)
    # float64 inside: a label may have more digits than the scores, and a term that float32 cannot
    # hold may have a mean that it can.
    difference = widened(input, "float64") - widened(other, "float64")
    y = widened(label, "float64")
    if not same_shape:
        difference, y = broadcast(difference, y)
    m = scalar(margin, "float64", working)
    # Where the clamp is shut, its 0 must not meet an infinite factor in a gradient.
    z = fixed(m - y * difference)
    passes = z >= 0
    lead = where(passes, y, filled_like(y, 0)) * difference
    loss = where(passes, m - lead, shut(z))
    return reduce(loss, reduction, dtype, name)


class MarginRankingLoss(MarginLoss):
    """Layer of :func:`paddle_margin.nn.functional.margin_ranking_loss`.

    Args:
        margin: a number, or a tensor of one element.
        reduction: ``'none'``, ``'mean'`` or ``'sum'``.
        name: the name of the last operator.

    Raises:
        TypeError: ``margin`` is no number.
        ValueError: ``reduction`` is none of the three.

    Shape:
        ``input``, ``other`` and ``label``: shapes that broadcast; the result has the broadcast
        shape for ``'none'``, else it is 0-D.
    """

    _torch_inputs = MappingProxyType({"input1": "input", "input2": "other", "target": "label"})

    @torch_names()
    def __init__(
        self, margin: Any = 0.0, reduction: str = "mean", name: Optional[str] = None
    ) -> None:
        super().__init__()
        _checks.check_reduction(reduction)
        _checks.check_number(margin, "margin")
        self.margin = margin
        self.reduction = reduction
        self.name = name

    def forward(
        self, input: paddle.Tensor, other: paddle.Tensor, label: paddle.Tensor
    ) -> paddle.Tensor:
        return margin_ranking_loss(input, other, label, self.margin, self.reduction, self.name)
