"""torch's spellings of arguments, accepted as keywords next to Paddle's."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Mapping
from typing import Any, Callable, TypeVar

from paddle.jit import not_to_static

T = TypeVar("T")


def torch_names(**names: str) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Let a function accept torch's keywords, and ``size_average`` and ``reduce``.

    The function's signature stays Paddle's: torch's spellings are keywords only.

    Args:
        names: torch's name of an argument, and Paddle's.
    """

    def decorate(function: Callable[..., T]) -> Callable[..., T]:
        signature = inspect.signature(function)
        known = tuple(signature.parameters)
        owner = function.__qualname__

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> T:
            if kwargs:
                args, kwargs = to_paddle(owner, known, names, args, kwargs)
            return function(*args, **kwargs)

        # Paddle's to_static reads this attribute; it does not follow __wrapped__.
        call.__signature__ = signature  # type: ignore[attr-defined]
        return not_to_static(call)

    return decorate


def to_paddle(
    owner: str,
    parameters: tuple[str, ...],
    names: Mapping[str, str],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Rename torch's keywords and translate ``size_average`` and ``reduce``.

    Args:
        owner: who is called, for messages.
        parameters: Paddle's parameter names in order.
        names: torch's names to Paddle's.
        args: the positional arguments of the call.
        kwargs: its keywords.

    Returns:
        The positional arguments and the keywords in Paddle's spelling.

    Raises:
        TypeError: both spellings of one argument, or a flag that is no bool.
    """
    translated = dict(kwargs)
    for torch_name, name in names.items():
        if torch_name in translated:
            if name in translated or parameters.index(name) < len(args):
                raise TypeError(
                    f"{owner}: expected one of '{name}' and '{torch_name}', which are two names "
                    f"of one argument, received both."
                )
            translated[name] = translated.pop(torch_name)
    if "reduction" in parameters:
        reduction = _legacy_reduction(
            owner, translated.pop("size_average", None), translated.pop("reduce", None)
        )
        if reduction is not None:
            # As in torch, the flags win over a reduction that is given beside them.
            position = parameters.index("reduction")
            if position < len(args):
                args = (*args[:position], reduction, *args[position + 1 :])
            else:
                translated["reduction"] = reduction
    return args, translated


def _legacy_reduction(owner: str, size_average: Any, reduce: Any) -> str | None:
    if size_average is None and reduce is None:
        return None
    for flag, value in (("size_average", size_average), ("reduce", reduce)):
        if value is not None and not isinstance(value, bool):
            raise TypeError(
                f"{owner}: expected {flag} to be True, False or None, "
                f"received {value!r} of type {type(value).__name__}."
            )
    reduction = "none" if reduce is False else "sum" if size_average is False else "mean"
    warnings.warn(
        f"{owner}: size_average and reduce are deprecated, use reduction='{reduction}'.",
        DeprecationWarning,
        stacklevel=4,
    )
    return reduction
