"""What is under test, behind one interface: a Paddle-like namespace or torch's."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Callable, Optional

import numpy as np

from conformance import torch_reference
from conformance.arguments import Tensor, paddle_name
from conformance.case import Loss


class UsageError(Exception):
    """What the caller asked for cannot be done; the text is one line that says why."""


@dataclass(frozen=True)
class Received:
    """A tensor that an implementation returned.

    Args:
        dtype: a Paddle dtype name.
        raw: its elements as NumPy holds them; bfloat16 as its 16 bits in ``uint16``.
    """

    dtype: str
    raw: np.ndarray

    @property
    def values(self) -> np.ndarray:
        """The elements, in float64 where they are floating."""
        if self.dtype == "bfloat16":
            return (self.raw.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
        if self.dtype.startswith("float"):
            return self.raw.astype(np.float64)
        return self.raw

    def same_bits(self, other: Optional[Received], signed_zero: bool = True) -> bool:
        """Whether both hold the same bits, one NaN being as good as another.

        Args:
            other: the other result.
            signed_zero: whether 0 and -0 differ.
        """
        if other is None or self.dtype != other.dtype or self.raw.shape != other.raw.shape:
            return False
        bits = f"u{self.raw.itemsize}"
        mine, others = np.atleast_1d(self.raw), np.atleast_1d(other.raw)
        equal = mine.view(bits) == others.view(bits)
        if equal.all():
            return True
        mine, others = np.atleast_1d(self.values), np.atleast_1d(other.values)
        if not signed_zero:
            equal |= mine == others
        return bool(np.all(equal | ((mine != mine) & (others != others))))


class Implementation(ABC):
    """An implementation of the losses.

    Args:
        name: as the user gave it.
        functions: where the functions are looked up, in order.
        layers: where the layers are looked up, in order.
    """

    kind: str

    def __init__(self, name: str, functions: Sequence[Any], layers: Sequence[Any]) -> None:
        self.name = name
        self._functions = functions
        self._layers = layers

    def function(self, loss: Loss) -> Optional[Callable[..., Any]]:
        """The function of the loss, ``None`` where there is none."""
        return _first(self._functions, self.function_name(loss))

    def layer(self, loss: Loss) -> Optional[Callable[..., Any]]:
        """The layer of the loss, ``None`` where there is none."""
        return _first(self._layers, loss.layer)

    def function_path(self, loss: Loss) -> str:
        """The function in words, for messages."""
        return f"{self.name}: {self.function_name(loss)}"

    def spelling(self, loss: Loss, name: str) -> str:
        """How this implementation spells an argument."""
        return name

    def function_name(self, loss: Loss) -> str:
        """This implementation's name of the function."""
        return loss.function

    @property
    @abstractmethod
    def version(self) -> str:
        """The version that the register's entries speak of."""

    @property
    def paddle(self) -> str:
        """The version of Paddle that it runs on; an empty text where it does not."""
        return ""

    @abstractmethod
    def tensor(self, argument: Tensor) -> Any:
        """Make a tensor."""

    @abstractmethod
    def received(self, result: Any) -> Optional[Received]:
        """Take a result back to NumPy; ``None`` where it is no tensor of this framework."""

    @abstractmethod
    def gradients(
        self, result: Any, inputs: Sequence[Any], cotangent: np.ndarray, create_graph: bool = False
    ) -> list[Any]:
        """Vector-Jacobian products with ``cotangent``, ``None`` where there is none."""

    @abstractmethod
    def second_gradients(
        self, gradients: Sequence[Any], inputs: Sequence[Any], weights: Sequence[np.ndarray]
    ) -> list[Any]:
        """The gradient of the weighted sum of ``gradients``."""


class PaddleImplementation(Implementation):
    """Functions and layers on Paddle's tensors."""

    kind = "paddle"

    @property
    def version(self) -> str:
        """The version of the implementation's own package, or Paddle's."""
        import paddle

        package = self.name.partition(":")[0].partition(".")[0]
        return str(getattr(importlib.import_module(package), "__version__", paddle.__version__))

    @property
    def paddle(self) -> str:
        """The version of Paddle."""
        import paddle

        return str(paddle.__version__)

    def tensor(self, argument: Tensor) -> Any:
        """Make a ``paddle.Tensor`` on the CPU."""
        import paddle

        values = argument.values
        if argument.dtype == "bfloat16":
            made = paddle.to_tensor(bfloat16_bits(values), dtype="bfloat16")
        else:
            made = paddle.to_tensor(np.array(values, numpy_dtype(argument.dtype)))
        made.stop_gradient = not argument.grad
        return made

    def received(self, result: Any) -> Optional[Received]:
        """Take a ``paddle.Tensor`` back to NumPy."""
        import paddle

        if not isinstance(result, paddle.Tensor):
            return None
        return Received(dtype_name(result), result.numpy())

    def gradients(
        self, result: Any, inputs: Sequence[Any], cotangent: np.ndarray, create_graph: bool = False
    ) -> list[Any]:
        """``paddle.grad`` with the cotangent in the result's dtype."""
        import paddle

        weight = paddle.to_tensor(np.array(cotangent, np.float32)).astype(result.dtype)
        weight = weight.reshape(result.shape)
        if result.stop_gradient:
            return [None] * len(inputs)
        return list(
            paddle.grad(
                [result], list(inputs), [weight], create_graph=create_graph, allow_unused=True
            )
        )

    def second_gradients(
        self, gradients: Sequence[Any], inputs: Sequence[Any], weights: Sequence[np.ndarray]
    ) -> list[Any]:
        """``paddle.grad`` of the gradients, weighted."""
        import paddle

        pairs = [
            (gradient, paddle.to_tensor(np.array(weight, np.float64)).astype(gradient.dtype))
            for gradient, weight in zip(gradients, weights)
            if gradient is not None and not gradient.stop_gradient
        ]
        if not pairs:
            return [None] * len(inputs)
        outputs, cotangents = zip(*pairs)
        return list(paddle.grad(list(outputs), list(inputs), list(cotangents), allow_unused=True))


class TorchImplementation(Implementation):
    """``torch.nn``, called by torch's names."""

    kind = "torch"

    def __init__(self, name: str, functions: Sequence[Any], layers: Sequence[Any]) -> None:
        super().__init__(name, functions, layers)
        self._torch = torch_reference.framework()

    @property
    def version(self) -> str:
        """The version of torch."""
        return str(self._torch.__version__)

    def function_name(self, loss: Loss) -> str:
        """Torch's name of the function."""
        return loss.torch_function or loss.function

    def spelling(self, loss: Loss, name: str) -> str:
        """Torch's name of the argument."""
        return loss.torch_names.get(paddle_name(loss, name), name)

    def tensor(self, argument: Tensor) -> Any:
        """Make a ``torch.Tensor`` on the CPU."""
        values = np.array(argument.values)
        made = self._torch.from_numpy(values).to(getattr(self._torch, argument.dtype))
        return made.requires_grad_() if argument.grad else made

    def received(self, result: Any) -> Optional[Received]:
        """Take a ``torch.Tensor`` back to NumPy."""
        if not isinstance(result, self._torch.Tensor):
            return None
        dtype = dtype_name(result)
        result = result.detach()
        if dtype == "bfloat16":
            return Received(dtype, result.view(self._torch.int16).numpy().view(np.uint16))
        # Forced, as torch leaves zeros unmade in some second gradients.
        return Received(dtype, result.numpy(force=True))

    def gradients(
        self, result: Any, inputs: Sequence[Any], cotangent: np.ndarray, create_graph: bool = False
    ) -> list[Any]:
        """``torch.autograd.grad`` with the cotangent in the result's dtype."""
        if not result.requires_grad:
            return [None] * len(inputs)
        weight = self._torch.tensor(np.array(cotangent)).to(result.dtype).reshape(result.shape)
        return list(
            self._torch.autograd.grad(
                [result], list(inputs), [weight], create_graph=create_graph, allow_unused=True
            )
        )

    def second_gradients(
        self, gradients: Sequence[Any], inputs: Sequence[Any], weights: Sequence[np.ndarray]
    ) -> list[Any]:
        """``torch.autograd.grad`` of the gradients, weighted."""
        pairs = [
            (gradient, self._torch.tensor(np.array(weight)).to(gradient.dtype))
            for gradient, weight in zip(gradients, weights)
            if gradient is not None and gradient.requires_grad
        ]
        if not pairs:
            return [None] * len(inputs)
        outputs, cotangents = zip(*pairs)
        return list(
            self._torch.autograd.grad(
                list(outputs), list(inputs), list(cotangents), allow_unused=True
            )
        )


def dtype_name(tensor: Any) -> str:
    """The name of a tensor's dtype, without the framework's."""
    return str(tensor.dtype).rpartition(".")[2]


def bfloat16_bits(values: np.ndarray) -> np.ndarray:
    """The 16 bits of values that bfloat16 represents exactly."""
    return np.asarray(np.array(values, np.float32).view(np.uint32) >> 16, dtype=np.uint16)


def numpy_dtype(dtype: str) -> np.dtype:
    """NumPy's dtype of a Paddle dtype name; ``uint16`` carries the bits of bfloat16."""
    return np.dtype("uint16" if dtype == "bfloat16" else dtype)


def load(name: str, losses: Sequence[Loss]) -> Implementation:
    """Import an implementation.

    Args:
        name: ``paddle_margin.nn``, ``paddle.nn``, ``torch.nn``, any ``module``, or
            ``module:attribute``, a namespace or one of the functions or layers itself.
        losses: the losses, at least one of which must be there.

    Raises:
        UsageError: with the reason in one line.
    """
    module_name, _, attribute = name.partition(":")
    if name == "torch.nn":
        try:
            module = torch_reference.framework().nn
        except ImportError as error:
            raise UsageError(f"--implementation {name}: {_one_line(error)}") from error
        return TorchImplementation(name, [module.functional], [module])
    target: Any = _module(name, module_name)
    for part in attribute.split(".") if attribute else ():
        if not hasattr(target, part):
            raise UsageError(
                f"--implementation {name}: module {module_name} has no attribute {attribute}"
            )
        target = getattr(target, part)
    spaces = _namespaces(target, losses)
    implementation = PaddleImplementation(name, spaces, spaces)
    if not any(implementation.function(loss) or implementation.layer(loss) for loss in losses):
        wanted = ", ".join(loss.function for loss in losses[:3])
        raise UsageError(f"--implementation {name}: none of the losses is there ({wanted}, ...)")
    return implementation


def _module(name: str, module_name: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"--implementation {name}: cannot import {module_name!r}: {_one_line(error)}"
        ) from error


def _namespaces(target: Any, losses: Sequence[Loss]) -> list[Any]:
    """Where to look names up; a function or a layer given itself is a namespace of one name."""
    own = getattr(target, "__name__", "")
    if callable(target) and any(own in (loss.function, loss.layer) for loss in losses):
        return [_Only(own, target)]
    functional = getattr(target, "functional", None)
    # A module may have imported Paddle's functional for its own use.
    foreign = isinstance(functional, ModuleType) and _package(functional) != _package(target)
    return [target] if functional is None or foreign else [functional, target]


def _package(target: Any) -> str:
    return str(getattr(target, "__name__", "")).partition(".")[0]


class _Only:
    def __init__(self, name: str, value: Any) -> None:
        setattr(self, name, value)


def _first(spaces: Sequence[Any], name: str) -> Optional[Callable[..., Any]]:
    for space in spaces:
        if callable(getattr(space, name, None)):
            return getattr(space, name)
    return None


def _one_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
