"""To come."""

from __future__ import annotations

from typing import Any

from conformance.checks import not_run


def run(checker: Any, loss: Any, dtype: str, examples: int, seed: int) -> Any:
    return not_run("stub")
