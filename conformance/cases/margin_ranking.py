"""Rows of ``margin_ranking_loss``."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance import shared_rows
from conformance.autodiff import Number, clamp, each
from conformance.case import Array, Budget, Case, LayerState, Loss, Printed, Repeat
from conformance.domain import REDUCTION, SUMMABLE, Domain, Labels, Reals, margins
from conformance.shared_rows import LONG, normal, signs

INF, NAN = float("inf"), float("nan")
F32, F64 = ("float32",), ("float64",)
SINGLE = ("float32", "float64")
HALF = ("float16", "bfloat16")
TORCH_NAMES = {"input": "input1", "other": "input2", "label": "target"}

SAME_RANK = "torch wants tensors of one number of axes"


def formula(input: Any, other: Any, label: Any, margin: Any = 0.0) -> Any:
    """max(0, -y (a - b) + m)."""
    limit = margin.item() if isinstance(margin, np.ndarray) else margin

    def element(a: Number, b: Number, y: Number) -> Number:
        return clamp(-(y * (a - b)) + limit, passes_at_zero=True)

    return each(element, input, other, label)


def row(id: str, clause: str, a: Any, b: Any, y: Any, **more: Any) -> Case:
    """A row of two scores and a label; see :func:`shared_rows.row`."""
    return shared_rows.row(id, clause, {"input": a, "other": b, "label": y}, **more)


def refused(
    id: str, a: Any, b: Any, y: Any, kind: type[Exception], *match: str, **more: Any
) -> Case:
    """A row that must raise; see :func:`shared_rows.refused`."""
    inputs = {"input": a, "other": b, "label": y}
    return shared_rows.refused(id, inputs, kind, match, **more)


PADDLE = "paddle.nn.functional.margin_ranking_loss, 3.3.1, Examples"
PADDLE_LAYER = "paddle.nn.MarginRankingLoss, 3.3.1, Examples"
PADDLE_A, PADDLE_B = [[1, 2], [3, 4]], [[2, 1], [2, 4]]
PADDLE_Y = [[1, -1], [-1, -1]]

DOCUMENTED = (
    *(
        row(
            id,
            "examples",
            PADDLE_A,
            PADDLE_B,
            PADDLE_Y,
            reduction="mean",
            printed=Printed("0.75000000", source),
            note="(1 + 1 + 1 + 0) / 4",
        )
        for id, source in (("paddle_mean", PADDLE), ("paddle_layer_mean", PADDLE_LAYER))
    ),
    row(
        "torch_example_shape",
        "examples",
        normal(20, 3),
        normal(21, 3),
        np.sign(normal(22, 3)),
        reduction="mean",
        note="torch's example draws its numbers; these come from NumPy's seeds 20 to 22",
    ),
)

KINKS = (
    row("tie_at_the_default_margin", "kink", [0.5, 0.5], [0.5, 0.5], [1.0, -1.0], note="-y, y"),
    row("tie_of_zeros_mean", "kink", [0.0] * 4, [0.0] * 4, [1.0, -1.0, 1.0, 1.0], reduction="mean"),
    row("tie_with_label_0", "kink", [0.5], [0.5], [0.0], second=False),
    row("at_the_kink", "kink", [1.5, 0.25], [1.0, 0.75], [1.0, -1.0], margin=0.5),
    row("kink_at_a_negative_margin", "kink", [0.5], [1.0], [1.0], margin=-0.5),
    row("kink_of_a_label_outside", "kink", [0.75], [0.5], [2.0], margin=0.5),
    *(
        row(
            f"next_{dtype}_{side}_the_kink", "kink", [lead], [0.0], [1.0], margin=1, dtypes=(dtype,)
        )
        for dtype, bits in (("float16", 10), ("bfloat16", 7), ("float32", 23), ("float64", 52))
        for side, lead in (("below", 1 - 2.0 ** -(bits + 1)), ("above", 1 + 2.0**-bits))
    ),
    row("next_float32_beside_a_tie", "kink", [1 + 2.0**-23], [1.0], [1.0], dtypes=F32),
    row("next_float32_on_the_wrong_side", "kink", [1.0], [1 + 2.0**-23], [1.0], dtypes=F32),
    row("next_float64_beside_a_tie", "kink", [1 + 2.0**-52], [1.0], [-1.0], dtypes=F64),
)

A, B, Y = [2.0, 0.5, -3.0], [0.5, 1.0, -1.0], [1.0, -1.0, 1.0]
GIVEN, MARGIN = Array([0.5], grad=False), 0.5
LABELS = (
    *(
        row(f"label_{name}", "outside the domain", A, B, [value] * 3, margin=MARGIN)
        for name, value in (
            ("0", 0.0),
            ("2", 2.0),
            ("minus_2", -2.0),
            ("half", 0.5),
            ("nan", NAN),
            ("minus_0", -0.0),
        )
    ),
    *(
        row(
            f"label_{name}",
            "outside the domain",
            A,
            B,
            [value] * 3,
            margin=MARGIN,
            torch="C3: torch has a NaN gradient where the loss is 0",
        )
        for name, value in (("inf", INF), ("minus_inf", -INF))
    ),
    row("label_inf_of_a_tie", "outside the domain", GIVEN, GIVEN, [INF], note="infinity times 0"),
    *(
        row(f"label_{dtype}", "dtype", A, B, Array([1, -1, 0], dtype), margin=MARGIN)
        for dtype in ("int8", "int16", "int32", "int64")
    ),
    *(
        row(f"label_{dtype}", "dtype", A, B, Array([1, -1, 0.3], dtype), margin=MARGIN)
        for dtype in ("float16", "bfloat16", "float32", "float64")
    ),
    row(
        "label_float64_decides_beside_the_kink",
        "dtype",
        Array([1.0, 1.0], "float32"),
        Array([0.0, 0.0], "float32"),
        Array([1 - 1e-12, 1 + 1e-12], "float64"),
        margin=1.0,
        dtypes=F32,
    ),
    *(
        row(f"label_{name}", "dtype", A, B, Array(y, dtype), margin=MARGIN, torch=torch)
        for name, dtype, y, torch in (
            ("bool_false_is_0", "bool", [True, False, True], "torch cannot negate a bool label"),
            ("uint8_255_is_not_minus_1", "uint8", [255, 1, 0], "C3: torch negates a uint8 label"),
            ("int8_minus_128", "int8", [-128, 127, 1], "C3: torch negates an int8 label"),
        )
    ),
    row("label_int64_of_25_bits", "dtype", A, B, Array([-(2**24) - 1, 1, -1], "int64")),
)

NOT_FINITE = (
    *(
        row(f"nan_in_{name}", "NaN and infinity", [a, 2.0], [b, 0.0], [y, 1.0])
        for name, a, b, y in (
            ("input", NAN, 0.0, 1.0),
            ("other", 0.0, NAN, 1.0),
            ("label", 0.5, 0.25, NAN),
        )
    ),
    row("nan_in_the_mean", "NaN and infinity", [NAN, 2.0], [0.0] * 2, [1.0] * 2, reduction="mean"),
    row("nan_with_label_0", "NaN and infinity", [NAN], [0.0], [0.0]),
    row("inf_minus_inf", "NaN and infinity", [INF, -INF], [INF, -INF], [1.0, -1.0]),
    row("inf_with_label_0", "NaN and infinity", [INF], [0.0], Array([0.0], grad=False)),
    row(
        "inf_on_the_right_side",
        "NaN and infinity",
        [INF, -INF, 0.0],
        [0.0, 0.0, -INF],
        Array([1.0, -1.0, 1.0], grad=False),
        note="loss 0 and gradient 0",
    ),
    row("inf_on_the_wrong_side", "NaN and infinity", [-INF, 0.0], [0.0, INF], [1.0, 1.0]),
    row("margin_inf", "margin", A, B, Y, margin=INF),
    row("margin_minus_inf", "margin", A, B, Y, margin=-INF),
    row("margin_nan", "margin", A, B, Y, margin=NAN),
    row(
        "label_gradient_of_an_infinite_lead",
        "gradients",
        [INF],
        [0.0],
        [1.0],
        torch="C3: torch gives 0 times infinity",
        note="no NaN where the loss is finite",
    ),
)

EXTREMES = (
    row(
        "gradient_below_float16",
        "gradients",
        [0.5],
        [0.25],
        Array([1.375 * 2.0**-78], "float32"),
        margin=1.0,
        dtypes=HALF[:1],
        note="Paddle casts it to a float16 of 8e-5",
    ),
    row("signed_zeros", "C1", [0.0, -0.0, 0.0, -0.0], [-0.0, 0.0, 0.0, -0.0], [1.0, -1.0] * 2),
    row("subnormal_float32", "C1", [2.0**-149], [2.0**-140], [1.0], dtypes=F32),
    row("subnormal_float64", "C1", [2.0**-1074], [2.0**-1060], [1.0], dtypes=F64),
    row("tiny", "C1", [1e-30, -1e-30], [2e-30, 1e-30], Y[:2], margin=1e-30, dtypes=SINGLE),
    row("largest_float32", "C1", [3.4e38, -3.4e38], [0.0, 0.0], [-1.0, 1.0], dtypes=F32),
    row("difference_overflows_float32", "C1", [3.4e38], [-3.4e38], [-1.0], dtypes=F32),
    row("difference_overflows_float64", "C1", [1.7e308], [-1.7e308], [-1.0], dtypes=F64),
    row(
        "difference_overflows_float32_but_not_its_mean",
        "C1",
        [-3e38, 0.0, 0.0, 0.0],
        [3e38, 0.0, 0.0, 0.0],
        [1.0] * 4,
        reduction="mean",
        dtypes=F32,
        torch="C3: torch overflows before it divides",
        note="6e38 / 4",
    ),
    row("largest_float16", "C1", [65504.0, 3e4], [0.0, -3e4], [-1.0] * 2, dtypes=("float16",)),
    row("huge_and_apart_by_1", "C1", [16777215.0], [16777216.0], [1.0], dtypes=SINGLE),
    row("margin_larger_than_input_dtype", "margin", [1.0], [0.5], [1.0], margin=1e6),
    row("absorbed_margin", "margin", [1.0], [1.5], [1.0], margin=1e-10),
    row(
        "cancellation",
        "C1",
        *(Array(x, grad=False) for x in ([0.8, 1.3, 0.7], [0.5, 1.0, 0.4], [1.0, 1.0, 1.0])),
        margin=0.3,
        dtypes=SINGLE,
        note="rounding decides which side of the kink it is on, so no gradient is asked for",
    ),
    row("cancellation_of_scores", "C1", [0.1 + 0.2, 1e3 + 0.1], [0.3001, 1e3], [-1.0, -1.0]),
)

GRADIENT_OF_A_MEAN = row(
    "label_gradient_of_a_mean_of_5",
    "accuracy",
    [1 + 17 * 2.0**-52, 0.0, 0.0, 0.0, 0.0],
    [-1.432, 0.0, 0.0, 0.0, 0.0],
    [-1.0] * 5,
    reduction="mean",
    dtypes=F64,
    note="the difference, 1 / 5 and their product are three roundings: 1.6 ULP",
)

DTYPES = tuple(
    row(
        f"{a}_with_{b}_gives_{wider}",
        "dtype",
        Array([0.3, 0.7], a),
        Array([0.6, 0.1], b),
        Array([1, -1], "int64"),
        margin=0.3,
        dtypes=F32,
    )
    for a, b, wider in (
        ("float32", "float64", "float64"),
        ("float64", "float16", "float64"),
        ("bfloat16", "float32", "float32"),
        ("float16", "float32", "float32"),
        ("float16", "bfloat16", "float32"),
        ("bfloat16", "float16", "float32"),
    )
)

THREE = [[2.0, 0.5, -3.0, 1.0], [0.25, 0.0, 1.5, -1.0], [1.0, 2.0, 3.0, 4.0]]
ROW, SCORES = [1.0, -1.0, 0.5, -2.0], ("input", "other")
BROADCASTING = (
    row(
        "column_against_row_warns",
        "broadcasting",
        [[2.0], [0.5], [-3.0], [1.0]],
        [[1.0], [0.0], [0.5], [2.0]],
        ROW,
        warns=UserWarning,
        warns_match=(r"\[4, 1\]", r"\[4\]", r"\[4, 4\]"),
        torch=SAME_RANK,
        batch=(),
    ),
    row(
        "scores_of_column_and_row_warn",
        "C6",
        [[2.0], [0.5]],
        [[1.0, 0.0, 3.0]],
        [[1.0]],
        warns=UserWarning,
        warns_match=(r"\[2, 1\]", r"\[1, 3\]", r"\[2, 3\]"),
        batch=(),
    ),
    row(
        "column_against_matrix",
        "C6",
        [[2.0], [0.5]],
        [[1.0, 0.0], [0.25, 3.0]],
        [[1.0, -1.0], [-1.0, 1.0]],
        batch=(),
    ),
    row(
        "label_row_against_columns_warns",
        "C6",
        [[2.0], [0.5]],
        [[1.0], [0.25]],
        [[1.0, -1.0, 0.5]],
        warns=UserWarning,
        warns_match=(r"\[2, 1\]", r"\[1, 3\]", r"\[2, 3\]"),
        batch=(),
    ),
    row("other_of_one_row", "broadcasting", THREE, [ROW], [ROW], batch=("input",)),
    row("other_0d", "broadcasting", A, 0.5, Y, torch=SAME_RANK, batch=("input", "label")),
    *(
        row(f"label_{name}", "broadcasting", THREE, THREE[::-1], y, torch=SAME_RANK, batch=SCORES)
        for name, y in (("row", ROW), ("of_one_element", [1.0]), ("of_no_axis", -1.0))
    ),
    row("label_column", "broadcasting", THREE, [ROW] * 3, [[1.0], [-1.0], [0.5]]),
    row(
        "mean_over_the_broadcast_shape",
        "broadcasting",
        ROW,
        THREE,
        [1.0],
        margin=0.25,
        reduction="mean",
        torch=SAME_RANK,
        batch=("other",),
    ),
    *(
        row(
            f"gradient_added_over_2000_{name}",
            "gradients",
            *vectors,
            margin=2.0,
            reduction="mean",
            dtypes=(*HALF, "float32"),
            torch=SAME_RANK,
            batch=batch,
            note="2,000 times 1/2000, which float32 cannot add one by one",
        )
        for name, vectors, batch in (
            ("labels", ([0.25], 0.5, np.ones(2000)), ("label",)),
            ("scores", (np.full(2000, 0.25), np.full(2000, 0.15), [1.0]), SCORES),
        )
    ),
)

SHAPES = (
    row("shape_0d", "reduction", 2.0, 1.0, 1.0),
    row("shape_0d_with_a_margin", "reduction", 2.0, 1.0, -1.0, margin=0.5),
    row("shape_0d_mean", "reduction", 2.0, 1.0, -1.0, margin=0.5, reduction="mean"),
    row("shape_1d_of_one", "reduction", [2.0], [1.0], [-1.0], margin=0.5),
    row(
        "shape_3d",
        "reduction",
        np.arange(24).reshape(2, 3, 4) / 8 - 1,
        np.ones((2, 3, 4)) / 2,
        np.tile([1.0, -1], (2, 3, 2)),
        margin=0.25,
    ),
    *(
        row(
            f"empty_batch_{name}",
            "empty",
            *(np.zeros((0, 3)) for _ in range(3)),
            margin=0.5,
            reduction=name,
        )
        for name in ("none", "mean", "sum")
    ),
    row("empty_1d_mean", "empty", *(np.zeros(0) for _ in range(3)), reduction="mean"),
    row("empty_0_by_0", "empty", *(np.zeros((0, 0)) for _ in range(3))),
)

MARGINS = (
    *(
        row(f"margin_{name}", "margin", A, B, Y, margin=value)
        for name, value in (
            ("0", 0),
            ("negative", -1.0),
            ("true_is_1", True),
            ("numpy_scalar", np.float32(0.3)),
            ("numpy_int", np.int64(2)),
            ("0_3", 0.3),
            ("int", 2),
        )
    ),
    *(
        row(f"margin_tensor_{name}", "margin", A, B, Y, margin=Array(value, grad=True))
        for name, value in (("0d", 0.75), ("of_shape_1", [0.75]), ("of_shape_1_1", [[0.75]]))
    ),
    row(
        "margin_tensor_at_the_kink",
        "margin",
        [1.0, 1.0],
        [0.5, 0.5],
        [1.0, -1.0],
        margin=Array(0.5, grad=True),
        note="d/dm is 1 at the kink too",
    ),
    row(
        "margin_tensor_with_mean",
        "margin",
        A,
        B,
        Y,
        margin=Array([3.0], grad=True),
        reduction="mean",
    ),
    row("margin_tensor_keeps_0d", "margin", 0.25, 1.0, -1.0, margin=Array([2.0], grad=True)),
    row(
        "margin_tensor_float64_keeps_the_dtype",
        "margin",
        A,
        B,
        Y,
        margin=Array(0.75, "float64", grad=True),
        dtypes=(*HALF, "float32"),
    ),
    row(
        "margin_counts_as_rounded",
        "margin",
        [0.3],
        [0.0],
        Array([1], "int64"),
        margin=0.3,
        dtypes=F32,
        note="at the kink, where the gradient passes; 0.3 itself is below it",
    ),
    row("margin_tensor_int64", "margin", A, B, Y, margin=Array(2, "int64")),
)

SIGNS = signs(33, 8, 10)
MILLION = (10**6,)
RANDOM = (
    row("random_32_seed_30", "C1", normal(30, 32), normal(31, 32), normal(32, 32), margin=0.3),
    row(
        "random_8_10_seed_34_mean",
        "C1",
        normal(34, 8, 10),
        normal(35, 8, 10),
        SIGNS,
        margin=0.5,
        reduction="mean",
    ),
    row(
        "random_scaled_by_100_seed_36_sum",
        "C1",
        100 * normal(36, 8, 10),
        100 * normal(37, 8, 10),
        SIGNS,
        margin=0.3,
        reduction="sum",
    ),
    Case(
        "mean_of_a_million_equal_elements",
        "C1",
        {"input": Repeat(0, MILLION), "other": Repeat(0.1, MILLION), "label": Repeat(1, MILLION)},
        {"reduction": "mean"},
        dtypes=SINGLE,
        exact=0.1,
        modes="too large for a graph",
    ),
)

ERRORS = (
    *(
        refused(f"other_{d}_is_refused", A, Array([1, 0, 1], d), Y, TypeError, "other.*float32", d)
        for d in ("int64", "bool", "complex64")
    ),
    refused("label_complex_is_refused", A, B, Array(Y, "complex64"), TypeError, "label", "complex"),
    refused("other_does_not_fit", A, B[:2], Y, ValueError, r"input \[3\]", r"other \[2\]"),
    refused("label_does_not_fit", A, B, Y[:2], ValueError, r"input \[3\]", r"label \[2\]"),
    refused("ranks_do_not_fit", THREE, THREE, A, ValueError, r"\[3, 4\]", r"label \[3\]"),
)

TYPICAL = {"input": A, "other": B, "label": Y}
DOMAIN = Domain(
    shapes=(("N ...", "N ...", "N ..."),),
    hostile_shapes=(
        ("", "", ""),
        ("N C", "N C", "C"),
        ("N C", "1 C", "N 1"),
        ("N C", "C", ""),
        ("C", "N C", "1"),
    ),
    inputs={
        "input": Reals(SUMMABLE),
        "other": Reals(SUMMABLE),
        "label": Labels(
            (1.0, -1.0),
            (0.0, 2.0, -2.0, 0.5, 0.3, -0.0, 1e-30, NAN, INF, -INF),
            hostile_dtypes=("int64", "int32", "int8", "float16", "bfloat16"),
        ),
    },
    options={"margin": margins(hostile=(INF, -INF, NAN)), "reduction": REDUCTION},
    exhaustive=tuple(
        {"other": other, "label": label} for other in (0.0, 0.625) for label in (1.0, -1.0, 2.0)
    ),
)

LOSS = Loss(
    stem="margin_ranking",
    function="margin_ranking_loss",
    layer="MarginRankingLoss",
    signature="(input, other, label, margin=0.0, reduction='mean', name=None)",
    layer_signature="(margin=0.0, reduction='mean', name=None)",
    inputs=("input", "other", "label"),
    differentiable=("input", "other", "label"),
    formula=formula,
    budget=Budget(
        value={"float16": 1, "bfloat16": 1, "float32": 2, "float64": 2},
        gradient={"float16": 2, "bfloat16": 2, "float32": 1, "float64": 1},
    ),
    domain=DOMAIN,
    cases=(
        *DOCUMENTED,
        *KINKS,
        *LABELS,
        *NOT_FINITE,
        *EXTREMES,
        GRADIENT_OF_A_MEAN,
        *DTYPES,
        *BROADCASTING,
        *SHAPES,
        *MARGINS,
        *RANDOM,
        *ERRORS,
        shared_rows.longer_than_a_block(
            {
                "input": normal(60, LONG),
                "other": normal(61, LONG),
                "label": Array(signs(62, LONG), grad=False),
            },
            margin=0.3,
        ),
        *shared_rows.shared(TYPICAL, TORCH_NAMES),
        *shared_rows.positions(TYPICAL, margin=0.5, reduction="none"),
        *shared_rows.margin_errors(TYPICAL),
    ),
    layers=(
        LayerState("defaults", {}, "margin=0.0, reduction='mean'"),
        LayerState(
            "every_option", {"margin": 0.5, "reduction": "sum"}, "margin=0.5, reduction='sum'"
        ),
    ),
    torch_names=TORCH_NAMES,
    batch=("input", "other", "label"),
    never_negative=True,
    documentation="max(0, -y (a - b) + m)",
)
