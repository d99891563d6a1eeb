"""Rows of ``cosine_embedding_loss``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from mpmath import mp, mpf

from conformance import shared_rows
from conformance.autodiff import Number, clamp, each, select, sqrt, total, undefined
from conformance.case import Array, Budget, Case, LayerState, Loss, Printed, Repeat
from conformance.domain import REDUCTION, Domain, Interval, Labels, Reals, margins
from conformance.shared_rows import LONG, normal

INF, NAN = float("inf"), float("nan")
F32, F64 = ("float32",), ("float64",)
SINGLE = ("float32", "float64")
HALF = ("float16", "bfloat16")
TORCH_NAMES = {"label": "target"}

OVERFLOWS = "C3: torch's product of both squared norms overflows"
IN_HALF = "C3: torch's epsilon vanishes, and its squares overflow, in float16"
NAN_GRADIENT = "C3: torch's gradient is NaN where the loss is 0"
LABEL_OF_1 = "torch wants a 0-D label for 1-D inputs"


def formula(input1: Any, input2: Any, label: Any, margin: Any = 0) -> Any:
    """1 - cos where y is 1, max(0, cos - m) where y is -1, 0 for any other y."""
    limit = margin.item() if isinstance(margin, np.ndarray) else margin
    working = next((number.working for number in input1.flat), "float64")
    a, b = np.broadcast_arrays(np.atleast_2d(input1), np.atleast_2d(input2))
    cosines = np.empty(len(a), dtype=object)
    for n in range(len(a)):
        cosines[n] = _cosine(a[n], b[n], working)
    cos, y = np.broadcast_arrays(cosines if label.ndim else cosines.reshape(()), label)
    near = each(lambda c: clamp(c - limit, passes_at_zero=True), cos)
    return select(y == 1, 1 - cos, select(y == -1, near, Number(0, working)))


def _cosine(a: np.ndarray, b: np.ndarray, working: str) -> Number:
    """The cosine, 1e-12 added to each squared norm; NaN where one of them is not finite."""
    if not all(mp.isfinite(number.value) for number in (*a, *b)):
        return undefined([*a, *b], working)
    square_a, square_b = (total(v * v, working) + mpf("1e-12") for v in (a, b))
    return total(a * b, working) / (sqrt(square_a) * sqrt(square_b))


def row(id: str, clause: str, a: Any, b: Any, y: Any, **more: Any) -> Case:
    """A row of two inputs and a label; see :func:`shared_rows.row`."""
    return shared_rows.row(id, clause, {"input1": a, "input2": b, "label": y}, **more)


def apart(case: Case) -> tuple[Case, Case]:
    """A row, and its float16 part apart, as torch is no oracle there."""
    others = tuple(dtype for dtype in case.dtypes if dtype != "float16")
    half = replace(case, id=f"{case.id}_float16", dtypes=("float16",), torch=IN_HALF)
    return replace(case, dtypes=others), half


def refused(id: str, a: Any, b: Any, y: Any, *match: str, **more: Any) -> Case:
    """A row whose shapes must raise; see :func:`shared_rows.refused`."""
    inputs = {"input1": a, "input2": b, "label": y}
    return shared_rows.refused(id, inputs, ValueError, match, **more)


PADDLE = "paddle.nn.functional.cosine_embedding_loss, 3.3.1, Examples"
PADDLE_LAYER = "paddle.nn.CosineEmbeddingLoss, 3.3.1, Examples"
PADDLE_A = [[1.6, 1.2, -0.5], [3.2, 2.6, -5.8]]
PADDLE_B = [[0.5, 0.5, -1.8], [2.3, -1.4, 1.1]]
PRINTED = {
    "mean": ("0.21155193", 5),
    "sum": ("0.42310387", 8),
    "none": ("[0.42310387, 0.        ]", 8),
}

DOCUMENTED = (
    *(
        row(
            f"paddle_{kind}{reduction}",
            "examples",
            PADDLE_A,
            PADDLE_B,
            Array([1, -1], "int64"),
            margin=0.5,
            reduction=reduction,
            printed=Printed(text, source, units=units),
            note="0.42310394 exactly; what is printed has float32's rounding error",
        )
        for kind, source in (("", PADDLE), ("layer_", PADDLE_LAYER))
        for reduction, (text, units) in PRINTED.items()
    ),
    row(
        "torch_example_shape",
        "examples",
        normal(31, 3, 5),
        normal(32, 3, 5),
        [1.0, 1.0, 1.0],
        reduction="mean",
        note="torch's example draws its numbers; these come from NumPy's seeds 31 and 32",
    ),
    row(
        "paddle_prose_has_the_margin_outside",
        "cosine_embedding",
        [[3.0, 4.0]],
        [[4.0, 3.0]],
        [-1.0],
        margin=0.5,
        note="24/25 - 1/2; Paddle's page writes max(0, cos) - m, which differs where cos < m",
    ),
    row("cosine_under_the_margin", "cosine_embedding", [[3.0, 4.0]], [[4.0, -3.0]], [-1], margin=1),
)

E1, E2 = [1.0, 0.0], [0.0, 1.0]
A, B = [[3.0, 4.0], [1.0, 2.0], [0.5, -2.0]], [[4.0, 3.0], [2.0, -1.5], [-1.0, 1.5]]
Y = [1.0, -1.0, 0.0]

KINKS = (
    row("at_the_kink", "kink", [E1], [E2], [-1.0], note="cos = 0 = m: the gradient passes"),
    row("at_the_kink_scaled", "kink", [[6.0, 8.0]], [[-4.0, 3.0]], [-1.0]),
    *apart(row("at_the_kink_of_zero_vectors", "kink", [[0.0, 0.0]], [E1], [-1.0])),
    row("above_the_kink", "kink", [[1.0, 2.0**-10]], [E2], [-1.0]),
    row("below_the_kink", "kink", [[1.0, -(2.0**-10)]], [E2], [-1.0], note="exactly 0"),
    row("just_above_the_kink", "kink", [[1.0, 2.0**-50]], [E2], [-1.0], dtypes=SINGLE),
    row("just_below_the_kink", "kink", [[1.0, -(2.0**-50)]], [E2], [-1.0], dtypes=SINGLE),
    row("kink_in_the_mean", "kink", [E1, E1], [E2, E1], [-1.0, -1.0], reduction="mean"),
    row("kink_of_the_margin", "kink", [E1], [E2], [-1.0], margin=Array(0.0, grad=True)),
)

ANGLES = (
    row("equal_vectors", "cosine_embedding", A, A, [1.0] * 3),
    row("equal_vectors_dissimilar", "cosine_embedding", A, A, [-1.0] * 3, margin=0.25),
    row("opposite_vectors", "cosine_embedding", [E1, E2], [[-1.0, 0.0], [0.0, -1.0]], [1.0, -1.0]),
    row("orthogonal_similar", "cosine_embedding", [E1], [E2], [1.0]),
    row("every_label", "cosine_embedding", A, B, Y),
    row("one_dimension", "cosine_embedding", [[2.0], [3.0]], [[0.5], [-0.5]], [1.0, -1.0]),
    row("nearly_parallel", "accuracy", [[1.0, 1.0]], [[1.0, 1.0 + 2.0**-7]], [1.0]),
    *apart(row("parallel_of_other_length", "accuracy", [[3e-2, 4e-2]], [[300.0, 400.0]], [1.0])),
    *apart(
        row(
            "long_parallel_vectors",
            "accuracy",
            [[10.0, 130.0], [10.0, 180.0], [10.0, 340.0]],
            [[10.0, 130.0], [70.0, 1260.0], [30.0, 1020.0]],
            [1.0] * 3,
            note="the cosine is rounded to more than 1, and the loss is not negative",
        )
    ),
    row(
        "cancelling_product",
        "accuracy",
        [[1e3, 1.0, -1e3]],
        [[1e3, 0.5, 1e3]],
        [-1.0],
        dtypes=SINGLE,
        note="1e6 + 0.5 - 1e6",
    ),
)

MAGNITUDES = (
    *(
        row(
            f"equal_vectors_of_norm_1e_{-power}",
            "cosine_embedding",
            [[10.0**power, 0.0]],
            [[10.0**power, 0.0]],
            [1.0],
            dtypes=SINGLE,
            note="1 - s*s / (s*s + 1e-12)",
        )
        for power in (-3, -4, -5, -6)
    ),
    *apart(row("tiny_vectors", "accuracy", [[1e-4, 2e-4]], [[2e-4, 1e-4]], [1.0], dtypes=HALF)),
    *apart(row("tiny_vectors_dissimilar", "accuracy", [[1e-6, 0.0]], [[1e-6, 1e-6]], [-1.0])),
    row("vanishing_vectors", "accuracy", [[1e-30, 0.0]], [[1e-30, 1e-30]], [1.0], dtypes=SINGLE),
    row("subnormal_float32", "accuracy", [[2.0**-149, 0.0]], [E1], [1.0], dtypes=F32),
    row("subnormal_float64", "accuracy", [[2.0**-1074, 0.0]], [E1], [1.0], dtypes=F64),
    row(
        "zero_vector",
        "cosine_embedding",
        [[0.0, 0.0]],
        [E1],
        [1.0],
        dtypes=("bfloat16", *SINGLE),
        note="the gradient is -1e6",
    ),
    *apart(row("zero_vectors", "cosine_embedding", [[0.0, 0.0]], [[0.0, 0.0]], [1.0])),
    *apart(row("signed_zeros", "C1", [[-0.0, 0.0]], [[0.0, -0.0]], [1.0])),
    row("signed_zeros_dissimilar", "C1", [[-0.0, 1.0]], [[1.0, -0.0]], [-1.0]),
    *(
        row(
            f"norm_{name}",
            "C1",
            [[3 * size, 4 * size], [size, 2 * size]],
            [[4 * size, 3 * size], [2 * size, size]],
            [1.0, -1.0],
            dtypes=dtypes,
            torch=OVERFLOWS,
            note="24/25 and 4/5, however long the vectors are",
        )
        for name, size, dtypes in (
            ("1e10_float32", 1e10, F32),
            ("1e18_float32", 2e17, F32),
            ("1e18_bfloat16", 2e17, ("bfloat16",)),
            ("1e70_float64", 1e70, F64),
        )
    ),
    row(
        "norm_1e150_float64",
        "C1",
        Array([[3e150, 4e150]], grad=False),
        Array([[4e150, 3e150]], grad=False),
        [1.0],
        dtypes=F64,
        torch=OVERFLOWS,
        note="its gradient is under the smallest number times its second one",
    ),
    row(
        "largest_float16",
        "C1",
        [[65504.0, 0.0]],
        [[65504.0, 65504.0]],
        [1.0],
        dtypes=HALF[:1],
        torch=IN_HALF,
    ),
    row("long_and_short", "C1", [[1e8, 1.0]], [[1e-2, 1e-2]], [1.0], dtypes=SINGLE),
    row(
        "one_float16_vector_is_tiny",
        "C1",
        [[3e4, 4e4]],
        [[6e-8, 0.0]],
        [1.0],
        dtypes=HALF[:1],
        torch=IN_HALF,
    ),
)

LABELS = (
    *(
        row(f"label_{name}_is_outside", "outside the domain", A, B, [value] * 3, note="0")
        for name, value in (
            ("0", 0.0),
            ("2", 2.0),
            ("minus_2", -2.0),
            ("half", 0.5),
            ("nan", NAN),
            ("inf", INF),
            ("minus_inf", -INF),
        )
    ),
    *(
        row(f"label_{dtype}", "dtype", A, B, Array([1, -1, 0], dtype))
        for dtype in ("int8", "int16", "int32", "int64", *HALF, *SINGLE)
    ),
    row("label_bool_false_is_0", "dtype", A, B, Array([True, False, True], "bool")),
    row(
        "label_uint8_255_is_not_minus_1",
        "dtype",
        A,
        B,
        Array([255, 1, 0], "uint8"),
        torch="C3: torch compares a uint8 label with -1 as 255",
    ),
    row("label_int64_2_to_32_plus_1", "dtype", A, B, Array([2**32 + 1, 2**32 - 1, 1], "int64")),
    row(
        "label_float64_close_to_1_is_not_1",
        "dtype",
        A,
        B,
        Array([1 + 1e-12, -1 - 1e-12, 1], "float64"),
        dtypes=F32,
    ),
)

DTYPES = (
    *(
        row(f"{first}_with_{second}", "dtype", Array(A, first), Array(B, second), Y, dtypes=F32)
        for first, second in (
            ("float32", "float64"),
            ("float64", "float32"),
            ("float16", "float32"),
            ("float16", "bfloat16"),
            ("bfloat16", "float64"),
        )
    ),
    row(
        "float16_with_float64_mean",
        "dtype",
        Array(A, "float16"),
        Array(B, "float64"),
        Array(Y, "int8"),
        reduction="mean",
        dtypes=F32,
    ),
)

NOT_FINITE = (
    *(
        row(f"{name}_{kind}", "NaN and infinity", [[value, 1.0]], [[1.0, 2.0]], [y])
        for name, value in (("nan", NAN), ("inf", INF), ("minus_inf", -INF))
        for kind, y in (("similar", 1.0), ("dissimilar", -1.0))
    ),
    row("nan_in_the_second", "NaN and infinity", [[1.0, 2.0]], [[NAN, 1.0]], [1.0]),
    row("nan_of_one_row_only", "NaN and infinity", [[NAN, 1.0], [3.0, 4.0]], [E1, E1], [1.0, 1.0]),
    row("nan_against_a_zero_vector", "NaN and infinity", [[NAN, 1.0]], [[0.0, 0.0]], [-1.0]),
    row("inf_against_inf", "NaN and infinity", [[INF, 0.0]], [[INF, 0.0]], [1.0]),
    row(
        "nan_in_the_mean",
        "NaN and infinity",
        [[NAN, 1.0], E1],
        [E1, E1],
        [1.0, 1],
        reduction="mean",
    ),
    *(
        row(
            f"{name}_with_a_label_outside",
            "NaN and infinity",
            [[value, 1.0], [3.0, 4.0]],
            [[1.0, 2.0], [1.0, 0.0]],
            [0.0, 1.0],
            torch=NAN_GRADIENT,
            note="the loss is 0, so its gradient is no NaN",
        )
        for name, value in (("nan", NAN), ("inf", INF))
    ),
    row("margin_nan", "margin", A, B, Y, margin=NAN, note="the margin is used where y = -1"),
    row("margin_inf", "margin", A, B, Y, margin=INF),
    row("margin_minus_inf", "margin", A, B, Y, margin=-INF),
)

SHAPES = (
    row("unbatched_0d_label", "cosine_embedding", E1, [1.0, 1.0], 1.0, batch=()),
    row("unbatched_0d_label_dissimilar", "cosine_embedding", E1, [1.0, 1.0], -1.0, batch=()),
    row("unbatched_0d_label_outside", "cosine_embedding", E1, [1.0, 1.0], 0.0, batch=()),
    row(
        "unbatched_0d_label_mean", "cosine_embedding", E1, [1.0, 1.0], 1, reduction="mean", batch=()
    ),
    row(
        "unbatched_label_of_1",
        "cosine_embedding",
        E1,
        [1.0, 1.0],
        [1.0],
        torch=LABEL_OF_1,
        batch=(),
    ),
    row(
        "unbatched_label_of_1_sum",
        "cosine_embedding",
        E1,
        [1.0, 1.0],
        Array([-1], "int64"),
        reduction="sum",
        torch=LABEL_OF_1,
        batch=(),
    ),
    row("one_row", "cosine_embedding", [E1], [[1.0, 1.0]], [1.0]),
    row("second_of_one_row", "C6", A, [[4.0, 3.0]], Y, batch=("input1", "label")),
    row("first_of_one_row", "broadcasting", [[4.0, 3.0]], B, Y, batch=("input2", "label")),
    row("label_of_one_element", "broadcasting", A, B, [-1.0], batch=("input1", "input2")),
    row(
        "label_of_one_element_mean",
        "broadcasting",
        A,
        B,
        [1.0],
        reduction="mean",
        batch=("input1", "input2"),
        note="the mean is over three rows",
    ),
    row("second_alone_has_rows", "C6", [[4.0, 3.0]], B, [-1.0], batch=()),
    row("vectors_of_one_column", "C6", [[4.0]], [[1.0], [-2.0], [0.5]], Y, batch=()),
    row("both_of_one_row", "broadcasting", [E1], [[1.0, 1.0]], Y, batch=("label",)),
    *(
        row(
            f"empty_batch_{name}",
            "empty",
            np.zeros((0, 3)),
            np.zeros((0, 3)),
            np.zeros(0),
            reduction=name,
        )
        for name in ("none", "mean", "sum")
    ),
    *apart(
        row(
            "vectors_of_length_0",
            "empty",
            np.zeros((2, 0)),
            np.zeros((2, 0)),
            [1.0, -1.0],
            note="cos = 0",
        )
    ),
)

MARGINS = (
    *(
        row(f"margin_{name}", "margin", A, B, [-1.0, -1.0, 1.0], margin=value)
        for name, value in (
            ("0_5", 0.5),
            ("0_1", 0.1),
            ("1", 1),
            ("minus_1", -1.0),
            ("minus_0_3", -0.3),
            ("2_is_accepted", 2.0),
            ("minus_3_is_accepted", -3),
            ("true_is_1", True),
            ("numpy_scalar", np.float32(0.3)),
        )
    ),
    *(
        row(
            f"margin_tensor_{name}",
            "margin",
            A,
            B,
            [-1.0, -1.0, 1.0],
            margin=Array(value, grad=True),
            note="d/dm is -1 where the clamp is open",
        )
        for name, value in (("0d", 0.25), ("of_shape_1", [0.25]), ("of_shape_1_1", [[0.25]]))
    ),
    row(
        "margin_tensor_mean",
        "margin",
        A,
        B,
        [-1.0] * 3,
        margin=Array([0.25], grad=True),
        reduction="mean",
    ),
    row(
        "margin_tensor_keeps_0d",
        "margin",
        E1,
        [1.0, 1.0],
        -1.0,
        margin=Array([0.25], grad=True),
        batch=(),
    ),
    row(
        "margin_tensor_float64_keeps_the_dtype",
        "margin",
        A,
        B,
        Y,
        margin=Array(0.25, "float64"),
        dtypes=(*HALF, "float32"),
    ),
    row("margin_tensor_int64", "margin", A, B, [-1.0] * 3, margin=Array(0, "int64")),
)

MANY = (
    row("random_normal_seed_33", "C1", normal(33, 6, 8), normal(34, 6, 8), np.resize([1.0, -1], 6)),
    row(
        "random_normal_seed_35_mean",
        "C1",
        normal(35, 16, 4),
        normal(36, 16, 4),
        np.resize([1.0, -1, 0], 16),
        margin=0.3,
        reduction="mean",
    ),
    *apart(
        row(
            "scaled_by_100_seed_37",
            "C1",
            100 * normal(37, 4, 6),
            normal(38, 4, 6),
            [1.0, -1, 1, -1],
        )
    ),
    row("equal_random_vectors_seed_39", "C1", normal(39, 6, 7), normal(39, 6, 7), [1.0] * 6),
    row(
        "500_dimensions_seed_40",
        "accuracy",
        normal(40, 1, 500),
        normal(41, 1, 500),
        [1.0],
        profile="full",
    ),
    row(
        "1000_dimensions_of_equal_terms",
        "accuracy",
        np.full((1, 1000), 0.1),
        np.ones((1, 1000)),
        [-1.0],
        dtypes=F64,
        note="adding one by one loses 99 ULP of the product, and other ones of the norms",
    ),
    Case(
        "mean_of_a_million_rows",
        "C1",
        {
            "input1": Repeat(1.0, (10**6, 1)),
            "input2": Repeat(-1.0, (10**6, 1)),
            "label": Repeat(-1, (10**6,), "int64"),
        },
        {"margin": -1.1, "reduction": "mean"},
        profile="full",
        dtypes=F32,
        exact=-1 + np.float64(np.float32(1.1)),
        modes="too large for a graph",
        note="cos = -1, so each term is -1 + 1.1; the 1e-12 is far under half an ULP",
    ),
)

ERRORS = (
    refused("labels_for_one_vector", E1, [1.0, 1.0], [1.0, -1, 1], r"\[1\]", r"\[3\]"),
    refused("2_labels_for_one_vector", E1, [1.0, 1.0], [1.0, -1.0], r"\[1\]", r"\[2\]"),
    refused("0d_label_for_rows", A, B, 1.0, "label", r"\[N\]|\[3\]", r"\[\]"),
    refused("label_column", A, B, [[1.0], [-1.0], [1.0]], "label", r"\[3, 1\]"),
    refused("label_row", A, B, [[1.0, -1.0, 1.0]], "label", r"\[1, 3\]"),
    refused("label_too_short", A, B, [1.0, -1.0], "label", r"\[3, 2\]", r"\[2\]"),
    refused("empty_label", A, B, np.zeros(0), "label", r"\[3, 2\]", r"\[0\]"),
    refused("rows_that_do_not_fit", A, B[:2], Y, r"\[3, 2\]", r"\[2, 2\]"),
    refused("lengths_that_do_not_fit", A, [[1.0], [1.0], [1.0]], Y, r"\[3, 2\]", r"\[3, 1\]"),
    refused("first_rows_that_do_not_fit", A[:2], B, Y, r"\[2, 2\].*\[3, 2\]"),
    refused("vector_against_rows_with_1_label", E1, B, [1.0], r"\[2\].*\[3, 2\]"),
    refused("rows_against_a_vector", np.eye(3), [1.0, 0.0, 2.0], Y, r"\[3, 3\].*\[3\]"),
    refused("label_2d_for_one_vector", E1, [1.0, 1.0], [[1.0]], "label", r"\[1, 1\]"),
    refused("vector_against_rows", E1, B, Y, r"\[2\]", r"\[3, 2\]"),
    refused("inputs_0d", 1.0, 1.0, 1.0, r"\[N, M\]|\[M\]", r"\[\]"),
    refused("inputs_3d", [A], [B], Y, r"\[N, M\]|\[M\]", r"\[1, 3, 2\]"),
    *(
        shared_rows.refused(
            f"input2_{dtype}_is_refused",
            {"input1": A, "input2": Array(np.ones((3, 2)), dtype), "label": Y},
            TypeError,
            ("input2", f"received.*{dtype}"),
        )
        for dtype in ("int64", "bool", "complex64")
    ),
    shared_rows.refused(
        "label_complex64_is_refused",
        {"input1": A, "input2": B, "label": Array([1, -1, 1], "complex64")},
        TypeError,
        ("label", "complex64"),
    ),
)

TYPICAL = {"input1": A, "input2": B, "label": Y}
VECTORS = Reals(
    {**dict.fromkeys((*HALF, "float32"), Interval(1e-3, 1e18)), "float64": Interval(1e-3, 1e75)},
    vectors=True,
)
DOMAIN = Domain(
    shapes=(("N D", "N D", "N"), ("D", "D", "1")),
    hostile_shapes=(("D", "D", ""), ("N D", "1 D", "N"), ("1 D", "N D", "N"), ("N D", "N D", "1")),
    inputs={
        "input1": VECTORS,
        "input2": VECTORS,
        "label": Labels(
            (1.0, -1.0),
            (0.0, 2.0, -2.0, 0.5, NAN, INF, -INF),
            dtypes=("float32", "float64", "int64", "int32"),
            hostile_dtypes=("int8", "float16", "bfloat16"),
        ),
    },
    options={
        "margin": margins(documented=Interval(-1.0, 1.0), hostile=(INF, -INF, NAN)),
        "reduction": REDUCTION,
    },
    empty=True,
)

LOSS = Loss(
    stem="cosine_embedding",
    function="cosine_embedding_loss",
    layer="CosineEmbeddingLoss",
    signature="(input1, input2, label, margin=0, reduction='mean', name=None)",
    layer_signature="(margin=0, reduction='mean', name=None)",
    inputs=("input1", "input2", "label"),
    differentiable=("input1", "input2"),
    formula=formula,
    budget=Budget(
        value={"float16": 2, "bfloat16": 2, "float32": 8, "float64": 8},
        gradient={"float16": 2, "bfloat16": 2, "float32": 16, "float64": 16},
    ),
    domain=DOMAIN,
    cases=(
        *DOCUMENTED,
        *KINKS,
        *ANGLES,
        *MAGNITUDES,
        *LABELS,
        *DTYPES,
        *NOT_FINITE,
        *SHAPES,
        *MARGINS,
        *MANY,
        *ERRORS,
        shared_rows.longer_than_a_block(
            {"input1": normal(60, 2, LONG), "input2": normal(61, 2, LONG), "label": [1.0, -1.0]},
            margin=-0.5,
        ),
        *shared_rows.shared(TYPICAL, TORCH_NAMES),
        *shared_rows.positions(TYPICAL, margin=0.5, reduction="none"),
        *shared_rows.margin_errors(TYPICAL),
    ),
    layers=(
        LayerState("defaults", {}, "margin=0, reduction='mean'"),
        LayerState(
            "every_option", {"margin": 0.5, "reduction": "sum"}, "margin=0.5, reduction='sum'"
        ),
        LayerState("margin_above_1", {"margin": 2.0}, "margin=2.0, reduction='mean'"),
    ),
    torch_names=TORCH_NAMES,
    batch=("input1", "input2", "label"),
    never_negative=True,
    documentation="1 - cos where y = 1; max(0, cos - m) where y = -1; 0 for any other y; "
    "cos = a.b / sqrt((a.a + 1e-12) (b.b + 1e-12))",
)
