"""The call of a row as the text of a script, and the lines that show what its result is like."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance import oracle
from conformance.arguments import Tensor
from conformance.eager import Row
from conformance.implementation import UsageError
from conformance.program import specified

LARGE = 400
"""Tensors of more elements than this are written shorter where they repeat."""


@dataclass
class Made:
    """A tensor that a script makes.

    Args:
        text: the expression that makes it.
        name: the variable that holds it.
    """

    text: str
    name: str = ""


@dataclass(frozen=True)
class Call:
    """The call of a row as text.

    Args:
        row: the row.
        torch: whether it runs on torch.
        variables: the expressions that make its tensors, by the variables that hold them.
        inputs: the arguments that are inputs.
        options: the others.
        asked: the variables of which gradients are asked.
        definitions: the classes of its options, such as a distance.
    """

    row: Row
    torch: bool
    variables: dict[str, str]
    inputs: str
    options: str
    asked: list[str]
    definitions: list[str]

    @property
    def text(self) -> str:
        """The call of the function."""
        return f"function{self.given}"

    @property
    def given(self) -> str:
        """The arguments of the call."""
        return f"({', '.join(filter(None, (self.inputs, self.options)))})"

    @property
    def framework(self) -> str:
        """The module of the tensors."""
        return "torch" if self.torch else "paddle"

    @property
    def grad(self) -> str:
        """The framework's function that differentiates."""
        return "torch.autograd.grad" if self.torch else "paddle.grad"

    @property
    def names(self) -> str:
        """The variables that hold tensors."""
        return ", ".join(self.variables)

    def weights(self, name: str, cycle: Any) -> str:
        """A tensor like another one, with some numbers, or what a name stands for, in turn."""
        values = f"np.resize(np.float32({cycle}), tuple({name}.shape))"
        if self.torch:
            return f"torch.tensor({values}).to({name}.dtype)"
        return f"paddle.to_tensor({values}).astype({name}.dtype)"

    def numbers(self, name: str) -> str:
        """The elements of a tensor, as NumPy's float64."""
        if self.torch:
            return f"{name}.detach().double().numpy(force=True)"
        return f"{name}.astype('float64').numpy()"


def call_of(row: Row) -> Call:
    """The call of a row.

    Raises:
        UsageError: an argument cannot be written.
    """
    torch = row.implementation.kind == "torch"
    prepared = row.prepare(lambda tensor: made(tensor, torch))
    held = {k: value for k, value in prepared.given.items() if isinstance(value, Made)}
    for name, value in held.items():
        value.name = name
    keywords = [f"{key}={written(value)}" for key, value in prepared.keywords.items()]
    options = [f"{key}={written(value)}" for key, value in prepared.options.items()]
    return Call(
        row,
        torch,
        {name: value.text for name, value in held.items()},
        ", ".join([*map(written, prepared.positional), *keywords]),
        ", ".join([*map(written, prepared.placed), *options]),
        list(prepared.asked),
        [line for value in prepared.options.values() for line in definition(value)],
    )


def made(tensor: Tensor, torch: bool) -> Made:
    """The expression that makes a tensor of Paddle or torch."""
    given = "float32" if tensor.dtype == "bfloat16" else tensor.dtype
    parts = [_array(tensor.values, given)]
    if tensor.dtype != given:
        parts.append("dtype=torch.bfloat16" if torch else "'bfloat16'")
    if tensor.grad:
        parts.append("requires_grad=True" if torch else "stop_gradient=False")
    return Made(f"{'torch.tensor' if torch else 'paddle.to_tensor'}({', '.join(parts)})")


def _array(values: np.ndarray, dtype: str) -> str:
    if values.size > LARGE:
        first = values.ravel()[0]
        if np.all(values == first):
            return f"np.full({values.shape}, {first.item()!r}, {dtype!r})"
        if len(values) > 1 and np.all(values == values[:1]):
            return f"np.repeat({_array(values[:1], dtype)}, {len(values)}, axis=0)"
    if values.size:
        return f"np.array({values.tolist()!r}, {dtype!r})"
    return f"np.zeros({values.shape}, {dtype!r})"


def written(value: Any) -> str:
    """An argument as text.

    Raises:
        UsageError: it has none.
    """
    if isinstance(value, Made):
        return value.name
    text = repr(value)
    module = type(value).__module__
    if module.startswith("conformance.cases.") and text.isidentifier():
        text += "()"
    if module.startswith("paddle.nn."):
        # A layer shows its arguments, and a dtype that is none of them.
        text = f"paddle.nn.{re.sub(', dtype=.*?(?=[,)])', '', text)}"
    try:
        ast.parse(text, mode="eval")
    except SyntaxError:
        raise UsageError(f"reproduce: {text} cannot be written in a script") from None
    return text


def definition(value: Any) -> list[str]:
    """The class of an option of the rows, as far as calling it goes, with its helpers."""
    kind = type(value)
    if not kind.__module__.startswith("conformance.cases."):
        return []
    methods = [kind.__dict__[n] for n in ("__init__", "__call__") if n in kind.__dict__]
    named = {name for method in methods for name in method.__code__.co_names}
    functions = inspect.getmembers(sys.modules[kind.__module__], inspect.isfunction)
    helpers = [function for name, function in functions if name in named]
    of_class = [inspect.getsource(method).rstrip() for method in methods]
    return [
        "from typing import Any",
        *(inspect.getsource(helper).rstrip() for helper in helpers),
        f"class {kind.__name__}:",
        *of_class,
    ]


def shape(call: Call, name: str) -> Iterator[str]:
    """The result's shape."""
    expected = oracle.evaluate(call.row.loss, call.row.case, call.row.dtype)
    wanted = expected.value.values.shape if expected else np.shape(call.row.case.exact)
    yield f"print('expected shape', {list(wanted)}, '(formula)')"
    yield f"result = {call.text}"
    yield "print('received', result)"
    yield f"wrong = list(result.shape) != {list(wanted)}"


def dtype(call: Call, name: str) -> Iterator[str]:
    """The result's dtype."""
    wanted = call.row.result_dtype
    yield f"print('expected dtype', {wanted!r}, '(the widest of the inputs)')"
    yield f"result = {call.text}"
    yield "print('received', result)"
    yield f"wrong = not str(result.dtype).endswith('.{wanted}')"


def bits(values: str) -> Iterator[str]:
    """A function that tells tensors apart by their bits; every NaN is the same."""
    yield "def bits(x):"
    yield f"    return list(x.shape), str(x.dtype), repr({values}.tolist())"


def unchanged(call: Call, name: str) -> Iterator[str]:
    """The arguments after a call, and a second call without gradients."""
    yield from bits(call.numbers("x"))
    yield f"before = [bits(x) for x in ({call.names},)]"
    yield f"first = {call.text}"
    yield f"changed = [bits(x) for x in ({call.names},)] != before"
    yield "print('expected', first, 'and no change of its arguments')"
    for variable in call.variables:
        yield f"{variable} = {variable}.detach()"
    yield f"again = {call.text}"
    yield "print('received', again, 'and a change' if changed else 'and no change')"
    yield "wrong = changed or bits(again) != bits(first)"


def layer(call: Call, name: str) -> Iterator[str]:
    """The layer's result beside the function's."""
    yield from bits(call.numbers("x"))
    yield f"expected = {call.text}"
    yield "print('expected', expected, '(the function)')"
    yield f"received = {call.row.loss.layer}({call.options})({call.inputs})"
    yield "print('received', received)"
    yield "wrong = bits(received) != bits(expected)"


def warning(call: Call, name: str) -> Iterator[str]:
    """What a call warns of and prints."""
    case = call.row.case
    wanted = [case.warns.__name__, *case.warns_match] if case.warns else []
    yield "import contextlib, io, re, warnings"
    yield f"print('expected warnings', {wanted!r}, 'and nothing printed')"
    yield "printed = io.StringIO()"
    yield "with warnings.catch_warnings(record=True) as caught, contextlib.ExitStack() as stack:"
    yield "    stack.enter_context(contextlib.redirect_stdout(printed))"
    yield "    stack.enter_context(contextlib.redirect_stderr(printed))"
    if case.raises is not None:
        yield "    stack.enter_context(contextlib.suppress(Exception))"
    yield "    warnings.simplefilter('always')"
    yield f"    {call.text}"
    yield "texts = [f'{w.category.__name__}: {w.message}' for w in caught]"
    yield "print('received warnings', texts, 'and printed', repr(printed.getvalue()))"
    kind = case.warns.__name__ if case.warns else "()"
    yield (
        f"fits = [issubclass(w.category, {kind}) and all(re.search(m, str(w.message)) "
        f"for m in {list(case.warns_match)}) for w in caught]"
    )
    yield f"wrong = bool(printed.getvalue()) or not all(fits) or len(fits) < {int(bool(wanted))}"


def error(call: Call, name: str) -> Iterator[str]:
    """The error that a call must raise: of the function, the layer, or while a graph is built."""
    raises = call.row.case.raises
    assert raises is not None
    kind, match = raises.kind.__name__, list(raises.match)
    yield "import re"
    yield f"print('expected', {kind!r}, 'with', {match}, '(the contract)')"
    if name == "error_program":
        yield "paddle.enable_static()"
        yield from placeholders(call, "")
    yield "try:"
    if name != "error_layer":
        yield f"    received, wrong = {call.text}, True"
    elif raises.constructor:
        yield f"    received, wrong = {call.row.loss.layer}({call.options}), True"
    else:
        yield f"    received = {call.row.loss.layer}({call.options})({call.inputs})"
        yield "    wrong = True"
    yield "except Exception as error:"
    yield "    received = f'{type(error).__name__}: {error}'"
    yield f"    wrong = not isinstance(error, {kind})"
    yield f"    wrong |= not all(re.search(m, str(error)) for m in {match})"
    yield "print('received', received)"


def placeholders(call: Call, variant: str) -> Iterator[str]:
    """The tensors of a Program in the place of the eager ones."""
    row = call.row
    given = specified(row.loss, row.case, row.dtype, variant)
    for variable, (dimensions, tensor) in zip(call.variables, given):
        yield f"{variable} = paddle.static.data({variable!r}, {dimensions}, '{tensor.dtype}')"
        if tensor.grad:
            yield f"{variable}.stop_gradient = False"
