"""The compiled kernels: finds the library that setup.py builds from the C files beside this one.

One file of ``losses/`` is one loss, of the same stem as everything else about it.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any, Callable

INSTRUCTION_SETS = ("baseline", "avx2", "avx512")

Kernel = Callable[[bytes], int]


class Library:
    """The compiled kernels, or the reason why there are none.

    Args:
        folder: where the library is.

    ``problem`` is empty where the kernels can be called.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problem = ""
        self.instructions = ""
        self.threads = 1
        self._kernels: dict[str, Kernel] = {}
        self._dll: Any = None
        found = [path for ending in ("so", "dylib", "pyd") for path in folder.glob(f"*.{ending}")]
        if not found:
            self.problem = (
                "they are not compiled: there was no C compiler when paddle_margin was installed, "
                "or it failed (pip install -v says why)"
            )
            return
        try:
            self._dll = ctypes.CDLL(str(found[0]))
            self.instructions = self._best_instructions()
        except (OSError, AttributeError) as error:
            self.problem = f"{found[0].name} cannot be loaded: {error}"
            return
        # With Python's lock held, as it counts references.
        held = ctypes.PyDLL(str(found[0]))
        held.set_counter(ctypes.cast(ctypes.pythonapi.Py_IncRef, ctypes.c_void_p))
        self.put_back = held.put_back
        self.put_back.argtypes = [ctypes.c_void_p]
        self.set_offsets = held.set_offsets
        self.set_offsets.argtypes = [ctypes.c_int64, ctypes.c_int64]
        self.is_one = self._dll.is_one
        self.is_one.argtypes = [ctypes.c_void_p, ctypes.c_int64]
        self.lend = self._dll.lend
        self.lend.argtypes = [ctypes.c_int64, ctypes.c_int64, ctypes.c_char_p]
        self.lend.restype = ctypes.c_void_p
        self.set_page_limit = self._dll.set_page_limit
        self.set_page_limit.argtypes = [ctypes.c_int64]
        self.kept_bytes = self._dll.kept_bytes
        self.kept_bytes.restype = ctypes.c_int64
        self.set_threads(_threads())

    def kernel(self, stem: str) -> Kernel:
        """The kernel of a loss, which takes a packed call."""
        try:
            return self._kernels[stem]
        except KeyError:
            kernel = getattr(self._dll, f"{stem}_{self.instructions}")
            kernel.argtypes = [ctypes.c_char_p]
            self._kernels[stem] = kernel
            return kernel

    def set_threads(self, threads: int) -> None:
        """Let a call use at most so many threads."""
        self.threads = threads
        self._dll.set_threads(threads)

    def _best_instructions(self) -> str:
        """The best instruction set that both this machine and the library have."""
        best = self._dll.instruction_set()
        # Lower ones are asked for by tests, and by whoever suspects one.
        asked = os.environ.get("PADDLE_MARGIN_INSTRUCTIONS", INSTRUCTION_SETS[best])
        if asked not in INSTRUCTION_SETS[: best + 1]:
            raise OSError(
                f"expected PADDLE_MARGIN_INSTRUCTIONS to be one of "
                f"{', '.join(INSTRUCTION_SETS[: best + 1])} on this machine, received {asked!r}"
            )
        built = [name for name in INSTRUCTION_SETS if hasattr(self._dll, f"hinge_embedding_{name}")]
        return [name for name in built if name in INSTRUCTION_SETS[: 1 + _index(asked)]][-1]


def _index(instructions: str) -> int:
    return INSTRUCTION_SETS.index(instructions)


def _threads() -> int:
    """OMP_NUM_THREADS where it was set, else one thread for each processor."""
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    # Paddle itself sets it to 1 where it was not.
    if asked.isdigit() and int(asked) and not (asked == "1" and _unset_at_start()):
        return int(asked)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _unset_at_start() -> bool:
    try:
        return b"OMP_NUM_THREADS=" not in Path("/proc/self/environ").read_bytes()
    except OSError:
        return False


# Another folder is for kernels that were compiled to be examined.
library = Library(Path(os.environ.get("PADDLE_MARGIN_LIBRARY") or Path(__file__).parent))
