"""Soft margin loss."""

from __future__ import annotations

from functools import partial
from typing import Optional

import paddle
from paddle.nn.functional import sigmoid

from paddle_margin import _checks, _fused
from paddle_margin._layer import MarginLoss
from paddle_margin._numerics import (
    broadcast,
    filled_like,
    fixed,
    is_plus_infinity,
    logistic,
    product_error,
    softplus,
    where,
    widened,
)
from paddle_margin._spellings import torch_names
from paddle_margin._sums import reduce


@torch_names(target="label")
def soft_margin_loss(
    input: paddle.Tensor,
    label: paddle.Tensor,
    reduction: str = "mean",
    name: Optional[str] = None,
) -> paddle.Tensor:
    r"""Logistic loss of a two-class classifier.

    For raw scores with labels 1 and -1.

    .. math::
        \ell_i = \log(1 + \exp(-y_i x_i))

    Domain: any score; any label takes the same formula. Accurate everywhere: 2.06e-9 at
    ``yx = 20`` and 1e4 at ``yx = -1e4``. NaN in, NaN out; an infinite score gives 0 or infinity
    with a finite gradient.

    Args:
        input: the scores; any shape; float16, bfloat16, float32 or float64.
        label: 1 or -1; a shape that broadcasts with ``input``; integer, bool or floating.
        reduction: ``'none'``, ``'mean'`` or ``'sum'``.
        name: the name of the last operator.

    ``target`` is another name of ``label``; ``size_average`` and ``reduce`` are deprecated
    forms of ``reduction``. All three are keywords.

    Returns:
        A tensor of the input's dtype: of the broadcast shape for ``'none'``, else 0-D.

    Raises:
        TypeError: ``input`` is not floating, or ``label`` is no tensor.
        ValueError: the shapes do not broadcast, or ``reduction`` is none of the three.

    Differences: paddle.nn gives 0 from ``yx = 17`` on in float32, and infinity from -89 down,
    as torch does.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.SoftMarginLoss.html

    Examples:
        >>> import paddle
        >>> from paddle_margin.nn.functional import soft_margin_loss
        >>> input, label = paddle.to_tensor([20.0]), paddle.to_tensor([1.0])
        >>> print(f"{soft_margin_loss(input, label).item():.6e}")
        2.061154e-09
    """
    _checks.check_reduction(reduction)
    working = _checks.working_dtype(input, "input")
    _checks.check_real_label(label)
    same_shape = _checks.check_broadcast(input=input, label=label)
    # Not in float64, where no exp but Paddle's own has the last bit that graphs give.
    if same_shape and working == "float32" and label.stop_gradient and _fused.serves(input, label):
        gradient = partial(_gradient, label)
        return _fused.loss("soft_margin", (input,), label, reduction, gradient)
    x, y = widened(input, "float64"), widened(label, "float64")
    if not same_shape:
        x, y = broadcast(x, y)
    certain, x, y = _certain_at_zero(x, y)
    lead = x * y
    loss = softplus(-lead)
    if working == "float64":
        # At yx = 80 the rounding of the product alone would cost 40 ULP.
        error = product_error(fixed(x), fixed(y), fixed(lead))
        loss = loss - error * sigmoid(-lead)
    return reduce(where(certain, filled_like(loss, 0), loss), reduction, input.dtype, name)


def _certain_at_zero(
    x: paddle.Tensor, y: paddle.Tensor
) -> tuple[paddle.Tensor, paddle.Tensor, paddle.Tensor]:
    """Where the loss is 0 for certain, and both factors with 0 there.

    A factor of 0 times infinity must not reach a gradient.
    """
    certain = is_plus_infinity(x * y)
    zero = filled_like(x, 0)
    return certain, where(certain, zero, x), where(certain, zero, y)


def _gradient(
    label: paddle.Tensor, upstream: paddle.Tensor, input: paddle.Tensor
) -> list[paddle.Tensor]:
    """The gradient of the input from operators that have one, for :mod:`_fused`."""
    x, y = _certain_at_zero(widened(input, "float64"), widened(label, "float64"))[1:]
    return [-y * logistic(-y * x) * upstream]


class SoftMarginLoss(MarginLoss):
    """Layer of :func:`paddle_margin.nn.functional.soft_margin_loss`.

    Args:
        reduction: ``'none'``, ``'mean'`` or ``'sum'``.
        name: the name of the last operator.

    Raises:
        ValueError: ``reduction`` is none of the three.

    Shape:
        ``input`` and ``label``: any two shapes that broadcast; the result has the broadcast
        shape for ``'none'``, else it is 0-D.
    """

    @torch_names()
    def __init__(self, reduction: str = "mean", name: Optional[str] = None) -> None:
        super().__init__()
        _checks.check_reduction(reduction)
        self.reduction = reduction
        self.name = name

    def forward(self, input: paddle.Tensor, label: paddle.Tensor) -> paddle.Tensor:
        return soft_margin_loss(input, label, self.reduction, self.name)
