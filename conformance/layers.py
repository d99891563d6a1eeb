"""What is checked of a layer besides its values: signature, text, state, copies."""

from __future__ import annotations

import ast
import copy
import inspect
import pickle
from typing import Any, Callable, Union

import numpy as np

from conformance import ulp
from conformance.arguments import Tensor
from conformance.case import Array, Case, LayerState, Loss
from conformance.eager import Row, captured
from conformance.implementation import Implementation, Received
from conformance.text import error_text

STATE_PROPERTIES = ("extra_repr", "state_dict", "deepcopy", "pickle")
"""What is checked of each layer row."""
DTYPE = "float32"
"""The dtype of the tensors that the layers hold."""


def problem(
    implementation: Implementation, loss: Loss, row: Union[LayerState, str], name: str
) -> str:
    """What is wrong with a layer, or an empty text.

    Args:
        implementation: what is under test.
        loss: the loss.
        row: a layer's row, or ``function`` or ``layer`` for a signature.
        name: ``signature`` or one of ``STATE_PROPERTIES``.
    """
    try:
        with captured():
            if isinstance(row, str):
                return _signature(implementation, loss, row)
            return _STATE[name](implementation, loss, row)
    except Exception as error:
        return f"expected no error, received {error_text(error)}"


def _signature(implementation: Implementation, loss: Loss, kind: str) -> str:
    target = implementation.function(loss) if kind == "function" else implementation.layer(loss)
    assert target is not None
    wanted = wanted_signature(loss, kind)
    positional = [
        parameter
        for parameter in inspect.signature(target).parameters.values()
        if parameter.kind not in (parameter.KEYWORD_ONLY, parameter.VAR_KEYWORD)
    ]
    found = ", ".join(str(each.replace(annotation=each.empty)) for each in positional)
    return "" if found == wanted else f"expected ({wanted}) (Paddle), received ({found})"


def wanted_signature(loss: Loss, kind: str) -> str:
    """The parameters of Paddle's ``function`` or ``layer``, without annotations."""
    signature = loss.signature if kind == "function" else loss.layer_signature
    function = ast.parse(f"def f{signature}: pass").body[0]
    assert isinstance(function, ast.FunctionDef)
    names = [argument.arg for argument in function.args.args]
    defaults = [ast.unparse(default) for default in function.args.defaults]
    first = len(names) - len(defaults)
    return ", ".join(
        f"{name}={defaults[index - first]}" if index >= first else name
        for index, name in enumerate(names)
    )


def tensors(row: LayerState, make: Callable[[Tensor], Any], plus: float = 0.0) -> dict[str, Any]:
    """The constructor's arguments, each tensor made by ``make`` with ``plus`` added to it."""
    made = {}
    for name, value in row.options.items():
        if isinstance(value, Array):
            dtype = value.dtype or DTYPE
            values = ulp.quantize(np.asarray(value.data) + plus, dtype)
            value = make(Tensor(values, dtype, False))
        made[name] = value
    return made


def _make(implementation: Implementation, loss: Loss, row: LayerState, plus: float = 0.0) -> Any:
    layer = implementation.layer(loss)
    assert layer is not None
    options = tensors(row, implementation.tensor, plus)
    return layer(**{implementation.spelling(loss, k): v for k, v in options.items()})


def _extra_repr(implementation: Implementation, loss: Loss, row: LayerState) -> str:
    found = _make(implementation, loss, row).extra_repr()
    return "" if found == row.extra_repr else f"expected {row.extra_repr!r}, received {found!r}"


def _state_dict(implementation: Implementation, loss: Loss, row: LayerState) -> str:
    layer = _make(implementation, loss, row)
    state = layer.state_dict()
    if set(state) != set(row.state):
        return f"expected the names {sorted(row.state)}, received {sorted(state)}"
    kept = _bits(implementation, layer)
    other = _make(implementation, loss, row, plus=1.0)
    _load(other, state)
    if not _equal(_bits(implementation, other), kept):
        return "expected a loaded state_dict to restore the layer's tensors, received others"
    _load(layer, {})
    if not _equal(_bits(implementation, layer), kept):
        return "expected a state_dict without names to leave the layer as it was"
    return ""


def _load(layer: Any, state: Any) -> None:
    if hasattr(layer, "set_state_dict"):
        layer.set_state_dict(state)
    else:
        layer.load_state_dict(state, strict=False)


def _bits(implementation: Implementation, layer: Any) -> dict[str, Any]:
    return {k: implementation.received(v) for k, v in layer.state_dict().items()}


def _equal(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return first.keys() == second.keys() and all(first[k].same_bits(second[k]) for k in first)


def _copied(copier: Callable[[Any], Any]) -> Callable[[Implementation, Loss, LayerState], str]:
    def check(implementation: Implementation, loss: Loss, row: LayerState) -> str:
        layer = _make(implementation, loss, row)
        case, expected = _sample(implementation, loss, layer)
        found = _called(implementation, loss, copier(layer), case)
        if found is not None and found.same_bits(expected):
            return ""
        return f"expected the layer's bits from its copy ({case.id}), received others"

    return check


def _sample(implementation: Implementation, loss: Loss, layer: Any) -> tuple[Case, Received]:
    """The first row that fits the layer, and what it gives."""
    for case in loss.cases:
        if case.raises is None and DTYPE in case.dtypes:
            try:
                found = _called(implementation, loss, layer, case)
            except Exception:
                continue
            if found is not None:
                return case, found
    raise LookupError("no row fits this layer")


def _called(implementation: Implementation, loss: Loss, layer: Any, case: Case) -> Any:
    prepared = Row(implementation, loss, case, DTYPE).prepare()
    return implementation.received(layer(*prepared.positional, **prepared.keywords))


_STATE: dict[str, Callable[[Implementation, Loss, LayerState], str]] = {
    "extra_repr": _extra_repr,
    "state_dict": _state_dict,
    "deepcopy": _copied(copy.deepcopy),
    "pickle": _copied(lambda layer: pickle.loads(pickle.dumps(layer))),
}
