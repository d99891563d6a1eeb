"""What the layers share: stored options, their text, torch's spellings of tensors."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import paddle

from paddle_margin import _checks
from paddle_margin._spellings import to_paddle


class MarginLoss(paddle.nn.Layer):
    """A layer that stores a loss's options; ``forward`` calls the function with them.

    Every parameter of a subclass's constructor is an attribute of the same name.
    """

    _torch_inputs: ClassVar[Mapping[str, str]] = MappingProxyType({"target": "label"})
    """torch's names of the tensors that ``forward`` takes, and Paddle's."""

    def __call__(self, *inputs: Any, **kwargs: Any) -> Any:
        if kwargs:
            owner = type(self)
            inputs, kwargs = to_paddle(
                owner.__name__, _parameters(owner.forward), owner._torch_inputs, inputs, kwargs
            )
        return super().__call__(*inputs, **kwargs)

    def extra_repr(self) -> str:
        """Every option that is set, as the constructor takes it."""
        shown = ((option, getattr(self, option)) for option in _parameters(type(self).__init__))
        # A sub-layer is shown by Paddle, below the options.
        return ", ".join(
            f"{option}={_text(value)}"
            for option, value in shown
            if value is not None and not isinstance(value, paddle.nn.Layer)
        )


def _parameters(method: Any) -> tuple[str, ...]:
    """The names that a method takes after ``self``."""
    return tuple(inspect.signature(method).parameters)[1:]


def _text(value: Any) -> str:
    if not _checks.is_tensor(value):
        return repr(value)
    if value.size == 1:
        return repr(value.item())
    return f"Tensor(shape={list(value.shape)}, dtype={_checks.dtype_name(value)})"
