"""Rows of ``hinge_embedding_loss``."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance import shared_rows
from conformance.autodiff import clamp, each, select
from conformance.case import Array, Budget, Case, LayerState, Loss, Printed, Repeat
from conformance.domain import REDUCTION, SUMMABLE, Domain, Labels, Reals, margins
from conformance.shared_rows import LONG, normal, signs

INF, NAN = float("inf"), float("nan")
F32, F64 = ("float32",), ("float64",)
SINGLE = ("float32", "float64")
TORCH_NAMES = {"label": "target"}


def formula(input: Any, label: Any, margin: Any = 1.0) -> Any:
    """x where y is 1, max(0, m - x) where y is -1, their sum for any other y."""
    limit = margin.item() if isinstance(margin, np.ndarray) else margin
    x, y = np.broadcast_arrays(input, label)
    below = each(lambda z: clamp(z, passes_at_zero=True), limit - x)
    return select(y == 1, x, select(y == -1, below, x + below))


def row(id: str, clause: str, x: Any, y: Any, **more: Any) -> Case:
    """A row of an input and a label; see :func:`shared_rows.row`."""
    return shared_rows.row(id, clause, {"input": x, "label": y}, **more)


def refused(id: str, x: Any, y: Any, kind: type[Exception], *match: str, **more: Any) -> Case:
    """A row that must raise; see :func:`shared_rows.refused`."""
    return shared_rows.refused(id, {"input": x, "label": y}, kind, match, **more)


PADDLE_X = [[1, -2, 3], [0, -1, 2], [1, 0, 1]]
PADDLE_Y = [[-1, 1, -1], [1, 1, 1], [1, -1, 1]]
PADDLE = "paddle.nn.functional.hinge_embedding_loss, 3.3.1, Examples"
PADDLE_LAYER = "paddle.nn.HingeEmbeddingLoss, 3.3.1, Examples"
LUCID = "Lucid, hinge_embedding_loss, Examples"
NINE = "[[0., -2., 0.], [0., -1., 2.], [1., 1., 1.]]"

DOCUMENTED = (
    row("paddle_none", "examples", PADDLE_X, PADDLE_Y, printed=Printed(NINE, PADDLE)),
    row(
        "paddle_mean",
        "examples",
        PADDLE_X,
        PADDLE_Y,
        margin=1.0,
        reduction="mean",
        printed=Printed("0.22222222", PADDLE_LAYER),
    ),
    row(
        "lucid_margin_1",
        "examples",
        [0.3, 1.5, 0.8, 2.1],
        [1, 1, -1, -1],
        reduction="mean",
        printed=Printed("0.5", LUCID),
        note="(0.3 + 1.5 + (1 - 0.8) + 0) / 4",
    ),
    row(
        "lucid_margin_2",
        "examples",
        [0.5, 1.0, 3.0],
        [-1, -1, 1],
        margin=2.0,
        reduction="mean",
        printed=Printed("1.8333", LUCID),
        note="((2 - 0.5) + (2 - 1) + 3) / 3 = 11/6",
    ),
    row(
        "torch_example_shape",
        "examples",
        normal(5, 3, 5),
        np.sign(normal(6, 3, 5)),
        reduction="mean",
        note="torch's example draws its numbers; these come from NumPy's seeds 5 and 6",
    ),
)

X, Y = [2.0, 0.5, -3.0], [1.0, -1.0, 1.0]
KINKS = (
    row("at_the_kink", "kink", [1.0, 1.0], [-1.0, 1.0], note="gradient -1 at x = margin"),
    row("next_float32_below_the_kink", "kink", [1 - 2.0**-24], [-1.0], dtypes=F32),
    row("next_float32_above_the_kink", "kink", [1 + 2.0**-23], [-1.0], dtypes=F32),
    row("next_float64_below_the_kink", "kink", [1 - 2.0**-53], [-1.0], dtypes=F64),
    row("next_float64_above_the_kink", "kink", [1 + 2.0**-52], [-1.0], dtypes=F64),
    row("next_float16_below_the_kink", "kink", [1 - 2.0**-11], [-1.0], dtypes=("float16",)),
    row("next_float16_above_the_kink", "kink", [1 + 2.0**-10], [-1.0], dtypes=("float16",)),
    row("next_bfloat16_below_the_kink", "kink", [1 - 2.0**-8], [-1.0], dtypes=("bfloat16",)),
    row("next_bfloat16_above_the_kink", "kink", [1 + 2.0**-7], [-1.0], dtypes=("bfloat16",)),
    row("kink_at_margin_0", "kink", [0.0, -0.0], [-1.0, -1.0], margin=0.0),
    row("kink_of_a_label_outside", "kink", [1.0, 1.0], [0.0, NAN]),
    row("kink_in_the_mean", "kink", [1.0, 0.5], [-1.0, -1.0], reduction="mean"),
)

LABELS = (
    *(
        row(f"label_{name}_is_outside", "outside the domain", X, [value] * 3)
        for name, value in (
            ("0", 0.0),
            ("2", 2.0),
            ("minus_2", -2.0),
            ("half", 0.5),
            ("nan", NAN),
            ("inf", INF),
            ("minus_inf", -INF),
            ("minus_0", -0.0),
        )
    ),
    *(
        row(f"label_{dtype}", "dtype", X, Array([1, -1, 0], dtype))
        for dtype in ("int8", "int16", "int32", "int64", "float16", "bfloat16", "float64")
    ),
    row("label_float32", "dtype", X, Array([1, -1, 0], "float32")),
    row("label_bool_false_is_0", "dtype", X, Array([True, False, True], "bool")),
    row(
        "label_uint8_255_is_not_minus_1",
        "dtype",
        X,
        Array([255, 1, 0], "uint8"),
        torch="C3: torch compares a uint8 label with -1 as 255",
    ),
    row("label_int64_2_to_53_plus_1", "dtype", X, Array([2**53 + 1, 1, -1], "int64")),
    row(
        "label_int64_that_wraps_to_1_in_32_bits",
        "dtype",
        X,
        Array([2**32 + 1, 2**32 - 1, -(2**32) - 1], "int64"),
    ),
    *(
        row(f"label_{dtype}_between_integers", "dtype", X, Array([1.5, -1.5, 0.5], dtype))
        for dtype in ("float16", "bfloat16")
    ),
    row(
        "label_float64_close_to_1_is_not_1",
        "dtype",
        Array(X, "float32"),
        Array([1 + 1e-12, -1 - 1e-12, 1], "float64"),
        dtypes=F32,
    ),
)

NOT_FINITE = (
    row("nan_where_similar", "NaN and infinity", [NAN, 2.0], [1.0, 1.0]),
    row("nan_where_dissimilar", "NaN and infinity", [NAN, 0.5], [-1.0, -1.0]),
    row("nan_with_a_label_outside", "NaN and infinity", [NAN], [0.0]),
    row("nan_in_the_sum", "NaN and infinity", [NAN, 0.5], [-1.0, 1.0], reduction="sum"),
    row("inf_where_similar", "NaN and infinity", [INF, -INF], [1.0, 1.0]),
    row("inf_where_dissimilar", "NaN and infinity", [INF, -INF], [-1.0, -1.0]),
    row("inf_with_a_label_outside", "NaN and infinity", [INF, -INF], [0.0, 2.0]),
    row("margin_inf", "margin", [2.0, 0.5, INF], [1.0, -1.0, -1.0], margin=INF),
    row("margin_minus_inf", "margin", [2.0, 0.5], [1.0, -1.0], margin=-INF),
    row("margin_nan", "margin", [2.0, 0.5, 2.0], [1.0, -1.0, 0.0], margin=NAN),
)

EXTREMES = (
    row("signed_zeros", "C1", [0.0, -0.0, 0.0, -0.0], [1.0, 1.0, -1.0, -1.0]),
    row("subnormal_float32", "C1", [2.0**-149, -(2.0**-140)], [1.0, -1.0], dtypes=F32),
    row("subnormal_float64", "C1", [2.0**-1074, -(2.0**-1060)], [1.0, -1.0], dtypes=F64),
    row(
        "subnormal_difference_float32",
        "C1",
        [2.0**-126],
        [-1.0],
        margin=1.5 * 2.0**-126,
        dtypes=F32,
    ),
    row("largest_float32", "C1", [3.4028234e38, -3.4028234e38], [1.0, -1.0], dtypes=F32),
    row("largest_float16", "C1", [65504.0, -65504.0], [1.0, -1.0], dtypes=("float16",)),
    row("largest_float64", "C1", [1.797e308, -1.797e308], [1.0, -1.0], dtypes=F64),
    row(
        "term_overflows_float32_but_not_its_mean",
        "C1",
        [-3e38, 0.0, 0.0, 0.0],
        [-1.0] * 4,
        margin=1e38,
        reduction="mean",
        dtypes=F32,
        torch="C3: torch overflows before it divides",
        note="(4e38 + 3 * 1e38) / 4",
    ),
    row("tiny_margin", "C1", [1e-30, -1e-30], [-1.0, -1.0], margin=1e-30, dtypes=SINGLE),
    row("cancellation", "C1", [1 - 0.3, 0.7, 0.1 + 0.2], [-1.0] * 3, margin=0.7),
    row("absorbed_small_input", "C1", [1e-10, -1e-10], [-1.0, -1.0], note="1 - 1e-10"),
    row("margin_larger_than_input_dtype", "C1", [1.0], [-1.0], margin=1e6),
)

BROADCASTING = (
    row(
        "column_against_row_warns",
        "broadcasting",
        [[2.0], [0.5], [-3.0], [1.0]],
        [1.0, -1.0, 1.0, -1.0],
        warns=UserWarning,
        warns_match=(r"\[4, 1\]", r"\[4\]", r"\[4, 4\]"),
        batch=(),
    ),
    row("column_against_matrix", "C6", [[2.0], [0.5]], [[1.0, -1.0], [-1.0, 1.0]], batch=()),
    row("only_the_inputs_batch_is_open", "C6", X, Y, batch=("input",)),
    row("only_the_labels_batch_is_open", "C6", X, Y, batch=("label",)),
    row(
        "label_of_one_row",
        "broadcasting",
        [[2.0, 0.5, -3.0, 1.0]] * 3,
        [1.0, -1, 0, -1],
        batch=("input",),
    ),
    row("label_of_one_element", "broadcasting", [[2.0, 0.5], [1.0, 3.0]], [-1.0], batch=("input",)),
    row("label_0d", "broadcasting", [[2.0, 0.5], [1.0, 3.0]], -1.0, batch=("input",)),
    row("input_0d", "broadcasting", 0.25, [1.0, -1.0, 0.0], batch=("label",)),
    row(
        "input_of_one_row",
        "broadcasting",
        [0.5, 0.25],
        [[1.0, -1.0], [-1.0, 2.0]],
        batch=("label",),
    ),
    row(
        "mean_over_the_broadcast_shape",
        "broadcasting",
        [0.5, 0.25],
        [[1.0, -1.0], [-1.0, -1.0], [1.0, 1.0]],
        reduction="mean",
        batch=("label",),
    ),
    row(
        "gradient_added_over_2000_labels",
        "gradients",
        [0.25],
        -np.ones(2000),
        reduction="mean",
        dtypes=("float16", "bfloat16", "float32"),
        batch=("label",),
        note="2,000 times 1/2000, which float32 cannot add one by one",
    ),
)

SHAPES = (
    row("shape_0d", "reduction", 2.0, 1.0),
    row("shape_0d_dissimilar", "reduction", 0.25, -1.0),
    row("shape_0d_mean", "reduction", 0.25, -1.0, reduction="mean"),
    row("shape_1d_of_one", "reduction", [0.25], [-1.0]),
    row(
        "shape_3d",
        "reduction",
        np.arange(24).reshape(2, 3, 4) / 8 - 1,
        np.tile([1.0, -1], (2, 3, 2)),
    ),
    row("shape_5d", "reduction", [[[[[0.5]]], [[[2.0]]]]], [[[[[-1.0]]], [[[1.0]]]]]),
    *(
        row(f"empty_batch_{name}", "empty", np.zeros((0, 3)), np.zeros((0, 3)), reduction=name)
        for name in ("none", "mean", "sum")
    ),
    row("empty_1d_mean", "empty", np.zeros(0), np.zeros(0), reduction="mean"),
    row("empty_0_by_0", "empty", np.zeros((0, 0)), np.zeros((0, 0))),
)

MARGINS = (
    *(
        row(f"margin_{name}", "margin", X, Y, margin=value)
        for name, value in (
            ("0", 0),
            ("negative", -1.0),
            ("true_is_1", True),
            ("numpy_scalar", np.float32(0.3)),
            ("numpy_int", np.int64(2)),
            ("numpy_bool", np.bool_(True)),
            ("0_3", 0.3),
            ("int", 2),
        )
    ),
    *(
        row(
            f"margin_tensor_{name}",
            "margin",
            X,
            [1.0, -1.0, -1.0],
            margin=Array(value, grad=True),
            note="d/dm is 1 for each open clamp",
        )
        for name, value in (("0d", 0.75), ("of_shape_1", [0.75]), ("of_shape_1_1", [[0.75]]))
    ),
    row(
        "margin_tensor_with_mean",
        "margin",
        X,
        [-1.0, -1.0, -1.0],
        margin=Array([0.75], grad=True),
        reduction="mean",
    ),
    row("margin_tensor_keeps_0d", "margin", 0.25, -1.0, margin=Array([2.0], grad=True)),
    row(
        "margin_tensor_float64_keeps_the_dtype",
        "margin",
        X,
        Y,
        margin=Array(0.75, "float64", grad=True),
        dtypes=("float16", "bfloat16", "float32"),
    ),
    row("margin_tensor_int64", "margin", X, Y, margin=Array(2, "int64")),
    row(
        "margin_beyond_float32",
        "margin",
        X,
        Y,
        margin=1e300,
        dtypes=F32,
        torch="torch refuses a number that its dtype does not hold",
        note="infinity",
    ),
    row(
        "margin_gradient_added_over_2000_elements",
        "gradients",
        np.zeros(2000),
        -np.ones(2000),
        margin=Array([0.5], grad=True),
        reduction="mean",
        dtypes=("float16", "bfloat16", "float32"),
    ),
)

RANDOM = (
    row(
        "random_normal_32_seed_0",
        "C1",
        normal(0, 32),
        signs(1, 32),
    ),
    row(
        "random_normal_8_10_seed_2_mean",
        "C1",
        normal(2, 8, 10),
        np.random.default_rng(3).choice([-1.0, 0.0, 1.0], (8, 10)),
        margin=0.3,
        reduction="mean",
    ),
    row(
        "random_wide_64_seed_4_sum",
        "C1",
        np.round(10.0 ** np.random.default_rng(4).uniform(-4, 3, 64), 6),
        np.resize([1.0, -1.0], 64),
        margin=10.0,
        reduction="sum",
    ),
)
TOO_LARGE = "too large for a graph"
LARGE = tuple(
    Case(
        f"mean_of_{name}_equal_elements",
        "C1",
        {"input": Repeat(0.1, (size,)), "label": Repeat(1.0, (size,))},
        {"reduction": "mean"},
        dtypes=dtypes,
        exact=0.1,
        modes=TOO_LARGE,
        profile=profile,
    )
    for name, size, dtypes, profile in (
        ("a_million", 10**6, SINGLE, "quick"),
        ("ten_million", 10**7, F32, "full"),
    )
)

ERRORS = (
    refused(
        "label_complex64_is_refused",
        X,
        Array([1, -1, 1], "complex64"),
        TypeError,
        "label",
        "complex64",
    ),
    refused("shapes_that_do_not_fit", X, [1.0, -1.0], ValueError, r"\[3\]", r"\[2\]"),
    refused("shapes_of_two_ranks", [[0.5] * 2] * 3, [1.0] * 3, ValueError, r"\[3, 2\]", r"\[3\]"),
)

TYPICAL = {"input": X, "label": Y}
DOMAIN = Domain(
    shapes=(("N ...", "N ..."),),
    hostile_shapes=(("", ""), ("N C", "C"), ("N C", "N 1"), ("N C", "1"), ("N C", ""), ("", "N")),
    inputs={
        "input": Reals(SUMMABLE),
        "label": Labels(
            (1.0, -1.0),
            (0.0, 2.0, -2.0, 0.5, -0.0, NAN, INF, -INF),
            hostile_dtypes=("int64", "int32", "int8", "float16", "bfloat16"),
        ),
    },
    options={"margin": margins(hostile=(INF, -INF, NAN)), "reduction": REDUCTION},
    exhaustive=({"label": 1.0}, {"label": -1.0}, {"label": 2.0}),
)

LOSS = Loss(
    stem="hinge_embedding",
    function="hinge_embedding_loss",
    layer="HingeEmbeddingLoss",
    signature="(input, label, margin=1.0, reduction='mean', name=None)",
    layer_signature="(margin=1.0, reduction='mean', name=None)",
    inputs=("input", "label"),
    differentiable=("input",),
    formula=formula,
    budget=Budget(
        value={"float16": 1, "bfloat16": 1, "float32": 1, "float64": 1},
        gradient={"float16": 2, "bfloat16": 2, "float32": 1, "float64": 1},
    ),
    domain=DOMAIN,
    cases=(
        *DOCUMENTED,
        *KINKS,
        *LABELS,
        *NOT_FINITE,
        *EXTREMES,
        *BROADCASTING,
        *SHAPES,
        *MARGINS,
        *RANDOM,
        *LARGE,
        *ERRORS,
        shared_rows.longer_than_a_block(
            {"input": normal(60, LONG), "label": signs(61, LONG)}, margin=0.3
        ),
        *shared_rows.shared(TYPICAL, TORCH_NAMES),
        *shared_rows.positions(TYPICAL, margin=0.5, reduction="none"),
        *shared_rows.margin_errors(TYPICAL),
    ),
    layers=(
        LayerState("defaults", {}, "margin=1.0, reduction='mean'"),
        LayerState(
            "margin_tensor_is_shown", {"margin": Array([0.5])}, "margin=0.5, reduction='mean'"
        ),
        LayerState(
            "every_option", {"margin": 0.5, "reduction": "sum"}, "margin=0.5, reduction='sum'"
        ),
    ),
    torch_names=TORCH_NAMES,
    batch=("input", "label"),
    documentation="x where y = 1; max(0, m - x) where y = -1; x + max(0, m - x) for any other y",
)
