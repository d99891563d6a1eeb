"""Checks of arguments. A message says what was expected and what was received."""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, Optional

import numpy as np
import paddle
from paddle.jit.sot.psdb import in_sot

Shape = tuple[int, ...]

REDUCTIONS = ("none", "mean", "sum")
# The frequent ones first: Paddle's own comparison of two dtypes takes 0.4 µs, ``in`` none where
# they are one object.
_SINGLE = (paddle.float32, paddle.float16, paddle.bfloat16)
_FLOATING = (*_SINGLE, paddle.float64)
_INTEGERS = (paddle.int64, paddle.int32, paddle.int8, paddle.uint8, paddle.int16)
_REAL = (paddle.float32, *_INTEGERS, paddle.float64, paddle.float16, paddle.bfloat16)
_TENSORS = (paddle.Tensor, paddle.pir.Value)

UNKNOWN = -1
"""A dimension that is not known while a graph is built."""


def reject_value(expected: str, received: Any) -> NoReturn:
    """Raise the ``ValueError`` of a wrong value or shape."""
    raise ValueError(f"Expected {expected}, received {received}.")


def reject_type(expected: str, received: Any) -> NoReturn:
    """Raise the ``TypeError`` of a wrong type or dtype."""
    raise TypeError(f"Expected {expected}, received {received}.")


def describe(value: Any) -> str:
    """A value of a wrong type, for a message."""
    if is_tensor(value):
        return f"a tensor of shape {list(value.shape)} and dtype {dtype_name(value)}"
    return f"{value!r} of type {type(value).__name__}"


def is_tensor(value: Any) -> bool:
    """Whether ``value`` is a tensor, eager or in a graph."""
    return isinstance(value, _TENSORS)


def is_sharded(tensor: Any) -> bool:
    """Whether ``tensor`` is a ``DistTensor``, eager or in a graph."""
    return bool(tensor.is_dist())


def dtype_name(tensor: paddle.Tensor) -> str:
    """``float32`` for ``paddle.float32``."""
    return str(tensor.dtype).rpartition(".")[2].lower()


def check_reduction(reduction: Any) -> None:
    """Raise a ``ValueError`` unless ``reduction`` is ``'none'``, ``'mean'`` or ``'sum'``."""
    if not isinstance(reduction, str) or reduction not in REDUCTIONS:
        reject_value("reduction to be one of 'none', 'mean' and 'sum'", repr(reduction))


def check_number(value: Any, name: str) -> None:
    """Raise unless ``value`` is a Python or NumPy number, or a real tensor of one element."""
    if is_tensor(value):
        if value.dtype not in _REAL:
            reject_type(f"{name} to be a number or a real tensor", describe(value))
        if _is_known(value.shape) and _size(value.shape) != 1:
            reject_value(f"{name} to be a number or a tensor of one element", describe(value))
    elif not _is_number(value):
        reject_type(f"{name} to be a number or a tensor of one element", describe(value))


def check_positive(value: Any, name: str) -> None:
    """Raise unless ``value`` is a finite Python or NumPy number above 0."""
    if not _is_number(value):
        reject_type(f"{name} to be a number", describe(value))
    if not 0 < value < float("inf"):
        reject_value(f"{name} to be a finite number above 0", repr(value))


def check_real_number(value: Any, name: str) -> None:
    """Raise unless ``value`` is a Python or NumPy number that is not NaN."""
    if not _is_number(value):
        reject_type(f"{name} to be a number", describe(value))
    if value != value:
        reject_value(f"{name} to be a number", repr(value))


def check_margin_not_negative(margin: Any) -> None:
    """Raise unless ``margin`` is a number or a tensor of one element, not below 0.

    The value of a tensor is looked at in eager mode only.
    """
    check_number(margin, "margin")
    if is_tensor(margin):
        if not has_values(margin):
            return
        margin = margin.item()
    if margin < 0:
        reject_value("margin to be at least 0", repr(margin))


def _is_number(value: Any) -> bool:
    return isinstance(value, (float, int, numbers.Real, np.bool_))


def working_dtype(tensor: Any, name: str) -> str:
    """The dtype that a loss of ``tensor`` is computed in: half precision in float32.

    Raises:
        TypeError: ``tensor`` is not a floating tensor.
    """
    if not isinstance(tensor, _TENSORS) or tensor.dtype not in _FLOATING:
        reject_type(
            f"{name} to be a tensor of float16, bfloat16, float32 or float64", describe(tensor)
        )
    return "float32" if tensor.dtype in _SINGLE else "float64"


def same_dtype(first: Any, *others: Any) -> bool:
    """Whether tensors have one dtype."""
    alike = (first.dtype,)
    return all([other.dtype in alike for other in others])


def result_dtype(**tensors: Any) -> tuple[Any, str]:
    """The widest dtype of floating tensors, and the dtype that it is computed in.

    Raises:
        TypeError: one of them is not a floating tensor.
    """
    dtype, widest = None, "float32"
    for name, tensor in tensors.items():
        working = working_dtype(tensor, name)
        if working == "float64":
            widest = working
        own: Any = tensor.dtype
        if dtype is None:
            dtype = own
        elif own is not dtype and own != dtype:
            dtype = paddle.float64 if widest == "float64" else paddle.float32
    return dtype, widest


def check_real_label(label: Any) -> None:
    """Raise a ``TypeError`` unless ``label`` is a tensor of integers, bools or floats."""
    if not is_tensor(label) or label.dtype not in (*_REAL, paddle.bool):
        reject_type("label to be a tensor of integers, bools or floats", describe(label))


def check_class_label(label: Any) -> None:
    """Raise a ``TypeError`` unless ``label`` is a tensor of integers."""
    if not is_tensor(label) or label.dtype not in _INTEGERS:
        reject_type("label to be a tensor of integers (class indices)", describe(label))


def check_weight(weight: Any) -> None:
    """Raise a ``TypeError`` unless ``weight`` is a real tensor."""
    if not is_tensor(weight) or weight.dtype not in _REAL:
        reject_type("weight to be None or a real tensor", describe(weight))


def check_not_sharded(**tensors: paddle.Tensor) -> None:
    """Raise a ``ValueError`` where one of the tensors is a ``DistTensor``."""
    for name, tensor in tensors.items():
        if is_sharded(tensor):
            reject_value(
                f"{name} to be a dense tensor, because Paddle cannot shard the operators that "
                f"this loss needs",
                f"a DistTensor with placements {tensor.placements}",
            )


def check_class_weight(weight: Any, classes: int = UNKNOWN) -> None:
    """Raise unless ``weight`` is ``None`` or a real tensor with one element a class."""
    if weight is None:
        return
    check_weight(weight)
    if len(weight.shape) != 1 or not may_equal(weight.shape[0], classes):
        expected = "[C]" if classes == UNKNOWN else f"[{classes}]"
        reject_value(f"weight to have the shape {expected}", list(weight.shape))


def check_some_class(shape: Sequence[int]) -> None:
    """Raise a ``ValueError`` where a batch of samples has scores for no class at all."""
    if shape and shape[-1] == 0 and (len(shape) == 1 or shape[0] > 0):
        reject_value("input to have at least one class", list(shape))


def check_same_rank(**tensors: paddle.Tensor) -> None:
    """Check that tensors broadcast and have one number of axes; warn as for all broadcasting.

    Raises:
        ValueError: they do not.
    """
    ranks = [len(tensor.shape) for tensor in tensors.values()]
    if ranks.count(ranks[0]) < len(ranks):
        reject_value("tensors of one number of axes", _shapes_of(tensors))
    check_broadcast(**tensors)


def check_fits_into(name: str, tensor: paddle.Tensor, whole_name: str, whole: Any) -> None:
    """Raise a ``ValueError`` unless ``tensor`` broadcasts to the shape of ``whole``."""
    shape = tuple(whole.shape)
    result = _broadcast_shape([tuple(tensor.shape), shape])
    if result is None or len(result) > len(shape) or not may_be_equal(result, shape):
        reject_value(
            f"{name} to have a shape that broadcasts to that of {whole_name}, {list(shape)}",
            list(tensor.shape),
        )


def check_callable(value: Any, name: str) -> None:
    """Raise a ``TypeError`` unless ``value`` can be called."""
    if not callable(value):
        reject_type(f"{name} to be callable", describe(value))


def check_class_range(label: paddle.Tensor, lowest: int, classes: int) -> None:
    """Raise a ``ValueError`` where a class index lies outside ``lowest … classes - 1``.

    Only eager tensors have values to look at; while a graph is built nothing is checked.
    """
    if not has_values(label):
        return
    values = label.numpy()
    if values.size and (values.min() < lowest or values.max() >= classes):
        wrong = values[(values < lowest) | (values >= classes)].flat[0]
        reject_value(f"label to lie between {lowest} and {classes - 1} (class indices)", wrong)


def has_values(tensor: paddle.Tensor) -> bool:
    """Whether the values of a tensor are there: not while a graph is built, by SOT neither."""
    return isinstance(tensor, paddle.Tensor) and not in_sot()


def may_equal(a: int, b: int) -> bool:
    """Whether two dimensions are equal as far as is known."""
    return a == b or UNKNOWN in (a, b)


def may_be_equal(a: Sequence[int], b: Sequence[int]) -> bool:
    """Whether two shapes are equal as far as is known."""
    if len(a) != len(b):
        return False
    return False not in [may_equal(a[i], b[i]) for i in range(len(a))]


def check_broadcast(**tensors: paddle.Tensor) -> bool:
    """Check that tensors broadcast, and warn where the result is larger than each of them.

    Returns:
        Whether all of them are known to have one shape, so that nothing has to be broadcast.

    Raises:
        ValueError: their shapes do not fit.
    """
    shapes: list[Any] = [tensor.shape for tensor in tensors.values()]
    if shapes.count(shapes[0]) == len(shapes):
        return _is_known(shapes[0])
    shapes = [tuple(shape) for shape in shapes]
    shape = _broadcast_shape(shapes)
    if shape is None:
        reject_value("shapes that broadcast", _shapes_of(tensors))
    if _size(shape) > max([_size(each) for each in shapes]) and _is_known(sum(shapes, ())):
        warnings.warn(
            f"Broadcasting {_shapes_of(tensors)} makes a result of shape {list(shape)}, larger "
            f"than each of them. Give them one shape if that is not meant.",
            UserWarning,
            stacklevel=4,
        )
    return False


def sizes_fit(sizes: Sequence[int]) -> bool:
    """Whether all known sizes that are not 1 are one."""
    return _broadcast_shape([(size,) for size in sizes]) is not None


def _broadcast_shape(shapes: Sequence[Shape]) -> Optional[Shape]:
    rank = max([len(shape) for shape in shapes])
    result = []
    for axis in range(-rank, 0):
        size = 1
        for shape in shapes:
            other = shape[axis] if len(shape) >= -axis else 1
            if other == 1 or other == size:
                continue
            if size in (1, UNKNOWN):
                size = other
            elif other != UNKNOWN:
                return None
        result.append(size)
    return tuple(result)


def _shapes_of(tensors: Mapping[str, paddle.Tensor]) -> str:
    return " and ".join([f"{name} {list(tensor.shape)}" for name, tensor in tensors.items()])


def _is_known(shape: Sequence[int]) -> bool:
    return UNKNOWN not in shape


def _size(shape: Sequence[int]) -> int:
    size = 1
    for dimension in shape:
        size *= dimension
    return size
