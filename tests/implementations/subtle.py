"""``soft_margin_loss`` whose value and gradient are right, and a second gradient off by 1e-4.

One file that needs Paddle alone, as a user has it: ``subtle:wrong`` and ``subtle:right``.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Callable

import paddle


def _soft_margin(factor: float) -> Callable[..., Any]:
    def soft_margin_loss(input: Any, label: Any, reduction: str = "mean", name: Any = None) -> Any:
        v = label.astype(input.dtype) * input
        # The first terms of Taylor's series at v, whose derivatives are what is written here.
        at = v.detach()
        value = paddle.nn.functional.relu(-at) + paddle.log1p(paddle.exp(-at.abs()))
        slope = -1 / (1 + paddle.exp(at))
        curvature = -slope * (1 + slope) * factor
        loss = value + slope * (v - at) + curvature * (v - at) ** 2 / 2
        return {"none": lambda x: x, "mean": paddle.mean, "sum": paddle.sum}[reduction](loss)

    return soft_margin_loss


right = SimpleNamespace(soft_margin_loss=_soft_margin(1.0))
wrong = SimpleNamespace(soft_margin_loss=_soft_margin(1.0001))
