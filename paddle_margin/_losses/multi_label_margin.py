"""Multi-label margin loss."""

from __future__ import annotations

import math
from typing import Any, Optional

import paddle
import paddle.nn.functional as F

from paddle_margin import _checks, _fused
from paddle_margin._layer import MarginLoss
from paddle_margin._numerics import as_rows, filled_like, where, widened
from paddle_margin._spellings import torch_names
from paddle_margin._sums import class_count, count_tensor, reduce, spread_classes, sum_classes


@torch_names(target="label")
def multi_label_margin_loss(
    input: paddle.Tensor,
    label: paddle.Tensor,
    reduction: str = "mean",
    name: Optional[str] = None,
) -> paddle.Tensor:
    r"""Hinge loss of a classifier: each true class must lead each false one by 1.

    For multi-label classification with raw scores, where a sample has any number of classes.

    .. math::
        \ell_n = \frac{1}{C} \sum_{k \in \text{targets}} \sum_{i \notin \text{targets}}
            \max(0, 1 - x_{n,k} + x_{n,i})

    Domain: any scores. The targets of a sample are its labels up to the first -1; a class that
    stands there twice counts twice, and one with no target at all has loss 0. NaN in, NaN out.
    At a term of exactly 0 the gradient is 0.

    Args:
        input: the scores; [N, C], [C] (one sample) or [] (one sample, one class); float16,
            bfloat16, float32 or float64.
        label: the true classes, 0 to C - 1, then -1; the shape of ``input``; integer.
        reduction: ``'none'``, ``'mean'`` or ``'sum'``.
        name: the name of the last operator.

    ``target`` is another name of ``label``; ``size_average`` and ``reduce`` are deprecated
    forms of ``reduction``. All three are keywords.

    Returns:
        A tensor of the input's dtype: [N] for ``'none'`` ([] for one sample), else 0-D.

    Raises:
        TypeError: ``input`` is not floating, or ``label`` not integer.
        ValueError: a shape that does not fit, a label outside -1 … C - 1 anywhere (eager mode),
            a ``DistTensor``, or ``reduction`` none of the three.

    Differences: paddle.nn cannot export it, fails on a batch without targets and takes labels
    of other shapes; torch loses NaN.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiLabelMarginLoss.html

    Examples:
        >>> import paddle
        >>> from paddle_margin.nn.functional import multi_label_margin_loss
        >>> input = paddle.to_tensor([[0.1, 0.2, 0.4, 0.8]])
        >>> print(f"{multi_label_margin_loss(input, paddle.to_tensor([[3, 0, -1, 1]])).item():.2f}")
        0.85
    """
    _checks.check_reduction(reduction)
    working = _checks.working_dtype(input, "input")
    _checks.check_class_label(label)
    _check_shapes(input, label)
    _checks.check_not_sharded(input=input, label=label)
    if _fused.serves(input, label):
        *leading, classes = input.shape or [1]
        shape = (math.prod(leading), classes)
        return _fused.loss(
            "multi_label_margin",
            (input,),
            label,
            reduction,
            shape=shape,
            result=leading,
            lowest=-1,
        )
    x, y = widened(as_rows(input), "float64"), as_rows(label).cast("int64")
    _checks.check_class_range(y, -1, x.shape[1])
    # inf - inf is no term, so a NaN that came in is passed on by itself.
    nan = paddle.sum(where(paddle.isnan(x), x, filled_like(x, 0)), axis=1)
    total = nan if x.shape[1] == 0 else nan + _sums(x, y, exact=working == "float64")
    loss = total / count_tensor(class_count(x))
    if len(input.shape) < 2:
        loss = paddle.reshape(loss, [])
    return reduce(loss, reduction, input.dtype, name)


def _sums(x: paddle.Tensor, y: paddle.Tensor, exact: bool) -> paddle.Tensor:
    """The sum over the targets and the other classes of each sample, [N].

    One row a target: with few of them this needs far less memory than N x C x C. A last row,
    of no sample, is there so that no tensor is empty in a batch without targets.
    """
    is_target = paddle.cumsum((y < 0).cast("int64"), axis=1) == 0
    flat = paddle.reshape(is_target, [-1]).cast("int64")
    at = paddle.flatten(paddle.nonzero(flat))
    at = paddle.concat([at, paddle.reshape(paddle.numel(y), [1])])
    classes = class_count(x)
    sample = at // classes
    label = paddle.gather(paddle.reshape(F.pad(y, [0, 1, 0, 0]), [-1]), at)
    samples = F.pad(x, [0, 1, 0, 0])

    rows = paddle.gather(samples, sample)
    target = paddle.gather(paddle.reshape(samples, [-1]), sample * classes + label)
    target = spread_classes(paddle.unsqueeze(target, -1), rows, exact)
    z = (rows - target) + 1
    counted = paddle.logical_and(
        z > 0, paddle.gather(_targets(samples, sample, label), sample) == 0
    )
    of_target = sum_classes(where(counted, z, filled_like(z, 0)), exact)

    # Back to one place a label, where the places without a target read the 0 at the end.
    place = where(flat > 0, paddle.cumsum(flat) - 1, filled_like(flat, 1) + flat.sum())
    of_label = paddle.gather(F.pad(of_target, [0, 1]), place)
    return sum_classes(paddle.reshape(of_label, _shape(y)), exact)


def _targets(samples: paddle.Tensor, sample: paddle.Tensor, label: paddle.Tensor) -> paddle.Tensor:
    """How often each class is a target of each sample."""
    index = paddle.stack([sample, label], axis=1)
    once = filled_like(label, 1, paddle.float32)
    return paddle.scatter_nd_add(filled_like(samples, 0, paddle.float32), index, once)


def _shape(tensor: paddle.Tensor) -> Any:
    return paddle.shape(tensor) if _checks.UNKNOWN in tensor.shape else tensor.shape


def _check_shapes(input: paddle.Tensor, label: paddle.Tensor) -> None:
    shape, labels = list(input.shape), list(label.shape)
    if len(shape) > 2:
        _checks.reject_value("input to have the shape [N, C], [C] or []", shape)
    if not _checks.may_be_equal(shape, labels):
        _checks.reject_value(f"label to have the input's shape {shape}", labels)
    _checks.check_some_class(shape)


multilabel_margin_loss = multi_label_margin_loss


class MultiLabelMarginLoss(MarginLoss):
    """Layer of :func:`paddle_margin.nn.functional.multi_label_margin_loss`.

    Args:
        reduction: ``'none'``, ``'mean'`` or ``'sum'``.
        name: the name of the last operator.

    Raises:
        ValueError: ``reduction`` is none of the three.

    Shape:
        ``input`` and ``label`` [N, C], [C] or []; the result is [N] or [] for ``'none'``, else
        0-D.
    """

    @torch_names()
    def __init__(self, reduction: str = "mean", name: Optional[str] = None) -> None:
        super().__init__()
        _checks.check_reduction(reduction)
        self.reduction = reduction
        self.name = name

    def forward(self, input: paddle.Tensor, label: paddle.Tensor) -> paddle.Tensor:
        return multi_label_margin_loss(input, label, self.reduction, self.name)
