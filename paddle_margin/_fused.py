"""Calls of the compiled kernels, and their gradients."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any, Callable, Optional

import paddle
from paddle.autograd import PyLayer
from paddle.jit.sot.psdb import in_sot

from paddle_margin import _backend, _checks, _pages
from paddle_margin._context import Keeper
from paddle_margin._kernels import Kernel, library
from paddle_margin._require import release
from paddle_margin._sums import count_tensor, rounded_result

Gradient = Callable[..., Sequence[paddle.Tensor]]

_DTYPES = {
    paddle.float16: 0,
    paddle.bfloat16: 1,
    paddle.float32: 2,
    paddle.float64: 3,
    paddle.bool: 4,
    paddle.uint8: 5,
    paddle.int8: 6,
    paddle.int16: 7,
    paddle.int32: 8,
    paddle.int64: 9,
}
"""As kernel.h numbers them."""
_REDUCTIONS = {"none": 0, "mean": 1, "sum": 2}
_PACK = struct.Struct("=10Q6q3d").pack
"""The struct Call of kernel.h."""
_ABSENT, _NOWHERE = (None, None, None), (0, 0, 0)
_DONE, _LABEL_OUT_OF_RANGE = 0, 1

_Tensor = paddle.Tensor
_empty = paddle._C_ops.empty
_CPU = paddle.CPUPlace()
_ONLY_CPU = not (
    paddle.is_compiled_with_cuda()
    or paddle.is_compiled_with_xpu()
    or paddle.device.get_all_custom_device_type()
)
# Paddle 3.1 casts to float16 towards zero, in graphs too: kernels would give another number.
_UNSERVED = (paddle.float16,) if release(paddle.__version__) == (3, 1) else ()
with paddle.base.dygraph.guard(_CPU):
    _MARK = paddle.zeros([])
"""A copy of it has the hook that runs right after the node of a graded call."""
_LARGE = 2**21
"""Elements from which on glibc hands out fresh pages by default; below, it keeps what is freed."""


def serves(*tensors: Any) -> bool:
    """Whether the kernels may take these tensors: eager, dense, on the CPU, first of one dtype.

    Tensors of other dtypes, and gradients of other tensors than the inputs, are the caller's.
    """
    if not _backend.uses_kernels() or in_sot():
        return False
    for tensor in tensors:
        if not isinstance(tensor, _Tensor) or not tensor.is_dense() or tensor.is_dist():
            return False
        if tensor.dtype in _UNSERVED or not (_ONLY_CPU or tensor.place.is_cpu_place()):
            return False
    return True


class Call:
    """One call of a loss.

    Args:
        stem: the loss.
        inputs: what gradients are wanted for; dense tensors of one dtype.
        label: a tensor without a gradient, or ``None``.
        shape: rows and columns; an elementwise loss has one column.
        result: the shape of the loss of each row.
        reduction: ``'none'``, ``'mean'`` or ``'sum'``.
        gradient: the gradients of the inputs, from Paddle's operators, for a second gradient; a
            function of the gradient of each row's loss, in float64, and of the inputs. ``None``
            for a piecewise linear loss, where the kernel gives the slopes.
        weight: a tensor of the inputs' dtype without a gradient, or ``None``.
        lowest: the lowest class index that a label may have.
        margin, p, epsilon, swap: the loss's options.
    """

    __slots__ = (
        "_dtype",
        "_gradient",
        "_gradients",
        "_inputs",
        "_kernel",
        "_large",
        "_lowest",
        "_options",
        "_reduction",
        "_result",
        "_shape",
        "_tensors",
        "_versions",
        "_wanted",
        "context",
    )

    def __init__(
        self,
        kernel: Kernel,
        inputs: Sequence[paddle.Tensor],
        label: Optional[paddle.Tensor],
        shape: tuple[int, int],
        result: Sequence[int],
        reduction: str,
        gradient: Optional[Gradient],
        weight: Optional[paddle.Tensor],
        lowest: int,
        options: tuple[int, float, float, float],
    ) -> None:
        self._kernel = kernel
        self._inputs = inputs
        self._wanted = [not tensor.stop_gradient for tensor in inputs]
        self._tensors = (*inputs, *_ABSENT[len(inputs) :], label, weight)
        self._shape = shape
        self._large = shape[0] * shape[1] >= _LARGE
        self._result = result
        self._reduction = reduction
        self._gradient = gradient
        self._lowest = lowest
        self._options = options
        self._dtype = _DTYPES[inputs[0].dtype]
        self._gradients: Optional[list[Any]] = None
        self._versions: Optional[list[int]] = None
        self.context: Any = None

    def forward(self, graded: bool) -> paddle.Tensor:
        """The loss; with ``graded`` the gradients too, for an upstream gradient of 1."""
        each = self._reduction == "none"
        loss = self._empty(self._result if each else [])
        if graded:
            self._versions = self._written()
            if not each:
                self._gradients = self._places()
        self._run(loss, self._gradients, None)
        return loss

    def backward(self, upstream: paddle.Tensor) -> Any:
        """The gradients of the inputs."""
        if paddle.is_grad_enabled():
            return self._differentiable(upstream)
        gradients, self._gradients = self._gradients, None
        if gradients is None or not library.is_one(upstream.data_ptr(), self._dtype):
            # Memory that was handed out may have changed since.
            self._check_versions()
            if gradients is None:
                gradients = self._places()
            self._run(None, gradients, upstream.contiguous())
        return gradients

    def _differentiable(self, upstream: paddle.Tensor) -> Any:
        """The gradients as tensors that have gradients themselves.

        Not by ``paddle.grad`` of the composed form: one inside another ends the process.
        """
        self._check_versions()
        of_row = upstream.cast("float64")
        if self._reduction == "mean":
            of_row = of_row / count_tensor(self._shape[0])
        if self._gradient is None:
            found = [None if slope is None else _scaled(slope, of_row) for slope in self._slopes()]
        else:
            found = list(self._gradient(of_row, *self._inputs))
        gradients = [
            rounded_result(gradient, tensor.dtype) if wanted else None
            for tensor, gradient, wanted in zip(self._inputs, found, self._wanted)
        ]
        return gradients

    def _slopes(self) -> list[Any]:
        """The gradients of the sum of all losses, as constants in float64."""
        slopes = self._places()
        reduction, self._reduction = self._reduction, "sum"
        try:
            self._run(None, slopes, None)
        finally:
            self._reduction = reduction
        return [None if slope is None else slope.cast("float64") for slope in slopes]

    def _written(self) -> list[int]:
        """How many times each tensor was written to in place."""
        return [tensor._inplace_version() for tensor in self._tensors if tensor is not None]

    def _check_versions(self) -> None:
        if self._written() != self._versions:
            raise RuntimeError(
                "Expected the arguments of the loss unchanged until its gradient is computed, "
                "received one that was written to in place."
            )

    def _places(self) -> list[Any]:
        return [
            self._empty(tensor.shape) if wanted else None
            for tensor, wanted in zip(self._inputs, self._wanted)
        ]

    def _empty(self, shape: Sequence[int]) -> paddle.Tensor:
        if self._large and math.prod(shape) >= _LARGE:
            return _pages.empty(shape, self._dtype)
        return _empty(shape, self._inputs[0].dtype, _CPU)

    def _run(self, loss: Any, gradients: Optional[list[Any]], upstream: Any) -> None:
        # Kept until the kernel is done: a copy of a strided tensor dies with its last name.
        copies: list[Any] = []
        label = self._tensors[3]
        swap, margin, p, epsilon = self._options
        error = self._kernel(
            _PACK(
                *[_address(tensor, copies) for tensor in self._tensors],
                0 if loss is None else loss.data_ptr(),
                *[0 if tensor is None else tensor.data_ptr() for tensor in gradients or _ABSENT],
                *_NOWHERE[len(gradients or _ABSENT) :],
                0 if upstream is None else upstream.data_ptr(),
                *self._shape,
                self._dtype,
                0 if label is None else _DTYPES[label.dtype],
                _REDUCTIONS[self._reduction],
                swap,
                margin,
                p,
                epsilon,
            )
        )
        if error == _LABEL_OUT_OF_RANGE:
            # Nothing was read or written there.
            _checks.check_class_range(label, self._lowest, self._shape[1])
        if error != _DONE:
            raise MemoryError("Expected memory for the sums of the loss, received none.")


class _Graded(PyLayer):
    """A call with gradients.

    All tensors that have one are a single argument, a list: of several arguments Paddle's ``grad``
    takes none of the gradients unless it takes all. ``no_grad_vars`` would refuse the same of the
    first of the list, so that this is the mark; the mark is the last too, as what runs first after
    a node is what it gives its last gradient to.
    """

    @staticmethod
    def forward(ctx: Any, call: Call, tensors: list[paddle.Tensor]) -> paddle.Tensor:
        ctx.call = call
        call.context = ctx
        return call.forward(graded=True)

    @staticmethod
    def backward(ctx: Any, upstream: paddle.Tensor) -> Any:
        gradients = [each for each in ctx.call.backward(upstream) if each is not None]
        return [None, *gradients, _MARK]


def loss(
    stem: str,
    inputs: Sequence[paddle.Tensor],
    label: Optional[paddle.Tensor],
    reduction: str,
    gradient: Optional[Gradient] = None,
    *,
    shape: Optional[tuple[int, int]] = None,
    result: Optional[Sequence[int]] = None,
    weight: Optional[paddle.Tensor] = None,
    lowest: int = 0,
    margin: float = 0.0,
    p: float = 0.0,
    epsilon: float = 0.0,
    swap: bool = False,
) -> paddle.Tensor:
    """A loss by its kernel, of tensors that :func:`serves` takes. Arguments as :class:`Call`.

    Where it is called, no argument is a call itself: SOT gives the frames that it writes too small
    a stack for that, and calls this from them.
    """
    first = inputs[0]
    dimensions = first.shape
    call = Call(
        library.kernel(stem),
        inputs,
        label,
        (math.prod(dimensions), 1) if shape is None else shape,
        dimensions if result is None else result,
        reduction,
        gradient,
        weight,
        lowest,
        (swap, margin, p, epsilon),
    )
    graded = [tensor for tensor in inputs if not tensor.stop_gradient]
    if not graded or not paddle.is_grad_enabled():
        return call.forward(graded=False)
    mark: Any = _MARK.detach()
    mark.stop_gradient = False
    loss = _Graded.apply(call, [mark, *graded, mark])
    mark._register_grad_hook(Keeper(call.context))
    call.context = None
    return loss


def _scaled(slope: paddle.Tensor, of_row: paddle.Tensor) -> paddle.Tensor:
    if len(slope.shape) > len(of_row.shape):
        of_row = paddle.unsqueeze(of_row, -1)
    return paddle.reshape(slope * of_row, slope.shape)


def _address(tensor: Any, copies: list[Any]) -> int:
    """Where a tensor's numbers are, one after the other; a copy's where its own are not."""
    if tensor is None:
        return 0
    if not tensor.is_contiguous():
        tensor = tensor.contiguous()
        copies.append(tensor)
    address: int = tensor.data_ptr()
    return address
