"""Rows of ``triplet_margin_with_distance_loss``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from conformance import shared_rows
from conformance.autodiff import Number, total, undefined
from conformance.case import Array, Case, LayerState, Loss, Printed, Repeat
from conformance.cases import triplet_margin
from conformance.cases.triplet_margin import NAMES, A, N, P, X, losses
from conformance.domain import FLAG, POSITIVE, REDUCTION, Choice, Domain, Interval, margins
from conformance.shared_rows import LONG, normal

INF, NAN = float("inf"), float("nan")
F32, F64 = ("float32",), ("float64",)
SINGLE = ("float32", "float64")
HALF = ("float16", "bfloat16")
TORCH_NAMES = {"input": "anchor"}

NO_MARGIN_0 = "torch refuses margin 0"
NO_FLAGS = "torch's function has no size_average and no reduce"
GRAPH = "a graph has no values to check"


class Distance(ABC):
    """A distance that a user might give, with what it is of two vectors of exact numbers.

    Calling it uses only operators and methods that tensors of Paddle, eager or in a graph, and
    of torch have in common.
    """

    @abstractmethod
    def __call__(self, u: Any, v: Any) -> Any:
        """The distances of two tensors."""

    @abstractmethod
    def exact(self, u: np.ndarray, v: np.ndarray) -> Number:
        """The distance of two vectors of numbers."""

    def __repr__(self) -> str:
        return type(self).__name__


class L1(Distance):
    """The sum of the absolute differences."""

    def __call__(self, u: Any, v: Any) -> Any:
        return (u - v).abs().sum(-1)

    def exact(self, u: np.ndarray, v: np.ndarray) -> Number:
        return total(abs(u - v), u[0].working)


class SquaredL2(Distance):
    """The sum of the squared differences."""

    def __call__(self, u: Any, v: Any) -> Any:
        return ((u - v) * (u - v)).sum(-1)

    def exact(self, u: np.ndarray, v: np.ndarray) -> Number:
        return total((u - v) * (u - v), u[0].working)


class Dissimilarity(Distance):
    """Less the dot product: below 0 wherever the vectors are alike."""

    def __call__(self, u: Any, v: Any) -> Any:
        return -(u * v).sum(-1)

    def exact(self, u: np.ndarray, v: np.ndarray) -> Number:
        return -total(u * v, u[0].working)


class Lopsided(Distance):
    """The sum of ``u - 2 v``: another one when its arguments change places."""

    def __call__(self, u: Any, v: Any) -> Any:
        return (u - 2 * v).sum(-1)

    def exact(self, u: np.ndarray, v: np.ndarray) -> Number:
        return total(u - 2 * v, u[0].working)


def _cast(tensor: Any, dtype: str) -> Any:
    """A tensor of either framework in another dtype; Paddle 3.1 knows no ``double``."""
    if hasattr(tensor, "astype"):
        return tensor.astype(dtype)
    return {"float64": tensor.double, "float32": tensor.float, "float16": tensor.half}[dtype]()


class Single(Distance):
    """The sum of the absolute differences, in float32: Paddle's CPU cannot subtract float16."""

    def __call__(self, u: Any, v: Any) -> Any:
        return (_cast(u, "float32") - _cast(v, "float32")).abs().sum(-1)

    def exact(self, u: np.ndarray, v: np.ndarray) -> Number:
        return L1().exact(u, v)


class Half(Distance):
    """The sum of the absolute differences, in float16 whatever the inputs are."""

    def __call__(self, u: Any, v: Any) -> Any:
        return _cast(Single()(u, v), "float16")

    def exact(self, u: np.ndarray, v: np.ndarray) -> Number:
        return L1().exact(u, v)


class Squeezed(Distance):
    """The sum of the absolute differences, without an axis where there is one row."""

    def __call__(self, u: Any, v: Any) -> Any:
        return L1()(u, v).squeeze()

    def exact(self, u: np.ndarray, v: np.ndarray) -> Number:
        return L1().exact(u, v)


class Second(Distance):
    """The second argument as it is: no distance of vectors, but of numbers."""

    def __call__(self, u: Any, v: Any) -> Any:
        return 1 * v

    def exact(self, u: np.ndarray, v: np.ndarray) -> Number:
        raise TypeError("there is no distance of vectors")


class Double(Distance):
    """The sum of the squared differences, in float64 whatever the inputs are."""

    def __call__(self, u: Any, v: Any) -> Any:
        difference = _cast(u, "float64") - _cast(v, "float64")
        return (difference * difference).sum(-1)

    def exact(self, u: np.ndarray, v: np.ndarray) -> Number:
        return SquaredL2().exact(u, v)


class Undefined(Distance):
    """NaN for vectors that differ: 0 / 0 less 0."""

    def __call__(self, u: Any, v: Any) -> Any:
        zero = (u - u).sum(-1)
        return zero / zero - (u - v).sum(-1)

    def exact(self, u: np.ndarray, v: np.ndarray) -> Number:
        return undefined([*u, *v], u[0].working)


class Broken(Distance):
    """No tensor of distances: its name says what it returns instead."""

    def __init__(self, returned: Any) -> None:
        self.returned = returned

    def __call__(self, u: Any, v: Any) -> Any:
        return self.returned

    def exact(self, u: np.ndarray, v: np.ndarray) -> Number:
        raise TypeError("there is no distance")

    def __repr__(self) -> str:
        return f"Broken({self.returned!r})"


class LearnedDistance(Mapping[str, Any]):
    """Options with a layer of Paddle's for a distance, made when they are read.

    Reading the rows must not need Paddle. Each reading makes a layer with weights of its own.
    """

    def __getitem__(self, name: str) -> Any:
        if name != "distance_function":
            raise KeyError(name)
        from paddle.nn import Bilinear

        return Bilinear(3, 3, 1)

    def __iter__(self) -> Iterator[str]:
        return iter(("distance_function",))

    def __len__(self) -> int:
        return 1


def formula(
    input: Any,
    positive: Any,
    negative: Any,
    distance_function: Any = None,
    margin: Any = 1.0,
    swap: bool = False,
    epsilon: Any = 1e-06,
) -> Any:
    """max(0, d(a, p) - d(a, n) + m); ``epsilon`` is no option, it is the default distance's."""
    if distance_function is None:
        return triplet_margin.formula(input, positive, negative, margin, 2, epsilon, swap)
    return losses(distance_function.exact, (input, positive, negative), margin, swap)


def row(id: str, clause: str, *given: Any, **more: Any) -> Case:
    """A row of an anchor, a positive, a negative and perhaps a distance.

    Paddle has no float16 on the CPU for the operators of a distance, so rows with one run in
    float32 and float64 unless they say otherwise.
    """
    inputs = dict(zip(NAMES, given))
    if len(given) > len(NAMES) and given[-1] is not None:
        more = {"dtypes": SINGLE, "distance_function": given[-1], **more}
    return shared_rows.row(id, clause, inputs, **more)


def refused(
    id: str, vectors: tuple[Any, ...], kind: type[Exception], *match: str, **more: Any
) -> Case:
    """A row that must raise; see :func:`shared_rows.refused`."""
    return shared_rows.refused(id, dict(zip(NAMES, vectors)), kind, match, **more)


PADDLE = "paddle.nn.functional.triplet_margin_with_distance_loss, 3.3.1, Examples"
PADDLE_LAYER = "paddle.nn.TripletMarginWithDistanceLoss, 3.3.1, Examples"
PADDLE_X = triplet_margin.PADDLE_X
PRINTED = (("none", "[0.        , 0.57496595, 0.        ]", 25), ("mean", "0.19165532", 10))
DOCUMENTED = (
    *(
        row(
            f"paddle_{kind}{reduction}",
            "examples",
            *PADDLE_X,
            reduction=reduction,
            printed=Printed(text, source, units=units),
        )
        for kind, source in (("", PADDLE), ("layer_", PADDLE_LAYER))
        for reduction, text, units in PRINTED
    ),
    row(
        "layer_uses_its_distance",
        "triplet_margin_with_distance",
        [[1.0, 2.0, 3.0]],
        [[2.0, 0.0, 1.0]],
        [[0.0, 5.0, 1.0]],
        L1(),
        reduction="mean",
        note="5 - 6 + 1 = 0; Paddle's layer answers 0.2583, under the 2-norm",
    ),
)

ALIKE = ([[1.0, 2.0]], [[1.0, 2.0]], [[1.0, 2.0]])
DISTANCES = (L1(), SquaredL2(), Dissimilarity(), Lopsided(), Double())
KINDS = (
    row("default", "triplet_margin_with_distance", *X),
    row("default_swap", "triplet_margin_with_distance", *PADDLE_X, swap=True),
    row("default_has_an_epsilon", "triplet_margin_with_distance", *ALIKE, margin=1e-7),
    *(
        row(f"{str(d).lower()}{suffix}", "triplet_margin_with_distance", *X, d, **options)
        for d in DISTANCES
        for suffix, options in (
            ("", {}),
            ("_swap", {"swap": True}),
            ("_mean", {"reduction": "mean", "margin": 5.0}),
            ("_swap_sum", {"reduction": "sum", "swap": True, "margin": 0.3}),
        )
    ),
    row("half_precision", "dtype", *X, Single(), dtypes=HALF),
    row(
        "half_precision_swap_mean", "dtype", *X, Single(), swap=True, reduction="mean", dtypes=HALF
    ),
    row("distances_in_float16", "dtype", *X, Half(), dtypes=HALF[:1]),
    row("distances_in_float64_keep_the_dtype", "dtype", *X, Double(), dtypes=(*HALF, *SINGLE)),
    row(
        "distances_in_float32_keep_float64",
        "dtype",
        *[[[0.5, 2.0]]] * 2,
        [[1.0, 4.0]],
        Single(),
        dtypes=F64,
    ),
    row("below_zero", "outside the domain", *ALIKE, Dissimilarity(), note="-5 + 5 + 1"),
    row(
        "below_zero_swap",
        "outside the domain",
        [[1.0, 2.0]],
        [[3.0, 1.0]],
        [[2.0, 5.0]],
        Dissimilarity(),
        swap=True,
    ),
    row("below_zero_mean", "outside the domain", *ALIKE, Dissimilarity(), reduction="mean"),
)

ORIGIN, TWO, THREE = [[0.0, 0.0]], [[1.0, 1.0]], [[1.0, 2.0]]
KINKS = (
    row("at_the_kink", "kink", ORIGIN, TWO, THREE, L1(), note="2 - 3 + 1: the gradient passes"),
    row("above_the_kink", "kink", ORIGIN, TWO, THREE, L1(), margin=1 + 2.0**-10),
    row("below_the_kink", "kink", ORIGIN, TWO, THREE, L1(), margin=1 - 2.0**-10, note="exactly 0"),
    row("at_the_kink_half", "kink", ORIGIN, TWO, THREE, Single(), dtypes=HALF),
    row("at_the_kink_of_a_negative_distance", "kink", TWO, THREE, [[2.0, 2.0]], Dissimilarity()),
    row("kink_of_the_margin", "kink", ORIGIN, TWO, THREE, L1(), margin=Array(1.0, grad=True)),
    row("kink_in_the_mean", "kink", ORIGIN * 2, TWO * 2, THREE + TWO, L1(), reduction="mean"),
    row(
        "tie_in_swap",
        "triplet_margin_with_distance",
        ORIGIN,
        [[4.0, 0.0]],
        [[2.0, 1.0]],
        L1(),
        swap=True,
    ),
    row(
        "tie_in_swap_squared",
        "triplet_margin_with_distance",
        ORIGIN,
        [[4.0, 0.0]],
        [[2.0, 1.0]],
        SquaredL2(),
        swap=True,
        margin=0.5,
    ),
    row(
        "default_swap_takes_the_smaller",
        "triplet_margin_with_distance",
        [[0.0]],
        [[4.0]],
        [[3.0]],
        swap=True,
        note="4 - 1 + 1",
    ),
    row(
        "swap_calls_positive_first",
        "triplet_margin_with_distance",
        *X,
        Lopsided(),
        swap=True,
        margin=20.0,
    ),
    row("far_is_exactly_0", "accuracy", ORIGIN, TWO, [[60.0, 0.0]], SquaredL2()),
    row("margin_0_at_the_kink", "kink", ORIGIN, TWO, TWO, L1(), margin=0, torch=NO_MARGIN_0),
)

MARGINS = (
    row("margin_0", "margin", *X, margin=0, torch=NO_MARGIN_0),
    *(
        row(f"margin_{name}", "margin", *X, L1(), margin=value)
        for name, value in (
            ("0_3", 0.3),
            ("int", 3),
            ("true_is_1", True),
            ("numpy_scalar", np.float32(0.3)),
            ("inf", INF),
            ("nan", NAN),
        )
    ),
    *(
        row(f"margin_tensor_{name}", "margin", *X, L1(), margin=Array(value, grad=True))
        for name, value in (("0d", 2.75), ("of_shape_1", [2.75]), ("of_shape_1_1", [[2.75]]))
    ),
    row("margin_tensor_mean", "margin", *X, margin=Array([2.0], grad=True), reduction="mean"),
    row(
        "margin_tensor_float64_keeps_the_dtype",
        "margin",
        *X,
        margin=Array(0.75, "float64"),
        dtypes=(*HALF, "float32"),
    ),
    row("margin_tensor_0", "margin", *X, L1(), margin=Array(0.0, grad=True), torch=NO_MARGIN_0),
)

NOT_FINITE = (
    row("nan_default", "NaN and infinity", [[NAN, 1.0]], TWO, THREE, note="no check, NaN"),
    *(
        row(f"nan_in_the_{name}", "NaN and infinity", *vectors, SquaredL2())
        for name, vectors in (
            ("anchor", ([[NAN, 1.0]], TWO, THREE)),
            ("positive", (ORIGIN, [[NAN, 1.0]], THREE)),
            ("negative", (ORIGIN, TWO, [[NAN, 1.0]])),
        )
    ),
    row("nan_swap", "NaN and infinity", ORIGIN, TWO, [[NAN, 1.0]], Dissimilarity(), swap=True),
    row(
        "nan_of_one_row_only",
        "NaN and infinity",
        [[NAN, 1.0], [0.5, 0.0]],
        TWO * 2,
        THREE * 2,
        SquaredL2(),
    ),
    row("nan_distances", "NaN and infinity", *X, Undefined()),
    row("nan_distances_mean", "NaN and infinity", *X, Undefined(), reduction="mean"),
    *(
        row(
            f"{name}_inf",
            "NaN and infinity",
            *(Array(vector, grad=False) for vector in vectors),
            L1(),
            note="the gradient at infinity is the user's: that of Paddle's abs is NaN there",
        )
        for name, vectors in (
            ("positive", (ORIGIN, [[INF, 1.0]], THREE)),
            ("negative", (ORIGIN, TWO, [[INF, 1.0]])),
            ("both", (ORIGIN, [[INF, 1.0]], [[INF, 1.0]])),
        )
    ),
    row(
        "distance_minus_inf",
        "NaN and infinity",
        *(Array(vector, grad=False) for vector in (TWO, [[INF, 1.0]], THREE)),
        Dissimilarity(),
    ),
)

SHAPES = (
    row(
        "shape_1d",
        "triplet_margin_with_distance",
        [0.0, 0.5],
        [3.0, 4.0],
        [1.0, 2.0],
        L1(),
        batch=(),
    ),
    row(
        "shape_1d_default",
        "triplet_margin_with_distance",
        [0.0, 0.5],
        [3.0, 4.0],
        [1.0, 2.0],
        batch=(),
    ),
    row("shape_0d_default", "triplet_margin_with_distance", 1.0, 2.5, 0.5),
    row(
        "shape_3d",
        "triplet_margin_with_distance",
        triplet_margin.CUBE,
        triplet_margin.CUBE[::-1] - 0.25,
        triplet_margin.CUBE * 1.5,
        L1(),
    ),
    *(
        row(f"empty_batch_{name}", "empty", *[np.zeros((0, 3))] * 3, d, reduction=reduction)
        for reduction in ("none", "mean", "sum")
        for name, d in ((reduction, L1()), (f"{reduction}_default", None))
    ),
    row("negative_of_one_row", "broadcasting", A, P, N[:1], L1(), batch=("input", "positive")),
    row(
        "anchor_of_one_row_mean",
        "broadcasting",
        A[:1],
        P,
        N,
        L1(),
        reduction="mean",
        batch=("positive", "negative"),
    ),
    row(
        "positive_of_one_row_swap",
        "broadcasting",
        A,
        P[:1],
        N,
        Dissimilarity(),
        swap=True,
        batch=("input", "negative"),
    ),
    Case(
        "distances_of_column_and_row_warn",
        "broadcasting",
        {"input": np.zeros((2, 2)).tolist(), "positive": [[3.0], [5.0]], "negative": [[1.0, 2.0]]},
        {"distance_function": Second(), "reduction": "none"},
        dtypes=SINGLE,
        exact=[[3.0, 2.0], [5.0, 4.0]],
        warns=UserWarning,
        warns_match=(r"\[2, 1\]", r"\[1, 2\]", r"\[2, 2\]"),
        modes="jit.save refuses an input that takes no part",
    ),
    row(
        "distances_of_two_ranks",
        "broadcasting",
        A[:1],
        P,
        N[:1],
        Squeezed(),
        modes="a graph does not know which axis to leave out",
    ),
    row("column_against_matrix", "C6", triplet_margin.COLUMN, P, N, L1(), batch=()),
    row("column_against_one_row_default", "C6", triplet_margin.COLUMN, P, N[:1], batch=()),
    row("negative_of_one_row_default", "broadcasting", A, P, N[:1], batch=("input", "positive")),
)

DTYPES = tuple(
    row(
        f"{'_'.join(dtypes)}{suffix}",
        "dtype",
        *(Array(data, dtype) for data, dtype in zip(X, dtypes)),
        d,
        dtypes=F32,
        swap=True,
    )
    for dtypes in (
        ("float32", "float64", "float32"),
        ("float64", "float32", "float32"),
        ("float16", "bfloat16", "float16"),
        ("bfloat16", "bfloat16", "float64"),
    )
    for suffix, d in (("_default", None), ("", Double()))
)

MANY = (
    row("random_l1_seed_81", "C1", *(normal(81 + i, 8, 6) for i in range(3)), L1()),
    row(
        "random_squared_seed_84_mean",
        "C1",
        *(normal(84 + i, 16, 4) for i in range(3)),
        SquaredL2(),
        reduction="mean",
    ),
    row(
        "random_dissimilarity_seed_87",
        "C1",
        *(normal(87 + i, 6, 6) for i in range(3)),
        Dissimilarity(),
        swap=True,
    ),
    row("random_default_seed_90", "C1", *(normal(90 + i, 6, 6) for i in range(3))),
    row(
        "huge_squares_float32",
        "C1",
        [[1e15, 0.0]],
        [[0.0, 2e15]],
        [[1e14, 5e14]],
        SquaredL2(),
        dtypes=F32,
    ),
    row("signed_zeros", "C1", [[-0.0, 0.0]], [[0.0, -0.0]], [[-0.0, -0.0]], L1()),
    Case(
        "mean_of_a_million_rows",
        "C1",
        {
            "input": Repeat(0.0, (10**6, 1)),
            "positive": Repeat(0.5, (10**6, 1)),
            "negative": Repeat(0.5, (10**6, 1)),
        },
        {"margin": 0.1, "distance_function": L1(), "reduction": "mean"},
        dtypes=SINGLE,
        exact=0.1,
        modes="too large for a graph",
        note="both distances are equal, so each term is the margin",
    ),
)

ERRORS = (
    *(
        refused(
            f"margin_{name}_is_refused",
            X,
            ValueError,
            "margin.*(at least 0|0 or more|not.*negative)",
            f"received.*{value}",
            margin=value,
            distance_function=L1(),
            constructor=True,
            clause="outside the domain",
        )
        for name, value in (("minus_1", -1.0), ("slightly_negative", -1e-09), ("minus_inf", -INF))
    ),
    refused(
        "margin_tensor_negative_is_refused",
        X,
        ValueError,
        "margin",
        "received.*-0.5",
        margin=Array(-0.5),
        constructor=True,
        modes=GRAPH,
        clause="outside the domain",
    ),
    *(
        refused(
            f"distance_{name}_is_refused",
            X,
            TypeError,
            "distance_function.*call",
            f"received.*{text}",
            distance_function=value,
            constructor=True,
        )
        for name, value, text in (
            ("text", "l2", "'l2'"),
            ("number", 2.0, "2.0"),
            ("list", [L1()], "list"),
        )
    ),
    *(
        refused(
            f"distances_that_are_{name}_are_refused",
            X,
            TypeError,
            "distance_function.*tensor",
            f"received.*{value!r}",
            distance_function=Broken(value),
        )
        for name, value in (("a_number", 2.0), ("none", None))
    ),
    *(
        refused(
            f"{name}_{dtype}_is_refused",
            tuple(Array(np.ones((2, 3)), dtype) if i == place else x for i, x in enumerate(X)),
            TypeError,
            name,
            f"received.*{dtype}",
            distance_function=L1(),
        )
        for place, name in ((1, "positive"), (2, "negative"))
        for dtype in ("int64", "complex64")
    ),
    refused(
        "rows_that_do_not_fit",
        (A, P, N + N[:1]),
        ValueError,
        r"\[2, 3\]",
        r"\[3, 3\]",
        distance_function=L1(),
    ),
    refused(
        "reduction_is_refused_with_a_distance",
        X,
        ValueError,
        "'mean'",
        "received.*'Mean'",
        distance_function=L1(),
        reduction="Mean",
        constructor=True,
    ),
    refused(
        "anchor_int64_is_refused_with_a_distance",
        (Array(np.ones((2, 3)), "int64"), P, N),
        TypeError,
        "input",
        "received.*int64",
        distance_function=L1(),
    ),
    *(
        refused(
            f"ranks_that_differ_in_the_{name}",
            vectors,
            ValueError,
            r"\[1, 2, 3\]",
            r"\[2, 3\]",
            distance_function=L1(),
        )
        for name, vectors in (("anchor", ([A], P, N)), ("positive", (A, [P], N)))
    ),
    refused(
        "ranks_that_differ", (A, P, N[0]), ValueError, r"\[2, 3\]", r"\[3\]", distance_function=L1()
    ),
    refused("ranks_that_differ_default", (A, P, N[0]), ValueError, r"\[2, 3\]", r"\[3\]"),
)

TYPICAL = dict(zip(NAMES, X))
POSITIONS = {"distance_function": L1(), "margin": 0.5, "swap": True, "reduction": "none"}
SHARED = tuple(
    replace(case, torch=NO_FLAGS) if {"size_average", "reduce"} & set(case.options) else case
    for case in (
        shared_rows.longer_than_a_block(
            {name: normal(60 + i, LONG, 1) for i, name in enumerate(NAMES)}, distance_function=L1()
        ),
        *shared_rows.shared(TYPICAL, TORCH_NAMES),
        *shared_rows.positions(TYPICAL, **POSITIONS),
    )
)
VECTORS = replace(
    triplet_margin.VECTORS,
    magnitudes={**triplet_margin.VECTORS.magnitudes, "float16": Interval(1e-3, 50.0)},
    special=False,
)
"""A given distance's infinity and NaN are the user's, and so is float16's overflow in it."""
DOMAIN = Domain(
    shapes=triplet_margin.SHAPES_OF_VECTORS,
    hostile_shapes=triplet_margin.ONE_ROW,
    inputs=dict.fromkeys(NAMES, VECTORS),
    options={
        "distance_function": Choice((None,), (Double(),), callables=True),
        "margin": margins(Interval(0.0, 1e300), POSITIVE, hostile=(-0.0, INF, NAN)),
        "swap": FLAG,
        "reduction": REDUCTION,
    },
)

LOSS = Loss(
    stem="triplet_margin_with_distance",
    function="triplet_margin_with_distance_loss",
    layer="TripletMarginWithDistanceLoss",
    signature="(input, positive, negative, distance_function=None, margin=1.0, swap=False, "
    "reduction='mean', name=None)",
    layer_signature="(distance_function=None, margin=1.0, swap=False, reduction='mean', name=None)",
    inputs=NAMES,
    differentiable=NAMES,
    formula=formula,
    budget=triplet_margin.LOSS.budget,
    domain=DOMAIN,
    cases=(
        *DOCUMENTED,
        *KINDS,
        *KINKS,
        *MARGINS,
        *NOT_FINITE,
        *SHAPES,
        *DTYPES,
        *MANY,
        *ERRORS,
        *SHARED,
        *shared_rows.margin_errors(TYPICAL),
    ),
    layers=(
        LayerState("defaults", {}, "margin=1.0, swap=False, reduction='mean'"),
        LayerState(
            "a_function_for_a_distance",
            {"distance_function": L1(), "margin": 0.5, "swap": True, "reduction": "sum"},
            "distance_function=L1, margin=0.5, swap=True, reduction='sum'",
        ),
        LayerState(
            "a_layer_for_a_distance_is_a_sub_layer",
            LearnedDistance(),
            "margin=1.0, swap=False, reduction='mean'",
            ("distance_function.weight", "distance_function.bias"),
            torch="the distance is a layer of Paddle's",
        ),
    ),
    torch_names=TORCH_NAMES,
    batch=NAMES,
    exempt={"C3": "torch 2.13 is right in every row that it can run"},
    never_negative=True,
    documentation="max(0, d(a, p) - d(a, n) + m); swap: the smaller of d(a, n) and d(p, n) in "
    "place of d(a, n); without a distance it is the 2-norm of u - v + 1e-6 over the last axis",
)
