"""The memory of large gradients, and what can be done about the whole process's.

The first write to a fresh page costs more than what is written there: about 2 ns for each number,
several times the computation of a loss and its gradient.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Sequence

import paddle

from paddle_margin._kernels import library

LIMIT = 2**28
"""The bytes that are kept unless another number is asked for."""

_VARIABLE = "PADDLE_MARGIN_PAGE_LIMIT"
_CPU = paddle.CPUPlace()
_from_dlpack = paddle.base.core.from_dlpack
_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype = ctypes.py_object
_new_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]

# Of malloc.h, where glibc has them.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


def set_page_limit(size: int) -> None:
    """Choose how much memory is kept for the next gradient, for the whole process.

    The kernels write large gradients to memory that held one before, once nobody holds that any
    more: no tensor, no view of it and no graph.

    Args:
        size: at most so many bytes are kept while they are not in use; 0 keeps none. 256 MiB at
            the start, or what the environment variable ``PADDLE_MARGIN_PAGE_LIMIT`` says.

    Raises:
        TypeError: ``size`` is no integer.
        ValueError: ``size`` is below 0.
    """
    if not isinstance(size, int):
        raise TypeError(f"Expected a number of bytes, received {size!r}.")
    if not 0 <= size < 2**63:
        raise ValueError(f"Expected a number of bytes from 0 on, received {size}.")
    if not library.problem:
        library.set_page_limit(size)


def keep_freed_memory() -> None:
    """Have the C library keep all memory that the process frees, for its next allocations.

    For every operator of the process, Paddle's own too: results that are larger than 1 MB or so
    no longer lie on fresh pages. The price is that memory goes back to the system at the end of
    the process only. There is no way back. Call it before the first large tensor.

    Raises:
        RuntimeError: the C library is another than glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    done = mallopt is not None and mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, -1)
    if not done:
        raise RuntimeError("Expected the C library to be glibc, received one without its mallopt.")


def empty(shape: Sequence[int], dtype: int) -> paddle.Tensor:
    """A tensor on the CPU of any content.

    Args:
        shape: its shape.
        dtype: a floating one, as kernel.h numbers them.
    """
    loan = library.lend(dtype, len(shape), struct.pack(f"={len(shape)}q", *shape))
    if not loan:
        raise MemoryError(f"Expected memory for a gradient of shape {list(shape)}, received none.")
    return paddle.Tensor(_from_dlpack(_new_capsule(loan, b"dltensor", None)), place=_CPU)


def start() -> None:
    """Choose what the environment variable says."""
    text = os.environ.get(_VARIABLE, str(LIMIT))
    if not text.isdecimal():
        raise ValueError(f"{_VARIABLE}: expected a number of bytes, received {text!r}.")
    set_page_limit(int(text))
