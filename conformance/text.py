"""How numbers, rows and errors are written in a report."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np
from mpmath import mp

from conformance.arguments import Tensor, arguments
from conformance.eager import Row

SHOWN = 3
"""How many elements of a large tensor are shown."""
EXPECTED = 8
"""How many elements of a result are shown."""


def number_text(value: Any) -> str:
    """A number in decimal and, where it is floating, in hex."""
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (complex, np.complexfloating)):
        return str(complex(value))
    decimal = repr(float(value))
    return f"{decimal} ({float(value).hex()})" if np.isfinite(value) else decimal


def numbers_text(values: np.ndarray) -> str:
    """The first elements of a result, and its shape."""
    shown = ", ".join(number_text(value) for value in values.ravel()[:EXPECTED])
    return _bracketed(shown, values)


def exact_text(values: np.ndarray) -> str:
    """The first of exact elements, ``?`` where nothing is claimed, and their shape."""
    shown = ", ".join("?" if v is None else mp.nstr(v, 17) for v in values.ravel()[:EXPECTED])
    return _bracketed(shown, values)


def _bracketed(shown: str, values: np.ndarray) -> str:
    rest = f", ... {values.size} in all" if values.size > EXPECTED else ""
    return f"[{shown}{rest}] shape {list(values.shape)}"


def error_text(error: Exception) -> str:
    """The kind and the text of an error in one line, without Paddle's account of the code."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if lines and lines[0].startswith("In "):
        lines = lines[-2:]
    text = " ".join(" ".join(lines).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__


def input_text(row: Row, index: Optional[tuple[int, ...]] = None) -> str:
    """The arguments of a row in decimal and hex, at one element of the result where they can be.

    Args:
        row: the row.
        index: the element of the result.
    """
    inputs, options = arguments(row.loss, row.case, row.dtype)
    tensors = [value.values.shape for value in inputs.values() if isinstance(value, Tensor)]
    parts = []
    for name, value in inputs.items():
        shown = _elements(value, index, tensors) if isinstance(value, Tensor) else repr(value)
        parts.append(f"{name}={shown}")
    for name, value in options.items():
        shown = _elements(value, None, []) if isinstance(value, Tensor) else repr(value)
        parts.append(f"{name}={shown}")
    return " ".join(parts)


def _elements(
    tensor: Tensor, index: Optional[tuple[int, ...]], shapes: list[tuple[int, ...]]
) -> str:
    values = tensor.values
    if index:
        try:
            shape = np.broadcast_shapes(*shapes)
            if len(shape) == len(index):
                return number_text(np.broadcast_to(values, shape)[index])
        except (ValueError, IndexError):
            pass
        if values.ndim and index[0] < len(values):
            values = values[index[0]]
    if not values.ndim:
        return number_text(values.item())
    shown = ", ".join(number_text(value) for value in values.ravel()[:SHOWN])
    return f"[{shown}, ...{values.size} in all]" if values.size > SHOWN else f"[{shown}]"
