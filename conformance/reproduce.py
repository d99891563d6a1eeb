"""Scripts that show what a check is about with Paddle or torch alone, without this suite."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from typing import Any

from conformance import layers
from conformance import script as lines
from conformance.case import Case, LayerState, Loss
from conformance.cases import all_losses
from conformance.checks import DROP_IN, SHARDED, Check, checks_of
from conformance.eager import Row
from conformance.implementation import Implementation, UsageError, load
from conformance.modes import MODES
from conformance.script_modes import mode
from conformance.script_numbers import numbers
from conformance.script_sharded import sharded

NUMBERS = ("value", "exact", "printed", "torch", "gradient", "second_gradient", DROP_IN)
LINES = {
    **dict.fromkeys(NUMBERS, numbers),
    "shape": lines.shape,
    "dtype": lines.dtype,
    "unchanged": lines.unchanged,
    "warning": lines.warning,
    "layer": lines.layer,
    **dict.fromkeys(("error", "error_layer", "error_program"), lines.error),
    **dict.fromkeys(MODES, mode),
    SHARDED: sharded,
}
"""What writes the lines of each property of a row."""
END = ("print('differs' if wrong else 'agrees')", "raise SystemExit(bool(wrong))")


def script(check_id: str, implementation: str) -> str:
    """A script of some 25 lines that builds a row, calls the function and prints both results.

    Args:
        check_id: ``stem/row``, with ``/dtype`` and ``/property`` where they matter.
        implementation: the implementation's name.

    Raises:
        UsageError: there is no such row, or no script for it.
    """
    losses = all_losses()
    return of_check(_found(check_id, losses), load(implementation, list(losses.values())))


def of_check(check: Check, made: Implementation) -> str:
    """The script of a check; it ends with status 1 where what comes is not what is expected.

    Args:
        check: the check.
        made: the implementation, which is not called.

    Raises:
        UsageError: it cannot be written as a script.
    """
    parts = ["import numpy as np"]
    if isinstance(check.row, Case):
        parts += _row_lines(Row(made, check.loss, check.row, check.dtype), check.name)
    elif isinstance(check.row, LayerState):
        parts += _state_lines(check.loss, check.row, check.name, made)
    elif check.name == "signature":
        parts += _signature_lines(check.loss, check.row, made)
    else:
        raise UsageError(f"reproduce {check.id}: it is no single call; run it by -k")
    imports = [part for part in parts if part.startswith(("import ", "from "))]
    others = [part for part in parts if part not in imports]
    return "\n".join([f"# {check.id}", *dict.fromkeys(sorted(imports)), *others, *END]) + "\n"


def attempt(check: Check, made: Implementation) -> str:
    """The script of a check, or a comment that says why there is none."""
    try:
        return of_check(check, made)
    except UsageError as error:
        return f"# {error}\n"


def _found(check_id: str, losses: dict[str, Loss]) -> Check:
    stem = check_id.split("/")[0]
    if stem not in losses:
        raise UsageError(f"reproduce {check_id}: no loss {stem!r}; there are {', '.join(losses)}")
    ours = checks_of(losses[stem], "exhaustive")
    matching = [c for c in ours if c.id == check_id or c.id.startswith(f"{check_id}/")]
    if not matching:
        raise UsageError(f"reproduce {check_id}: no check has this id; --list prints them")
    wanted = [c for c in matching if c.id == check_id or c.dtype in ("float32", "")] or matching
    gradients = [c for c in wanted if c.name == "gradient"]
    return wanted[0] if len(wanted) == 1 or not gradients else gradients[0]


def _row_lines(row: Row, name: str) -> Iterator[str]:
    if name not in LINES:
        raise UsageError(f"reproduce: there is nothing to show of {name}")
    call = lines.call_of(row)
    body = [*call.definitions, *LINES[name](call, name)]
    given = [f"{variable} = {text}" for variable, text in call.variables.items()]
    yield from _imports(row.implementation, row.loss, " ".join(body))
    if re.search(r"\b(inf|nan)\b", " ".join([*given, call.text])):
        yield "inf, nan = float('inf'), float('nan')"
    if name != "error_program":
        yield from given
    yield from body


def _imports(implementation: Implementation, loss: Loss, body: str) -> Iterator[str]:
    """The modules, and the function and the layer as far as the body names them."""
    framework = "torch" if implementation.kind == "torch" else "paddle"
    module, _, attribute = implementation.name.partition(":")
    yield f"import {framework}"
    if "def differs(" not in body:
        yield f"{framework}.set_printoptions(precision=17)"
    if module != framework:
        yield f"import {module}"
    root = f"{module}.{attribute}" if attribute else module
    target: Any = importlib.import_module(module)
    for part in attribute.split(".") if attribute else ():
        target = getattr(target, part)
    names = (
        ("function", implementation.function_name(loss), implementation.function(loss)),
        (loss.layer, loss.layer, implementation.layer(loss)),
    )
    for variable, name, value in names:
        if value is None or not re.search(rf"\b{variable}\(|\({variable}\)", body):
            continue
        inside = getattr(getattr(target, "functional", None), name, None) is value
        path = f"{root}.functional.{name}" if inside else f"{root}.{name}"
        yield f"{variable} = {root if value is target else path}"


def _signature_lines(loss: Loss, kind: str, implementation: Implementation) -> Iterator[str]:
    name = kind if kind == "function" else loss.layer
    wanted = layers.wanted_signature(loss, kind)
    yield "import inspect"
    yield from _imports(implementation, loss, f"({name})")
    yield f"found = inspect.signature({name}).parameters.values()"
    yield "keywords = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)"
    yield "shown = [str(p.replace(annotation=p.empty)) for p in found if p.kind not in keywords]"
    yield f"print('expected', {f'({wanted})'!r}, '(Paddle)')"
    yield "print('received', f'({\", \".join(shown)})')"
    yield f"wrong = ', '.join(shown) != {wanted!r}"


def _state_lines(
    loss: Loss, row: LayerState, name: str, implementation: Implementation
) -> Iterator[str]:
    torch = implementation.kind == "torch"

    def made(plus: float) -> str:
        options = layers.tensors(row, lambda tensor: lines.made(tensor, torch), plus)
        named = (f"{implementation.spelling(loss, k)}={_inline(v)}" for k, v in options.items())
        return f"{loss.layer}({', '.join(named)})"

    yield from _imports(implementation, loss, f"{loss.layer}(")
    for value in row.options.values():
        yield from lines.definition(value)
    if name == "extra_repr":
        yield f"print('expected', {row.extra_repr!r})"
        yield f"received = {made(0)}.extra_repr()"
        yield "print('received', received)"
        yield f"wrong = received != {row.extra_repr!r}"
        return
    yield from lines.bits("x.detach().numpy()")
    yield "def state(layer):"
    yield "    return {key: bits(value) for key, value in layer.state_dict().items()}"
    yield f"layer = {made(0)}"
    if name == "state_dict":
        load, strict = ("load_state_dict", ", strict=False") if torch else ("set_state_dict", "")
        yield f"print('expected', {sorted(row.state)}, 'and that loading restores them')"
        yield "print('received', sorted(state(layer)))"
        yield f"other, kept = {made(1)}, state(layer)"
        yield f"other.{load}(layer.state_dict(){strict})"
        yield f"layer.{load}({{}}{strict})"
        yield "print('loaded  ', state(other), state(layer))"
        yield f"wrong = sorted(kept) != {sorted(row.state)}"
        yield "wrong |= state(other) != kept or state(layer) != kept"
        return
    yield "import copy, pickle"
    copied = "copy.deepcopy(layer)" if name == "deepcopy" else "pickle.loads(pickle.dumps(layer))"
    yield "print('expected', layer, state(layer))"
    yield f"received = {copied}"
    yield "print('received', received, state(received))"
    yield "wrong = (repr(received), state(received)) != (repr(layer), state(layer))"


def _inline(value: Any) -> str:
    return value.text if isinstance(value, lines.Made) else lines.written(value)
