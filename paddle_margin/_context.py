"""Keeps the context of a ``PyLayer`` for another gradient.

A ``PyLayer``'s node drops its context at the end of its first ``backward()`` and reads it again in
the next, ``retain_graph`` or not: the process ends. Here the context is put back, by a hook that
runs right after the node. So a second ``backward()`` of a graph that was not retained, an error of
Paddle's own operators, gives the gradient once more where the loss is all of the graph.
"""

from __future__ import annotations

import ctypes
from typing import Any, Optional

import paddle
from paddle.autograd import PyLayer

from paddle_margin._kernels import library

_WORD = ctypes.sizeof(ctypes.c_void_p)
_WORDS = 160
"""The size of a node that is searched; the context is the 116th word of Paddle 3.1 to 3.3."""


class _Probe(PyLayer):
    @staticmethod
    def forward(ctx: Any, seen: list[Any], tensor: paddle.Tensor) -> paddle.Tensor:
        seen.append(ctx)
        return tensor.clone()

    @staticmethod
    def backward(ctx: Any, gradient: paddle.Tensor) -> paddle.Tensor:
        return gradient


def _find() -> Optional[tuple[int, int]]:
    """Where a context has its node, and a node its context, in bytes.

    ``None`` where Paddle is made otherwise.
    """
    seen: list[Any] = []
    with paddle.base.dygraph.guard(paddle.CPUPlace()), paddle.enable_grad():
        tensor = paddle.zeros([1])
        tensor.stop_gradient = False
        result: Any = _Probe.apply(seen, tensor)
    # Not for every result: Paddle never frees what this returns.
    pointer = getattr(result.grad_fn, "node_ptr", None)
    if pointer is None:
        return None
    context, node = seen[0], pointer()
    of_node = _search(id(context), type(context).__basicsize__ // _WORD, node)
    of_context = _search(node, _WORDS, id(context))
    if of_node is None or of_context is None:
        return None
    return of_node, of_context


def _search(start: int, words: int, wanted: int) -> Optional[int]:
    found = list((ctypes.c_size_t * words).from_address(start))
    return found.index(wanted) * _WORD if found.count(wanted) == 1 else None


class Keeper:
    """A hook that puts a context back into its node, unless it is there.

    Args:
        context: that of a ``PyLayer`` that was applied.
    """

    __slots__ = ("_context",)

    def __init__(self, context: Any) -> None:
        self._context = context

    def __call__(self, gradient: paddle.Tensor) -> None:
        library.put_back(id(self._context))


def problem() -> str:
    """Why contexts cannot be kept, or nothing."""
    offsets = _find()
    if offsets is not None:
        library.set_offsets(*offsets)
        return ""
    return f"Paddle {paddle.__version__} keeps the context of a PyLayer where it was not found"
