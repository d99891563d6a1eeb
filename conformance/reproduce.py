"""Scripts that show what a check is about with Paddle or torch alone, without this suite."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from conformance import oracle
from conformance.arguments import Tensor, paddle_name
from conformance.case import Case, Loss
from conformance.cases import all_losses
from conformance.checks import Check, checks_of
from conformance.eager import Row
from conformance.implementation import Implementation, UsageError, load
from conformance.layers import tensors
from conformance.modes import MODES
from conformance.program import specified
from conformance.text import exact_text

LARGE = 400
"""Tensors of more elements than this are written shorter where they repeat."""


def script(check_id: str, implementation: str) -> str:
    """A script of at most 25 lines that builds a row, calls the function and prints both results.

    Args:
        check_id: ``stem/row``, with ``/dtype`` and ``/property`` where they matter.
        implementation: the implementation's name.

    Raises:
        UsageError: there is no such row, or no script for it.
    """
    losses = all_losses()
    return of_check(_found(check_id, losses), load(implementation, list(losses.values())))


def of_check(check: Check, made: Implementation) -> str:
    """The script of a check.

    Args:
        check: the check.
        made: the implementation.

    Raises:
        UsageError: it cannot be written as a script.
    """
    if not isinstance(check.row, Case):
        return "\n".join(_layer_lines(check, made)) + "\n"
    row = Row(made, check.loss, check.row, check.dtype)
    return "\n".join(_lines(row, check.name)) + "\n"


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


def _lines(row: Row, name: str) -> Iterator[str]:
    torch = row.implementation.kind == "torch"
    yield f"# {row.loss.stem}/{row.case.id}/{row.dtype}/{name}"
    yield "import numpy as np"
    yield "import torch" if torch else "import paddle"
    yield from _imports(row.implementation, row.loss)
    yield "inf, nan = float('inf'), float('nan')"
    yield f"{'torch' if torch else 'paddle'}.set_printoptions(precision=17)"
    maker = _Maker(torch)
    prepared = row.prepare(maker.tensor)
    for value in prepared.options.values():
        if type(value).__module__.startswith("conformance.cases."):
            yield from _definition(type(value))
    for variable, value in prepared.given.items():
        if isinstance(value, _Made):
            yield f"{variable} = {value.text}"
            value.name = variable
    inputs = [_written(value) for value in prepared.positional]
    placed = [_written(value) for value in prepared.placed]
    keywords, options = (
        [f"{key}={_written(value)}" for key, value in named.items()]
        for named in (prepared.keywords, prepared.options)
    )
    parts = [*inputs, *placed, *keywords, *options]
    asked = [str(key) for key in prepared.asked]
    if name in MODES:
        yield from _mode(name, parts, row)
        return
    if name.startswith("error_layer") or name == "layer":
        yield f"layer = {row.loss.layer}({', '.join([*placed, *options])})"
        yield f"result = layer({', '.join([*inputs, *keywords])})"
    elif name == "error_program":
        yield from _program(parts, row)
        return
    elif name == "warning":
        yield from _warning(row, parts)
        return
    else:
        yield f"result = function({', '.join(parts)})"
    yield from _expectation(row, name)
    yield "print('received', result)"
    if name == "unchanged":
        yield f"print('again   ', function({', '.join(parts)}))"
    if name in ("gradient", "second_gradient", "torch") and asked and row.case.raises is None:
        yield from _gradient(row, asked, torch, name == "second_gradient")


def _imports(implementation: Implementation, loss: Loss) -> Iterator[str]:
    module, _, attribute = implementation.name.partition(":")
    function, layer = implementation.function(loss), implementation.layer(loss)
    yield f"import {module}"
    root = f"{module}.{attribute}" if attribute else module
    target: Any = importlib.import_module(module)
    for part in attribute.split(".") if attribute else ():
        target = getattr(target, part)
    for name, value in (("function", function), (loss.layer, layer)):
        own = getattr(value, "__name__", "")
        if value is None:
            continue
        if value is target:
            yield f"{name} = {root}"
        elif getattr(getattr(target, "functional", None), own, None) is value:
            yield f"{name} = {root}.functional.{own}"
        else:
            yield f"{name} = {root}.{own}"


class _Made:
    def __init__(self, text: str) -> None:
        self.text = text
        self.name = text


class _Maker:
    def __init__(self, torch: bool) -> None:
        self._torch = torch

    def tensor(self, tensor: Tensor) -> _Made:
        """The expression that makes a tensor."""
        values = _array(tensor.values)
        if self._torch:
            made = f"torch.tensor({values}).to(torch.{tensor.dtype})"
            return _Made(made + (".requires_grad_()" if tensor.grad else ""))
        dtype = "float64" if tensor.dtype in ("float16", "bfloat16") else tensor.dtype
        made = f"paddle.to_tensor({values}.astype('{dtype}'))"
        if dtype != tensor.dtype:
            made += f".astype('{tensor.dtype}').detach()"
        if not tensor.grad:
            return _Made(made)
        # detach() gives a leaf; its flag is set where it is made, to stay on one line.
        return _Made(f"(lambda t: setattr(t, 'stop_gradient', False) or t)({made})")


def _array(values: np.ndarray) -> str:
    if values.size and values.size > LARGE:
        first = values.ravel()[0]
        if np.all(values == first):
            return f"np.full({values.shape}, {first.item()!r})"
        if len(values) > 1 and np.all(values == values[:1]):
            return f"np.repeat({_array(values[:1])}, {len(values)}, axis=0)"
    if not values.size:
        return f"np.zeros({values.shape})"
    return f"np.array({values.tolist()!r})"


def _written(value: Any) -> str:
    return value.name if isinstance(value, _Made) else _literal(value)


def _definition(kind: type) -> Iterator[str]:
    """A class of the rows, such as a distance, as far as calling it goes, with its helpers."""
    methods = [kind.__dict__[n] for n in ("__init__", "__call__") if n in kind.__dict__]
    named = {name for method in methods for name in method.__code__.co_names}
    functions = inspect.getmembers(sys.modules[kind.__module__], inspect.isfunction)
    yield "from typing import Any"
    yield from (inspect.getsource(value).rstrip() for name, value in functions if name in named)
    yield f"class {kind.__name__}:"
    yield from (inspect.getsource(method).rstrip() for method in methods)


def _literal(value: Any) -> str:
    text = repr(value)
    if type(value).__module__.startswith("conformance.cases.") and text.isidentifier():
        text += "()"
    try:
        ast.parse(text, mode="eval")
    except SyntaxError:
        raise UsageError(f"reproduce: {text} cannot be written in a script") from None
    return text


def _expectation(row: Row, name: str) -> Iterator[str]:
    """A line that prints what is expected, and who says so."""
    text, source = _expected(row, name)
    yield f"print('expected', {text!r}, {'(' + source + ')'!r})"


def _expected(row: Row, name: str) -> tuple[str, str]:
    case = row.case
    if case.raises is not None:
        return f"{case.raises.kind.__name__} with {', '.join(case.raises.match)}", "the contract"
    if name == "printed" and case.printed is not None:
        return case.printed.text, case.printed.source
    if case.exact is not None:
        return str(case.exact), "by hand"
    expected = oracle.evaluate(row.loss, case, row.dtype)
    if expected is None:
        return "", "no formula"
    return exact_text(expected.value.values), f"formula, {expected.dtype}"


def _gradient(row: Row, asked: list[str], torch: bool, second: bool) -> Iterator[str]:
    variables = ", ".join(asked)
    grad = "torch.autograd.grad" if torch else "paddle.grad"
    weights = oracle.cotangent(_result_shape(row)).tolist()
    cast = ".to(result.dtype)" if torch else ".astype(result.dtype)"
    make = "torch.tensor" if torch else "paddle.to_tensor"
    yield f"cotangent = {make}({weights!r}){cast}.reshape(result.shape)"
    graph = "True" if second else "False"
    yield (
        f"gradients = {grad}([result], [{variables}], [cotangent], "
        f"create_graph={graph}, allow_unused=True)"
    )
    if second:
        found = oracle.second_gradients(row.loss, row.case)
        weighted = [
            oracle.second_cotangent(exact.values.shape).tolist() for exact in found.values()
        ]
        yield f"weights = [{make}(w, dtype=g.dtype) for w, g in zip({weighted!r}, gradients)]"
        yield f"gradients = {grad}(gradients, [{variables}], weights, allow_unused=True)"
    else:
        expected = oracle.evaluate(row.loss, row.case, row.dtype)
        found = expected.gradients if expected else {}
    for name, exact in found.items():
        yield f"print('expected gradient of {name}', {exact_text(exact.values)!r}, '(formula)')"
    yield f"for name, gradient in zip({[paddle_name(row.loss, a) for a in asked]!r}, gradients):"
    yield "    print('received gradient of', name, gradient)"


def _warning(row: Row, parts: list[str]) -> Iterator[str]:
    """The call, and what it warns of."""
    case = row.case
    wanted = [case.warns.__name__, *case.warns_match] if case.warns else []
    yield "import warnings"
    yield "with warnings.catch_warnings(record=True) as caught:"
    yield "    warnings.simplefilter('always')"
    yield f"    result = function({', '.join(parts)})"
    yield f"print('expected warnings', {wanted!r})"
    yield "print('received warnings', [f'{w.category.__name__}: {w.message}' for w in caught])"
    yield "print('of', result)"


def _result_shape(row: Row) -> tuple[int, ...]:
    expected = oracle.evaluate(row.loss, row.case, row.dtype)
    return expected.value.values.shape if expected else ()


def _mode(name: str, parts: list[str], row: Row) -> Iterator[str]:
    """The call of one execution mode beside the eager call."""
    prepared = row.prepare(lambda tensor: tensor)
    names = [key for key, value in prepared.given.items() if isinstance(value, Tensor)]
    if name.startswith("program"):
        yield f"print('expected', function({', '.join(parts)}), '(eager)')"
        yield from _program(parts, row, name.rpartition("_")[2])
        return
    arguments = ", ".join(names)
    yield "class Net(paddle.nn.Layer):"
    yield f"    def forward(self, {arguments}):"
    yield f"        return function({', '.join(parts)})"
    yield f"print('expected', Net()({arguments}), '(eager)')"
    if name == "to_static_sot":
        yield f"print('received', paddle.jit.to_static(Net(), full_graph=False)({arguments}))"
        return
    shapes = _open_shapes(row, name.rpartition("_")[2])
    specs = ", ".join(
        f"paddle.static.InputSpec({shape}, {key}.dtype, {key!r})"
        for key, shape in zip(names, shapes)
    )
    yield f"net = paddle.jit.to_static(Net(), input_spec=[{specs}], full_graph=True)"
    if name.startswith("to_static_ast"):
        yield f"print('received', net({arguments}))"
        return
    yield "path = __import__('tempfile').mkdtemp() + '/net'"
    yield "paddle.jit.save(net, path)"
    if name.startswith("saved"):
        yield f"print('received', paddle.jit.load(path)({arguments}))"
        return
    yield "config = paddle.inference.Config(path + '.json', path + '.pdiparams')"
    yield "config.disable_mkldnn()"
    yield "predictor = paddle.inference.create_predictor(config)"
    yield f"print('received', predictor.run([{arguments}])[0].numpy())"


def _program(parts: list[str], row: Row, variant: str = "") -> Iterator[str]:
    prepared = row.prepare(lambda tensor: tensor)
    names = [key for key, value in prepared.given.items() if isinstance(value, Tensor)]
    shapes = dict(zip(names, _open_shapes(row, variant)))
    feed = ", ".join(f"{key!r}: {key}.numpy()" for key in names)
    yield f"feed = {{{feed}}}"
    if row.case.raises is not None:
        yield from _expectation(row, "error_program")
    yield "paddle.enable_static()"
    for key, value in prepared.given.items():
        if isinstance(value, Tensor):
            yield f"{key} = paddle.static.data({key!r}, {shapes[key]}, '{value.dtype}')"
    yield f"result = function({', '.join(parts)})"
    yield "print('received', paddle.static.Executor().run(feed=feed, fetch_list=[result])[0])"


def _open_shapes(row: Row, variant: str) -> list[list[int]]:
    return [shape for shape, _ in specified(row.loss, row.case, row.dtype, variant)]


def _layer_lines(check: Check, implementation: Implementation) -> Iterator[str]:
    loss, row = check.loss, check.row
    yield f"# {check.id}"
    yield "import inspect, numpy as np"
    yield "import torch" if implementation.kind == "torch" else "import paddle"
    yield from _imports(implementation, loss)
    if isinstance(row, str):
        signature = loss.signature if row == "function" else loss.layer_signature
        name = row if row == "function" else loss.layer
        yield f"print('expected', {signature!r}, '(Paddle)')"
        yield f"print('received', inspect.signature({name}))"
        return
    assert not isinstance(row, Case)
    maker = _Maker(implementation.kind == "torch")
    made = tensors(row, maker.tensor)
    options = ", ".join(f"{key}={_written(value)}" for key, value in made.items())
    yield f"layer = {loss.layer}({options})"
    if check.name in ("pickle", "deepcopy"):
        copy = "pickle.loads(pickle.dumps(layer))" if check.name == "pickle" else "deepcopy(layer)"
        yield "import pickle; from copy import deepcopy"
        yield "print('expected', layer, '(its copy)')"
        yield f"print('received', {copy})"
        return
    yield f"print('expected', {row.extra_repr!r}, {list(row.state)!r})"
    yield "print('received', layer.extra_repr(), list(layer.state_dict()))"
