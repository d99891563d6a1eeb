"""Rows of ``triplet_margin_loss``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable

import numpy as np
from mpmath import mp, mpf

from conformance import shared_rows
from conformance.autodiff import ZERO, Number, clamp, maximum, power, total, undefined
from conformance.case import Array, Budget, Case, LayerState, Loss, Printed, Raises, Repeat
from conformance.domain import FLAG, POSITIVE, REDUCTION, Domain, Interval, Numbers, Reals, margins
from conformance.shared_rows import LONG, normal

INF, NAN = float("inf"), float("nan")
F32, F64 = ("float32",), ("float64",)
SINGLE = ("float32", "float64")
HALF = ("float16", "bfloat16")
NAMES = ("input", "positive", "negative")
TORCH_NAMES = {"input": "anchor", "epsilon": "eps"}

NO_MARGIN_0 = "torch refuses margin 0"
IN_HALF = "C3: torch's distances overflow in float16"
NAN_GRADIENT = "C3: torch's gradient is NaN where the loss is 0"
GRAPH = "a graph has no values to check"


def formula(
    input: Any,
    positive: Any,
    negative: Any,
    margin: Any = 1.0,
    p: Any = 2,
    epsilon: Any = 1e-06,
    swap: bool = False,
) -> Any:
    """max(0, d(a, p) - d(a, n) + m) with the p-norm of a difference plus epsilon."""

    def distance(u: np.ndarray, v: np.ndarray) -> Number:
        return _norm(u - v + epsilon, p)

    return losses(distance, (input, positive, negative), margin, swap)


def losses(
    distance: Callable[[np.ndarray, np.ndarray], Number],
    vectors: tuple[np.ndarray, np.ndarray, np.ndarray],
    margin: Any,
    swap: bool,
) -> np.ndarray:
    """The triplet loss of each vector along the last axis, under any distance of two vectors."""
    limit = margin.item() if isinstance(margin, np.ndarray) else margin
    anchor, positive, negative = np.broadcast_arrays(*map(np.atleast_1d, vectors))
    result = np.empty(anchor.shape[:-1], dtype=object)
    for index in np.ndindex(result.shape):
        a, p, n = anchor[index], positive[index], negative[index]
        near, far = distance(a, p), distance(a, n)
        if swap:
            far = -maximum([-far, -distance(p, n)])
        result[index] = clamp(near - far + limit, passes_at_zero=True)
    return result


def _norm(vector: np.ndarray, p: mpf) -> Number:
    """The p-norm; an element of 0 has no gradient, nor has a norm of 0.

    Nothing is claimed of the gradient of an infinite norm.
    """
    working = next((number.working for number in vector), "float64")
    sizes = [abs(number) for number in vector]
    if any(mp.isnan(size.value) for size in sizes):
        return undefined(vector, working)
    infinite = [mp.isinf(size.value) for size in sizes]
    if (p > 0 and any(infinite)) or (p < 0 and infinite and all(infinite)):
        return Number(mp.inf, working, sources=[(number, mp.nan, ZERO) for number in vector])
    if mp.isinf(p):
        return maximum(sizes) if p > 0 else -maximum([-size for size in sizes])
    some = [size for size in sizes if size.value != 0]
    if p == 0:
        return Number(len(some), working)
    if not some or (p < 0 and len(some) < len(sizes)):
        return Number(0, working)
    return power(total([power(size, p) for size in some], working), 1 / p)


def row(id: str, clause: str, *vectors: Any, **more: Any) -> Case:
    """A row of an anchor, a positive and a negative; see :func:`shared_rows.row`."""
    return shared_rows.row(id, clause, dict(zip(NAMES, vectors)), **more)


def refused(
    id: str, vectors: tuple[Any, ...], kind: type[Exception], *match: str, **more: Any
) -> Case:
    """A row that must raise; see :func:`shared_rows.refused`."""
    return shared_rows.refused(id, dict(zip(NAMES, vectors)), kind, match, **more)


PADDLE = "paddle.nn.functional.triplet_margin_loss, 3.3.1, Examples"
PADDLE_LAYER = "paddle.nn.TripletMarginLoss, 3.3.1, Examples"
PADDLE_X = (
    [[1, 5, 3], [0, 3, 2], [1, 4, 1]],
    [[5, 1, 2], [3, 2, 1], [3, -1, 1]],
    [[2, 1, -3], [1, 1, -1], [4, -2, 1]],
)

DOCUMENTED = (
    *(
        row(
            f"paddle_{kind}none",
            "examples",
            *PADDLE_X,
            printed=Printed("[0.        , 0.57496595, 0.        ]", source, units=25),
            note="sqrt(11) - sqrt(14) + 1 = 0.5749; printed with float32's rounding error",
        )
        for kind, source in (("", PADDLE), ("layer_", PADDLE_LAYER))
    ),
    row(
        "paddle_mean",
        "examples",
        *PADDLE_X,
        reduction="mean",
        printed=Printed("0.19165532", PADDLE, units=10),
    ),
    row(
        "paddle_layer_swap_mean",
        "examples",
        *PADDLE_X,
        swap=True,
        reduction="mean",
        printed=Printed("2.40039468", PADDLE_LAYER, units=30),
    ),
    row(
        "torch_example_shape",
        "examples",
        normal(51, 5, 8),
        normal(52, 5, 8),
        normal(53, 5, 8),
        margin=1.0,
        p=2,
        epsilon=1e-7,
        reduction="mean",
        note="torch's example draws its numbers; these come from NumPy's seeds 51 to 53",
    ),
)

ORIGIN, FIVE, SIX = [[0.0, 0.0]], [[3.0, 4.0]], [[6.0, 0.0]]
KINKS = (
    row("at_the_kink", "kink", ORIGIN, FIVE, SIX, epsilon=0.0, note="5 - 6 + 1: passes at 0"),
    row("at_the_kink_p_1", "kink", ORIGIN, FIVE, [[8.0, 0.5]], p=1, epsilon=0, margin=1.5),
    row("at_the_kink_p_inf", "kink", ORIGIN, FIVE, [[5.0, 1.0]], p=INF, epsilon=0),
    row("at_the_kink_swap", "kink", ORIGIN, FIVE, [[9.0, 12.0]], epsilon=0, swap=True, margin=5.0),
    row("kink_of_the_margin", "kink", ORIGIN, FIVE, SIX, epsilon=0.0, margin=Array(1.0, grad=True)),
    row("kink_in_the_mean", "kink", ORIGIN * 2, FIVE * 2, SIX + FIVE, epsilon=0, reduction="mean"),
    *(
        row(
            f"float{bits}_{side}_the_kink",
            "kink",
            ORIGIN,
            FIVE,
            SIX,
            epsilon=0.0,
            margin=1 + step,
            dtypes=(f"float{bits}",),
        )
        for bits, side, step in (
            (32, "above", 2.0**-18),
            (32, "below", -(2.0**-18)),
            (64, "above", 2.0**-47),
            (64, "below", -(2.0**-47)),
        )
    ),
    row("far_is_exactly_0", "accuracy", ORIGIN, FIVE, [[60.0, 0.0]], note="5 - 60 + 1"),
    row(
        "margin_0_at_the_kink",
        "kink",
        ORIGIN,
        FIVE,
        [[0.0, -5.0]],
        epsilon=0,
        margin=0.0,
        torch=NO_MARGIN_0,
    ),
)

A = [[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]]
P = [[1.0, 0.5, -0.5], [2.0, -1.25, 0.5]]
N = [[-0.5, 0.75, 1.5], [0.5, 1.0, 1.25]]
X = (A, P, N)
SAME = [[1.0, 2.0]]
ORDERS = (
    *(
        row(f"p_{name}", "triplet_margin", *X, p=p, note=note)
        for name, p, note in (
            ("1", 1, ""),
            ("2_float", 2.0, ""),
            ("1_5", 1.5, "full accuracy in float64, where Paddle's p_norm has float32's"),
            ("2_5", 2.5, ""),
            ("3", 3, ""),
            ("4", 4, ""),
            ("10", 10, ""),
            ("1_3", 1.3, "1.3 counts as rounded to the dtype that is computed in"),
            ("half", 0.5, ""),
            ("inf", INF, ""),
            ("minus_inf", -INF, "the smallest difference"),
            ("minus_1", -1, ""),
            ("minus_2", -2, ""),
            ("true_is_1", True, ""),
            ("numpy_scalar", np.float32(3), ""),
        )
    ),
    row("p_0_counts", "triplet_margin", *X, p=0, margin=2.0, note="3 - 3 + 2, no gradient"),
    row(
        "p_0_of_inf", "triplet_margin", ORIGIN, [[INF, 0.0]], SAME, p=0, epsilon=0, note="1 - 2 + 1"
    ),
    row("p_0_of_some_zeros", "triplet_margin", [[1.0, 2.0]], [[0.0, 1.0]], SAME, p=0, epsilon=0),
    row("p_3_swap", "triplet_margin", *X, p=3, swap=True),
    row("p_1_5_swap_mean", "triplet_margin", *X, p=1.5, swap=True, reduction="mean"),
    row("p_3_of_1_2_3", "accuracy", [[0.0] * 3], [[1.0, 2.0, 3.0]], [[9.0] * 3], p=3, margin=14.0),
)

ZERO_DISTANCE = (
    *(
        row(
            f"zero_distance_p_{name}",
            "triplet_margin",
            SAME,
            SAME,
            [[1.0, 2.5]],
            p=p,
            epsilon=0.0,
            note="the gradient of the distance is 0 there, never NaN",
        )
        for name, p in (("2", 2), ("1", 1), ("3", 3), ("1_5", 1.5), ("half", 0.5), ("inf", INF))
    ),
    row("zero_distance_of_all", "triplet_margin", SAME, SAME, SAME, epsilon=0.0, note="margin"),
    row("zero_distance_with_epsilon", "triplet_margin", SAME, SAME, SAME, note="margin"),
    row("zero_distance_of_all_swap", "triplet_margin", SAME, SAME, SAME, epsilon=0, swap=True),
    row(
        "some_zero_elements_p_3", "triplet_margin", [[1.0, 2.0]], [[1.0, 4.0]], SIX, p=3, epsilon=0
    ),
    row(
        "some_zero_elements_p_half",
        "triplet_margin",
        [[1.0, 2.0]],
        [[1.0, 4.0]],
        SIX,
        p=0.5,
        epsilon=0,
        margin=9.0,
    ),
    row(
        "some_zero_elements_p_minus_1",
        "triplet_margin",
        [[1.0, 2.0]],
        [[1.0, 4.0]],
        [[0.0, 1.0]],
        p=-1,
        epsilon=0,
        note="one difference of 0 makes the norm 0",
    ),
)

TIES = (
    row(
        "tie_p_inf",
        "triplet_margin",
        [[0.0, 0.0, 0.0]],
        [[2.0, -2.0, 1.0]],
        [[0.5, 0.5, 0.25]],
        p=INF,
        epsilon=0.0,
        note="the two share the gradient evenly",
    ),
    row(
        "tie_p_inf_of_three",
        "triplet_margin",
        [[0.0] * 4],
        [[3, -3, 3, 0]],
        [[1.0] * 4],
        p=INF,
        epsilon=0,
    ),
    row(
        "tie_p_minus_inf",
        "triplet_margin",
        [[0.0] * 3],
        [[2.0, -2.0, 3.0]],
        [[1.0, 1.0, 1.0]],
        p=-INF,
        epsilon=0,
    ),
    row(
        "tie_in_swap",
        "triplet_margin",
        [[0.0, 0.0]],
        [[4.0, 0.0]],
        [[2.0, 1.0]],
        epsilon=0.0,
        swap=True,
        note="d(a, n) = d(p, n): each gets half of the gradient",
    ),
    row(
        "tie_in_swap_p_1",
        "triplet_margin",
        ORIGIN,
        [[4.0, 0.0]],
        [[2.0, 1.0]],
        p=1,
        epsilon=0,
        swap=True,
    ),
    row(
        "swap_takes_the_smaller", "triplet_margin", ORIGIN, FIVE, [[6.0, 8.0]], epsilon=0, swap=True
    ),
    row(
        "swap_keeps_the_smaller",
        "triplet_margin",
        ORIGIN,
        FIVE,
        [[-1.0, 0.5]],
        epsilon=0,
        swap=True,
    ),
    row(
        "swap_random_seed_54", "C1", normal(54, 4, 3), normal(55, 4, 3), normal(56, 4, 3), swap=True
    ),
)

EPSILONS = (
    *(
        row(f"epsilon_{name}", "triplet_margin", *X, epsilon=value)
        for name, value in (
            ("0", 0),
            ("0_1", 0.1),
            ("1e_7", 1e-7),
            ("negative", -0.25),
            ("large", 1000.0),
            ("numpy_scalar", np.float64(1e-3)),
        )
    ),
    row("epsilon_is_inside_the_norm", "triplet_margin", ORIGIN, FIVE, FIVE, epsilon=0.5, p=1),
    row(
        "epsilon_in_the_swap", "triplet_margin", ORIGIN, FIVE, [[3.0, 3.5]], epsilon=0.5, swap=True
    ),
)

MARGINS = (
    row("margin_0", "margin", *X, margin=0, torch=NO_MARGIN_0),
    row("margin_minus_0", "margin", *X, margin=-0.0, torch=NO_MARGIN_0),
    *(
        row(f"margin_{name}", "margin", *X, margin=value)
        for name, value in (
            ("0_3", 0.3),
            ("int", 3),
            ("true_is_1", True),
            ("numpy_scalar", np.float32(0.3)),
            ("tiny", 1e-30),
            ("inf", INF),
            ("nan", NAN),
        )
    ),
    *(
        row(
            f"margin_tensor_{name}",
            "margin",
            *X,
            margin=Array(value, grad=True),
            note="d/dm is 1 where the clamp is open",
        )
        for name, value in (("0d", 0.75), ("of_shape_1", [0.75]), ("of_shape_1_1", [[0.75]]))
    ),
    row("margin_tensor_mean", "margin", *X, margin=Array([2.0], grad=True), reduction="mean"),
    row("margin_tensor_0", "margin", *X, margin=Array(0.0, grad=True), torch=NO_MARGIN_0),
    row(
        "margin_tensor_float64_keeps_the_dtype",
        "margin",
        *X,
        margin=Array(0.75, "float64"),
        dtypes=(*HALF, "float32"),
    ),
    *(
        row(
            f"{name}_counts_as_rounded",
            "margin",
            [[0.0]],
            [[x]],
            [[y]],
            p=1,
            dtypes=F32,
            **{"epsilon": 0, "margin": 1.0, **options},
        )
        for name, x, y, options in (
            ("margin", 0.0, 0.3, {"margin": 0.3}),
            ("margin_tensor_float64", 0.0, 0.3, {"margin": Array(0.3, "float64")}),
            ("epsilon", 0.3, 0.5, {"epsilon": 0.3}),
        )
    ),
    row("margin_tensor_int64", "margin", *X, margin=Array(2, "int64")),
)

NOT_FINITE = (
    *(
        row(f"nan_in_the_{name}", "NaN and infinity", *vectors)
        for name, vectors in (
            ("anchor", ([[NAN, 1.0]], FIVE, SIX)),
            ("positive", (ORIGIN, [[NAN, 1.0]], SIX)),
            ("negative", (ORIGIN, FIVE, [[NAN, 1.0]])),
        )
    ),
    row("nan_where_the_clamp_is_shut", "NaN and infinity", ORIGIN, FIVE, [[NAN, 1e4]]),
    row("nan_beside_an_infinity", "NaN and infinity", [[NAN, INF]], FIVE, SIX),
    row("nan_beside_an_infinity_in_the_positive", "NaN and infinity", ORIGIN, [[NAN, INF]], SIX),
    row("nan_swap", "NaN and infinity", [[NAN, 1.0]], FIVE, SIX, swap=True),
    *(
        row(
            f"nan_{name}",
            "NaN and infinity",
            [[NAN, 1.0], [0.5, 0.0]],
            FIVE * 2,
            SIX * 2,
            reduction=reduction,
        )
        for name, reduction in (("of_one_row_only", "none"), ("in_the_mean", "mean"))
    ),
    *(
        row(
            f"negative_inf_p_{name}",
            "NaN and infinity",
            ORIGIN,
            FIVE,
            [[far, 1.0]],
            p=p,
            torch=torch,
            note="the loss is 0, so its gradient is no NaN",
        )
        for name, p, far, torch in (
            ("2", 2, INF, NAN_GRADIENT),
            ("3_minus_inf", 3, -INF, NAN_GRADIENT),
            ("1", 1, INF, None),
            ("half", 0.5, INF, NAN_GRADIENT),
            ("inf", INF, INF, None),
        )
    ),
    *(
        row(
            f"negative_of_infinities_p_{name}",
            "NaN and infinity",
            ORIGIN,
            FIVE,
            [[INF, -INF]],
            p=p,
            torch=torch,
            note="the smallest of them is infinite too",
        )
        for name, p, torch in (("minus_1", -1, NAN_GRADIENT), ("minus_inf", -INF, None))
    ),
    *(
        row(
            f"negative_inf_p_{name}",
            "NaN and infinity",
            ORIGIN,
            FIVE,
            [[INF, 1.0]],
            p=p,
            note=note,
        )
        for name, p, note in (
            ("0", 0, "2 - 2 + 1"),
            ("minus_1", -1, "12/7 - 1 + 1"),
            ("minus_inf", -INF, "3 - 1 + 1"),
        )
    ),
    *(
        row(
            name,
            "NaN and infinity",
            *(Array(vector, grad=False) for vector in vectors),
            note="no gradient is promised of a loss that is not finite",
            **options,
        )
        for name, vectors, options in (
            *(
                (f"nan_p_{text}", ([[NAN, 1.0]], FIVE, SIX), {"p": p})
                for text, p in (("1", 1), ("3", 3), ("inf", INF), ("minus_inf", -INF))
            ),
            *(
                (f"positive_inf_p_{text}", (ORIGIN, [[-INF, 1.0]], SIX), {"p": p})
                for text, p in (("1", 1), ("2", 2), ("3", 3), ("inf", INF))
            ),
            ("both_inf", (ORIGIN, [[INF, 1.0]], [[INF, 1.0]]), {}),
            ("anchor_inf", ([[INF, 1.0]], FIVE, SIX), {}),
            ("positive_inf_of_one_row_only", (ORIGIN * 2, [[INF, 1.0], [3.0, 4.0]], SIX * 2), {}),
            ("inf_against_inf", ([[INF, 1.0]], [[INF, 1.0]], SIX), {}),
            ("epsilon_inf", X, {"epsilon": INF}),
        )
    ),
)

MAGNITUDES = (
    row("signed_zeros", "C1", [[-0.0, 0.0]], [[0.0, -0.0]], [[-0.0, -0.0]], epsilon=0),
    row("huge_float32", "C1", [[1e18, 0.0]], [[0.0, 2e18]], [[1e17, 5e17]], dtypes=F32),
    row("huge_float32_p_3", "C1", [[1e12, 0.0]], [[0.0, 2e12]], [[1e11, 5e11]], p=3, dtypes=F32),
    row("huge_float64", "C1", [[1e100, 0.0]], [[0.0, 2e100]], [[1e99, 5e99]], dtypes=F64),
    row("largest_float16", "C1", [[65504.0, 0.0]], [[0.0, 0.0]], [[65504.0, 1.0]], dtypes=HALF[:1]),
    row(
        "float16_overflows",
        "C1",
        [[65504.0, 0.0]],
        [[-65504.0, 0.0]],
        SIX,
        dtypes=HALF[:1],
        torch=IN_HALF,
    ),
    row(
        "gradient_below_float16",
        "C1",
        [[0.0, 0.0]],
        [[2.0**14, 1.125 * 2.0**-12]],
        [[1.125 * 2.0**-12, 2.0**14]],
        p=4,
        epsilon=0,
        swap=True,
        dtypes=HALF[:1],
        torch=IN_HALF,
        note="of the short elements; Paddle casts 1.4 * 2**-78 to a float16 of 9e-5",
    ),
    row(
        "tiny_float32",
        "C1",
        [[1e-15, 0.0]],
        [[0.0, 2e-15]],
        [[1e-15, 1e-15]],
        epsilon=0,
        margin=1e-15,
        dtypes=F32,
    ),
    row(
        "tiny_float64",
        "C1",
        [[1e-100, 0.0]],
        [[0.0, 2e-100]],
        [[1e-100, 1e-100]],
        epsilon=0,
        margin=1e-100,
        dtypes=F64,
    ),
    *(
        row(
            f"{name}_float64_p_3",
            "C1",
            [[size, 0.0]],
            [[0.0, 2 * size]],
            [[size, 0.5 * size]],
            p=3,
            epsilon=0,
            margin=size,
            dtypes=F64,
            torch="torch cubes them",
            note="its squares are numbers, its cubes are not",
        )
        for name, size in (("huge", 1e120), ("tiny", 1e-120))
    ),
    row(
        "subnormal_float32_p_1",
        "C1",
        [[2.0**-149, 0.0]],
        [[0.0, 2.0**-140]],
        [[2.0**-149, 2.0**-149]],
        p=1,
        epsilon=0,
        margin=0,
        dtypes=F32,
        torch=NO_MARGIN_0,
    ),
    row("offset_1e6", "C1", [[1e6, 1e6]], [[1e6 + 3, 1e6 + 4]], [[1e6 - 1, 1e6]], dtypes=SINGLE),
    row("cancelling_distances", "C1", ORIGIN, [[3.0, 4.0]], [[4.0, 3.0]], margin=1e-3),
    row("long_and_short_p_3", "C1", ORIGIN, [[1e6, 1e-6]], SIX, p=3, dtypes=SINGLE),
)

CUBE = np.arange(24).reshape(2, 3, 4) / 8
COLUMN = [[0.25], [-1.5]]
SHAPES = (
    row("shape_0d", "triplet_margin", 1.0, 2.5, 0.5, note="one number is a vector of one"),
    row("shape_1d", "triplet_margin", [0.0, 0.0], [3.0, 4.0], [1.0, 2.0], batch=()),
    row("shape_1d_mean", "triplet_margin", [0.0], [3.0], [1.0], reduction="mean", batch=()),
    row("shape_3d", "triplet_margin", CUBE, CUBE[::-1] - 0.3, CUBE * 1.5),
    *(
        row(
            f"shape_3d_p_{name}",
            "triplet_margin",
            CUBE,
            CUBE[::-1] - 0.5,
            CUBE * 1.5,
            p=p,
            epsilon=0,
        )
        for name, p in (("3", 3), ("inf", INF), ("minus_inf", -INF), ("minus_1", -1))
    ),
    row(
        "shape_4d_mean",
        "triplet_margin",
        CUBE[None],
        CUBE[None] + 0.5,
        -CUBE[None],
        reduction="mean",
    ),
    row("one_dimension", "triplet_margin", [[1.0], [2.0]], [[3.0], [2.5]], [[0.0], [4.0]]),
    *(
        row(f"empty_batch_{name}", "empty", *[np.zeros((0, 3))] * 3, reduction=name)
        for name in ("none", "mean", "sum")
    ),
    row("empty_batch_p_inf_swap", "empty", *[np.zeros((0, 3))] * 3, p=INF, swap=True),
    row("vectors_of_length_0", "empty", *[np.zeros((2, 0))] * 3, note="both distances are 0"),
    row("negative_of_one_row", "broadcasting", A, P, N[:1], batch=("input", "positive")),
    row("anchor_of_one_row", "broadcasting", A[:1], P, N, batch=("positive", "negative")),
    row(
        "positive_of_one_row_swap",
        "broadcasting",
        A,
        P[:1],
        N,
        swap=True,
        batch=("input", "negative"),
    ),
    row(
        "mean_over_the_broadcast_shape",
        "broadcasting",
        A[:1],
        P[:1],
        N,
        reduction="mean",
        batch=("negative",),
    ),
    row("negative_of_one_column", "broadcasting", A, P, [[0.5], [-1.0]]),
    row("column_against_matrix", "C6", COLUMN, P, N, batch=()),
    row("column_against_one_row_swap", "C6", COLUMN, P, N[:1], swap=True, batch=()),
    row(
        "rows_against_columns_warn",
        "broadcasting",
        [[[0.5, 1.0]], [[-1.0, 0.25]], [[2.0, 3.0]]],
        [[[1.5, 0.0], [0.5, -2.0], [1.0, 1.0]]],
        [[[0.0, 1.0], [2.0, 0.5], [-1.0, 0.5]]],
        warns=UserWarning,
        warns_match=(r"\[3, 1, 2\]", r"\[1, 3, 2\]", r"\[3, 3, 2\]"),
        batch=(),
    ),
)

DTYPES = tuple(
    row(
        f"{'_'.join(dtypes)}{suffix}",
        "dtype",
        *(Array(data, dtype) for data, dtype in zip(X, dtypes)),
        dtypes=F32,
        **more,
    )
    for dtypes in (
        ("float32", "float64", "float32"),
        ("float32", "float32", "float64"),
        ("float16", "float32", "float16"),
        ("float16", "bfloat16", "float16"),
        ("bfloat16", "bfloat16", "float64"),
    )
    for suffix, more in (("", {}), ("_sum", {"reduction": "sum", "swap": True}))
)

MANY = (
    row("random_normal_seed_57", "C1", normal(57, 8, 6), normal(58, 8, 6), normal(59, 8, 6)),
    row(
        "random_normal_seed_60_mean",
        "C1",
        normal(60, 16, 4),
        normal(61, 16, 4),
        normal(62, 16, 4),
        margin=0.3,
        reduction="mean",
    ),
    row("random_p_3_seed_63", "C1", normal(63, 6, 6), normal(64, 6, 6), normal(65, 6, 6), p=3),
    row("scaled_by_100_seed_66", "C1", *(100 * normal(66 + i, 5, 6) for i in range(3))),
    row("500_dimensions_p_1_seed_70", "accuracy", *(normal(70 + i, 1, 500) for i in range(3)), p=1),
    row(
        "500_dimensions_p_1_5_seed_74",
        "accuracy",
        *(normal(74 + i, 1, 500) for i in range(3)),
        p=1.5,
        profile="full",
    ),
    row(
        "1000_dimensions_of_equal_terms",
        "accuracy",
        np.zeros((1, 1000)),
        np.full((1, 1000), 0.1),
        np.zeros((1, 1000)),
        epsilon=0,
        dtypes=F64,
        note="adding one by one loses 99 ULP of the square",
    ),
    Case(
        "mean_of_a_million_rows",
        "C1",
        {
            "input": Repeat(0.0, (10**6, 1)),
            "positive": Repeat(0.5, (10**6, 1)),
            "negative": Repeat(0.5, (10**6, 1)),
        },
        {"margin": 0.1, "epsilon": 0.0, "reduction": "mean"},
        profile="full",
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
            "margin.*at least 0|margin.*0 or more|margin.*not.*negative",
            f"received.*{value}",
            margin=value,
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
            f"{name}_{text}_is_refused",
            X,
            TypeError,
            rf"\b{name}\b.*number",
            f"received.*{received}",
            constructor=True,
            **{name: value},
        )
        for name in ("p", "epsilon")
        for text, value, received in (
            ("text", "a", "'a'"),
            ("digit_text", "2", "'2'"),
            ("none", None, "None"),
            ("list", [2.0], "list"),
        )
    ),
    *(
        refused(
            f"{name}_nan_is_refused",
            X,
            ValueError,
            rf"\b{name}\b.*number",
            "received.*nan",
            constructor=True,
            **{name: NAN},
        )
        for name in ("p", "epsilon")
    ),
    *(
        refused(
            f"{name}_{dtype}_is_refused",
            tuple(Array(np.ones((2, 3)), dtype) if i == place else x for i, x in enumerate(X)),
            TypeError,
            name,
            f"received.*{dtype}",
        )
        for place, name in ((1, "positive"), (2, "negative"))
        for dtype in ("int64", "complex64")
    ),
    refused("rows_that_do_not_fit", (A, P, N + N[:1]), ValueError, r"\[2, 3\]", r"\[3, 3\]"),
    refused(
        "lengths_that_do_not_fit", (A, P, [[1.0, 2.0]] * 2), ValueError, r"\[2, 3\]", r"\[2, 2\]"
    ),
    refused("ranks_that_differ", (A, P, N[0]), ValueError, r"\[2, 3\]", r"\[3\]"),
    refused(
        "ranks_that_differ_in_the_positive", (A, [P], N), ValueError, r"\[1, 2, 3\]", r"\[2, 3\]"
    ),
    refused(
        "ranks_that_differ_in_the_anchor", ([A], P, N), ValueError, r"\[1, 2, 3\]", r"\[2, 3\]"
    ),
    replace(
        shared_rows.row(
            "both_epsilon_and_eps_is_refused",
            "names",
            dict(zip(NAMES, X)),
            epsilon=1e-3,
            eps=1e-3,
            dtypes=F32,
        ),
        raises=Raises(TypeError, ("epsilon", "eps"), constructor=True),
    ),
)

TYPICAL = dict(zip(NAMES, X))
SPELLINGS = (shared_rows.row("torch_spelling_of_epsilon", "names", TYPICAL, eps=0.25, dtypes=F32),)
VECTORS = Reals(
    {
        **dict.fromkeys((*HALF, "float32"), Interval(1e-12, 1e18)),
        "float64": Interval(1e-100, 1e100),
    },
)
SHAPES_OF_VECTORS = (("N D",) * 3, ("N ... D",) * 3)
ONE_ROW = (("D",) * 3, ("N D", "N D", "1 D"), ("1 D", "N D", "N D"), ("N D", "1 D", "N D"))
DOMAIN = Domain(
    shapes=SHAPES_OF_VECTORS,
    hostile_shapes=(("",) * 3, *ONE_ROW, ("N D", "N D", "N 1")),
    inputs=dict.fromkeys(NAMES, VECTORS),
    options={
        "margin": margins(Interval(0.0, 1e300), POSITIVE, hostile=(-0.0, INF, NAN)),
        "p": Numbers(
            Interval(1.0, INF),
            drawn=(2, 1, 3, 1.5, 4, 2.5),
            hostile=(0.5, -1, INF, -INF),
        ),
        "epsilon": Numbers(POSITIVE, drawn=(1e-6, 1e-7, 0.1), hostile=(0, -0.25, 1000.0)),
        "swap": FLAG,
        "reduction": REDUCTION,
    },
)

LOSS = Loss(
    stem="triplet_margin",
    function="triplet_margin_loss",
    layer="TripletMarginLoss",
    signature="(input, positive, negative, margin=1.0, p=2, epsilon=1e-06, swap=False, "
    "reduction='mean', name=None)",
    layer_signature="(margin=1.0, p=2.0, epsilon=1e-06, swap=False, reduction='mean', name=None)",
    inputs=NAMES,
    differentiable=NAMES,
    formula=formula,
    budget=Budget(
        value={"float16": 2, "bfloat16": 2, "float32": 8, "float64": 8},
        gradient={"float16": 2, "bfloat16": 2, "float32": 16, "float64": 16},
    ),
    domain=DOMAIN,
    cases=(
        *DOCUMENTED,
        *KINKS,
        *ORDERS,
        *ZERO_DISTANCE,
        *TIES,
        *EPSILONS,
        *MARGINS,
        *NOT_FINITE,
        *MAGNITUDES,
        *SHAPES,
        *DTYPES,
        *MANY,
        *ERRORS,
        *SPELLINGS,
        shared_rows.longer_than_a_block(
            {name: normal(60 + i, 2, LONG) for i, name in enumerate(NAMES)}, margin=3.0, swap=True
        ),
        *shared_rows.shared(TYPICAL, TORCH_NAMES),
        *shared_rows.positions(TYPICAL, margin=0.5, p=1, epsilon=0.25, swap=True, reduction="none"),
        *shared_rows.margin_errors(TYPICAL),
    ),
    layers=(
        LayerState(
            "defaults", {}, "margin=1.0, p=2.0, epsilon=1e-06, swap=False, reduction='mean'"
        ),
        LayerState(
            "every_option",
            {"margin": 0.5, "p": 1, "epsilon": 0.25, "swap": True, "reduction": "sum"},
            "margin=0.5, p=1, epsilon=0.25, swap=True, reduction='sum'",
        ),
    ),
    torch_names=TORCH_NAMES,
    batch=NAMES,
    never_negative=True,
    documentation="max(0, d(a, p) - d(a, n) + m), d(u, v) = the p-norm of u - v + epsilon over the "
    "last axis; swap: the smaller of d(a, n) and d(p, n) in place of d(a, n)",
)
