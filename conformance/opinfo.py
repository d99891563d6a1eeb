"""PyTorch's own samples of our losses, as a second source of rows.

``python -m conformance.opinfo [--implementation NAME]`` runs the sample, reference and error
inputs that torch's OpInfo database holds for each loss, in float64, and compares value and
gradient with torch. It needs torch and Paddle in one environment.
"""

from __future__ import annotations

import argparse
import random
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from conformance import implementation, oracle, torch_reference
from conformance.arguments import Tensor, paddle_name
from conformance.case import Loss
from conformance.cases import all_losses

TOLERANCE = 1e-12
"""Relative and absolute."""
SEED = 0


@dataclass
class Count:
    """What was run of one loss.

    Args:
        samples: sample and reference inputs, whose value and gradient agree.
        errors: error inputs that were refused.
        failures: one line for each that was not.
    """

    samples: int = 0
    errors: int = 0
    failures: list[str] = field(default_factory=list)


def main() -> int:
    """Run all losses: 0 where everything agrees, 1 where not, 2 where it cannot run."""
    parser = argparse.ArgumentParser(prog="python -m conformance.opinfo", description=__doc__)
    parser.add_argument("--implementation", default="paddle_margin.nn", metavar="NAME")
    name = parser.parse_args().implementation
    try:
        torch_reference.framework()
        losses = all_losses()
        tested = implementation.load(name, list(losses.values()))
    except (ImportError, implementation.UsageError) as error:
        print(f"opinfo: {error}", file=sys.stderr)
        return 2
    failed = False
    for stem, loss in losses.items():
        count = run(tested, loss)
        failed = failed or bool(count.failures) or not count.samples
        print(
            f"{stem}: {count.samples} samples agree, {count.errors} errors are refused, "
            f"{len(count.failures)} failures"
        )
        for failure in count.failures:
            print(f"  {failure}")
    return 1 if failed else 0


def run(tested: implementation.Implementation, loss: Loss) -> Count:
    """Run every input that OpInfo has for one loss."""
    torch = torch_reference.framework()
    count = Count()
    for op in _operators(loss):
        torch.manual_seed(SEED)
        random.seed(SEED)
        options = {"device": "cpu", "dtype": torch.float64, "requires_grad": True}
        samples = [*op.sample_inputs(**options), *op.reference_inputs(**options)]
        for number, sample in enumerate(samples):
            problem = _compared(tested, loss, op, sample)
            if problem:
                count.failures.append(f"sample {number}, {_text(sample)}: {problem}")
            else:
                count.samples += 1
        refused = op.error_inputs("cpu") if op.error_inputs_func else ()
        for number, wrong in enumerate(refused):
            problem = _refused(tested, loss, wrong.sample_input)
            if problem:
                count.failures.append(f"error {number}, {_text(wrong.sample_input)}: {problem}")
            else:
                count.errors += 1
    return count


def _operators(loss: Loss) -> Iterator[Any]:
    """Samples live in a private module of torch, so the version is pinned in the extra."""
    from torch.testing._internal.common_methods_invocations import op_db

    name = f"nn.functional.{loss.torch_function or loss.function}"
    return (op for op in op_db if op.name == name)


def _arguments(loss: Loss, sample: Any) -> dict[str, Any]:
    """The sample's arguments under Paddle's names."""
    given = dict(zip(loss.inputs, (sample.input, *sample.args)))
    return {**given, **{paddle_name(loss, name): x for name, x in sample.kwargs.items()}}


def _call(tested: implementation.Implementation, loss: Loss, sample: Any) -> tuple[Any, Any]:
    """The implementation's result, and its arguments."""
    made = {name: _made(tested, loss, name, x) for name, x in _arguments(loss, sample).items()}
    function = tested.function(loss)
    if function is None:
        raise AttributeError(f"no {loss.function}")
    named = {tested.spelling(loss, name): x for name, x in made.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(**named), made


def _made(tested: implementation.Implementation, loss: Loss, name: str, value: Any) -> Any:
    torch = torch_reference.framework()
    if isinstance(value, torch.nn.PairwiseDistance) and tested.kind == "paddle":
        return _Distance(value.norm, value.eps)
    if not torch.is_tensor(value):
        return value
    dtype = str(value.dtype).rpartition(".")[2]
    floating = value.dtype.is_floating_point
    values = torch_reference.numpy(value) if floating else value.numpy()
    return tested.tensor(Tensor(values, dtype, floating and name in loss.differentiable))


class _Distance:
    """torch's ``PairwiseDistance``, which the samples pass, for the tensors of Paddle."""

    def __init__(self, p: float, epsilon: float) -> None:
        self.p, self.epsilon = p, epsilon

    def __call__(self, a: Any, b: Any) -> Any:
        return ((a - b + self.epsilon).abs() ** self.p).sum(-1) ** (1 / self.p)


def _compared(tested: implementation.Implementation, loss: Loss, op: Any, sample: Any) -> str:
    """What differs from torch, or nothing."""
    expected = op(sample.input, *sample.args, **sample.kwargs)
    try:
        result, made = _call(tested, loss, sample)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    problem = _difference("value", tested.received(result), expected)
    if problem:
        return problem
    theirs = {
        name: x
        for name, x in _arguments(loss, sample).items()
        if name in loss.differentiable and x.requires_grad
    }
    weights = oracle.cotangent(tuple(expected.shape))
    torch = torch_reference.framework()
    gradients = torch.autograd.grad(expected, list(theirs.values()), torch.tensor(weights))
    received = tested.gradients(result, [made[name] for name in theirs], weights)
    for name, ours, gradient in zip(theirs, received, gradients):
        problem = _difference(f"gradient of {name}", tested.received(ours), gradient)
        if problem:
            return problem
    return ""


def _difference(what: str, received: Any, expected: Any) -> str:
    wanted = torch_reference.numpy(expected)
    if received is None:
        return f"no {what}"
    if received.dtype != "float64" or received.values.shape != wanted.shape:
        got = f"{received.dtype} {list(received.values.shape)}"
        return f"{what}: expected float64 {list(wanted.shape)}, received {got}"
    close = np.isclose(received.values, wanted, TOLERANCE, TOLERANCE, equal_nan=True)
    if what != "value":
        # Contract, gradients: where a clamp is shut, 0 stands for torch's 0 times infinity.
        close |= np.isnan(wanted) & (received.values == 0)
    if close.all():
        return ""
    index = tuple(int(i) for i in np.argwhere(~close)[0])
    return f"{what} at {index}: expected {wanted[index]!r}, received {received.values[index]!r}"


def _refused(tested: implementation.Implementation, loss: Loss, sample: Any) -> str:
    """What happened in place of an error, or nothing."""
    try:
        _call(tested, loss, sample)
    except (ValueError, TypeError):
        return ""
    except Exception as error:
        return f"expected a ValueError or a TypeError, received {type(error).__name__}"
    return "expected an error, received a result"


def _text(sample: Any) -> str:
    shapes = [list(x.shape) for x in (sample.input, *sample.args)]
    return f"shapes {shapes}, {sorted(sample.kwargs)}"


if __name__ == "__main__":
    sys.exit(main())
