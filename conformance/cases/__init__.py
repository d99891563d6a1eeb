"""The rows, one module a loss: every module of this folder with a ``LOSS`` is found."""

from __future__ import annotations

import importlib
import pkgutil

from conformance.case import Loss


def all_losses() -> dict[str, Loss]:
    """Every loss of the suite by its stem, in alphabetical order."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    modules = (importlib.import_module(f"{__name__}.{name}") for name in names)
    return {module.LOSS.stem: module.LOSS for module in modules}
