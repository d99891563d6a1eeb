"""To come."""

from __future__ import annotations

from typing import Any


def rows(loss: Any) -> list[Any]:
    return []
