"""``hinge_embedding_loss``, right and wrong in one way each.

Each namespace is given to the suite as ``tests.implementations.hinge:<name>``.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import warnings
from types import SimpleNamespace
from typing import Any, Callable

import numpy as np
import paddle

EPSILON = 2.0**-23


def _reduced(loss: Any, reduction: str) -> Any:
    return {"none": lambda x: x, "mean": paddle.mean, "sum": paddle.sum}[reduction](loss)


def right(
    input: Any, label: Any, margin: Any = 1.0, reduction: str = "mean", name: Any = None
) -> Any:
    """Right for float32 and float64 labels of the input's shape."""
    z = margin - input
    hinge = paddle.where(z < 0, paddle.nn.functional.relu(z), z)
    loss = paddle.where(label == 1, input, paddle.where(label == -1, hinge, input + hinge))
    return _reduced(loss, reduction)


def _variant(change: Callable[..., Any]) -> SimpleNamespace:
    @functools.wraps(right)
    def hinge_embedding_loss(*args: Any, **kwargs: Any) -> Any:
        return change(*args, **kwargs)

    return SimpleNamespace(hinge_embedding_loss=hinge_embedding_loss)


def _wrong_sign(input: Any, label: Any, **options: Any) -> Any:
    return right(-input, label, **options)


def _wrong_kink(input: Any, label: Any, margin: Any = 1.0, reduction: str = "mean") -> Any:
    z = margin - input
    hinge = paddle.where(z <= 0, paddle.nn.functional.relu(z), z)
    loss = paddle.where(label == 1, input, paddle.where(label == -1, hinge, input + hinge))
    return _reduced(loss, reduction)


def _swallows_nan(input: Any, label: Any, margin: Any = 1.0, reduction: str = "mean") -> Any:
    hinge = paddle.nn.functional.relu(margin - input)
    loss = paddle.where(label == 1, input, paddle.where(label == -1, hinge, input + hinge))
    return _reduced(loss, reduction)


def _raises(input: Any, label: Any, **options: Any) -> Any:
    raise RuntimeError("out of order")


def _prints(input: Any, label: Any, **options: Any) -> Any:
    print("working on it", file=sys.stderr)
    return right(input, label, **options)


def _warns(input: Any, label: Any, **options: Any) -> Any:
    warnings.warn("working on it", UserWarning, stacklevel=2)
    return right(input, label, **options)


def _returns_numpy(input: Any, label: Any, **options: Any) -> Any:
    return right(input, label, **options).numpy()


def _another_shape(input: Any, label: Any, **options: Any) -> Any:
    return right(input, label, **options).unsqueeze(0)


def _another_dtype(input: Any, label: Any, **options: Any) -> Any:
    return right(input, label, **options).astype("float64")


def _changes_its_input(input: Any, label: Any, **options: Any) -> Any:
    result = right(input, label, **options)
    label.set_value(label.numpy() * np.float32(2))
    return result


_calls = [0]


def _answers_differently(input: Any, label: Any, **options: Any) -> Any:
    _calls[0] += 1
    return right(input, label, **options) * (1 if _calls[0] % 2 else 2)


def _no_gradient(input: Any, label: Any, **options: Any) -> Any:
    return right(input.detach(), label, **options)


def _other_in_graphs(input: Any, label: Any, **options: Any) -> Any:
    result = right(input, label, **options)
    return result if paddle.in_dynamic_mode() else result + 1


def _returns_none(input: Any, label: Any, **options: Any) -> None:
    right(input, label, **options)


def _depends_on_gradients(input: Any, label: Any, **options: Any) -> Any:
    result = right(input, label, **options)
    return result + 1 if input.stop_gradient else result


_first_margin: list[Any] = []


def _leaks_its_margin(input: Any, label: Any, margin: Any = 1.0, **options: Any) -> Any:
    _first_margin.append(margin)
    return right(input, label, _first_margin[0], **options)


def _off_by(ulps: int) -> Callable[..., Any]:
    """Off by ULP of float32, where the label is 1: in the value and in the gradient."""

    def function(input: Any, label: Any, **options: Any) -> Any:
        result = right(input, label, **options)
        off = paddle.where(label == 1, ulps * paddle.abs(input) * EPSILON, input * 0)
        # The second term has the value 0, and the gradient that is missing.
        return result + off.detach() + ulps * EPSILON * (label == 1) * (input - input.detach())

    return function


def _refuses_shards(input: Any, label: Any, **options: Any) -> Any:
    if input.is_dist():
        raise ValueError("Expected a tensor of one process, received a DistTensor.")
    return right(input, label, **options)


def _dies_on_shards(input: Any, label: Any, **options: Any) -> Any:
    if input.is_dist():
        os.kill(os.getpid(), signal.SIGSEGV)
    return right(input, label, **options)


correct = SimpleNamespace(hinge_embedding_loss=right)
wrong_sign = _variant(_wrong_sign)
wrong_kink = _variant(_wrong_kink)
swallows_nan = _variant(_swallows_nan)
raises = _variant(_raises)
prints = _variant(_prints)
warns = _variant(_warns)
returns_numpy = _variant(_returns_numpy)
another_shape = _variant(_another_shape)
another_dtype = _variant(_another_dtype)
changes_its_input = _variant(_changes_its_input)
answers_differently = _variant(_answers_differently)
no_gradient = _variant(_no_gradient)
other_in_graphs = _variant(_other_in_graphs)
refuses_shards = _variant(_refuses_shards)
dies_on_shards = _variant(_dies_on_shards)
returns_none = _variant(_returns_none)
depends_on_gradients = _variant(_depends_on_gradients)
leaks_its_margin = _variant(_leaks_its_margin)
off_by_1 = _variant(_off_by(1))
off_by_2 = _variant(_off_by(2))
