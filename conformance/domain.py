"""To come."""

from __future__ import annotations

from typing import Any


def documented(loss: Any, case: Any, dtype: str) -> bool:
    return False
