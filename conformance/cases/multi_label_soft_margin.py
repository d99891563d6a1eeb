"""Rows of ``multi_label_soft_margin_loss``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from mpmath import mp

from conformance import shared_rows
from conformance.autodiff import Number, complement, each, softplus, total
from conformance.case import Array, Budget, Case, LayerState, Loss, Printed, Repeat
from conformance.domain import REDUCTION, SUMMABLE, Domain, Labels, Reals, Weights
from conformance.shared_rows import LONG, normal

INF, NAN = float("inf"), float("nan")
F32, F64 = ("float32",), ("float64",)
SINGLE = ("float32", "float64")
HALF = ("float16", "bfloat16")
TORCH_NAMES = {"label": "target"}

NO_COMPLEMENT = "torch cannot subtract a bool label"
INPUT_AXES = "torch takes the input's last axis for the classes"
AT_INFINITY = "C3: torch multiplies 0 by infinity"


def formula(input: Any, label: Any, weight: Any = None) -> Any:
    """-sum over c of w_c (y log s(x) + (1 - y) log s(-x)), over C; s is the logistic function."""
    terms = each(_term, input, label)
    if weight is not None:
        terms = terms * weight
    rows = terms if terms.ndim else terms.reshape(1)
    losses = np.empty(rows.shape[:-1], dtype=object)
    for index in np.ndindex(losses.shape):
        losses[index] = total(rows[index], rows[index][0].working) / len(rows[index])
    return losses


def _term(x: Number, y: Number) -> Number:
    """-log s(z) = log(1 + exp(-z))."""
    return _share(y, softplus(-x)) + _share(complement(y), softplus(x))


def _share(factor: Number, part: Number) -> Number:
    """A class that is certain has no loss, however far its score is on the wrong side."""
    if factor.value == 0 and part.value == mp.inf:
        return Number(0, part.working)
    return factor * part


def row(id: str, clause: str, x: Any, y: Any, **more: Any) -> Case:
    """A row of scores and labels; see :func:`shared_rows.row`."""
    return shared_rows.row(id, clause, {"input": x, "label": y}, **more)


def refused(id: str, x: Any, y: Any, kind: type[Exception], *match: str, **more: Any) -> Case:
    """A row that must raise; see :func:`shared_rows.refused`."""
    return shared_rows.refused(id, {"input": x, "label": y}, kind, match, **more)


def bits(seed: int, *shape: int) -> np.ndarray:
    """Random labels 0 and 1 of a fixed seed."""
    return np.random.default_rng(seed).choice([0.0, 1.0], shape)


PADDLE = "paddle.nn.functional.multi_label_soft_margin_loss, 3.3.1, Examples"
PADDLE_LAYER = "paddle.nn.MultiLabelSoftMarginLoss, 3.3.1, Examples"
PADDLE_X = [[1, -2, 3], [0, -1, 2], [1, 0, 1]]
PADDLE_Y = [[-1, 1, -1], [1, 1, 1], [1, -1, 1]]

DOCUMENTED = (
    *(
        row(
            f"{id}_{reduction}",
            "examples",
            PADDLE_X,
            PADDLE_Y,
            reduction=reduction,
            printed=Printed(text, source, units=12),
            note="labels of -1, to which the formula applies as to any other",
        )
        for id, source in (("paddle", PADDLE), ("paddle_layer", PADDLE_LAYER))
        for reduction, text in (
            ("none", "[3.49625897, 0.71111226, 0.43989015]"),
            ("mean", "1.54908717"),
        )
    ),
    row(
        "torch_example_shape",
        "examples",
        normal(60, 3, 5),
        bits(61, 3, 5),
        reduction="mean",
        note="torch's example draws its numbers; these come from NumPy's seeds 60 and 61",
    ),
)

SCORES = (0.0, 1e-10, 1e-3, 0.5, 1.0, 10.0, 16.0, 17.0, 20.0, 20.5, 37.0, 80.0)
ACCURACY = (
    *(
        row(
            f"score_of_{score:g}".replace(".", "_").replace("-", "minus_"),
            "accuracy",
            [[score], [-score], [score], [-score]],
            [[1.0], [0.0], [0.0], [1.0]],
        )
        for score in SCORES
    ),
    row("score_of_100_is_subnormal_float32", "accuracy", [[-100.0], [-90.0]], [[0.0]] * 2),
    row(
        "score_of_745_is_subnormal_float64", "accuracy", [[745.0], [709.0]], [[1.0]] * 2, dtypes=F64
    ),
    row("score_of_1e4", "accuracy", [[1e4, -1e4], [-1e4, 1e4]], [[1.0, 0.0]] * 2),
    row("score_of_60000_wrong", "accuracy", [[-60000.0]], [[1.0]]),
    row("certain_classes_beside_a_wrong_one", "accuracy", [[30.0, -30.0, 1.0]], [[1.0, 0.0, 0.0]]),
    row(
        "vanishes_float16",
        "accuracy",
        [[53.5625], [-53.5625]],
        [[1.0], [0.0]],
        dtypes=("float16",),
        note="Paddle casts 5.5e-24 to a float16 of 1e-4",
    ),
)

X, Y = [[2.0, 0.5, -3.0], [-1.0, 0.0, 4.0]], [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
NO_GRADIENT_0 = Array([[0.0]], grad=False)
NO_GRADIENT_1 = Array([[1.0]], grad=False)
LABELS = (
    *(
        row(f"label_{name}", "outside the domain", X, [[value] * 3] * 2)
        for name, value in (
            ("half", 0.5),
            ("0_1", 0.1),
            ("2", 2.0),
            ("minus_1", -1.0),
            ("nan", NAN),
            ("minus_0", -0.0),
        )
    ),
    row(
        "label_minus_1_has_no_lower_bound",
        "outside the domain",
        [[-100.0]],
        [[-1.0]],
        note="-100, as Paddle gives too",
    ),
    row("label_inf", "outside the domain", NO_GRADIENT_1, Array([[INF]], grad=False)),
    row("smoothed_labels_seed_62", "C1", normal(62, 4, 5), np.where(bits(63, 4, 5), 0.9, 0.05)),
    *(
        row(f"label_{dtype}", "dtype", X, Array([[1, 0, 1], [0, 1, 0]], dtype))
        for dtype in ("int8", "uint8", "int16", "int32", "int64")
    ),
    *(
        row(f"label_{dtype}", "dtype", X, Array([[1, 0, 0.3], [0.7, 1, 0]], dtype, grad=False))
        for dtype in ("float16", "bfloat16", "float32", "float64")
    ),
    *(
        row(
            f"label_gradient_of_{dtype}",
            "gradients",
            X,
            Array([[1, 0, 0.3], [0.7, 1, 0]], dtype),
            dtypes=(*HALF, "float32"),
        )
        for dtype in ("float16", "bfloat16", "float64")
    ),
    row("label_bool", "dtype", X, Array(Y, "bool"), torch=NO_COMPLEMENT),
    row(
        "label_uint8_255",
        "dtype",
        X,
        Array([[255, 0, 1]] * 2, "uint8"),
        torch="C3: torch subtracts a uint8 label",
    ),
    row("label_gradient_at_score_0", "gradients", [[0.0, -0.0]], [[1.0, 0.0]], note="-x"),
    row("label_without_gradient", "gradients", X, Array(Y, grad=False), reduction="sum"),
)

NOT_FINITE = (
    row("nan_in_one_sample", "NaN and infinity", [[NAN, 1.0], [0.5, 2.0]], [[1.0, 0.0]] * 2),
    row("nan_in_the_sum", "NaN and infinity", [[NAN], [0.5]], [[0.0]] * 2, reduction="sum"),
    *(
        row(f"score_{name}", "NaN and infinity", [[x]], y, torch=AT_INFINITY, note=note)
        for name, x, y, note in (
            ("inf_of_class_1", INF, NO_GRADIENT_1, "loss 0, gradient 0"),
            ("inf_of_class_0", INF, NO_GRADIENT_0, "loss infinity, gradient 1"),
            ("minus_inf_of_class_1", -INF, NO_GRADIENT_1, "loss infinity, gradient -1"),
            ("minus_inf_of_class_0", -INF, NO_GRADIENT_0, "loss 0, gradient 0"),
        )
    ),
    row(
        "label_gradient_where_a_score_is_certain",
        "NaN and infinity",
        [[INF, -INF]],
        [[1.0, 0.0]],
        dtypes=(*HALF, "float32"),
        torch=AT_INFINITY,
        note="the loss is 0, so its gradient is no NaN",
    ),
    row(
        "score_inf_beside_finite_ones",
        "NaN and infinity",
        [[INF, 0.5, -INF]],
        Array([[1.0, 1.0, 0.0]], grad=False),
        torch=AT_INFINITY,
    ),
    row(
        "score_inf_of_a_soft_label",
        "NaN and infinity",
        [[INF], [-INF]],
        Array([[0.5]] * 2, grad=False),
    ),
    row(
        "score_minus_inf_of_label_minus_1",
        "NaN and infinity",
        [[-INF]],
        Array([[-1.0]], grad=False),
        note="minus infinity",
    ),
    row(
        "score_inf_with_a_weight_of_0",
        "NaN and infinity",
        [[INF, 0.5]],
        Array([[0.0, 1.0]], grad=False),
        weight=Array([0.0, 1.0]),
        torch=AT_INFINITY,
    ),
)

EXTREMES = (
    row("signed_zeros", "C1", [[0.0, -0.0, 0.0, -0.0]], [[1.0, 1.0, 0.0, 0.0]]),
    row("subnormal_float32", "C1", [[2.0**-149, -(2.0**-140)]], [[1.0, 0.0]], dtypes=F32),
    row("subnormal_float64", "C1", [[2.0**-1074, -(2.0**-1060)]], [[1.0, 0.0]], dtypes=F64),
    row("largest_float32", "C1", [[3e38], [-3e38]], [[1.0]] * 2, dtypes=F32),
    row("largest_float64", "C1", [[1.7e308]], NO_GRADIENT_0, dtypes=F64),
    row("largest_float16", "C1", [[65504.0], [-65504.0]], [[1.0]] * 2, dtypes=("float16",)),
)

WEIGHT = [0.5, 2.0, 0.3]
WEIGHTS = (
    row("weight", "multi_label_soft_margin", X, Y, weight=Array(WEIGHT)),
    row("weight_gradient", "gradients", X, Y, weight=Array(WEIGHT, grad=True)),
    row(
        "weight_gradient_below_float16",
        "gradients",
        [[53.5]],
        [[1.0]],
        weight=Array([1.0], grad=True),
        dtypes=HALF[:1],
        note="exp(-53.5), which Paddle casts to a float16 of 1e-4",
    ),
    row("weight_mean_is_over_n", "reduction", X, Y, weight=Array(WEIGHT), reduction="mean"),
    row("weight_sum", "reduction", X, Y, weight=Array(WEIGHT, grad=True), reduction="sum"),
    row("weight_zero_class", "multi_label_soft_margin", X, Y, weight=Array([1.0, 0.0, 2.0])),
    row("weight_negative", "multi_label_soft_margin", X, Y, weight=Array([1.0, -2.0, 1.0])),
    row("weight_of_one_sample", "multi_label_soft_margin", X[:1], Y[:1], weight=Array(WEIGHT)),
    row("weight_unbatched", "multi_label_soft_margin", X[0], Y[0], weight=Array(WEIGHT), batch=()),
    row("weight_of_shape_1", "broadcasting", X, Y, weight=Array([0.3])),
    row("weight_of_shape_1_c", "broadcasting", X, Y, weight=Array([WEIGHT])),
    row(
        "weight_float64_beyond_float16",
        "dtype",
        Array([[10.0]], grad=False),
        NO_GRADIENT_1,
        weight=Array([1e5], "float64"),
        dtypes=("float16",),
        torch="torch does not cast the weight",
        note="cast to the input's dtype it is infinity",
    ),
    row("weight_int64_is_cast", "dtype", X, Y, weight=Array([1, 2, 3], "int64")),
    *(
        row(
            f"weight_{own}_is_cast",
            "dtype",
            X,
            Y,
            weight=Array(WEIGHT, own),
            dtypes=dtypes,
            torch="torch does not cast the weight",
        )
        for own, dtypes in (
            ("float64", (*HALF, "float32")),
            ("float32", (*HALF, "float64")),
            ("float16", ("bfloat16", *SINGLE)),
            ("bfloat16", ("float16", *SINGLE)),
        )
    ),
)

THREE = [[2.0, 0.5, -3.0, 1.0], [0.25, 0.0, 1.5, -1.0], [1.0, 2.0, 3.0, 4.0]]
ROW = [1.0, 0.0, 0.25, 1.0]
BROADCASTING = (
    row(
        "column_against_row_warns",
        "C6",
        [[2.0], [0.5], [-3.0], [1.0]],
        ROW,
        warns=UserWarning,
        warns_match=(r"\[4, 1\]", r"\[4\]", r"\[4, 4\]"),
        torch=INPUT_AXES,
        batch=(),
    ),
    row("label_column", "C6", THREE, [[1.0], [0.0], [0.5]]),
    row(
        "column_against_matrix",
        "C6",
        [[2.0], [0.5]],
        [[1.0, 0.0], [0.0, 1.0]],
        torch=INPUT_AXES,
        batch=(),
    ),
    row(
        "column_against_one_row_warns",
        "C6",
        [[2.0], [0.5]],
        [[1.0, 0.0, 0.5]],
        warns=UserWarning,
        warns_match=(r"\[2, 1\]", r"\[1, 3\]", r"\[2, 3\]"),
        torch=INPUT_AXES,
        batch=(),
    ),
    *(
        row(f"label_{name}", "broadcasting", THREE, y, batch=("input",))
        for name, y in (("row", ROW), ("of_one_element", [1.0]), ("of_no_axis", 0.0))
    ),
    row("input_of_one_row", "broadcasting", ROW, THREE, torch=INPUT_AXES, batch=("label",)),
    row("input_column", "broadcasting", [[2.0], [0.5]], Y, torch=INPUT_AXES),
    row(
        "mean_over_the_broadcast_shape",
        "broadcasting",
        THREE,
        ROW,
        reduction="mean",
        batch=("input",),
    ),
)

SHAPES = (
    row("unbatched", "reduction", X[0], Y[0], batch=()),
    row("unbatched_mean", "reduction", X[0], Y[0], reduction="mean", batch=()),
    row("input_0d", "reduction", 2.0, 1.0, torch="torch refuses a 0-D input"),
    row("one_sample", "reduction", X[:1], Y[:1]),
    row("one_class", "reduction", [[2.0], [-3.0]], [[1.0], [1.0]]),
    row(
        "shape_3d",
        "reduction",
        np.arange(24).reshape(2, 3, 4) / 8 - 1,
        np.tile([1.0, 0.0], (2, 3, 2)),
        note="the last axis are the classes; the result is [2, 3]",
    ),
    *(
        row(f"empty_batch_{name}", "empty", np.zeros((0, 3)), np.zeros((0, 3)), reduction=name)
        for name in ("none", "mean", "sum")
    ),
    row(
        "empty_batch_with_weight", "empty", np.zeros((0, 3)), np.zeros((0, 3)), weight=Array(WEIGHT)
    ),
    row("empty_0_by_0", "empty", np.zeros((0, 0)), np.zeros((0, 0))),
)

MANY = (
    row("random_8_10_seed_64", "C1", normal(64, 8, 10), bits(65, 8, 10)),
    row(
        "random_32_4_seed_66_mean",
        "C1",
        normal(66, 32, 4),
        bits(67, 32, 4),
        reduction="mean",
        profile="full",
    ),
    row("random_scaled_by_100_seed_68", "accuracy", 100 * normal(68, 8, 10), bits(69, 8, 10)),
    row(
        "random_weight_seed_70",
        "accuracy",
        10 * normal(70, 8, 10),
        bits(71, 8, 10),
        weight=Array(np.abs(normal(72, 10)), grad=True),
    ),
    row(
        "random_150_classes_seed_73",
        "accuracy",
        normal(73, 2, 150),
        bits(74, 2, 150),
        profile="full",
    ),
    row(
        "1000_equal_classes",
        "accuracy",
        Array([[0.1] * 1000], grad=False),
        Array([[1.0] * 1000], grad=False),
        dtypes=F64,
        note="adding one by one loses 99 ULP",
    ),
    Case(
        "mean_of_a_million_samples",
        "C1",
        {"input": Repeat(0, (10**6, 1)), "label": Repeat(1, (10**6, 1))},
        {"reduction": "mean"},
        profile="full",
        dtypes=F32,
        exact=math.log(2),
        modes="too large for a graph",
    ),
)

TYPICAL = {"input": X, "label": Y}
ERRORS = (
    refused("label_complex_is_refused", X, Array(Y, "complex64"), TypeError, "label", "complex64"),
    refused("label_does_not_fit", X, [[1.0, 0.0]], ValueError, r"\[2, 3\]", r"label \[1, 2\]"),
    refused(
        "weight_of_2_samples_for_1",
        X[:1],
        Y[:1],
        ValueError,
        r"weight.*\[1, 3\]",
        r"received.*\[2, 3\]",
        weight=Array(np.ones((2, 3))),
    ),
    refused("batches_do_not_fit", X, [*Y, Y[0]], ValueError, r"\[2, 3\]", r"label \[3, 3\]"),
    *(
        refused(
            f"weight_{name}_is_refused",
            X,
            Y,
            kind,
            f"weight.*({expected})",
            f"received.*{received}",
            constructor=constructor,
            weight=weight,
        )
        for name, weight, kind, expected, received, constructor in (
            ("list", [1.0] * 3, TypeError, "tensor", "list", True),
            ("numpy", np.ones(3), TypeError, "tensor", "ndarray", True),
            ("number", 2.0, TypeError, "tensor", "2.0", True),
            ("bool", Array([True] * 3, "bool"), TypeError, "tensor", "bool", True),
            ("too_long", Array([1.0] * 4), ValueError, "3", r"\[4\]", False),
            ("of_more_samples", Array(np.ones((4, 3))), ValueError, "2, 3", r"\[4, 3\]", False),
            ("3d", Array(np.ones((4, 2, 3))), ValueError, "2, 3", r"\[4, 2, 3\]", False),
        )
    ),
)

DOMAIN = Domain(
    shapes=(("N C", "N C"),),
    hostile_shapes=(
        ("", ""),
        ("C", "C"),
        ("N D C", "N D C"),
        ("N C", "C"),
        ("N C", "N 1"),
        ("N C", ""),
    ),
    inputs={
        "input": Reals(SUMMABLE),
        "label": Labels(
            (1.0, 0.0),
            (0.5, 0.1, 0.9, -0.0, 2.0, -1.0, NAN),
            hostile_dtypes=("int64", "int32", "int8", "float16", "bfloat16", "bool"),
        ),
    },
    options={"weight": Weights(), "reduction": REDUCTION},
)

LOSS = Loss(
    stem="multi_label_soft_margin",
    function="multi_label_soft_margin_loss",
    layer="MultiLabelSoftMarginLoss",
    signature="(input, label, weight=None, reduction='mean', name=None)",
    layer_signature="(weight=None, reduction='mean', name=None)",
    inputs=("input", "label"),
    differentiable=("input", "label"),
    formula=formula,
    budget=Budget(
        value={
            "float16": 1,
            "bfloat16": 1,
            "float32": 6,
            "float64": lambda classes: 6 if classes <= 1000 else 24,
        },
        gradient={"float16": 2, "bfloat16": 2, "float32": 16, "float64": 16},
    ),
    domain=DOMAIN,
    cases=(
        *DOCUMENTED,
        *ACCURACY,
        *LABELS,
        *NOT_FINITE,
        *EXTREMES,
        *WEIGHTS,
        *BROADCASTING,
        *SHAPES,
        *MANY,
        *ERRORS,
        shared_rows.longer_than_a_block(
            {"input": normal(60, 2, LONG), "label": Array(bits(61, 2, LONG), grad=False)},
            weight=Array(normal(62, LONG)),
        ),
        *shared_rows.shared(TYPICAL, TORCH_NAMES),
        *shared_rows.positions(TYPICAL, weight=Array(WEIGHT), reduction="none"),
    ),
    layers=(
        LayerState("defaults", {}, "reduction='mean'"),
        LayerState(
            "weight_is_shown_and_saved",
            {"weight": Array([1.0, 2.0, 3.0]), "reduction": "sum"},
            "weight=Tensor(shape=[3], dtype=float32), reduction='sum'",
            ("weight",),
        ),
    ),
    torch_function="multilabel_soft_margin_loss",
    torch_names=TORCH_NAMES,
    batch=("input", "label"),
    exempt={"kink": "the loss is smooth"},
    documentation="-sum of w[c] (y log s(x) + (1 - y) log s(-x)) / C, s(z) = 1/(1 + exp(-z))",
)
