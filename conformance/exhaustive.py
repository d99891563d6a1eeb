"""Rows that hold every value of the half precisions, for losses of one element at a time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from conformance.case import Array, Case, Loss

BLOCK = 4096
"""Elements a row: few enough for a row to be read, many enough for its call to cost little."""
VALUES = 2**16
HALVES = ("float16", "bfloat16")


def rows(loss: Loss) -> list[Case]:
    """Every bit pattern of float16 and of bfloat16 as the first input, NaN and infinities included.

    Args:
        loss: the loss; ``domain.exhaustive`` says what its other inputs are.
    """
    return [
        _row(loss, dtype, others, block)
        for dtype in HALVES
        for others in loss.domain.exhaustive
        for block in range(VALUES // BLOCK)
    ]


def _row(loss: Loss, dtype: str, others: Mapping[str, float], block: int) -> Case:
    first = {loss.inputs[0]: Array(_values(dtype, block))}
    given = {name: Array(np.full(BLOCK, value)) for name, value in others.items()}
    named = "_".join(f"{name}_{_word(value)}" for name, value in others.items())
    return Case(
        f"every_{dtype}_{named}_block_{block:02}",
        "C1",
        {**first, **given},
        {"reduction": "none"},
        dtypes=(dtype,),
        torch="every value of a dtype is held against the formula alone",
        modes="every value of a dtype runs eagerly alone",
    )


def _values(dtype: str, block: int) -> np.ndarray:
    bits = np.arange(block * BLOCK, (block + 1) * BLOCK, dtype=np.uint32)
    with np.errstate(invalid="ignore"):  # a signalling NaN
        if dtype == "float16":
            return bits.astype(np.uint16).view(np.float16).astype(np.float64)
        return (bits << 16).view(np.float32).astype(np.float64)


def _word(value: float) -> str:
    return f"{value:g}".replace("-", "minus_").replace(".", "_")
