"""torch's answer to a row: recorded once, or computed where torch is installed.

The one file of the suite, besides the OpInfo adapter, that imports torch, and only when asked.
Recording needs no Paddle.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from dataclasses import dataclass, replace
from functools import cache
from inspect import isfunction
from pathlib import Path
from types import ModuleType
from typing import Any, Optional, Union

import numpy as np

from conformance import oracle
from conformance.arguments import Tensor, arguments, paddle_name
from conformance.case import Array, Case, Loss

GOLDENS = Path(__file__).parent / "goldens"
MANIFEST = "manifest.json"
LARGEST_RECORDED = 100_000
"""Rows with a tensor of more elements are not recorded."""


@dataclass(frozen=True)
class Recorded:
    """What torch gives for a row.

    Args:
        value: the result, as float64.
        dtype: the dtype that torch gave it.
        gradients: by Paddle's argument name, as float64: the product of the oracle's cotangent
            with the Jacobian, for the inputs that torch can differentiate.
        version: of torch.
    """

    value: np.ndarray
    dtype: str
    gradients: dict[str, np.ndarray]
    version: str


@dataclass(frozen=True)
class NotRecorded:
    """Why there is no answer of torch; never a pass."""

    reason: str


Answer = Union[Recorded, NotRecorded]


def framework() -> ModuleType:
    """The installed torch.

    Raises:
        ImportError: there is none; the message says how to install it.
    """
    try:
        import torch
    except ImportError as error:
        raise ImportError("torch is not installed: pip install torch==2.13.0") from error
    return torch


def tensor(values: np.ndarray, dtype: str, grad: bool = False) -> Any:
    """A torch tensor of values that ``dtype`` holds exactly."""
    torch = framework()
    made = torch.tensor(values.tolist() if values.ndim == 0 else np.ascontiguousarray(values))
    return made.to(getattr(torch, dtype)).requires_grad_(grad)


def numpy(value: Any) -> np.ndarray:
    """A torch tensor as a float64 array."""
    array: np.ndarray = value.detach().to(framework().float64).numpy()
    return array


def live(loss: Loss, case: Case, dtype: str) -> Answer:
    """What the installed torch gives for a row.

    Args:
        loss: the loss.
        case: one of its rows.
        dtype: the dtype that the row runs in.
    """
    reason = _unanswerable(loss, case, dtype)
    if reason is not None:
        return NotRecorded(reason)
    torch = framework()
    function = getattr(torch.nn.functional, loss.torch_function or loss.function)
    inputs, options = arguments(loss, case, dtype)
    given = {paddle_name(loss, name): _made(x) for name, x in inputs.items()}
    extra = {paddle_name(loss, name): _option(name, x) for name, x in options.items()}
    named = {loss.torch_names.get(name, name): x for name, x in {**given, **extra}.items()}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = function(**named)
    except NotImplementedError as error:
        if "not implemented for" not in str(error):
            raise
        return NotRecorded(f"torch has no CPU kernel for {dtype}")
    asked = {n: x for n, x in given.items() if torch.is_tensor(x) and x.requires_grad}
    return Recorded(
        numpy(result),
        str(result.dtype).rpartition(".")[2],
        _gradients(torch, result, asked),
        torch.__version__,
    )


def _unanswerable(loss: Loss, case: Case, dtype: str) -> Optional[str]:
    if case.raises is not None:
        return "the row is an error"
    if case.torch is not None:
        return case.torch
    inputs, _ = arguments(loss, case, dtype)
    if any(x.values.size > LARGEST_RECORDED for x in inputs.values() if isinstance(x, Tensor)):
        return f"a tensor of more than {LARGEST_RECORDED} elements"
    return None


def _made(value: Any) -> Any:
    return tensor(value.values, value.dtype, value.grad) if isinstance(value, Tensor) else value


def _option(name: str, value: Any) -> Any:
    """An option as torch wants it: a margin of one element as a number, a weight as a tensor.

    torch differentiates neither.
    """
    if not isinstance(value, Tensor):
        return value
    return tensor(value.values, value.dtype) if name == "weight" else value.values.item()


def _gradients(torch: Any, result: Any, asked: dict[str, Any]) -> dict[str, np.ndarray]:
    if not asked:
        return {}
    weights = tensor(oracle.cotangent(tuple(result.shape)), "float64").to(result.dtype)
    found = torch.autograd.grad(
        result, list(asked.values()), weights, allow_unused=True, materialize_grads=True
    )
    return {name: numpy(gradient) for name, gradient in zip(asked, found)}


def digest(case: Case) -> str:
    """What torch's answer depends on, so that a changed row is not compared with an old one."""

    def text(value: Any) -> str:
        if isinstance(value, Array) and isinstance(value.data, np.ndarray):
            value = replace(value, data=(value.data.shape, value.data.tolist()))
        if isinstance(value, np.generic):
            value = (type(value).__name__, value.item())
        return value.__qualname__ if isfunction(value) else repr(value)

    parts = sorted(f"{name}={text(x)}" for name, x in {**case.inputs, **case.options}.items())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def key(case: Case, dtype: str) -> str:
    """The name of a row in the recorded files."""
    return f"{case.id}/{dtype}"


def recorded(loss: Loss, case: Case, dtype: str, folder: Path = GOLDENS) -> Answer:
    """What torch gave when the goldens were recorded.

    Args:
        loss: the loss.
        case: one of its rows.
        dtype: the dtype that the row runs in.
        folder: where the goldens are.

    Raises:
        ValueError: a file is not the one that was recorded.
    """
    reason = _unanswerable(loss, case, dtype)
    if reason is not None:
        return NotRecorded(reason)
    facts, tensors = manifest(folder), _tensors(loss.stem, folder)
    if not tensors:
        return NotRecorded(f"no goldens of {loss.stem}: run scripts/record_goldens.py")
    own = facts["losses"][loss.stem]
    if key(case, dtype) in own["not_recorded"]:
        return NotRecorded(own["not_recorded"][key(case, dtype)])
    if own["rows"].get(case.id) != digest(case):
        return NotRecorded("the row is newer than the goldens: run scripts/record_goldens.py")
    return unpacked(tensors, key(case, dtype), facts["torch"])


def packed(answer: Recorded, name: str) -> dict[str, np.ndarray]:
    """An answer as named tensors; the result's dtype is part of its name.

    bfloat16, which NumPy lacks, travels as float32.
    """
    as_dtype = {"bfloat16": "float32"}.get(answer.dtype, answer.dtype)
    arrays = {f"{name}/value/{answer.dtype}": answer.value}
    for argument, gradient in answer.gradients.items():
        arrays[f"{name}/gradient/{argument}"] = gradient
    return {k: np.ascontiguousarray(x, dtype=as_dtype).reshape(x.shape) for k, x in arrays.items()}


def unpacked(tensors: dict[str, np.ndarray], name: str, version: str) -> Recorded:
    """The answer that :func:`packed` took apart."""
    mine = {k[len(name) + 1 :]: x for k, x in tensors.items() if k.startswith(name + "/")}
    gradients = {}
    for part, array in mine.items():
        kind, _, detail = part.partition("/")
        if kind == "gradient":
            gradients[detail] = array.astype(np.float64)
        else:
            dtype, value = detail, array.astype(np.float64)
    return Recorded(value, dtype, gradients, version)


@cache
def manifest(folder: Path = GOLDENS) -> dict[str, Any]:
    """Where the goldens come from, and what is not among them; empty where there is none."""
    path = folder / MANIFEST
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


@cache
def _tensors(stem: str, folder: Path) -> dict[str, np.ndarray]:
    """The tensors of one loss; none where its file or the manifest is missing."""
    from safetensors.numpy import load

    path = folder / f"{stem}.safetensors"
    if not path.exists() or not manifest(folder):
        return {}
    data = path.read_bytes()
    expected = manifest(folder)["losses"].get(stem, {}).get("sha256")
    received = hashlib.sha256(data).hexdigest()
    if received != expected:
        raise ValueError(f"Expected {path.name} with SHA-256 {expected}, received {received}.")
    return load(data)


def inaccuracies(loss: Loss, case: Case, dtype: str, answer: Recorded) -> dict[str, str]:
    """Where torch itself is further from the formula than the contract allows."""
    expected = oracle.evaluate(loss, case, dtype)
    if expected is None:
        return {}
    name = key(case, dtype)
    if answer.dtype != expected.dtype:
        return {f"{name}/dtype": f"{answer.dtype} for {expected.dtype}"}
    found = {}
    budget = oracle.budget(loss, case, expected.dtype, "value")
    parts = {"value": (answer.value, expected.value, budget, expected.dtype)}
    for argument, gradient in answer.gradients.items():
        budget = oracle.budget(loss, case, expected.dtype, "gradient", argument)
        kind = expected.gradient_dtypes[argument]
        parts[f"gradient/{argument}"] = (gradient, expected.gradients[argument], budget, kind)
    for part, (got, exact, budget, kind) in parts.items():
        worst = oracle.worst(got, exact, oracle.allowed(exact, budget, kind), kind)
        if worst is not None and worst.ratio > 1:
            found[f"{name}/{part}"] = f"{worst.distance:.3g} ULP at {list(worst.index)}"
    return found
