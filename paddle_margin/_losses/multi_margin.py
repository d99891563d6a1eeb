"""Multi-class margin loss."""

from __future__ import annotations

from functools import partial
from typing import Any, Optional

import paddle

from paddle_margin import _checks, _fused
from paddle_margin._layer import MarginLoss
from paddle_margin._numerics import as_rows, filled_like, power, rounded, scalar, where, widened
from paddle_margin._spellings import torch_names
from paddle_margin._sums import class_count, count_tensor, reduce, spread_classes, sum_classes


@torch_names(target="label")
def multi_margin_loss(
    input: paddle.Tensor,
    label: paddle.Tensor,
    p: float = 1,
    margin: Any = 1.0,
    weight: Optional[paddle.Tensor] = None,
    reduction: str = "mean",
    name: Optional[str] = None,
) -> paddle.Tensor:
    r"""Hinge loss of a classifier: the true class must lead every other by the margin.

    For multi-class classification with raw scores, one true class a sample.

    .. math::
        \ell_n = \frac{w_{y_n}}{C} \sum_{j \ne y_n} \max(0, m - x_{n, y_n} + x_{n, j})^p

    Domain: any scores, any margin, any ``p`` above 0. A score of -infinity has no term, a true
    class at infinity has loss 0. NaN in, NaN out. At a term of exactly 0 the gradient is 0.

    Args:
        input: the scores; [N, C], [C] (one sample) or [] (one sample, one class); float16,
            bfloat16, float32 or float64.
        label: the true classes, 0 to C - 1; [N], [N, 1], or [1] or [] for one sample; integer.
        p: a number above 0, the exponent of each term.
        margin: a number, or a tensor of one element, which gets a gradient if it asks for one.
        weight: a factor for each class, [C]; cast to the input's dtype.
        reduction: ``'none'``, ``'mean'`` or ``'sum'``.
        name: the name of the last operator.

    ``target`` is another name of ``label``; ``size_average`` and ``reduce`` are deprecated
    forms of ``reduction``. All three are keywords.

    Returns:
        A tensor of the input's dtype: [N] for ``'none'`` ([] with a label of shape []), else
        0-D. ``'mean'`` divides by N whatever the weights are.

    Raises:
        TypeError: ``input`` is not floating, ``label`` not integer, ``weight`` no tensor,
            ``p`` or ``margin`` no number.
        ValueError: a shape that does not fit, a label outside 0 … C - 1 (eager mode), ``p``
            not above 0, or ``reduction`` none of the three.

    Differences: paddle.nn adds the true class's term and subtracts ``margin**p / C`` again,
    which leaves float32 accuracy in float64 and negative losses; torch takes p = 1 and 2 only,
    and loses NaN.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiMarginLoss.html

    Examples:
        >>> import paddle
        >>> from paddle_margin.nn.functional import multi_margin_loss
        >>> input = paddle.to_tensor([[0.1, 0.2, 0.4, 0.8]], dtype="float64")
        >>> print(multi_margin_loss(input, paddle.to_tensor([3])).item())
        0.32499999999999996
    """
    _checks.check_reduction(reduction)
    _checks.check_positive(p, "p")
    _checks.check_number(margin, "margin")
    working = _checks.working_dtype(input, "input")
    _checks.check_class_label(label)
    rows, classes = _check_shapes(input, label)
    _checks.check_class_weight(weight, classes)
    if (
        p in (1, 2)
        and not _checks.is_tensor(margin)
        and (weight is None or (weight.stop_gradient and _fused.serves(weight)))
        and _fused.serves(input, label)
    ):
        of_class = None if weight is None else weight.cast(input.dtype)
        gradient = partial(_gradient, label, margin, of_class) if p == 2 else None
        return _fused.loss(
            "multi_margin",
            (input,),
            label,
            reduction,
            gradient,
            shape=(rows, classes),
            result=label.shape and [rows],
            weight=of_class,
            margin=margin,
            p=p,
        )
    _checks.check_class_range(label, 0, classes)
    x, y = widened(as_rows(input), "float64"), _column(label)
    # float64 inside: the sum over the classes and the differences cost no accuracy then.
    exact = working == "float64"
    terms = power(_terms(x, y, scalar(margin, "float64", working), exact), rounded(p, working))
    loss = sum_classes(terms, exact) / count_tensor(class_count(x))
    if weight is not None:
        of_class = widened(weight.cast(input.dtype), "float64")
        loss = loss * paddle.gather(of_class, paddle.flatten(y))
    if len(label.shape) == 0:
        loss = paddle.reshape(loss, [])
    return reduce(loss, reduction, input.dtype, name)


def _terms(x: paddle.Tensor, y: paddle.Tensor, margin: paddle.Tensor, exact: bool) -> paddle.Tensor:
    """``max(0, margin - x_y + x_j)``, 0 in the column of the true class."""
    target = paddle.take_along_axis(x, y, axis=1)
    # In this order equal scores cancel exactly, whatever their offset.
    z = (x - spread_classes(target, x, exact)) + margin
    counted = paddle.logical_and(paddle.logical_or(z > 0, paddle.isnan(margin)), _others(x, y))
    # inf - inf is no term, so a NaN in z says nothing: only a NaN that came in is passed on.
    nan = paddle.logical_or(paddle.isnan(x), paddle.isnan(target))
    kept = paddle.logical_or(counted, nan)
    return where(kept, z, filled_like(z, 0))


def _others(x: paddle.Tensor, y: paddle.Tensor) -> paddle.Tensor:
    return paddle.arange(class_count(x)) != y


def _gradient(
    label: paddle.Tensor,
    margin: float,
    weight: Optional[paddle.Tensor],
    upstream: paddle.Tensor,
    input: paddle.Tensor,
) -> list[paddle.Tensor]:
    """The gradient for ``p = 2`` from operators that have one, for :mod:`_fused`."""
    x, y = widened(as_rows(input), "float64"), _column(label)
    exact = input.dtype == paddle.float64
    terms = _terms(x, y, scalar(margin, "float64", "float64" if exact else "float32"), exact)
    of_row = paddle.reshape(upstream, [-1, 1]) / count_tensor(class_count(x))
    if weight is not None:
        of_row = of_row * paddle.reshape(paddle.gather(weight.cast("float64"), y), [-1, 1])
    slopes = (terms + terms) * of_row
    of_target = paddle.unsqueeze(sum_classes(slopes, exact), -1)
    slopes = where(_others(x, y), slopes, slopes - of_target)
    return [paddle.reshape(slopes, input.shape)]


def _column(label: paddle.Tensor) -> paddle.Tensor:
    """The label as [N, 1]."""
    return paddle.reshape(label.cast("int64"), [-1, 1])


def _check_shapes(input: paddle.Tensor, label: paddle.Tensor) -> tuple[int, int]:
    """The number of samples and of classes, as far as they are known."""
    shape, label_shape = list(input.shape), list(label.shape)
    if len(shape) > 2:
        _checks.reject_value("input to have the shape [N, C], [C] or []", shape)
    samples = shape[0] if len(shape) == 2 else 1
    fits = (
        not label_shape
        or len(label_shape) == 1
        or (len(label_shape) == 2 and _checks.may_equal(label_shape[1], 1))
    )
    labels = label_shape[0] if label_shape else 1
    if not fits or not _checks.may_equal(labels, samples):
        _checks.reject_value(
            f"label to have the shape [N] or [N, 1] for an input of shape {shape}", label_shape
        )
    _checks.check_some_class(shape)
    return samples, shape[-1] if shape else 1


class MultiMarginLoss(MarginLoss):
    """Layer of :func:`paddle_margin.nn.functional.multi_margin_loss`.

    Args:
        p: a number above 0, the exponent of each term.
        margin: a number, or a tensor of one element.
        weight: a factor for each class, [C]; a buffer of the layer, kept in ``state_dict``.
        reduction: ``'none'``, ``'mean'`` or ``'sum'``.
        name: the name of the last operator.

    Raises:
        TypeError: ``p`` or ``margin`` is no number, ``weight`` no tensor.
        ValueError: ``p`` is not above 0, ``weight`` has not one axis, or ``reduction`` is none
            of the three.

    Shape:
        ``input`` [N, C], [C] or []; ``label`` [N], [N, 1], [1] or []; the result is [N] or []
        for ``'none'``, else 0-D.
    """

    @torch_names()
    def __init__(
        self,
        p: float = 1,
        margin: Any = 1.0,
        weight: Optional[paddle.Tensor] = None,
        reduction: str = "mean",
        name: Optional[str] = None,
    ) -> None:
        super().__init__()
        _checks.check_reduction(reduction)
        _checks.check_positive(p, "p")
        _checks.check_number(margin, "margin")
        _checks.check_class_weight(weight)
        self.register_buffer("weight", weight)
        self.p = p
        self.margin = margin
        self.reduction = reduction
        self.name = name

    def forward(self, input: paddle.Tensor, label: paddle.Tensor) -> paddle.Tensor:
        return multi_margin_loss(
            input, label, self.p, self.margin, self.weight, self.reduction, self.name
        )
