"""Multi-label soft margin loss."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Optional

import paddle

from paddle_margin import _checks, _fused
from paddle_margin._layer import MarginLoss
from paddle_margin._numerics import (
    as_rows,
    broadcast,
    equal,
    filled_like,
    fixed,
    log1p_exp_of_minus_abs,
    logistic,
    smooth_softplus,
    where,
    widened,
    with_gradient_of,
)
from paddle_margin._spellings import torch_names
from paddle_margin._sums import class_count, count_tensor, reduce, sum_classes


@torch_names(target="label")
def multi_label_soft_margin_loss(
    input: paddle.Tensor,
    label: paddle.Tensor,
    weight: Optional[paddle.Tensor] = None,
    reduction: str = "mean",
    name: Optional[str] = None,
) -> paddle.Tensor:
    r"""Logistic loss of a classifier whose classes do not exclude each other.

    For multi-label classification with raw scores, each class present (1) or absent (0).

    .. math::
        \ell_n = -\frac{1}{C} \sum_c w_c \left( y_{n,c} \log \sigma(x_{n,c})
            + (1 - y_{n,c}) \log \sigma(-x_{n,c}) \right)

    Domain: any score; any label takes the same formula, so soft labels between 0 and 1 work.
    Accurate everywhere. NaN in, NaN out; an infinite score gives 0 or infinity with a finite
    gradient.

    Args:
        input: the scores, [..., C] or []; float16, bfloat16, float32 or float64.
        label: 0 or 1; a shape that broadcasts with ``input``; integer, bool or floating.
        weight: a factor for each class, [C] or a shape that broadcasts to the scores'; cast to
            the input's dtype.
        reduction: ``'none'``, ``'mean'`` or ``'sum'``.
        name: the name of the last operator.

    ``target`` is another name of ``label``; ``size_average`` and ``reduce`` are deprecated
    forms of ``reduction``. All three are keywords.

    Returns:
        A tensor of the input's dtype: of the broadcast shape without the last axis for
        ``'none'``, else 0-D.

    Raises:
        TypeError: ``input`` is not floating, ``label`` or ``weight`` no tensor.
        ValueError: a shape that does not fit, or ``reduction`` none of the three.

    Differences: paddle.nn gives 0 for a score of 17 with label 1 in float32, NaN gradients at
    infinity, no second gradient, and takes no integer labels.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiLabelSoftMarginLoss.html

    Examples:
        >>> import paddle
        >>> from paddle_margin.nn.functional import multi_label_soft_margin_loss
        >>> input, label = paddle.to_tensor([[20.0]]), paddle.to_tensor([[1.0]])
        >>> print(f"{multi_label_soft_margin_loss(input, label).item():.6e}")
        2.061154e-09
    """
    _checks.check_reduction(reduction)
    working = _checks.working_dtype(input, "input")
    _checks.check_real_label(label)
    same_shape = _checks.check_broadcast(input=input, label=label)
    # Not in float64, where no exp but Paddle's own has the last bit that graphs give.
    if (
        same_shape
        and working == "float32"
        and label.stop_gradient
        and _fused.serves(input, label)
        and _is_of_classes(weight, input)
    ):
        *leading, classes = input.shape or [1]
        of_class = None if weight is None else weight.cast(input.dtype)
        shape = (math.prod(leading), classes)
        gradient = partial(_gradient, label, of_class)
        return _fused.loss(
            "multi_label_soft_margin",
            (input,),
            label,
            reduction,
            gradient,
            shape=shape,
            result=leading,
            weight=of_class,
        )
    x, y = widened(as_rows(input), "float64"), widened(label, "float64")
    if not same_shape:
        x, y = broadcast(x, y)
    terms = _terms(x, y)
    if weight is not None:
        _checks.check_weight(weight)
        _checks.check_fits_into("weight", weight, "the scores", terms)
        terms = terms * widened(weight.cast(input.dtype), "float64")
    loss = sum_classes(terms, exact=working == "float64") / count_tensor(class_count(terms))
    if max(len(input.shape), len(label.shape)) < 2:
        loss = paddle.reshape(loss, [])
    return reduce(loss, reduction, input.dtype, name)


def _terms(x: paddle.Tensor, y: paddle.Tensor) -> paddle.Tensor:
    """The loss of each class, of float64 tensors of one shape.

    As ``log(1 + exp(-|x|))`` plus a multiple of ``x``, which costs no accuracy for any label.
    """
    infinite = paddle.isinf(x)
    finite = where(infinite, filled_like(x, 0), x)
    slope = where(x < 0, -y, 1 - y)
    fixed_x, fixed_y = fixed(finite), fixed(y)
    value = log1p_exp_of_minus_abs(fixed_x) + fixed(slope) * fixed_x
    path = (
        fixed_y * smooth_softplus(-finite)
        + (1 - fixed_y) * smooth_softplus(finite)
        - finite * (y - fixed_y)
    )
    # A class that is certain has loss 0: a factor of 0 must not meet infinity.
    open_end = paddle.logical_and(infinite, paddle.logical_not(equal(slope, 0)))
    endless = where(open_end, x, filled_like(x, 0)) * slope
    return where(infinite, endless, with_gradient_of(value, path))


def _is_of_classes(weight: Any, input: paddle.Tensor) -> bool:
    """Whether a weight has one constant for each class, or there is none."""
    if weight is None:
        return True
    return (
        _fused.serves(weight) and weight.stop_gradient and weight.shape == (input.shape or [1])[-1:]
    )


def _gradient(
    label: paddle.Tensor,
    weight: Optional[paddle.Tensor],
    upstream: paddle.Tensor,
    input: paddle.Tensor,
) -> list[paddle.Tensor]:
    """The gradient of the input from operators that have one, for :mod:`_fused`."""
    x, y = widened(as_rows(input), "float64"), widened(as_rows(label), "float64")
    slopes = (1 - y) * logistic(x) - y * logistic(-x)
    if weight is not None:
        slopes = slopes * weight.cast("float64")
    of_row = paddle.unsqueeze(upstream, -1) / count_tensor(class_count(x))
    return [paddle.reshape(slopes * of_row, input.shape)]


multilabel_soft_margin_loss = multi_label_soft_margin_loss


class MultiLabelSoftMarginLoss(MarginLoss):
    """Layer of :func:`paddle_margin.nn.functional.multi_label_soft_margin_loss`.

    Args:
        weight: a factor for each class, [C]; a buffer of the layer, kept in ``state_dict``.
        reduction: ``'none'``, ``'mean'`` or ``'sum'``.
        name: the name of the last operator.

    Raises:
        TypeError: ``weight`` is no real tensor.
        ValueError: ``reduction`` is none of the three.

    Shape:
        ``input`` [..., C] and ``label``, a shape that broadcasts; the result is [...] for
        ``'none'``, else 0-D.
    """

    @torch_names()
    def __init__(
        self,
        weight: Optional[paddle.Tensor] = None,
        reduction: str = "mean",
        name: Optional[str] = None,
    ) -> None:
        super().__init__()
        _checks.check_reduction(reduction)
        if weight is not None:
            _checks.check_weight(weight)
        self.register_buffer("weight", weight)
        self.reduction = reduction
        self.name = name

    def forward(self, input: paddle.Tensor, label: paddle.Tensor) -> paddle.Tensor:
        return multi_label_soft_margin_loss(input, label, self.weight, self.reduction, self.name)
