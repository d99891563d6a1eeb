"""Hinge embedding loss."""

from __future__ import annotations

from typing import Any, Optional

import paddle

from paddle_margin import _checks, _fused
from paddle_margin._layer import MarginLoss
from paddle_margin._numerics import (
    broadcast,
    clamp_passing,
    comparable,
    equal,
    scalar,
    where,
    widened,
)
from paddle_margin._spellings import torch_names
from paddle_margin._sums import reduce


@torch_names(target="label")
def hinge_embedding_loss(
    input: paddle.Tensor,
    label: paddle.Tensor,
    margin: Any = 1.0,
    reduction: str = "mean",
    name: Optional[str] = None,
) -> paddle.Tensor:
    r"""Loss of a distance: small for similar pairs, at least the margin for dissimilar ones.

    For learning embeddings from pairs that are labelled similar (1) or dissimilar (-1), where
    the input is the distance of each pair.

    .. math::
        \ell_i = \begin{cases}
            x_i & y_i = 1 \\
            \max(0, m - x_i) & y_i = -1
        \end{cases}

    Domain: any input. Another label, NaN too, gives both terms: ``x + max(0, m - x)``. NaN in,
    NaN out. At ``x = m`` with label -1 the gradient is -1.

    Args:
        input: the distances; any shape; float16, bfloat16, float32 or float64.
        label: 1 or -1; a shape that broadcasts with ``input``; integer, bool or floating.
        margin: a number, or a tensor of one element, which gets a gradient if it asks for one.
        reduction: ``'none'``, ``'mean'`` or ``'sum'``.
        name: the name of the last operator.

    ``target`` is another name of ``label``; ``size_average`` and ``reduce`` are deprecated
    forms of ``reduction``. All three are keywords.

    Returns:
        A tensor of the input's dtype: of the broadcast shape for ``'none'``, else 0-D.

    Raises:
        TypeError: ``input`` is not floating, ``label`` is no tensor, ``margin`` is no number.
        ValueError: the shapes do not broadcast, or ``reduction`` is none of the three.

    Differences: paddle.nn gives 0 for other labels and for NaN with label -1, has gradient 0
    at ``x = m`` and returns shape [1] for a 0-D input. torch computes integers; this does not.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.HingeEmbeddingLoss.html

    Examples:
        >>> import paddle
        >>> from paddle_margin.nn.functional import hinge_embedding_loss
        >>> input = paddle.to_tensor([[1.0, -2.0, 3.0], [0.0, -1.0, 2.0], [1.0, 0.0, 1.0]])
        >>> label = paddle.to_tensor([[-1, 1, -1], [1, 1, 1], [1, -1, 1]])
        >>> print(hinge_embedding_loss(input, label).item())
        0.2222222238779068
    """
    _checks.check_reduction(reduction)
    working = _checks.working_dtype(input, "input")
    _checks.check_real_label(label)
    _checks.check_number(margin, "margin")
    same_shape = _checks.check_broadcast(input=input, label=label)
    if same_shape and not _checks.is_tensor(margin) and _fused.serves(input, label):
        return _fused.loss("hinge_embedding", (input,), label, reduction, margin=margin)
    # float64 inside: a term that float32 cannot hold may have a mean that it can.
    x, y = widened(input, "float64"), comparable(label)
    if not same_shape:
        # Of unknown dimensions, where() takes two that look alike for equal.
        x, y = broadcast(x, y)
    hinge = clamp_passing(scalar(margin, "float64", working) - x)
    loss = where(equal(y, 1), x, where(equal(y, -1), hinge, x + hinge))
    return reduce(loss, reduction, input.dtype, name)


class HingeEmbeddingLoss(MarginLoss):
    """Layer of :func:`paddle_margin.nn.functional.hinge_embedding_loss`.

    Args:
        margin: a number, or a tensor of one element.
        reduction: ``'none'``, ``'mean'`` or ``'sum'``.
        name: the name of the last operator.

    Raises:
        TypeError: ``margin`` is no number.
        ValueError: ``reduction`` is none of the three.

    Shape:
        ``input`` and ``label``: any two shapes that broadcast; the result has the broadcast
        shape for ``'none'``, else it is 0-D.
    """

    @torch_names()
    def __init__(
        self, margin: Any = 1.0, reduction: str = "mean", name: Optional[str] = None
    ) -> None:
        super().__init__()
        _checks.check_reduction(reduction)
        _checks.check_number(margin, "margin")
        self.margin = margin
        self.reduction = reduction
        self.name = name

    def forward(self, input: paddle.Tensor, label: paddle.Tensor) -> paddle.Tensor:
        return hinge_embedding_loss(input, label, self.margin, self.reduction, self.name)
