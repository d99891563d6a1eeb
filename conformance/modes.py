"""Execution modes: all rows of a loss in one graph per mode, run once.

Building and compiling a graph costs far more than a row does, so rows share graphs of
``CHUNK`` rows (the cost of a graph grows faster than its size). Where a graph cannot be built or
run it is split in two, until each row that fails has a verdict of its own.
"""

from __future__ import annotations

import gc
import importlib.util
import itertools
import tempfile
import traceback
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Callable, Optional
from unittest import mock

import numpy as np

from conformance import oracle
from conformance.arguments import Tensor, arguments, paddle_name
from conformance.eager import Gradients, Row
from conformance.implementation import Received
from conformance.program import (
    Found,
    Graphed,
    GraphRow,
    feedable,
    function_of,
    run_program,
    specified,
    takes_bfloat16,
)

CHUNK = 4
"""Rows in one graph."""

GRADIENT_MODES = ("program", "to_static_ast")
MODES = (
    *("program", "program_batch", "program_unknown"),
    *("to_static_ast", "to_static_ast_batch", "to_static_ast_unknown", "to_static_sot"),
    *("saved", "saved_batch", "saved_unknown", "inference"),
)
"""All modes; ``_batch`` leaves the batch dimension open, ``_unknown`` every dimension."""


def _parts_alike(rows: Sequence[GraphRow]) -> list[list[GraphRow]]:
    """The rows that every mode can run, and those that not all can."""
    return [[each for each in rows if takes_bfloat16(each.row) is odd] for odd in (False, True)]


class Graphs:
    """Runs the rows of one loss in every mode, once.

    Args:
        rows: those that ran eagerly.
        go_on: called before each graph.
    """

    # Of all losses together: SOT takes equal code of an earlier loss for this one's.
    _numbers = itertools.count()

    def __init__(self, rows: Sequence[GraphRow], go_on: Callable[[str], None]) -> None:
        self._rows = rows
        self._go_on = go_on
        self._found: dict[str, dict[tuple[str, str], Found]] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="conformance-")
        self._translated: dict[Any, Any] = {}

    def close(self) -> None:
        """Remove the files."""
        self._folder.cleanup()

    def found(self, mode: str, row: Row, wanted: Iterable[tuple[str, str]]) -> Found:
        """What a row gave in a mode; runs all ``wanted`` rows (id and dtype) at the first call."""
        if mode not in self._found:
            keys = set(wanted)
            self._run(mode, [each for each in self._rows if each.key in keys])
        return self._found[mode][row.case.id, row.dtype]

    def _run(self, mode: str, rows: Sequence[GraphRow]) -> None:
        kind, variant = _parts(mode)
        run: Callable[[Sequence[GraphRow], str], dict[str, Any]] = {
            "program": self._program,
            "to_static_sot": self._sot,
        }.get(kind, self._exported)
        with warnings.catch_warnings(), _unrecorded_stacks(), _frozen_heap():
            warnings.simplefilter("ignore")
            for part in _parts_alike(rows):
                for start in range(0, len(part), CHUNK):
                    self._split(run, part[start : start + CHUNK], variant)

    def _split(
        self,
        run: Callable[[Sequence[GraphRow], str], dict[str, Any]],
        rows: Sequence[GraphRow],
        variant: str,
    ) -> None:
        self._go_on("")
        by_mode = run(rows, variant)
        failed = any(isinstance(found, Exception) for found in by_mode.values())
        if failed and len(rows) > 1:
            middle = len(rows) // 2
            self._split(run, rows[:middle], variant)
            self._split(run, rows[middle:], variant)
            return
        for mode, found in by_mode.items():
            results = self._found.setdefault(mode, {})
            for index, row in enumerate(rows):
                results[row.key] = found if isinstance(found, Exception) else found[index]

    def _program(self, rows: Sequence[GraphRow], variant: str) -> dict[str, Any]:
        mode = _name("program", variant)
        return {mode: _attempt(lambda: run_program(rows, variant))}

    def _sot(self, rows: Sequence[GraphRow], variant: str) -> dict[str, Any]:
        """Translated once for all rows whose tensors and options are alike, which SOT keeps."""
        import paddle

        def run(each: GraphRow, anew: bool) -> Found:
            kind = _signature(each.row)
            if anew or kind not in self._translated:
                layer = self._layer([each])
                self._translated[kind] = paddle.jit.to_static(layer, full_graph=False)
            with paddle.no_grad():
                return _take([each], self._translated[kind](_tensors([each])))[0]

        def tried(each: GraphRow) -> Found:
            # SOT can lose a name of code that it translated for an earlier layer.
            found = _attempt(partial(run, each, False))
            return _attempt(partial(run, each, True)) if isinstance(found, NameError) else found

        return {"to_static_sot": [tried(each) for each in rows]}

    def _exported(self, rows: Sequence[GraphRow], variant: str) -> dict[str, Any]:
        """One traced layer: called (AST), saved and loaded, and run by paddle.inference."""
        import paddle

        specs = [
            # Told what asks for a gradient, the call and the saving share one trace.
            paddle.static.InputSpec(shape, tensor.dtype, f"x{index}", not tensor.grad)
            for index, (shape, tensor) in enumerate(_specified(rows, variant))
        ]
        path = str(Path(self._folder.name) / f"saved{next(self._numbers)}")
        layer = _attempt(
            lambda: paddle.jit.to_static(self._layer(rows), input_spec=[specs], full_graph=True)
        )

        def traced() -> list[Graphed]:
            tensors = _tensors(rows)
            if variant:
                with paddle.no_grad():
                    return _take(rows, layer(tensors))
            results = layer(tensors)
            return _take(rows, results, _eager_gradients(rows, results, tensors))

        def saved() -> list[Graphed]:
            paddle.jit.save(layer, path)
            with paddle.no_grad():
                return _take(rows, paddle.jit.load(path)(*_tensors(rows)))

        found = {_name("to_static_ast", variant): _attempt(traced)}
        found[_name("saved", variant)] = _attempt(saved)
        if not variant and not takes_bfloat16(rows[0].row):
            there = Path(f"{path}.json").exists()
            found["inference"] = (
                _attempt(lambda: run_inference(rows, path)) if there else found["saved"]
            )
        return found

    def _layer(self, rows: Sequence[GraphRow]) -> Any:
        """A layer that is written to a file, as AST transformation reads its source."""
        number = next(self._numbers)
        name = f"conformance_rows_{number}"
        path = Path(self._folder.name) / f"{name}.py"
        calls, constants, functions = _render(rows)
        path.write_text(SOURCE.format(number=number, calls="\n".join(calls)), encoding="utf-8")
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        vars(module).update(CONSTANTS=constants, FUNCTIONS=functions)
        return module.Rows()


def _signature(row: Row) -> Any:
    """What a graph of the row depends on: all but the values of its tensors."""
    given = row.prepare(make=lambda tensor: (tensor.values.shape, tensor.dtype, tensor.grad))
    return repr((given.positional, given.placed, given.keywords, given.options))


# The number keeps SOT from taking one graph's code for another's: equal code is one to it.
SOURCE = '''\
from paddle.nn import Layer


class Rows(Layer):
    def forward(self, inputs):
        """Rows of graph {number}."""
        return [
{calls}
        ]
'''


def _render(rows: Sequence[GraphRow]) -> tuple[list[str], list[Any], list[Any]]:
    """One call for each row, and the objects that the calls name."""
    counter = itertools.count()
    constants: list[Any] = []

    def written(value: Any) -> str:
        if isinstance(value, _Slot):
            return f"inputs[{value.index}]"
        constants.append(value)
        return f"CONSTANTS[{len(constants) - 1}]"

    calls, functions = [], []
    for index, each in enumerate(rows):
        given = each.row.prepare(make=lambda tensor: _Slot(next(counter)))
        named = {**given.keywords, **given.options}
        parts = [written(value) for value in (*given.positional, *given.placed)]
        parts += [f"{name}={written(value)}" for name, value in named.items()]
        functions.append(function_of(each.row))
        calls.append(f"            FUNCTIONS[{index}]({', '.join(parts)}),")
    return calls, constants, functions


@dataclass(frozen=True)
class _Slot:
    index: int


def _eager_gradients(
    rows: Sequence[GraphRow], results: Sequence[Any], tensors: Sequence[Any]
) -> list[Gradients]:
    """The gradients of a traced layer's results."""
    import paddle

    asked, outputs, weights = [], [], []
    remaining = iter(tensors)
    for index, (each, result) in enumerate(zip(rows, results)):
        inputs, options = arguments(each.row.loss, each.row.case, each.row.dtype)
        own = {
            k: next(remaining) for k, v in {**inputs, **options}.items() if isinstance(v, Tensor)
        }
        if not each.has_gradients:
            continue
        outputs.append(result)
        weight = oracle.cotangent(tuple(result.shape)).astype(np.float32)
        weights.append(paddle.to_tensor(weight).astype(result.dtype))
        asked += [(index, k, v) for k, v in own.items() if not v.stop_gradient]
    found: list[Gradients] = [{} for _ in rows]
    if not outputs:
        return found
    gradients = paddle.grad(outputs, [v for *_, v in asked], weights, allow_unused=True)
    for (index, name, _), gradient in zip(asked, gradients):
        row = rows[index].row
        if gradient is not None:
            found[index][paddle_name(row.loss, name)] = row.implementation.received(gradient)
    return found


def run_inference(rows: Sequence[GraphRow], path: str) -> list[Graphed]:
    """Run a saved model by paddle.inference, without oneDNN, whose kernels round otherwise."""
    from paddle import inference

    config = inference.Config(f"{path}.json", f"{path}.pdiparams")
    config.disable_glog_info()
    config.disable_mkldnn()
    predictor = inference.create_predictor(config)
    present = set(predictor.get_input_names())
    for index, (_, tensor) in enumerate(_specified(rows, "")):
        if f"x{index}" in present:
            predictor.get_input_handle(f"x{index}").copy_from_cpu(feedable(tensor))
    predictor.run()
    handles = [predictor.get_output_handle(name) for name in predictor.get_output_names()]
    arrays = [handle.copy_to_cpu() for handle in handles]
    return [Graphed(Received(_array_dtype(array), array)) for array in arrays]


def _specified(rows: Sequence[GraphRow], variant: str) -> list[tuple[list[int], Tensor]]:
    """Shape and tensor of everything that the rows are fed."""
    found: list[tuple[list[int], Tensor]] = []
    for each in rows:
        row = each.row
        found += specified(row.loss, row.case, row.dtype, variant)
    return found


def _tensors(rows: Sequence[GraphRow]) -> list[Any]:
    make = rows[0].row.implementation.tensor
    return [make(tensor) for _, tensor in _specified(rows, "")]


def _take(
    rows: Sequence[GraphRow], results: Any, gradients: Optional[list[Gradients]] = None
) -> list[Graphed]:
    results = list(results) if isinstance(results, (list, tuple)) else [results]
    found = []
    for index, (each, result) in enumerate(zip(rows, results)):
        value = each.row.implementation.received(result)
        if value is None:
            raise TypeError(f"the graph returned {type(result).__name__}, not a tensor")
        found.append(Graphed(value, gradients[index] if gradients else {}))
    if len(found) != len(rows):
        raise RuntimeError(f"the graph returned {len(results)} results for {len(rows)} rows")
    return found


def _attempt(run: Callable[[], Any]) -> Any:
    try:
        return run()
    except Exception as error:
        return error.with_traceback(None)


def _parts(mode: str) -> tuple[str, str]:
    for variant in ("batch", "unknown"):
        if mode.endswith(f"_{variant}"):
            return mode[: -len(variant) - 1], variant
    return mode, ""


def _name(kind: str, variant: str) -> str:
    return f"{kind}_{variant}" if variant else kind


def _array_dtype(array: np.ndarray) -> str:
    return "bfloat16" if array.dtype == np.uint16 else str(array.dtype)


@contextmanager
def _frozen_heap() -> Iterator[None]:
    """Keep the collector off what is there, and SOT from running it after each translation."""
    gc.collect()
    gc.freeze()
    try:
        with mock.patch.object(gc, "collect", return_value=0):
            yield
    finally:
        gc.unfreeze()


@contextmanager
def _unrecorded_stacks() -> Iterator[None]:
    """Keep Paddle from writing Python's whole stack, pytest's included, into every operator."""
    with mock.patch.object(traceback, "extract_stack", return_value=[]):
        yield
