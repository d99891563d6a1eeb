"""The arithmetic that several losses share, composed from Paddle's operators.

Every form here keeps NaN, has a second gradient, writes nothing in place and takes no Python
decision on an unknown dimension.
"""

from __future__ import annotations

import math
from typing import Any, Optional

import numpy as np
import paddle
import paddle.nn.functional as F

from paddle_margin._checks import has_values, is_sharded, is_tensor


def scalar(value: Any, dtype: str, rounded_to: str) -> paddle.Tensor:
    """A number or a one-element tensor as a 0-D tensor, which never changes a result's shape.

    Args:
        value: a number, or a tensor of one element, whose gradient is kept.
        dtype: the dtype of the result.
        rounded_to: the dtype that a Python number counts as.
    """
    if is_tensor(value):
        return widened(paddle.reshape(value, []), rounded_to).cast(dtype)
    number = rounded(value, rounded_to)
    if math.isfinite(number):
        return constant(number, dtype)
    # A saved program cannot hold NaN and infinity; it can compute them.
    sign = 0 if math.isnan(number) else math.copysign(1, number)
    return constant(sign, dtype) / constant(0, dtype)


def constant(number: float, dtype: Any) -> paddle.Tensor:
    """A finite number as a 0-D tensor, which holds it exactly in a graph too."""
    return paddle.full([], number, dtype)


def infinity_like(tensor: paddle.Tensor) -> paddle.Tensor:
    """Infinity in the shape and dtype of ``tensor``, as a saved program can hold it."""
    return filled_like(tensor, 1) / filled_like(tensor, 0)


def rounded(value: Any, dtype: str) -> float:
    """A Python number as ``dtype`` holds it."""
    with np.errstate(over="ignore"):
        return float(np.dtype(dtype).type(value))


def widened(tensor: paddle.Tensor, dtype: str) -> paddle.Tensor:
    """A tensor in a dtype to calculate in, which holds all that the tensor's own does.

    Paddle's cast to float16 makes up to 1e-4 of what is below 2**-77. A gradient that is cast back
    passes both factors here, and what is below 2**-49 vanishes on the way.
    """
    if tensor.dtype == paddle.float16:
        tensor = (tensor.cast("float32") * 2.0**100) * 2.0**-100
    return tensor.cast(dtype)


def comparable(label: paddle.Tensor) -> paddle.Tensor:
    """The label in a dtype that has comparisons on every device and holds 1 and -1."""
    if label.dtype in (paddle.float32, paddle.float64, paddle.int32, paddle.int64):
        return label
    return label.cast("float32" if label.is_floating_point() else "int32")


def as_rows(tensor: paddle.Tensor) -> paddle.Tensor:
    """A vector or a single number as a matrix of one row; anything else as it is."""
    return tensor if len(tensor.shape) > 1 else paddle.reshape(tensor, [1, -1])


def filled_like(
    tensor: paddle.Tensor, value: float, dtype: Optional[paddle.dtype] = None
) -> paddle.Tensor:
    """A constant of the shape of ``tensor``, and of its dtype unless one is named.

    ``paddle.full_like`` warns while a graph is built, ``paddle.expand_as`` fails there on an
    empty batch.
    """
    if is_plain(tensor):
        return paddle.full_like(tensor, value, dtype)
    zero = (tensor < tensor).cast(tensor.dtype if dtype is None else dtype)
    return zero if value == 0 else zero + value


def is_plain(tensor: paddle.Tensor) -> bool:
    """Whether an operator meets no graph and no shards, whose detours cost time."""
    return has_values(tensor) and not is_sharded(tensor)


def where(condition: paddle.Tensor, a: paddle.Tensor, b: paddle.Tensor) -> paddle.Tensor:
    """``paddle.where``, whose preparations take three times as long as 32 elements do."""
    if is_plain(condition) and condition.shape == a.shape == b.shape:
        return paddle._C_ops.where(condition, a, b)
    return paddle.where(condition, a, b)


def equal(tensor: paddle.Tensor, value: float) -> paddle.Tensor:
    """Where a tensor is exactly ``value``: Paddle's ``==`` takes 1e-16 for 0."""
    return paddle.logical_and(tensor >= value, tensor <= value)


def fixed(tensor: paddle.Tensor) -> paddle.Tensor:
    """The tensor as a constant.

    In a graph a copy: what ``detach`` returns shares memory, which a program may overwrite.
    """
    if has_values(tensor):
        return tensor.detach()
    copy = paddle.assign(tensor)
    copy.stop_gradient = True
    return copy


def broadcast(a: paddle.Tensor, b: paddle.Tensor) -> tuple[paddle.Tensor, paddle.Tensor]:
    """Give two tensors one shape."""
    return broadcast_to(a, b), broadcast_to(b, a)


def broadcast_to(tensor: paddle.Tensor, other: paddle.Tensor) -> paddle.Tensor:
    """Repeat a tensor along the axes that another has more of.

    Multiplying by 1 keeps NaN, infinity and -0. ``where`` adds zeros while a graph is built,
    and the gradient of ``paddle.broadcast_tensors`` ends the process where one of them has none.
    """
    return tensor * filled_like(other, 1, tensor.dtype)


def clamp_passing(z: paddle.Tensor) -> paddle.Tensor:
    """``max(0, z)``, whose gradient passes where ``z`` is exactly 0.

    NaN stays NaN, with gradient 0 as in torch. What is shut passes nothing, of an infinite gradient
    too, which Paddle's ``maximum`` would multiply by 0.
    """
    return where(z >= 0, z, shut(fixed(z)))


def shut(z: paddle.Tensor) -> paddle.Tensor:
    """0 where ``z`` is below 0, NaN where it is NaN; ``relu`` and ``clip`` lose NaN."""
    return paddle.maximum(z, constant(0, z.dtype))


def softplus(w: paddle.Tensor) -> paddle.Tensor:
    """``log(1 + exp(w))`` of a float64 tensor, accurate everywhere, twice differentiable.

    ``log1p`` has the accuracy and no second gradient, ``paddle.nn.functional.softplus`` has the
    gradients and no accuracy below -20: one gives the value, the other its derivatives.
    """
    known = fixed(w)
    value = F.relu(known) + log1p_exp_of_minus_abs(known)
    return where(is_plus_infinity(w), w, with_gradient_of(value, smooth_softplus(w)))


def is_plus_infinity(tensor: paddle.Tensor) -> paddle.Tensor:
    """Where a tensor is infinity, written without a constant that no saved program can hold."""
    return paddle.logical_and(paddle.isinf(tensor), tensor > 0)


def smooth_softplus(w: paddle.Tensor) -> paddle.Tensor:
    """A softplus whose derivatives are accurate; its value is not.

    Above the threshold Paddle takes the identity; at 700 ``exp`` is still finite.
    """
    return F.softplus(w, 1.0, 700.0)


def logistic(w: paddle.Tensor) -> paddle.Tensor:
    """``1 / (1 + exp(-w))`` of a float64 tensor, whose derivative is accurate at both ends."""
    falling = w < 0
    e = paddle.exp(where(falling, w, -w))
    return where(falling, e, filled_like(e, 1)) / (1 + e)


def log1p_exp_of_minus_abs(w: paddle.Tensor) -> paddle.Tensor:
    """``log(1 + exp(-|w|))``, without a second gradient."""
    size = paddle.abs(w)
    near = paddle.minimum(size, constant(700.0, w.dtype))
    # In two factors: Paddle's exp gives 5.6e-309 of all that is below -709.8.
    return paddle.log1p(paddle.exp(-near) * paddle.exp(near - size))


def with_gradient_of(value: paddle.Tensor, path: paddle.Tensor) -> paddle.Tensor:
    """A constant ``value``, with the first and second gradient of the finite ``path``."""
    return value + (path - fixed(path))


def product_error(a: paddle.Tensor, b: paddle.Tensor, product: paddle.Tensor) -> paddle.Tensor:
    """What rounding took from a float64 product: ``a * b - product``, exact (Dekker, 1971).

    0 where the halves overflow, which needs factors beyond 1e300.
    """
    a_high, a_low = _halves(a)
    b_high, b_low = _halves(b)
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return where(paddle.isfinite(error), error, filled_like(error, 0))


def _halves(a: paddle.Tensor) -> tuple[paddle.Tensor, paddle.Tensor]:
    scaled = a * constant(2**27 + 1, a.dtype)
    high = scaled - (scaled - a)
    return high, a - high


def power(z: paddle.Tensor, p: float) -> paddle.Tensor:
    """``z ** p`` for ``z`` at least 0, with gradient 0 where ``z`` is 0; NaN stays NaN."""
    if p == 1:
        return z
    if p == 2:
        return z * z
    zero = z <= 0
    base = where(zero, filled_like(z, 1), z)
    if p == 0.5:
        return where(zero, filled_like(z, 0), paddle.sqrt(base))
    # Paddle keeps the exponent in float32: what that loses is a second, tiny exponent.
    coarse = rounded(p, "float32")
    result = paddle.pow(base, coarse)
    if p != coarse:
        tiny = constant(np.finfo("float64").tiny, z.dtype)
        finite = where(paddle.isinf(base), filled_like(z, 1), paddle.maximum(base, tiny))
        # As a tensor: a graph holds the numbers of its operators in float32.
        rest = constant(p - coarse, z.dtype)
        result = result * paddle.exp(paddle.log(finite) * rest)
    return where(zero, filled_like(z, 0), result)
