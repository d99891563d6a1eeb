"""The arguments of a row in one dtype, as plain data that every framework can build from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from conformance import ulp
from conformance.case import FLOAT_DTYPES, Array, Case, Loss, Repeat


@dataclass(frozen=True)
class Tensor:
    """A tensor argument, ready to be made.

    Args:
        values: float64 values that ``dtype`` represents exactly, or integers and bools.
        dtype: a Paddle dtype name.
        grad: whether a gradient is asked for.
    """

    values: np.ndarray
    dtype: str
    grad: bool


def arguments(loss: Loss, case: Case, dtype: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The row's inputs and options, tensors as :class:`Tensor`, the rest as the row says.

    Args:
        loss: the loss.
        case: one of its rows.
        dtype: the dtype that the row runs in.
    """
    key = (id(loss), id(case), dtype)
    if _latest.get("key") != key:
        # All checks of a row ask in turn, and some rows have ten million elements. Keeping the row
        # keeps its id from being another's.
        inputs = {name: _argument(loss, name, value, dtype) for name, value in case.inputs.items()}
        options = {
            name: _argument(loss, name, value, dtype)
            if isinstance(value, (Array, Repeat))
            else value
            for name, value in case.options.items()
        }
        _latest.update(key=key, row=(loss, case), found=(inputs, options))
    inputs, options = _latest["found"]
    return dict(inputs), dict(options)


_latest: dict[str, Any] = {}


def paddle_name(loss: Loss, name: str) -> str:
    """Paddle's name of an argument that a row may spell as torch does."""
    return {torch: paddle for paddle, torch in loss.torch_names.items()}.get(name, name)


def result_dtype(loss: Loss, case: Case, dtype: str) -> str:
    """The dtype that the result must have: the widest of the inputs, labels left out."""
    inputs, _ = arguments(loss, case, dtype)
    return reduce(
        ulp.promote,
        (
            value.dtype
            for name, value in inputs.items()
            if isinstance(value, Tensor) and paddle_name(loss, name) != "label"
        ),
    )


def _argument(loss: Loss, name: str, value: Any, dtype: str) -> Any:
    if isinstance(value, (list, int, float)):
        value = Array(value)
    if not isinstance(value, (Array, Repeat)):
        return value
    own = value.dtype or dtype
    asked = value.grad if isinstance(value, Array) else None
    if asked is None:
        asked = paddle_name(loss, name) in loss.differentiable
    values = ulp.quantize(value.data, own)
    values.setflags(write=False)
    return Tensor(values, own, asked and own in FLOAT_DTYPES)
