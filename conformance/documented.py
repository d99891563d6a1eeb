"""Whether a row lies in the domain that paddle.nn's pages document."""

from __future__ import annotations

import math
from typing import Any, Union

import numpy as np

from conformance.arguments import Tensor, arguments
from conformance.case import Case, Loss
from conformance.domain import Choice, Classes, Interval, Labels, Numbers, Reals, Weights, axes


def documented(loss: Loss, case: Case, dtype: str) -> bool:
    """Whether paddle.nn's pages say what a row's result is.

    Args:
        loss: the loss.
        case: one of its rows.
        dtype: the dtype that the row runs in.
    """
    domain = loss.domain
    if case.raises is not None or case.warns is not None or dtype not in domain.dtypes:
        return False
    if case.printed is not None and case.printed.source.startswith("paddle."):
        return True
    inputs, options = arguments(loss, case, dtype)
    tensors = [inputs.get(name) for name in loss.inputs]
    if len(inputs) != len(tensors) or not all(isinstance(x, Tensor) for x in tensors):
        return False
    shapes = [tensor.values.shape for tensor in inputs.values()]
    first = inputs[loss.inputs[0]].values.shape
    classes = first[-1] if first else 1
    return (
        (domain.empty or 0 not in sum(shapes, ()))
        and any(_fits([inputs[n].values.shape for n in loss.inputs], s) for s in domain.shapes)
        and all(_input(domain.inputs[name], inputs[name], dtype, classes) for name in inputs)
        and all(
            name in domain.options and _option(domain.options[name], value, dtype, classes)
            for name, value in options.items()
        )
    )


def _fits(shapes: list[tuple[int, ...]], pattern: tuple[str, ...]) -> bool:
    """Whether the axes can be named as in the pattern, each name having one size."""
    more = len(shapes[0]) - len(axes(pattern[0], ()))
    names = [axes(each, [f"...{i}" for i in range(more)]) for each in pattern]
    sizes: dict[str, int] = {}
    return all(
        len(shape) == len(own)
        and all(
            size == (int(name) if name.isdigit() else sizes.setdefault(name, size))
            for name, size in zip(own, shape)
        )
        for shape, own in zip(shapes, names)
    )


def _input(kind: Union[Reals, Labels, Classes], tensor: Tensor, dtype: str, classes: int) -> bool:
    values = tensor.values
    if isinstance(kind, Reals):
        return tensor.dtype == dtype and bool(np.isfinite(values).all())
    if tensor.dtype not in kind.dtypes:
        return False
    if isinstance(kind, Labels):
        return bool(np.isin(values, kind.documented).all())
    return bool(((values >= kind.first) & (values < classes)).all())


def _option(kind: Union[Numbers, Choice, Weights], value: Any, dtype: str, classes: int) -> bool:
    if isinstance(kind, Weights):
        if not isinstance(value, Tensor):
            return value is None
        own = value.dtype == dtype and value.values.shape == (classes,)
        return own and bool(np.isfinite(value.values).all())
    if isinstance(kind, Choice):
        same = [each for each in kind.documented if type(each) is type(value) and each == value]
        return bool(same) or (kind.callables and callable(value))
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    if isinstance(kind.documented, Interval):
        return math.isfinite(value) and value in kind.documented
    return value in kind.documented
