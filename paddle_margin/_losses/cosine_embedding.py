"""Cosine embedding loss."""

from __future__ import annotations

from functools import partial
from typing import Any, Optional

import paddle
import paddle.nn.functional as F

from paddle_margin import _checks, _fused
from paddle_margin._layer import MarginLoss
from paddle_margin._numerics import (
    as_rows,
    broadcast_to,
    clamp_passing,
    comparable,
    constant,
    equal,
    filled_like,
    fixed,
    scalar,
    where,
    widened,
)
from paddle_margin._spellings import torch_names
from paddle_margin._sums import reduce, sum_classes

_EPSILON = 1e-12
"""What is added to each squared norm, as in torch."""


@torch_names(target="label")
def cosine_embedding_loss(
    input1: paddle.Tensor,
    input2: paddle.Tensor,
    label: paddle.Tensor,
    margin: Any = 0,
    reduction: str = "mean",
    name: Optional[str] = None,
) -> paddle.Tensor:
    r"""Loss of the angle between two vectors: small for similar pairs, wide for others.

    For learning embeddings from pairs that are labelled similar (1) or dissimilar (-1), where
    only the direction of an embedding counts.

    .. math::
        \ell_n = \begin{cases}
            1 - \cos(x_n, z_n) & y_n = 1 \\
            \max(0, \cos(x_n, z_n) - m) & y_n = -1
        \end{cases}
        \qquad
        \cos(x, z) = \frac{x \cdot z}{\sqrt{(x \cdot x + 10^{-12})(z \cdot z + 10^{-12})}}

    Domain: any vectors. Another label gives 0; NaN with label 1 or -1 gives NaN. Where
    ``cos = m`` the gradient passes. Float32 vectors of norms from 1e-3 to 1e18 keep full accuracy.

    Args:
        input1: the first vectors, [N, M] or [M]; float16, bfloat16, float32 or float64.
        input2: the second vectors; the same number of axes, N may be 1 in either; floating.
        label: 1 or -1, [N] or [1]; [] or [1] for inputs [M]; integer, bool or floating.
        margin: a number, or a tensor of one element, which gets a gradient if it asks for one.
        reduction: ``'none'``, ``'mean'`` or ``'sum'``.
        name: the name of the last operator.

    ``target`` is another name of ``label``; ``size_average`` and ``reduce`` are deprecated
    forms of ``reduction``. All three are keywords.

    Returns:
        A tensor of the wider dtype of both inputs: [N] for ``'none'`` ([] with a label of shape
        []), else 0-D.

    Raises:
        TypeError: ``input1`` or ``input2`` is not floating, ``label`` no tensor, ``margin`` no
            number.
        ValueError: a shape that does not fit, or ``reduction`` none of the three.

    Differences: paddle.nn adds 1e-11 where torch adds 1e-12, returns ``None`` for an unknown
    reduction, and both lose norms from 1e10 on in float32.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.CosineEmbeddingLoss.html

    Examples:
        >>> import paddle
        >>> from paddle_margin.nn.functional import cosine_embedding_loss
        >>> a, b = paddle.to_tensor([[3.0, 4.0]]), paddle.to_tensor([[4.0, 3.0]])
        >>> print(f"{cosine_embedding_loss(a, b, paddle.to_tensor([1])).item():.6f}")
        0.040000
    """
    _checks.check_reduction(reduction)
    dtype, working = _checks.result_dtype(input1=input1, input2=input2)
    _checks.check_real_label(label)
    _checks.check_number(margin, "margin")
    _check_shapes(input1, input2, label)
    rows = input1.shape[0] if len(input1.shape) == 2 else 1
    if (
        _checks.same_dtype(input1, input2)
        and input1.shape == input2.shape
        and label.shape in ([rows], [])
        and not _checks.is_tensor(margin)
        and _fused.serves(input1, input2, label)
    ):
        gradient = partial(_gradient, label, margin)
        return _fused.loss(
            "cosine_embedding",
            (input1, input2),
            label,
            reduction,
            gradient,
            shape=(rows, input1.shape[-1]),
            result=label.shape,
            margin=margin,
        )
    y = comparable(label)
    # Vectors whose label is outside must not bring NaN into a gradient.
    a, b = _where_counted(y, input1), _where_counted(y, input2)
    norm_a, norm_b, product = _parts(a, b, exact=working == "float64")
    cosine = _quotient(product, norm_a * norm_b)
    if len(label.shape) == 0:
        cosine = paddle.reshape(cosine, [])
    else:
        y = broadcast_to(y, cosine)
    apart = 1 - cosine
    # Rounding may leave a cosine above 1; the loss is never negative, its gradient stays.
    apart = apart + F.relu(-fixed(apart))
    near = clamp_passing(cosine - scalar(margin, "float64", working))
    outside = filled_like(cosine, 0)
    loss = where(equal(y, 1), apart, where(equal(y, -1), near, outside))
    return reduce(loss, reduction, dtype, name)


def _where_counted(y: paddle.Tensor, vectors: paddle.Tensor) -> paddle.Tensor:
    """Vectors as float64 rows, [N, M], with 0 in those that do not count."""
    counted = paddle.unsqueeze(paddle.logical_or(equal(y, 1), equal(y, -1)), -1)
    rows = broadcast_to(widened(as_rows(vectors), "float64"), counted)
    mask = filled_like(rows, 0) + counted.cast("float64") > 0
    return where(mask, rows, filled_like(rows, 0))


def _parts(
    a: paddle.Tensor, b: paddle.Tensor, exact: bool
) -> tuple[paddle.Tensor, paddle.Tensor, paddle.Tensor]:
    """The norms of the rows of two matrices and their products, [N] each."""
    epsilon = constant(_EPSILON, "float64")
    norm_a = paddle.sqrt(sum_classes(a * a, exact) + epsilon)
    norm_b = paddle.sqrt(sum_classes(b * b, exact) + epsilon)
    return norm_a, norm_b, sum_classes(a * b, exact)


def _quotient(a: paddle.Tensor, b: paddle.Tensor) -> paddle.Tensor:
    """``a / b``; of one shape Paddle divides by MKL, which not always gives the nearest number."""
    return paddle.squeeze(paddle.unsqueeze(a, 0) / b, 0)


def _gradient(
    label: paddle.Tensor,
    margin: float,
    upstream: paddle.Tensor,
    input1: paddle.Tensor,
    input2: paddle.Tensor,
) -> list[paddle.Tensor]:
    """The gradients of both vectors from operators that have one, for :mod:`_fused`."""
    working = "float64" if input1.dtype == paddle.float64 else "float32"
    y = paddle.reshape(comparable(label), [-1])
    a, b = _where_counted(y, input1), _where_counted(y, input2)
    norm_a, norm_b, product = _parts(a, b, exact=working == "float64")
    cosine = _quotient(product, norm_a * norm_b)
    near = paddle.logical_and(equal(y, -1), cosine - scalar(margin, "float64", working) >= 0)
    of_cosine = (near.cast("float64") - equal(y, 1).cast("float64")) * upstream
    gradients = []
    for own, other, norm in ((a, b, norm_a), (b, a, norm_b)):
        of_other = paddle.unsqueeze(of_cosine / (norm_a * norm_b), -1)
        of_own = paddle.unsqueeze(of_cosine * cosine / (norm * norm), -1)
        gradients.append(paddle.reshape(other * of_other - own * of_own, input1.shape))
    return gradients


def _check_shapes(input1: paddle.Tensor, input2: paddle.Tensor, label: paddle.Tensor) -> None:
    shape1, shape2, labels = list(input1.shape), list(input2.shape), list(label.shape)
    expected = ""
    if len(shape1) not in (1, 2) or len(shape1) != len(shape2):
        expected = "input1 and input2 to have shapes [N, M] or [M]"
    elif not _checks.may_equal(shape1[-1], shape2[-1]):
        expected = "input1 and input2 to have the same last dimension"
    elif len(shape1) == 1:
        if len(labels) > 1 or (len(labels) == 1 and not _checks.may_equal(labels[0], 1)):
            expected = "label to have the shape [] or [1] for inputs [M]"
    elif len(labels) != 1 or not _checks.sizes_fit([shape1[0], shape2[0], labels[0]]):
        expected = "label to have the shape [N] for inputs [N, M]"
    if expected:
        _checks.reject_value(expected, f"input1 {shape1}, input2 {shape2} and label {labels}")


class CosineEmbeddingLoss(MarginLoss):
    """Layer of :func:`paddle_margin.nn.functional.cosine_embedding_loss`.

    Args:
        margin: a number, or a tensor of one element.
        reduction: ``'none'``, ``'mean'`` or ``'sum'``.
        name: the name of the last operator.

    Raises:
        TypeError: ``margin`` is no number.
        ValueError: ``reduction`` is none of the three.

    Shape:
        ``input1`` and ``input2`` [N, M] or [M]; ``label`` [N], or [1] or [] for [M]; the result
        is [N] or [] for ``'none'``, else 0-D.
    """

    @torch_names()
    def __init__(
        self, margin: Any = 0, reduction: str = "mean", name: Optional[str] = None
    ) -> None:
        super().__init__()
        _checks.check_reduction(reduction)
        _checks.check_number(margin, "margin")
        self.margin = margin
        self.reduction = reduction
        self.name = name

    def forward(
        self, input1: paddle.Tensor, input2: paddle.Tensor, label: paddle.Tensor
    ) -> paddle.Tensor:
        return cosine_embedding_loss(input1, input2, label, self.margin, self.reduction, self.name)
