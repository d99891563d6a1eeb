"""Which form of a loss is used: the fused kernels or the operators of Paddle."""

from __future__ import annotations

import os
from pathlib import Path

import paddle

from paddle_margin import _context
from paddle_margin._kernels import library

BACKENDS = ("auto", "fused", "composed")

_VARIABLE = "PADDLE_MARGIN_BACKEND"
_UNTRANSLATED = ("_fused.py", "_context.py", "_pages.py", "_kernels")


def _find_problem() -> str:
    """Why the kernels cannot be used, or nothing."""
    if library.problem:
        return library.problem
    skip = getattr(paddle.framework.core, "eval_frame_skip_file_prefix", None)
    if skip is None:
        return f"Paddle {paddle.__version__} cannot keep SOT from translating their calls"
    # SOT gives the frames that it writes too small a stack for calls with many arguments.
    skip(tuple(str(Path(__file__).with_name(name)) for name in _UNTRANSLATED))
    return _context.problem()


_problem = _find_problem()
_name = "auto"
_fused = not _problem


def set_backend(name: str) -> None:
    """Choose the form in which the losses are computed, for the whole process.

    The kernels serve dense tensors on the CPU in eager mode. Graphs, other devices,
    ``DistTensor``s, second gradients and what else no kernel is written for take the composed
    form under every setting.

    Args:
        name: ``'auto'``, the kernels where they serve; ``'fused'``, the same, and an error where
            they are missing; ``'composed'``, never. The environment variable
            ``PADDLE_MARGIN_BACKEND`` sets it at the start.

    Raises:
        ValueError: ``name`` is none of the three.
        RuntimeError: ``'fused'``, and the kernels cannot be used; the message says why.
    """
    global _name, _fused
    if name not in BACKENDS:
        raise ValueError(
            f"Expected a backend among {', '.join(map(repr, BACKENDS))}, received {name!r}."
        )
    if name == "fused" and _problem:
        raise RuntimeError(f"Expected compiled kernels for the backend 'fused', but {_problem}.")
    _name = name
    _fused = name != "composed" and not _problem


def get_backend() -> str:
    """The backend that was chosen: ``'auto'``, ``'fused'`` or ``'composed'``."""
    return _name


def uses_kernels() -> bool:
    """Whether the kernels are used where they serve."""
    return _fused


def explain() -> str:
    """Which backend is in use, and why, in one line."""
    if _fused:
        return (
            f"fused ({_name}): kernels for {library.instructions}, "
            f"at most {library.threads} thread{'s' * (library.threads != 1)}"
        )
    reason = "asked for" if _name == "composed" else _problem
    return f"composed ({_name}): {reason}"


def start() -> None:
    """Choose what the environment variable says."""
    name = os.environ.get(_VARIABLE)
    if name:
        try:
            set_backend(name)
        except (ValueError, RuntimeError) as error:
            raise type(error)(f"{_VARIABLE}={name}: {error}") from None
