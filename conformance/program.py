"""Rows in a static Program, and what every graph of rows is made from."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Callable, Union

import numpy as np

from conformance import oracle
from conformance.arguments import Tensor, arguments, paddle_name
from conformance.case import Case, Loss
from conformance.eager import Gradients, Outcome, Prepared, Row
from conformance.implementation import Received, bfloat16_bits, dtype_name, numpy_dtype


@dataclass(frozen=True)
class Graphed:
    """What a row gave in one mode.

    Args:
        value: the result.
        gradients: by Paddle's argument name, in ``GRADIENT_MODES``.
    """

    value: Received
    gradients: Gradients = field(default_factory=dict)


Found = Union[Graphed, Exception]


@dataclass(frozen=True)
class GraphRow:
    """A row that ran eagerly, and what it gave there."""

    row: Row
    outcome: Outcome

    @property
    def key(self) -> tuple[str, str]:
        """The row's id and dtype."""
        return self.row.case.id, self.row.dtype

    @property
    def has_gradients(self) -> bool:
        """Whether the row has gradients to compare."""
        return bool(self.outcome.gradients) and None not in self.outcome.gradients.values()


def has_open_dimensions(loss: Loss, case: Case, dtype: str, variant: str) -> bool:
    """Whether leaving dimensions open (``batch`` or ``unknown``) changes the row's graph."""
    return any(-1 in shape for shape, _ in specified(loss, case, dtype, variant))


def specified(loss: Loss, case: Case, dtype: str, variant: str) -> list[tuple[list[int], Tensor]]:
    """Each tensor with the shape that its graph is told, in the order that the row gives them."""
    inputs, options = arguments(loss, case, dtype)
    batch = loss.batch if case.batch is None else case.batch
    found = []
    for name, value in {**inputs, **options}.items():
        if isinstance(value, Tensor):
            shape = list(value.values.shape)
            if variant == "unknown":
                shape = [-1] * len(shape)
            elif variant == "batch" and shape and paddle_name(loss, name) in batch:
                shape[0] = -1
            found.append((shape, value))
    return found


def takes_bfloat16(row: Row) -> bool:
    """Whether a tensor of the row is bfloat16, which paddle.inference cannot be fed from NumPy."""
    fed = specified(row.loss, row.case, row.dtype, "")
    return any(tensor.dtype == "bfloat16" for _, tensor in fed)


def no_graph(mode: str, row: Row, result: Received) -> str:
    """Why Paddle cannot run a row in a mode; empty where it can."""
    if mode == "inference":
        return _no_inference(row, result) or _taken_for_no_value(result)
    return _taken_for_no_value(result) if mode.startswith(("to_static_ast", "saved")) else ""


def _taken_for_no_value(result: Received) -> str:
    if result.dtype == "float16" and result.raw.shape == (1,) and np.isinf(result.values).all():
        return "to_static takes a float16 infinity for its own mark of no value, and gives None"
    return ""


def _no_inference(row: Row, result: Received) -> str:
    fed = [tensor for _, tensor in specified(row.loss, row.case, row.dtype, "")]
    if takes_bfloat16(row):
        return "paddle.inference takes no bfloat16 from NumPy"
    if any(tensor.dtype == "int16" for tensor in fed):
        return "paddle.inference takes no int16"
    numbers = [(tensor.values, tensor.dtype) for tensor in fed if tensor.grad]
    if any(_has_subnormal(*pair) for pair in [*numbers, (result.values, result.dtype)]):
        return "paddle.inference flushes subnormal numbers to 0"
    return ""


def _has_subnormal(values: np.ndarray, dtype: str) -> bool:
    size = np.abs(np.asarray(values, np.float64))
    smallest = np.finfo(np.float64 if dtype == "float64" else np.float32).tiny
    return bool(np.any((size > 0) & (size < smallest)))


def function_of(row: Row) -> Callable[..., Any]:
    """The function that a row of a graph calls."""
    function = row.implementation.function(row.loss)
    assert function is not None
    return function


def run_program(rows: Sequence[GraphRow], variant: str) -> list[Graphed]:
    """A static Program of all rows, with gradients where no dimension is open."""
    import paddle

    feed: dict[str, np.ndarray] = {}
    with _static():
        program = paddle.static.Program()
        with paddle.static.program_guard(program):
            built = [_built(each.row, variant, feed) for each in rows]
            results = [result for _, result in built]
            wanted, gradients = ([], []) if variant else _static_gradients(rows, built, feed)
            fetched = paddle.static.Executor(paddle.CPUPlace()).run(
                program, feed=feed, fetch_list=[*results, *gradients]
            )
    found = [Received(dtype_name(value), array) for value, array in zip(results, fetched)]
    by_row: list[Gradients] = [{} for _ in rows]
    for (index, name), value, array in zip(wanted, gradients, fetched[len(rows) :]):
        by_row[index][name] = Received(dtype_name(value), array)
    return [Graphed(value, gradients) for value, gradients in zip(found, by_row)]


def build_program(row: Row) -> None:
    """Build one row into a Program of its own, to see what building it raises."""
    import paddle

    program = paddle.static.Program()
    with _static(), paddle.static.program_guard(program), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _built(row, "", {})


def _built(row: Row, variant: str, feed: dict[str, np.ndarray]) -> tuple[Prepared, Any]:
    """Add one row to the current Program, and its tensors to ``feed``."""
    import paddle

    shapes = (shape for shape, _ in specified(row.loss, row.case, row.dtype, variant))

    def make(tensor: Tensor) -> Any:
        name = f"x{len(feed)}"
        feed[name] = feedable(tensor)
        made = paddle.static.data(name, next(shapes), tensor.dtype)
        made.stop_gradient = not tensor.grad
        return made

    prepared = row.prepare(make)
    return prepared, prepared.call(function_of(row))


def _static_gradients(
    rows: Sequence[GraphRow], built: Sequence[tuple[Prepared, Any]], feed: dict[str, np.ndarray]
) -> tuple[list[tuple[int, str]], list[Any]]:
    import paddle

    places, inputs, results, weights = [], [], [], []
    for index, (each, (prepared, result)) in enumerate(zip(rows, built)):
        if not each.has_gradients:
            continue
        value = each.outcome.result
        assert value is not None
        name = f"x{len(feed)}"
        feed[name] = feedable(Tensor(oracle.cotangent(value.raw.shape), value.dtype, False))
        results.append(result)
        weights.append(paddle.static.data(name, list(value.raw.shape), value.dtype))
        for asked in prepared.asked:
            places.append((index, paddle_name(each.row.loss, asked)))
            inputs.append(prepared.given[asked])
    if not results:
        return [], []
    found = paddle.static.gradients(results, inputs, weights)
    there = [(place, value) for place, value in zip(places, found) if value is not None]
    return [place for place, _ in there], [value for _, value in there]


def feedable(tensor: Tensor) -> np.ndarray:
    """A tensor as a Program or a predictor is fed it."""
    if tensor.dtype == "bfloat16":
        return bfloat16_bits(tensor.values)
    return np.array(tensor.values, numpy_dtype(tensor.dtype))


class _static:
    """Static mode for the length of a ``with``."""

    def __enter__(self) -> None:
        import paddle

        paddle.enable_static()

    def __exit__(self, *_: Any) -> None:
        import paddle

        paddle.disable_static()
