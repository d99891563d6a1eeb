"""The lines of a script that holds numbers against those expected, each within what is allowed."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from mpmath import mp, mpf

from conformance import compare, oracle, torch_reference, ulp
from conformance.arguments import paddle_name
from conformance.checks import DROP_IN
from conformance.eager import Row
from conformance.script import Call

DIGITS = 25
"""Significant digits of an expected number: more than float64 has."""
DIFFERS = """\
def differs(name, shape, dtype, numbers, allowed):
    got = received[name]
    values = {values}.ravel().tolist()
    print('received', name, list(got.shape), str(got.dtype), *values)
    pairs = zip(values, numbers.split(), cycle(allowed.split()))
    return list(got.shape) != shape or not str(got.dtype).endswith(dtype) or any(
        str(r) != e if {{str(r), e}} & {{'nan', 'inf', '-inf'}}
        else abs(Decimal(r) - Decimal(e)) > Decimal(a) for r, e, a in pairs if e != '?')
wrong = any([differs(name, *each) for name, each in expected.items()])"""


@dataclass(frozen=True)
class Target:
    """Numbers that something must have.

    Args:
        name: ``value``, or of what it is the gradient.
        exact: the numbers.
        permitted: how far off each may be.
        kind: the dtype that they are as accurate as.
        dtype: the dtype that it must have, empty where that is another property's.
    """

    name: str
    exact: oracle.Exact
    permitted: np.ndarray
    kind: str
    dtype: str = ""

    @property
    def text(self) -> str:
        """An entry of the script's ``expected``."""
        allowed = [_number(each, self.kind) for each in self.permitted.flat]
        allowed = allowed[:1] if len(set(allowed)) == 1 else allowed
        exact = " ".join(_number(value, self.kind) for value in self.exact.values.flat)
        shape = list(self.exact.values.shape)
        return f"    {self.name!r}: {(shape, self.dtype, exact, ' '.join(allowed))!r},"


def _number(value: Any, kind: str) -> str:
    if value is None:
        return "?"
    if mp.isfinite(value) and not ulp.rounds_to_infinity(value, kind):
        text = mp.nstr(value, DIGITS, min_fixed=-5, max_fixed=DIGITS)
        return text[:-2] if text.endswith(".0") else text
    return str(float(value)) if mp.isnan(value) else "inf" if value > 0 else "-inf"


def numbers(call: Call, name: str) -> Iterator[str]:
    """Numbers within what is allowed: values, printed ones, gradients."""
    targets, source = _targets(call.row, name)
    if not targets:
        yield "print('expected a tensor')"
        yield f"result = {call.text}"
        yield "print('received', result)"
        yield f"wrong = not isinstance(result, {call.framework}.Tensor)"
        return
    yield "from decimal import Decimal"
    yield "from itertools import cycle"
    yield "expected = {  # shape, dtype, numbers, and how far off each may be"
    yield from (target.text for target in targets)
    yield "}"
    said = f"print('expected', name, *each[:3], {f'({source})'!r})"
    yield f"for name, each in expected.items(): {said}"
    if name == DROP_IN:
        yield f"print('paddle.nn has', paddle.nn.functional.{call.row.loss.function}{call.given})"
    yield f"result = {call.text}"
    received = ["'value': result"] if targets[0].name == "value" else []
    if len(targets) > len(received):
        received += yield from _gradients(call, name == "second_gradient")
    yield f"received = {{{', '.join(received)}}}"
    yield DIFFERS.format(values=call.numbers("got"))


def _gradients(call: Call, second: bool) -> Generator[str, None, list[str]]:
    """The lines that differentiate; returns what they hold by name."""
    asked = ", ".join(call.asked)
    graph = ", create_graph=True" if second else ""
    yield f"cotangent = {call.weights('result', oracle.cotangent((7,)).tolist())}"
    yield f"gradients = {call.grad}([result], [{asked}], [cotangent], allow_unused=True{graph})"
    names = [paddle_name(call.row.loss, name) for name in call.asked]
    if not second:
        return [f"'gradient of {name}': gradients[{i}]" for i, name in enumerate(names)]
    flag = "g.requires_grad" if call.torch else "not g.stop_gradient"
    of_five = oracle.second_cotangents(dict.fromkeys(names, (5,)))
    yield f"cycles = {[of_five[name].tolist() for name in names]}"
    yield f"pairs = [(g, w) for g, w in zip(gradients, cycles) if g is not None and {flag}]"
    yield "outputs = [g for g, _ in pairs]"
    yield f"weights = [{call.weights('g', 'w')} for g, w in pairs]"
    found = f"{call.grad}(outputs, [{asked}], weights, allow_unused=True)"
    yield f"seconds = {found} if outputs else [None] * {len(names)}"
    yield f"seconds = [x * 0 if s is None else s for x, s in zip([{asked}], seconds)]"
    return [f"'second gradient of {name}': seconds[{i}]" for i, name in enumerate(names)]


def _targets(row: Row, name: str) -> tuple[list[Target], str]:
    """What numbers are expected, and who says so."""
    loss, case, kind = row.loss, row.case, row.result_dtype
    if name == "printed" and case.printed is not None:
        return [_printed(row)], case.printed.source
    if name == "torch":
        return _of_torch(row)
    if name == "second_gradient":
        return [
            Target(f"second gradient of {name}", exact, *_within(exact, oracle.SECOND_BUDGET, kind))
            for name, exact in oracle.second_gradients(loss, case).items()
        ], "formula"
    if name == "exact":
        exact = oracle.by_hand(case, kind)
        budget = oracle.budget(loss, case, kind, "value")
        return [Target("value", exact, *_within(exact, budget, kind))], "by hand"
    expected = oracle.evaluate(loss, case, row.dtype)
    if expected is None:
        return [], ""
    found = []
    if name in ("value", DROP_IN):
        budget = oracle.budget(loss, case, kind, "value")
        found.append(Target("value", expected.value, *_within(expected.value, budget, kind)))
    if name in ("gradient", DROP_IN):
        own = {paddle_name(loss, k): v for given in row.arguments for k, v in given.items()}
        for argument, exact in expected.gradients.items():
            kind = expected.gradient_dtypes[argument]
            budget = oracle.budget(loss, case, kind, "gradient", argument)
            within = _within(exact, budget, kind)
            dtype = f".{own[argument].dtype}"
            found.append(Target(f"gradient of {argument}", exact, *within, dtype))
    return found, "formula"


def _within(exact: oracle.Exact, budget: float, kind: str) -> tuple[np.ndarray, str]:
    return oracle.allowed(exact, budget, kind), kind


def _printed(row: Row) -> Target:
    printed = row.case.printed
    assert printed is not None
    tokens = compare.printed_numbers(printed.text)
    values = np.array([mpf(token) for token in tokens], dtype=object)
    errors = [
        mpf(str(compare.printed_error(token, printed.units))) + ulp.ulp(value, row.result_dtype) / 2
        if mp.isfinite(value)
        else mpf(0)
        for token, value in zip(tokens, values)
    ]
    expected = oracle.evaluate(row.loss, row.case, row.dtype)
    shape = expected.value.values.shape if expected else (len(tokens),)
    exact = oracle.Exact(values.reshape(shape), values.reshape(shape))
    return Target("value", exact, np.array(errors, dtype=object).reshape(shape), row.result_dtype)


def _of_torch(row: Row) -> tuple[list[Target], str]:
    answer = torch_reference.recorded(row.loss, row.case, row.dtype)
    if isinstance(answer, torch_reference.NotRecorded):
        return [], answer.reason
    expected = oracle.evaluate(row.loss, row.case, row.dtype)
    kind = row.result_dtype
    budget = oracle.budget(row.loss, row.case, kind, "value")
    exact = expected.value if expected else None
    found = [Target("value", *compare.near_other(answer.value, exact, budget, kind), kind)]
    for argument, theirs in answer.gradients.items() if expected else ():
        assert expected is not None
        kind = expected.gradient_dtypes[argument]
        budget = oracle.budget(row.loss, row.case, kind, "gradient", argument)
        near = compare.near_other(theirs, expected.gradients[argument], budget, kind)
        found.append(Target(f"gradient of {argument}", *near, kind))
    return found, f"torch {answer.version}"
