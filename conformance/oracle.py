"""The documented formula of a loss, evaluated in multiprecision on the inputs of a row.

Nothing here knows an implementation: the formula comes from the row's :class:`Loss`, the
arithmetic from :mod:`conformance.autodiff`.
"""

from __future__ import annotations

import inspect
import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Optional

import numpy as np
from mpmath import mp, mpf

from conformance import ulp
from conformance.arguments import Tensor, arguments, paddle_name, result_dtype
from conformance.autodiff import Number, backward, each, total
from conformance.case import Case, Loss
from conformance.kinks import doubting

STEP = mpf(10) ** -25
"""The step of the differences that give second gradients, in units of the smallest argument."""
SECOND_BUDGET = 1e-6 * 2.0**52
"""ULP at the largest second derivative: 1e-6 of it."""
SECOND = (1.0, 0.5, -2.0, 1.0, -0.25)
LARGEST_SECOND = 200
"""Rows of more elements than this have no second gradient."""
REDUCTION_BUDGET = {"float16": 1.0, "bfloat16": 1.0, "float32": 4.0, "float64": 64.0}
"""What a mean or a sum may add to the elements' own budget (contract, section 5)."""
GRADIENT_OF_A_MEAN = 2.0
"""What a mean adds to the budget of a gradient, of what it may: ``1 / n`` and a product with it.

Not in half precision, which is rounded once, after them.
"""


@dataclass(frozen=True)
class Exact:
    """Exact values, and the largest term that went into each.

    Args:
        values: an object array of ``mpf``; ``None`` where nothing is claimed (a gradient
            through NaN, a second gradient at a kink).
        scale: an object array of ``mpf`` of the same shape.
    """

    values: np.ndarray
    scale: np.ndarray


@dataclass(frozen=True)
class Expected:
    """What the formula says of a row.

    Args:
        value: the result.
        gradients: by Paddle's argument name, the product of ``cotangent(result's shape)`` with
            the Jacobian, for every tensor that asks for a gradient.
        dtype: the dtype that the result must have.
        gradient_dtypes: the dtype that each gradient is as accurate as: the coarser of the
            argument's own and the result's.
    """

    value: Exact
    gradients: dict[str, Exact]
    dtype: str
    gradient_dtypes: dict[str, str]


@dataclass(frozen=True)
class Worst:
    """The element with the largest error, measured against what is allowed.

    Args:
        index: where it is.
        distance: its error in ULP.
        ratio: its error over the allowed error; above 1 is a failure.
        histogram: how many of all elements are as far from exact as ``ulp.BINS`` says, in ULP of
            the largest term that went into each, as budgets count them.
    """

    index: tuple[int, ...]
    distance: float
    ratio: float
    histogram: tuple[int, ...]


def cotangent(shape: tuple[int, ...]) -> np.ndarray:
    """The weights of the first gradient: powers of two, so that multiplying is exact."""
    return _cycle((1.0, -2.0, 0.5, -1.0, 2.0, -0.5, 1.0), shape)


def second_cotangents(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """The weights of the second gradient, by argument.

    Of no two alike: a loss of differences does not change where all its vectors move alike.
    """
    return {
        name: _cycle((*SECOND[index:], *SECOND[:index]), shapes[name])
        for index, name in enumerate(sorted(shapes))
    }


def _cycle(weights: tuple[float, ...], shape: tuple[int, ...]) -> np.ndarray:
    return np.resize(np.array(weights), int(np.prod(shape))).reshape(shape)


def reduction_of(options: Mapping[str, Any]) -> str:
    """The reduction that options ask for, torch's older spellings included."""
    average, reduce = options.get("size_average"), options.get("reduce")
    if average is None and reduce is None:
        return str(options.get("reduction", "mean"))
    if reduce is False:
        return "none"
    return "sum" if average is False else "mean"


def evaluate(loss: Loss, case: Case, dtype: str) -> Optional[Expected]:
    """Value and gradient of the formula, or ``None`` where the row says otherwise.

    Args:
        loss: the loss.
        case: one of its rows.
        dtype: the dtype that the row runs in.
    """
    if case.exact is not None or case.raises is not None:
        return None
    call = _call(loss, case, dtype)
    if call.expected is None:
        call.expected = _evaluated(call)
    return call.expected


def _evaluated(call: _Call) -> Expected:
    with mp.workdps(call.digits(1.0)), doubting(call.case.drawn):
        value, gradients = call.run({})
    kind = result_dtype(call.loss, call.case, call.dtype)
    precise = {
        name: min((kind, tensor.dtype), key=lambda d: ulp.FORMATS[d].precision)
        for name, tensor in call.asked.items()
    }
    for name, tensor in call.asked.items():
        if tensor.dtype == "float16" and precise[name] == "bfloat16":
            gradients[name] = _in_range(gradients[name], tensor.dtype)
    return Expected(value, gradients, kind, precise)


def _in_range(exact: Exact, dtype: str) -> Exact:
    """A gradient of a finer precision and a smaller range than its result: float16 of bfloat16.

    What overflows is infinity, and what is below the smallest normal number is as uncertain as it.
    """
    normal = mpf(ulp.FORMATS[dtype].smallest_normal)

    def held(value: Optional[mpf]) -> Optional[mpf]:
        beyond = value is not None and ulp.rounds_to_infinity(value, dtype)
        return mp.sign(value) * mp.inf if beyond else value

    def scale(value: Optional[mpf], own: mpf) -> mpf:
        return max(own, normal) if value else own

    return Exact(each(held, exact.values), each(scale, exact.values, exact.scale))


def is_finite(exact: Exact) -> bool:
    """Whether every value is a finite number."""
    return all(value is not None and mp.isfinite(value) for value in exact.values.flat)


def by_hand(case: Case, dtype: str) -> Exact:
    """``case.exact``, rounded to the dtype as the row's inputs are."""
    values = _exact(ulp.quantize(case.exact, dtype))
    return Exact(values, each(abs, values))


def second_gradients(loss: Loss, case: Case) -> dict[str, Exact]:
    """The gradient of ``sum(weight * gradient)`` over all gradients, in float64.

    The Hessian is symmetric, so this is the change of the gradient along the weights, which
    are :func:`second_cotangents`.

    Returns:
        By argument name; ``None`` entries where the differences disagree, as at a kink. Empty for a
        row that is too large or has no formula.
    """
    call = _call(loss, case, "float64")
    elements = sum(tensor.values.size for tensor in call.asked.values())
    if case.exact is not None or case.raises is not None or not 0 < elements <= LARGEST_SECOND:
        return {}
    with mp.workdps(call.digits() + 40):
        here = call.run({})[1]
        step = STEP * min(call.sizes()[0], 1)
        ahead = call.run(call.moved(step))[1]
        beyond = call.run(call.moved(2 * step))[1]
        behind = call.run(call.moved(-step))[1]
        runs = [(-step, behind), (step, ahead), (2 * step, beyond)]
        second = {
            name: each(
                partial(_slope, [length for length, _ in runs]),
                gradient.values,
                *[found[name].values for _, found in runs],
            )
            for name, gradient in here.items()
        }
        if not case.second:
            second = {name: np.full(found.shape, None) for name, found in second.items()}
        known = [abs(x) for values in second.values() for x in values.flat if x is not None]
        # A derivative that cancels is known as well as the first one over the argument's size.
        for name, gradient in here.items():
            size = max(
                (abs(x) for x in np.ravel(call.asked[name].values) if np.isfinite(x)), default=0
            )
            known += [scale / mpf(float(size)) for scale in gradient.scale.flat if size]
        largest = max((x for x in known if mp.isfinite(x)), default=mpf(0))
    return {name: Exact(x, np.full(x.shape, largest, object)) for name, x in second.items()}


def _slope(steps: Sequence[mpf], here: Any, *there: Any) -> Optional[mpf]:
    """The derivative of a number that was taken after some steps too, ``None`` at a kink.

    A jump has quotients that depend on the length of the step, whatever the sides say.
    """
    if here is None or None in there:
        return None
    quotients = [(value - here) / step for value, step in zip(there, steps)]
    allowed = mpf("1e-15") * max(map(abs, quotients))
    agree = all(abs(other - quotients[0]) <= allowed for other in quotients)
    return (quotients[0] + quotients[1]) / 2 if agree else None


class _Call:
    """A row's arguments, ready for its formula."""

    def __init__(self, loss: Loss, case: Case, dtype: str) -> None:
        inputs, options = arguments(loss, case, dtype)
        given = {paddle_name(loss, name): value for name, value in {**inputs, **options}.items()}
        self.reduction = reduction_of(given)
        self.loss = loss
        self.case = case
        self.dtype = dtype
        self.expected: Optional[Expected] = None
        self.working = result_dtype(loss, case, dtype) if case.raises is None else dtype
        names = inspect.signature(loss.formula).parameters
        defaults = {name: p.default for name, p in names.items() if name not in loss.inputs}
        self.given: dict[str, Any] = {name: given.get(name, defaults.get(name)) for name in names}
        self.asked = {
            name: value
            for name, value in self.given.items()
            if isinstance(value, Tensor) and value.grad
        }

    def is_of(self, loss: Loss, case: Case, dtype: str) -> bool:
        """Whether these are the arguments of that row."""
        return self.loss is loss and self.case is case and self.dtype == dtype

    def sizes(self) -> tuple[float, float]:
        """The smallest and the largest magnitude among the arguments, 0 and infinity left out."""
        found = [
            np.abs(np.asarray(getattr(value, "values", value), dtype=np.float64)).ravel()
            for value in self.given.values()
            if isinstance(value, (Tensor, int, float, np.number))
        ]
        every = np.concatenate(found)
        every = every[np.isfinite(every) & (every > 0)]
        return (float(every.min()), float(every.max())) if every.size else (1.0, 1.0)

    def digits(self, *others: float) -> int:
        """Enough digits that adding the largest and the smallest argument, or another, is exact."""
        every = (*self.sizes(), *others)
        return ulp.DIGITS + int(np.log10(max(every)) - np.log10(min(every)))

    def moved(self, step: mpf) -> dict[str, np.ndarray]:
        """How far each argument moves along :func:`second_cotangents`."""
        shapes = {name: tensor.values.shape for name, tensor in self.asked.items()}
        return {name: _exact(w) * step for name, w in second_cotangents(shapes).items()}

    def run(self, move: Mapping[str, np.ndarray]) -> tuple[Exact, dict[str, Exact]]:
        """The formula and its gradient where the arguments are moved by ``move``."""
        converted = {name: self._convert(name, move.get(name)) for name in self.given}
        result = np.asarray(self.loss.formula(**converted), dtype=object)
        result = _reduced(result, self.reduction, self.working)
        weights = cotangent(result.shape)
        found = backward((n, mpf(w)) for n, w in zip(result.flat, weights.flat))
        gradients = {name: _gradient(converted[name], found) for name in self.asked}
        return Exact(each(lambda n: n.value, result), each(lambda n: n.scale, result)), gradients

    def _convert(self, name: str, move: Optional[np.ndarray]) -> Any:
        value = self.given[name]
        computed = ulp.computed_in(self.working)
        value = bool(value) if isinstance(value, np.bool_) else value
        if isinstance(value, bool) or not isinstance(value, (Tensor, int, float, np.number)):
            return value
        if not isinstance(value, Tensor):
            return mpf(float(ulp.quantize(float(value), computed)))
        values = value.values
        if name not in self.loss.inputs and ulp.is_floating(value.dtype):
            # An option is cast: a weight to the input's dtype, any other to the one computed in.
            values = ulp.quantize(values, self.working if name == "weight" else computed)
        elements = _exact(values)
        if move is not None:
            elements = elements + move
        if name in self.loss.inputs and name not in self.loss.differentiable:
            return elements
        return each(lambda x: Number(x, self.working, live=value.grad), elements)


_latest: list[_Call] = []


def _call(loss: Loss, case: Case, dtype: str) -> _Call:
    """The row's arguments; the latest are kept, as one row is asked for several times."""
    if _latest and _latest[0].is_of(loss, case, dtype):
        return _latest[0]
    _latest[:] = [_Call(loss, case, dtype)]
    return _latest[0]


def _reduced(result: np.ndarray, reduction: str, working: str) -> np.ndarray:
    if reduction == "none":
        return result
    summed = total(result.flat, working)
    if reduction == "mean":
        summed = summed / result.size
    return np.asarray(summed, dtype=object)


def _gradient(leaves: np.ndarray, found: Mapping[int, tuple[mpf, mpf]]) -> Exact:
    zero = (mpf(0), mpf(0))
    values = each(lambda leaf: found.get(leaf.serial, zero)[0], leaves)
    unclaimed = each(lambda value: None if mp.isnan(value) else value, values)
    return Exact(unclaimed, each(lambda leaf: found.get(leaf.serial, zero)[1], leaves))


def _exact(values: np.ndarray) -> np.ndarray:
    return each(lambda x: mpf(x.item() if isinstance(x, np.generic) else x), values)


def budget(
    loss: Loss, case: Case, dtype: str, quantity: str, argument: Optional[str] = None
) -> float:
    """The promised accuracy in ULP, before the condition number (contract, section 5).

    Args:
        loss: the loss.
        case: one of its rows.
        dtype: the dtype that the result has.
        quantity: ``value`` or ``gradient``.
        argument: whose gradient, under Paddle's name.
    """
    call = _call(loss, case, dtype)
    if quantity == "gradient":
        more = 0.0
        if argument is not None and _is_summed(call, argument):
            more = REDUCTION_BUDGET[dtype]
        elif call.reduction == "mean" and dtype == ulp.computed_in(dtype):
            more = GRADIENT_OF_A_MEAN
        return loss.budget.gradient[dtype] + more
    own = loss.budget.value[dtype]
    if callable(own):
        first: Tensor = call.given[loss.inputs[0]]
        own = own(first.values.shape[-1] if first.values.shape else 1)
    return own + (0.0 if call.reduction == "none" else REDUCTION_BUDGET[dtype])


def _is_summed(call: _Call, argument: str) -> bool:
    """Whether the gradient of an argument is a sum over the elements of the result."""
    if argument not in call.loss.inputs:
        return True
    sizes = [t.values.size for name, t in call.asked.items() if name in call.loss.inputs]
    return bool(call.asked[argument].values.size < max(sizes))


def allowed(exact: Exact, budget: float, dtype: str) -> np.ndarray:
    """The absolute error that is allowed, as an object array of ``mpf``.

    ``budget`` ULP at the larger of value and scale, and the smallest normal number besides
    where the value is under it; nothing where the formula is exactly 0 in exact steps.
    """

    normal, nothing = mpf(ulp.FORMATS[dtype].smallest_normal), mpf(0)

    def of(value: Optional[mpf], scale: mpf) -> mpf:
        if value is None:
            return mp.inf
        if not ulp.is_finite(value) or not (value or scale):
            return nothing
        size = abs(value)
        error = budget * ulp.ulp(max(size, scale), dtype)
        return error + normal if size < normal else error

    return each(of, exact.values, exact.scale)


def worst(got: np.ndarray, exact: Exact, permitted: np.ndarray, dtype: str) -> Optional[Worst]:
    """The element that comes nearest to breaking its allowance, or ``None`` of an empty array.

    Args:
        got: float64 values of the result, of the same shape.
        exact: what they should be.
        permitted: from :func:`allowed`.
        dtype: the dtype of the result.
    """
    found: Optional[tuple[int, float]] = None
    counts = [0] * len(ulp.BINS)
    elements = list(zip(got.ravel().tolist(), exact.values.flat, exact.scale.flat, permitted.flat))
    for place, (value, expected, scale, limit) in enumerate(elements):
        if expected is None:
            continue
        wrong, ratio, away = ulp.error(value, expected, dtype), 0.0, 0.0
        if wrong:
            ratio = float(wrong / limit) if limit and ulp.is_finite(wrong) else math.inf
            away = ulp.in_ulp(wrong, max(abs(expected), scale), dtype)
        counts[bisect_left(ulp.BINS, away)] += 1
        if found is None or ratio > found[1]:
            found = place, ratio
    if found is None:
        return None
    place, ratio = found
    index = tuple(int(i) for i in np.unravel_index(place, got.shape))
    value, expected, _, _ = elements[place]
    return Worst(index, ulp.distance(value, expected, dtype), ratio, tuple(counts))
