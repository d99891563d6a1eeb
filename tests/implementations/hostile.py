"""What no function may do, one way for each loss, where the reduction is ``sum``.

Everywhere else they are Paddle's own functions. Given to the suite as
``tests.implementations.hostile``.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from typing import Any, Callable

import paddle
from paddle.nn import functional

FOR_EVER = 1000


def _where_summed(name: str, act: Callable[[Any], Any]) -> Callable[..., Any]:
    right = getattr(functional, name)

    def function(*args: Any, **options: Any) -> Any:
        if options.get("reduction") == "sum":
            act(args[0])
        return right(*args, **options)

    return function


def _loops(_: Any) -> None:
    end = time.monotonic() + FOR_EVER
    while time.monotonic() < end:
        pass


def _hangs_in_c(_: Any) -> None:
    # A function of PyDLL keeps Python's lock.
    ctypes.PyDLL(None).sleep(FOR_EVER)


def _interrupts(_: Any) -> None:
    raise KeyboardInterrupt


def _ends_its_process(input: Any) -> None:
    """In three ways, by dtype."""
    if input.dtype == paddle.float16:
        os.kill(os.getpid(), signal.SIGSEGV)
    if input.dtype == paddle.bfloat16:
        os.abort()
    os._exit(0)


hinge_embedding_loss = _where_summed("hinge_embedding_loss", _ends_its_process)
margin_ranking_loss = _where_summed("margin_ranking_loss", _loops)
soft_margin_loss = _where_summed("soft_margin_loss", _hangs_in_c)
multi_margin_loss = _where_summed("multi_margin_loss", lambda _: sys.exit(0))
multi_label_margin_loss = _where_summed("multi_label_margin_loss", _interrupts)
