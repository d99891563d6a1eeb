"""Rows of ``soft_margin_loss``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from conformance import shared_rows
from conformance.autodiff import Number, each, softplus
from conformance.case import Array, Budget, Case, LayerState, Loss, Printed, Repeat
from conformance.domain import REDUCTION, SUMMABLE, Domain, Labels, Reals
from conformance.shared_rows import LONG, normal, signs

INF, NAN = float("inf"), float("nan")
F32, F64 = ("float32",), ("float64",)
SINGLE = ("float32", "float64")
HALF, WIDE = ("float16",), ("bfloat16", *SINGLE)
TORCH_NAMES = {"label": "target"}

NO_LABEL_GRADIENT = "torch gives labels no gradient"
INPUT_SHAPE = "torch broadcasts to the input's shape only"
OVERFLOWS = "C3: torch overflows below yx = -88.7 (float32) and -709.8 (float64)"


def formula(input: Any, label: Any) -> Any:
    """log(1 + exp(-y x))."""

    def element(x: Number, y: Number) -> Number:
        return softplus(-(y * x))

    return each(element, input, label)


def row(id: str, clause: str, x: Any, y: Any, **more: Any) -> Case:
    """A row whose label asks for no gradient unless it is an ``Array`` that does."""
    label = y if isinstance(y, (Array, tuple)) else Array(y, grad=False)
    return shared_rows.row(id, clause, {"input": x, "label": label}, **more)


def learned(id: str, clause: str, x: Any, y: Any, **more: Any) -> Case:
    """A row whose label asks for a gradient."""
    return row(id, clause, x, Array(y, grad=True), torch=NO_LABEL_GRADIENT, **more)


PADDLE = "paddle.nn.functional.soft_margin_loss, 3.3.1, Examples"
PADDLE_LAYER = "paddle.nn.SoftMarginLoss, 3.3.1, Examples"
PADDLE_X, PADDLE_Y = [[0.5, 0.6, 0.7], [0.3, 0.5, 0.2]], [[1.0, -1.0, 1.0], [-1.0, 1.0, 1.0]]
SEEDED_X = [
    [0.7060853139, 0.4641030527, 0.2817265722, 0.7336772716, 0.3968006328],
    [0.3844890238, 0.7791462595, 0.6210615231, 0.4624958999, 0.6130500872],
    [0.7845060964, 0.1302113298, 0.3984759472, 0.6037085888, 0.2456802277],
    [0.2381205686, 0.3689704528, 0.2022222967, 0.2589964277, 0.4122525926],
    [0.2516050371, 0.5737977965, 0.4252212393, 0.7466799942, 0.4318832021],
]
SEEDED_Y = [[-1, 1, 1, -1, 1]] * 2 + [[-1, 1, 1, 1, 1], [-1, 1, 1, -1, 1], [-1, -1, 1, -1, -1]]

DOCUMENTED = (
    *(
        row(
            id,
            "examples",
            PADDLE_X,
            PADDLE_Y,
            reduction="mean",
            printed=Printed("0.64022040", source, units=6),
            note="log(1 + e**z) averaged; what is printed is 5 units above it",
        )
        for id, source in (("paddle_mean", PADDLE), ("paddle_layer_mean", PADDLE_LAYER))
    ),
    row(
        "paddle_seed_2023_none",
        "examples",
        SEEDED_X,
        Array(SEEDED_Y, "int64"),
        dtypes=F32,
        printed=Printed(
            """[[1.10725629, 0.48778144, 0.56217247, 1.12581408, 0.51430041],
                [0.90375793, 0.37761253, 0.43007556, 0.95089805, 0.43288314],
                [1.16043591, 0.63015938, 0.51362717, 0.43617544, 0.57783306],
                [0.81927848, 0.52558368, 0.59713912, 0.83100700, 0.50811619],
                [0.82684207, 1.02064908, 0.50296998, 1.13461733, 0.93222517]]""",
            PADDLE,
            units=8,
        ),
        note="the numbers that seed 2023 draws; what is printed is rounded as float32 is",
    ),
    row(
        "paddle_seed_2023_layer_none",
        "examples",
        SEEDED_X,
        Array(SEEDED_Y, "int64"),
        dtypes=F64,
        printed=Printed(
            """[[1.10725628, 0.48778139, 0.56217249, 1.12581404, 0.51430043],
                [0.90375795, 0.37761249, 0.43007557, 0.95089798, 0.43288319],
                [1.16043599, 0.63015939, 0.51362715, 0.43617541, 0.57783301],
                [0.81927846, 0.52558369, 0.59713908, 0.83100696, 0.50811616],
                [0.82684205, 1.02064907, 0.50296995, 1.13461733, 0.93222519]]""",
            PADDLE_LAYER,
        ),
    ),
    row(
        "torch_example_shape",
        "examples",
        normal(40, 3, 5),
        np.sign(normal(41, 3, 5)),
        reduction="mean",
        note="torch's example draws its numbers; these come from NumPy's seeds 40 and 41",
    ),
)

LEADS = (
    ("0", 0.0, None),
    ("1e_10", 1e-10, None),
    ("1e_3", 1e-3, None),
    ("half", 0.5, None),
    ("1", 1.0, None),
    ("10", 10.0, None),
    ("16", 16.0, None),
    ("17", 17.0, None),
    ("20", 20.0, None),
    ("20_5", 20.5, None),
    ("37", 37.0, None),
    ("80", 80.0, None),
    ("minus_1e_3", -1e-3, None),
    ("minus_1", -1.0, None),
    ("minus_10", -10.0, None),
    ("minus_88_8", -88.8, OVERFLOWS),
    ("minus_700", -700.0, OVERFLOWS),
    ("minus_710", -710.0, OVERFLOWS),
    ("minus_1000", -1000.0, OVERFLOWS),
    ("minus_1e4", -1e4, OVERFLOWS),
)
ACCURACY = (
    *(
        row(f"lead_of_{name}", "accuracy", [v, -v], [1.0, -1.0], torch=torch)
        for name, v, torch in LEADS
    ),
    *(learned(f"lead_of_{name}_learned", "gradients", [v], [1.0]) for name, v, _ in LEADS[::2]),
    row("lead_of_80_as_a_product", "accuracy", [26.6] * 2, [3.01, -2.7], torch=OVERFLOWS),
    row("lead_of_37_as_a_product", "accuracy", [0.1, 0.3], [370.1, 123.4], dtypes=SINGLE),
    learned("lead_of_80_as_a_product_learned", "gradients", [26.6, 0.7], [3.01, 114.3]),
    row("lead_of_100", "accuracy", [100.0], [1.0], dtypes=WIDE),
    row("lead_of_minus_20_5", "accuracy", [-20.5, 20.5], [1.0, -1.0], dtypes=WIDE),
    row("lead_of_minus_88_5", "accuracy", [-88.5, 88.5], [1.0, -1.0], dtypes=WIDE),
    row("lead_of_minus_20_float16", "accuracy", [-20.0], [1.0], dtypes=HALF, torch=OVERFLOWS),
    row(
        "lead_of_53_5625_vanishes_float16",
        "accuracy",
        [53.5625, -53.5625],
        [1.0, -1.0],
        dtypes=HALF,
        note="Paddle casts 5.5e-24 to a float16 of 1e-4",
    ),
    row("lead_of_700_float64", "accuracy", [700.0], [1.0], dtypes=F64),
    row("lead_of_745_is_subnormal_float64", "accuracy", [745.0], [1.0], dtypes=F64),
    row("lead_of_800_vanishes", "accuracy", [800.0], [1.0]),
    *(
        row(
            f"leads_of_{name}_vanish_in_a_sum",
            "accuracy",
            [lead] * 8,
            [1.0] * 8,
            reduction="sum",
            dtypes=F64,
            note="Paddle's exp gives 5.6e-309 of each",
        )
        for name, lead in (("715", 715.0), ("1e300", 1e300))
    ),
    row(
        "sweep_from_minus_80_to_80", "accuracy", np.linspace(-80, 80, 41), np.ones(41), dtypes=WIDE
    ),
)

X, Y = [2.0, 0.5, -3.0], [1.0, -1.0, 1.0]
LABELS = (
    *(
        row(f"label_{name}", "outside the domain", X, [value] * 3)
        for name, value in (
            ("0", 0.0),
            ("2", 2.0),
            ("minus_2", -2.0),
            ("half", 0.5),
            ("nan", NAN),
            ("minus_0", -0.0),
            ("1e_30", 1e-30),
        )
    ),
    *(
        row(f"label_{name}", "outside the domain", X, [value] * 3, torch=OVERFLOWS)
        for name, value in (("inf", INF), ("minus_inf", -INF), ("1e4", 1e4))
    ),
    *(
        row(f"label_{dtype}", "dtype", X, Array([1, -1, 0], dtype))
        for dtype in ("int8", "int16", "int32", "int64")
    ),
    *(
        row(f"label_{dtype}", "dtype", X, Array([1, -1, 0.3], dtype, grad=False))
        for dtype in ("float16", "bfloat16", "float32", "float64")
    ),
    row(
        "label_bool_false_is_0",
        "dtype",
        X,
        Array([True, False, True], "bool"),
        torch="torch cannot negate a bool label",
    ),
    row(
        "label_uint8_255_is_not_minus_1", "dtype", [0.1, -0.01, 2.0], Array([255, 255, 0], "uint8")
    ),
    row(
        "label_int64_of_25_bits",
        "dtype",
        [1e-8, -1e-7],
        Array([2**24 + 1] * 2, "int64"),
        dtypes=SINGLE,
    ),
    row(
        "label_float64_of_more_digits",
        "dtype",
        Array([16777216.0], "float32"),
        Array([1 + 2.0**-24], "float64", grad=False),
        dtypes=F32,
        note="yx = 16777217, exact in float64 alone; its exponential vanishes",
    ),
    learned("label_gradient", "gradients", X, Y, reduction="mean"),
    learned("label_gradient_of_0", "gradients", X, [0.0] * 3, reduction="sum"),
    row(
        "label_gradient_of_float16_that_vanishes",
        "gradients",
        Array([2.0**-77, 2.0**-80, 2.0**-88], "bfloat16"),
        Array([1.0, -1.0, 1.0], "float16", grad=True),
        dtypes=F32,
        torch=NO_LABEL_GRADIENT,
        note="Paddle casts 2**-77 to a float16 of 6e-5",
    ),
    *(
        row(
            f"label_gradient_of_{dtype}",
            "gradients",
            Array(X, "float32"),
            Array([1, -1, 0.3], dtype, grad=True),
            dtypes=F32,
            torch=NO_LABEL_GRADIENT,
        )
        for dtype in ("float16", "bfloat16", "float64")
    ),
)

NOT_FINITE = (
    row("nan_input", "NaN and infinity", [NAN, 2.0], [1.0, 1.0]),
    row("nan_with_label_0", "NaN and infinity", [NAN], [0.0]),
    row("nan_in_the_sum", "NaN and infinity", [NAN, 0.5], [-1.0, 1.0], reduction="sum"),
    row("inf_on_the_right_side", "NaN and infinity", [INF, -INF], [1.0, -1.0], note="0, slope 0"),
    learned("inf_on_the_right_side_learned", "NaN and infinity", [INF, -INF], [1.0, -1.0]),
    learned("label_inf_on_the_right_side", "NaN and infinity", [2.0, -0.5], [INF, -INF]),
    row(
        "inf_on_the_wrong_side",
        "NaN and infinity",
        [INF, -INF],
        [-1.0, 1.0],
        torch="C3: torch gives a NaN gradient",
        note="infinity, slope -y",
    ),
    row("inf_with_label_0", "NaN and infinity", [INF], [0.0], note="0 times infinity"),
    row("inf_in_the_mean", "NaN and infinity", [INF, 0.0, 1.0], [1.0] * 3, reduction="mean"),
)

EXTREMES = (
    row("signed_zeros", "C1", [0.0, -0.0, 0.0, -0.0], [1.0, 1.0, -1.0, -1.0]),
    row("subnormal_float32", "C1", [2.0**-149, -(2.0**-140)], [1.0, -1.0], dtypes=F32),
    row("subnormal_float64", "C1", [2.0**-1074, -(2.0**-1060)], [1.0, -1.0], dtypes=F64),
    row("largest_float32", "C1", [3.4e38, -3.4e38], [1.0, 1.0], dtypes=F32, torch=OVERFLOWS),
    row("largest_float64", "C1", [1.7e308, -1.7e308], [1.0, 1.0], dtypes=F64, torch=OVERFLOWS),
    row("product_overflows_float32", "C1", [3e38, 3e38], [-3.0, 3.0], dtypes=F32, torch=OVERFLOWS),
    row("product_overflows_float64", "C1", [1e308], [-1e5], dtypes=F64, torch=OVERFLOWS),
    row("huge_times_tiny", "C1", [1e305], [-1e-300], dtypes=F64, torch=OVERFLOWS, note="1e5"),
    row("product_vanishes", "C1", [1e-30], [1e-30], dtypes=SINGLE),
    row(
        "largest_float16",
        "C1",
        [65504.0, -65504.0],
        [1.0, 1.0],
        dtypes=("float16",),
        torch=OVERFLOWS,
    ),
)

THREE = [[2.0, 0.5, -3.0, 1.0], [0.25, 0.0, 1.5, -1.0], [1.0, 2.0, 3.0, 4.0]]
ROW = [1.0, -1.0, 0.5, -2.0]
BROADCASTING = (
    row(
        "column_against_row_warns",
        "C6",
        [[2.0], [0.5], [-3.0], [1.0]],
        ROW,
        warns=UserWarning,
        warns_match=(r"\[4, 1\]", r"\[4\]", r"\[4, 4\]"),
        torch=INPUT_SHAPE,
        batch=(),
    ),
    row("label_column", "C6", THREE, [[1.0], [-1.0], [0.5]]),
    row(
        "column_against_matrix",
        "C6",
        [[2.0], [0.5]],
        [[1.0, -1.0], [-1.0, 1.0]],
        torch=INPUT_SHAPE,
        batch=(),
    ),
    row(
        "column_against_one_row_warns",
        "C6",
        [[2.0], [0.5]],
        [[1.0, -1.0, 0.5]],
        warns=UserWarning,
        warns_match=(r"\[2, 1\]", r"\[1, 3\]", r"\[2, 3\]"),
        torch=INPUT_SHAPE,
        batch=(),
    ),
    *(
        row(f"label_{name}", "broadcasting", THREE, y, batch=("input",))
        for name, y in (("row", ROW), ("of_one_element", [1.0]), ("of_no_axis", -1.0))
    ),
    learned("label_row_learned", "broadcasting", THREE, ROW, batch=("input",)),
    row("input_0d", "broadcasting", 0.25, Y, torch=INPUT_SHAPE, batch=("label",)),
    row("input_of_one_row", "broadcasting", ROW, THREE, torch=INPUT_SHAPE, batch=("label",)),
    row(
        "mean_over_the_broadcast_shape",
        "broadcasting",
        ROW,
        THREE,
        reduction="mean",
        torch=INPUT_SHAPE,
        batch=("label",),
    ),
)

SHAPES = (
    row("shape_0d", "reduction", 2.0, 1.0),
    row("shape_0d_mean", "reduction", 0.25, -1.0, reduction="mean"),
    row("shape_1d_of_one", "reduction", [0.25], [-1.0]),
    row(
        "shape_3d",
        "reduction",
        np.arange(24).reshape(2, 3, 4) / 8 - 1,
        np.tile([1.0, -1], (2, 3, 2)),
    ),
    *(
        row(f"empty_batch_{name}", "empty", np.zeros((0, 3)), np.zeros((0, 3)), reduction=name)
        for name in ("none", "mean", "sum")
    ),
    row("empty_1d_mean", "empty", np.zeros(0), np.zeros(0), reduction="mean"),
    row("empty_0_by_0", "empty", np.zeros((0, 0)), np.zeros((0, 0))),
)

SIGNS = signs(43, 8, 10)
RANDOM = (
    row("random_32_seed_42", "C1", normal(42, 32), SIGNS.ravel()[:32]),
    row("random_8_10_seed_44_mean", "C1", normal(44, 8, 10), SIGNS, reduction="mean"),
    row(
        "random_scaled_by_100_seed_45",
        "accuracy",
        100 * normal(45, 8, 10),
        SIGNS,
        torch=OVERFLOWS,
    ),
    row(
        "random_scaled_by_100_seed_46_sum",
        "accuracy",
        100 * normal(46, 8, 10),
        normal(47, 8, 10),
        reduction="sum",
        torch=OVERFLOWS,
    ),
    learned("random_scaled_by_10_seed_48", "C1", 10 * normal(48, 32), normal(49, 32)),
    Case(
        "mean_of_a_million_equal_elements",
        "C1",
        {"input": Repeat(0, (10**6,)), "label": Repeat(1, (10**6,))},
        {"reduction": "mean"},
        dtypes=SINGLE,
        exact=math.log(2),
        modes="too large for a graph",
    ),
)

TYPICAL = {"input": X, "label": Array(Y, grad=False)}
ERRORS = tuple(
    shared_rows.refused(id, {"input": x, "label": y}, kind, match)
    for id, x, y, kind, match in (
        ("label_complex_is_refused", X, Array(Y, "complex64"), TypeError, ("label", "complex64")),
        ("label_does_not_fit", X, Y[:2], ValueError, (r"input \[3\]", r"label \[2\]")),
        ("ranks_do_not_fit", THREE, Y, ValueError, (r"input \[3, 4\]", r"label \[3\]")),
    )
)

DOMAIN = Domain(
    shapes=(("N ...", "N ..."),),
    hostile_shapes=(("", ""), ("N C", "C"), ("N C", "N 1"), ("N C", "1"), ("N C", ""), ("", "N")),
    inputs={
        "input": Reals(SUMMABLE),
        "label": Labels(
            (1.0, -1.0),
            (0.0, 2.0, -2.0, 0.5, 0.3, -0.0, 1e-30, 1e4, NAN, INF, -INF),
            dtypes=("float32", "float64", "int64", "int32"),
            hostile_dtypes=("int8", "float16", "bfloat16"),
        ),
    },
    options={"reduction": REDUCTION},
    exhaustive=({"label": 1.0}, {"label": -1.0}, {"label": 0.375}),
)

LOSS = Loss(
    stem="soft_margin",
    function="soft_margin_loss",
    layer="SoftMarginLoss",
    signature="(input, label, reduction='mean', name=None)",
    layer_signature="(reduction='mean', name=None)",
    inputs=("input", "label"),
    differentiable=("input", "label"),
    formula=formula,
    budget=Budget(
        value={"float16": 1, "bfloat16": 1, "float32": 2, "float64": 2},
        gradient={"float16": 1, "bfloat16": 1, "float32": 4, "float64": 4},
    ),
    domain=DOMAIN,
    cases=(
        *DOCUMENTED,
        *ACCURACY,
        *LABELS,
        *NOT_FINITE,
        *EXTREMES,
        *BROADCASTING,
        *SHAPES,
        *RANDOM,
        *ERRORS,
        shared_rows.longer_than_a_block(
            {"input": normal(60, LONG), "label": Array(signs(61, LONG), grad=False)}
        ),
        *shared_rows.shared(TYPICAL, TORCH_NAMES),
        *shared_rows.positions(TYPICAL, reduction="none"),
    ),
    layers=(
        LayerState("defaults", {}, "reduction='mean'"),
        LayerState("every_option", {"reduction": "sum"}, "reduction='sum'"),
    ),
    torch_names=TORCH_NAMES,
    batch=("input", "label"),
    exempt={"kink": "the loss is smooth"},
    never_negative=True,
    documentation="log(1 + exp(-y x))",
)
