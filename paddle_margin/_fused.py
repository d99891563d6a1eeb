"""Calls of the compiled kernels, and their gradients."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Callable, Optional

import paddle
from paddle.autograd import PyLayer

from paddle_margin import _backend, _checks
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
_DONE, _LABEL_OUT_OF_RANGE = 0, 1

_CPU = paddle.CPUPlace()
_ONLY_CPU = not (
    paddle.is_compiled_with_cuda()
    or paddle.is_compiled_with_xpu()
    or paddle.device.get_all_custom_device_type()
)
# Paddle 3.1 casts to float16 towards zero, in graphs too: kernels would give another number.
_UNSERVED = {paddle.float16} if release(paddle.__version__) == (3, 1) else set()


def serves(*tensors: Any) -> bool:
    """Whether the kernels may take these tensors: eager, dense, on the CPU, first of one dtype.

    Tensors of other dtypes, and gradients of other tensors than the inputs, are the caller's.
    """
    if not _backend.uses_kernels():
        return False
    for tensor in tensors:
        if not (_checks.has_values(tensor) and tensor.is_dense()) or tensor.is_dist():
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
        margin, p, epsilon, swap: the loss's options.
    """

    __slots__ = (
        "_gradient",
        "_gradients",
        "_inputs",
        "_kernel",
        "_label",
        "_options",
        "_reduction",
        "_result",
        "_shape",
        "_versions",
        "_weight",
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
        options: tuple[int, float, float, float],
    ) -> None:
        self._kernel = kernel
        self._inputs = inputs
        self._label = label
        self._weight = weight
        self._shape = shape
        self._result = result
        self._reduction = reduction
        self._gradient = gradient
        self._options = options
        self._gradients: Optional[list[Any]] = None
        self._versions: Any = None
        self.context: Any = None

    def forward(self, graded: bool) -> paddle.Tensor:
        """The loss; with ``graded`` the gradients too, for an upstream gradient of 1."""
        each = self._reduction == "none"
        dtype = self._inputs[0].dtype
        loss = _empty(self._result if each else [], dtype)
        if graded:
            self._versions = [tensor.inplace_version for tensor in self._tensors()]
            if not each:
                self._gradients = self._places()
        self._run(loss, self._gradients, None)
        return loss

    def backward(self, upstream: paddle.Tensor) -> Any:
        """The gradients of the inputs."""
        if paddle.is_grad_enabled():
            return self._differentiable(upstream)
        gradients, self._gradients = self._gradients, None
        one = gradients is not None and library.is_one(upstream.data_ptr(), _DTYPES[upstream.dtype])
        if not one:
            # Memory that was handed out may have changed since.
            self._check_versions()
            if gradients is None:
                gradients = self._places()
            self._run(None, gradients, upstream.contiguous())
        assert gradients is not None
        return gradients[0] if len(gradients) == 1 else tuple(gradients)

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
            None if tensor.stop_gradient else rounded_result(gradient, tensor.dtype)
            for tensor, gradient in zip(self._inputs, found)
        ]
        return gradients[0] if len(gradients) == 1 else tuple(gradients)

    def _slopes(self) -> list[Any]:
        """The gradients of the sum of all losses, as constants in float64."""
        slopes = self._places()
        reduction, self._reduction = self._reduction, "sum"
        try:
            self._run(None, slopes, None)
        finally:
            self._reduction = reduction
        return [None if slope is None else slope.cast("float64") for slope in slopes]

    def _tensors(self) -> list[paddle.Tensor]:
        others = (self._label, self._weight)
        return [*self._inputs, *[tensor for tensor in others if tensor is not None]]

    def _check_versions(self) -> None:
        for tensor, version in zip(self._tensors(), self._versions):
            if tensor.inplace_version != version:
                raise RuntimeError(
                    "Expected the arguments of the loss unchanged until its gradient is computed, "
                    "received one that was written to in place."
                )

    def _places(self) -> list[Any]:
        return [
            None if tensor.stop_gradient else _empty(tensor.shape, tensor.dtype)
            for tensor in self._inputs
        ]

    def _run(self, loss: Any, gradients: Optional[list[Any]], upstream: Any) -> None:
        # Kept until the kernel is done: a copy of a strided tensor dies with its last name.
        inputs = [_contiguous(tensor) for tensor in self._inputs]
        label, weight = _contiguous(self._label), _contiguous(self._weight)
        pointers = [tensor.data_ptr() for tensor in inputs] + [0] * (3 - len(inputs))
        places = [_pointer(tensor) for tensor in gradients or ()]
        swap, margin, p, epsilon = self._options
        error = self._kernel(
            _PACK(
                *pointers,
                _pointer(label),
                _pointer(weight),
                _pointer(loss),
                *places,
                *[0] * (3 - len(places)),
                _pointer(upstream),
                *self._shape,
                _DTYPES[inputs[0].dtype],
                0 if label is None else _DTYPES[label.dtype],
                _REDUCTIONS[self._reduction],
                swap,
                margin,
                p,
                epsilon,
            )
        )
        if error == _LABEL_OUT_OF_RANGE:
            raise _LabelOutOfRange
        if error != _DONE:
            raise MemoryError("Expected memory for the sums of the loss, received none.")


class _LabelOutOfRange(Exception):
    """A kernel met a label that it has no class for; nothing was read or written there."""


@contextmanager
def labels_within(label: paddle.Tensor, lowest: int, classes: int) -> Iterator[None]:
    """Have a kernel look at class indices; arguments as ``_checks.check_class_range``."""
    try:
        yield
    except _LabelOutOfRange:
        _checks.check_class_range(label, lowest, classes)
        raise


class _Graded(PyLayer):
    """A call with gradients."""

    @staticmethod
    def forward(ctx: Any, call: Call, *inputs: paddle.Tensor) -> paddle.Tensor:
        ctx.call = call
        call.context = ctx
        return call.forward(graded=True)

    @staticmethod
    def backward(ctx: Any, upstream: paddle.Tensor) -> Any:
        return ctx.call.backward(upstream)


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
        (swap, margin, p, epsilon),
    )
    if not paddle.is_grad_enabled() or all([tensor.stop_gradient for tensor in inputs]):
        return call.forward(graded=False)
    inputs = list(inputs)
    index = [tensor.stop_gradient for tensor in inputs].index(False)
    # A view, so that no hook is left on what belongs to the caller.
    axes = list(range(len(inputs[index].shape)))
    view = inputs[index] = paddle._C_ops.transpose(inputs[index], axes)
    graded: Any = _Graded.apply(call, *inputs)
    keeper = Keeper(call.context)
    call.context = None
    view.register_hook(keeper)
    # An error can keep the view's from running.
    graded.register_hook(keeper)
    return graded


def _scaled(slope: paddle.Tensor, of_row: paddle.Tensor) -> paddle.Tensor:
    if len(slope.shape) > len(of_row.shape):
        of_row = paddle.unsqueeze(of_row, -1)
    return paddle.reshape(slope * of_row, slope.shape)


def _empty(shape: Sequence[int], dtype: paddle.dtype) -> paddle.Tensor:
    return paddle._C_ops.empty(shape, dtype, _CPU)


def _contiguous(tensor: Any) -> Any:
    return tensor if tensor is None or tensor.is_contiguous() else tensor.contiguous()


def _pointer(tensor: Any) -> int:
    return 0 if tensor is None else tensor.data_ptr()
