"""Rows of ``multi_margin_loss``."""

from __future__ import annotations

from typing import Any

import numpy as np
from mpmath import mp, mpf

from conformance import shared_rows
from conformance.autodiff import Number, clamp, power, total, undefined
from conformance.case import Array, Budget, Case, LayerState, Loss, Printed, Repeat
from conformance.domain import (
    REDUCTION,
    Classes,
    Domain,
    Interval,
    Numbers,
    Reals,
    Weights,
    margins,
)
from conformance.shared_rows import LONG, normal

INF, NAN = float("inf"), float("nan")
F32, F64 = ("float32",), ("float64",)
SINGLE = ("float32", "float64")
HALF = ("float16", "bfloat16")
TORCH_NAMES = {"label": "target"}

ONLY_INT64 = "torch accepts int64 labels only"
ONLY_1_AND_2 = "torch accepts p of 1 and 2 only"
ONLY_1D = "torch accepts labels of shape [N] only"
SWALLOWS_NAN = "C3: torch swallows NaN"
GRAPH = "a graph has no values to check"
EMPTY = "C3: torch reduces an empty batch to uninitialised memory"


def formula(input: Any, label: Any, p: Any = 1, margin: Any = 1.0, weight: Any = None) -> Any:
    """w[y] * sum over j other than y of max(0, m - x[y] + x[j])**p, over C."""
    rows = input if input.ndim == 2 else input.reshape(1, -1)
    limit = margin.item() if isinstance(margin, np.ndarray) else margin
    losses = np.empty(len(rows), dtype=object)
    for n, y in enumerate(label.reshape(-1)):
        loss = _sample(rows[n], int(y), p, limit)
        losses[n] = loss if weight is None else weight[int(y)] * loss
    return losses.reshape(label.shape[:1])


def _sample(x: np.ndarray, y: int, p: mpf, limit: Any) -> Number:
    working = x[y].working
    used = [*x, *([limit] if isinstance(limit, Number) else [])]
    others = [x[j] for j in range(len(x)) if j != y]
    if any(mp.isnan(number.value) for number in x):
        return undefined(used, working)
    if mp.isnan(limit.value if isinstance(limit, Number) else limit) and others:
        return undefined(used, working)
    terms = [_term(x[y], other, p, limit) for other in others if other.value != -mp.inf]
    return total(terms if x[y].value != mp.inf else [], working) / len(x)


def _term(own: Number, other: Number, p: mpf, limit: Any) -> Number:
    return power(clamp(limit - own + other, passes_at_zero=False), p)


def row(id: str, clause: str, x: Any, y: Any, **more: Any) -> Case:
    """A row of an input and, unless it says otherwise, an int64 label."""
    return shared_rows.row(id, clause, {"input": x, "label": classes(y)}, **more)


def refused(id: str, x: Any, y: Any, kind: type[Exception], *match: str, **more: Any) -> Case:
    """A row that must raise; see :func:`shared_rows.refused`."""
    return shared_rows.refused(id, {"input": x, "label": classes(y)}, kind, match, **more)


def classes(label: Any) -> Any:
    """Class indices as an int64 tensor; anything else as it is."""
    return Array(label, "int64") if isinstance(label, (int, list)) else label


def drawn(seed: int, count: int, size: int) -> list[int]:
    """Random classes of a fixed seed."""
    found: list[int] = np.random.default_rng(seed).integers(0, count, size).tolist()
    return found


PADDLE = "paddle.nn.functional.multi_margin_loss, 3.3.1, Examples"
PADDLE_LAYER = "paddle.nn.MultiMarginLoss, 3.3.1, Examples"
TORCH = "torch.nn.MultiMarginLoss, 2.13, Examples"
PADDLE_X = [[1, 5, 3], [0, 3, 2], [1, 4, 1]]
ABOVE = [[0.0, 0.5, -1.0], [2.0, 1.5, 0.25]]
BELOW = [1, 2]

DOCUMENTED = (
    row(
        "paddle_none",
        "examples",
        PADDLE_X,
        Array([1, 2, 1], "int32"),
        margin=1.0,
        printed=Printed("[0.        , 0.66666663, 0.        ]", PADDLE, units=6),
        torch=ONLY_INT64,
        note="(max(0, 1-2+0) + max(0, 1-2+3)) / 3 = 2/3; what is printed is 4 units below it",
    ),
    row(
        "paddle_layer_mean",
        "examples",
        [[1, -2, 3], [0, -1, 2], [1, 0, 1]],
        Array([0, 1, 2], "int32"),
        reduction="mean",
        printed=Printed("1.11111104", PADDLE_LAYER, units=13),
        torch=ONLY_INT64,
        note="(3/3 + (2 + 4)/3 + 1/3) / 3 = 10/9; what is printed is 7 units below it",
    ),
    row(
        "torch_example",
        "examples",
        [[0.1, 0.2, 0.4, 0.8]],
        [3],
        reduction="mean",
        printed=Printed("0.325", TORCH),
        note="0.25 * ((1-(0.8-0.1)) + (1-(0.8-0.2)) + (1-(0.8-0.4)))",
    ),
)

KINKS = (
    row("at_the_kink", "kink", [[1.0, 0.0, -5.0]], [0], note="the gradient is 0 at 0"),
    row("at_the_kink_p_2", "kink", [[1.0, 0.0, -5.0]], [0], p=2),
    row("at_the_kink_p_1_5", "kink", [[1.0, 0.0, -5.0]], [0], p=1.5, torch=ONLY_1_AND_2),
    row("at_the_kink_p_half", "kink", [[1.0, 0.0, -5.0]], [0], p=0.5, torch=ONLY_1_AND_2),
    row("above_the_kink_float32", "kink", [[1.0, 2.0**-23, -5.0]], [0], dtypes=F32),
    row("below_the_kink_float32", "kink", [[1 + 2.0**-23, 0.0, -5.0]], [0], dtypes=F32),
    row("above_the_kink_float64", "kink", [[1.0, 2.0**-52, -5.0]], [0], dtypes=F64),
    row("below_the_kink_float64", "kink", [[1 + 2.0**-52, 0.0, -5.0]], [0], dtypes=F64),
    row("kink_at_margin_0", "kink", [[0.5, 0.5, 0.5]], [1], margin=0.0),
    row("kink_of_two_classes", "kink", [[1.0, 0.0, 0.0, 0.5]], [0]),
)

ZEROS = (
    row("separable_is_exactly_0", "accuracy", [[5.0, 0.0, 0.0]], [0]),
    row("separable_p_2_is_exactly_0", "accuracy", [[5.0, 0.0, 0.0]], [0], p=2),
    row("separable_margin_0_1_p_2", "accuracy", [[5.0, 0.0, 0.0]], [0], p=2, margin=0.1),
    row(
        "separable_margin_1000_p_2",
        "accuracy",
        [[2e3, 0.0, 0.0]],
        [0],
        p=2,
        margin=1e3,
        dtypes=SINGLE,
    ),
    row("separable_margin_1e8", "accuracy", [[2e8, 0.0, 0.0]], [0], margin=1e8, p=2, dtypes=SINGLE),
    row("separable_by_1e8", "accuracy", [[1e8, 0.0, 0.0]], [0], dtypes=("bfloat16", *SINGLE)),
    row("negative_margin_all_equal", "multi_margin", [[0.0, 0.0, 0.0]], [0], margin=-1),
    row("negative_margin_all_equal_p_2", "multi_margin", [[0.0] * 3], [0], margin=-1, p=2),
    row("negative_margin", "multi_margin", [[0.0, 3.0, 0.0]], [0], margin=-1, note="2/3"),
    row("negative_margin_p_2", "multi_margin", [[0.0, 3.0, 0.0]], [0], margin=-1, p=2, note="4/3"),
)

LARGE_LOGITS = (
    row("offset_2e7_float32", "accuracy", [[2e7, 2e7 + 2, 2e7 - 4]], [0], dtypes=F32),
    row(
        "offset_1e8_float32",
        "accuracy",
        [[1e8, 1e8 + 8, 1e8]],
        [0],
        dtypes=F32,
        torch="C3: torch absorbs the margin",
    ),
    row("offset_1e15_float64", "accuracy", [[1e15, 1e15 + 1, 1e15 - 3]], [0], dtypes=F64),
    row("huge_float32", "C1", [[-1e37, 1e37, 3e37]], [0], dtypes=F32),
    row("huge_float64_p_2_overflows", "C1", [[-1e200, 1e200]], [0], p=2, dtypes=F64),
    row("largest_float16", "C1", [[-30000.0, 30000.0, 0.0]], [0], dtypes=("float16",)),
    row(
        "float16_overflows",
        "C1",
        [[-65504.0, 65504.0]],
        [0],
        p=2,
        dtypes=("float16",),
    ),
    row("tiny_terms", "C1", [[1e-30, 0.0, 1e-30]], [0], margin=1e-30, dtypes=SINGLE),
    row("subnormal_float32", "C1", [[0.0, 2.0**-149, -(2.0**-149)]], [0], margin=0.0, dtypes=F32),
    row("signed_zeros", "C1", [[-0.0, 0.0, -0.0]], [0], margin=-0.0),
    row(
        "cancellation",
        "C1",
        Array([[0.3, 0.1 + 0.2 - 1, -0.7]], grad=False),
        [0],
        dtypes=SINGLE,
        note="rounding decides which side of the kink it is on, so no gradient is asked for",
    ),
)

NOT_FINITE = (
    row("inf_target", "NaN and infinity", [[INF, 0.0, 0.0]], [0]),
    row("minus_inf_target", "NaN and infinity", [[-INF, 0.0, 0.0]], [0]),
    row("minus_inf_target_p_2", "NaN and infinity", [[-INF, 0.0]], [0], p=2),
    row("inf_elsewhere", "NaN and infinity", [[0.0, INF, 0.0]], [0]),
    row("minus_inf_elsewhere", "NaN and infinity", [[0.0, -INF, 0.0]], [0], note="a masked class"),
    row("minus_inf_elsewhere_p_2", "NaN and infinity", [[0.0, -INF, 0.5]], [0], p=2),
    row("minus_inf_everywhere", "NaN and infinity", [[-INF, -INF, -INF]], [0]),
    row("minus_inf_target_and_one_other", "NaN and infinity", [[-INF, -INF, 0.0]], [0]),
    row("inf_target_minus_inf_elsewhere", "NaN and infinity", [[INF, -INF, 0.0]], [0]),
    row("inf_everywhere", "NaN and infinity", [[INF, INF, INF]], [0]),
    row("nan_target", "NaN and infinity", [[NAN, 0.0, 0.0]], [0], torch=SWALLOWS_NAN),
    row("nan_elsewhere", "NaN and infinity", [[0.0, NAN, 0.0]], [0], torch=SWALLOWS_NAN),
    row("nan_and_minus_inf", "NaN and infinity", [[0.0, NAN, -INF]], [0], torch=SWALLOWS_NAN),
    row("nan_beside_an_inf_target", "NaN and infinity", [[INF, NAN, 0.0]], [0], torch=SWALLOWS_NAN),
    row(
        "nan_where_the_clamp_is_shut",
        "NaN and infinity",
        [[9.0, 0.0, NAN], [9.0, 0.0, 0.0]],
        [0, 0],
        torch=SWALLOWS_NAN,
    ),
    row("nan_of_the_only_class", "NaN and infinity", [[NAN]], [0], torch=SWALLOWS_NAN),
    row(
        "huge_and_infinite_p_1_1",
        "NaN and infinity",
        Array([[-1e100, 1e100], [0.0, INF]], grad=False),
        [0, 0],
        p=1.1,
        dtypes=F64,
        torch=ONLY_1_AND_2,
        note="1.1 is 2.4e-8 less than float32 holds, to the power of which infinity is 0",
    ),
    row("margin_inf", "margin", [[0.0, 1.0, 2.0]], [0], margin=INF),
    row(
        "margin_inf_p_1_3",
        "margin",
        [[0.0, 1.0, 2.0]],
        [0],
        margin=INF,
        p=1.3,
        torch=ONLY_1_AND_2,
        note="loss and gradient are infinite",
    ),
    row("margin_nan", "margin", [[0.0, 1.0, 2.0]], [0], margin=NAN, torch=SWALLOWS_NAN),
    row("margin_nan_one_class", "margin", [[2.0]], [0], margin=NAN),
)

SHAPES = (
    row("label_column", "multi_margin", ABOVE, [[1], [2]], torch=ONLY_1D),
    row("unbatched_0d_label", "multi_margin", [0.0, 1.0, -3.0], 1, batch=()),
    row("unbatched_0d_label_loss", "multi_margin", [0.0, 1.0, -3.0], 0, batch=()),
    row("unbatched_label_of_1", "multi_margin", [0.0, 1.0, -3.0], [0], batch=()),
    row("unbatched_mean", "multi_margin", [0.0, 1.0, -3.0], 0, reduction="mean", batch=()),
    row("one_row_0d_label", "multi_margin", [[0.0, 1.0, -3.0]], 0, batch=()),
    row("one_row", "multi_margin", [[0.0, 1.0, -3.0]], [0]),
    row("input_0d", "multi_margin", 2.0, 0, batch=(), note="one class: there is no term"),
    row("input_0d_label_of_1", "multi_margin", 2.0, [0], batch=()),
    row("one_class", "multi_margin", [[2.0], [-3.0]], [0, 0]),
    row("one_class_one_row", "multi_margin", [[2.0]], [0], weight=Array([2.0], grad=True)),
    row("two_classes", "multi_margin", [[0.25, 0.5], [0.5, 0.25]], [0, 1]),
    row("empty_batch_none", "empty", np.zeros((0, 3)), []),
    *(
        row(f"empty_batch_{name}", "empty", np.zeros((0, 3)), [], reduction=name, torch=EMPTY)
        for name in ("mean", "sum")
    ),
    *(
        row(
            f"empty_0_by_0_{name}",
            "empty",
            np.zeros((0, 0)),
            [],
            reduction=name,
            torch="torch refuses an input without classes",
        )
        for name in ("none", "mean", "sum")
    ),
    *(
        row(f"label_{dtype}", "dtype", ABOVE, Array(BELOW, dtype), torch=ONLY_INT64)
        for dtype in ("int8", "uint8", "int16", "int32")
    ),
)

POWERS = (
    *(
        row(
            f"p_{name}",
            "multi_margin",
            ABOVE,
            BELOW,
            p=p,
            torch=None if p in (1, 2) else ONLY_1_AND_2,
        )
        for name, p in (
            ("1", 1),
            ("2", 2),
            ("2_float", 2.0),
            ("half", 0.5),
            ("1_3", 1.3),
            ("1_5", 1.5),
            ("3", 3),
        )
    ),
    row(
        "p_1_5_margin_2_mean",
        "multi_margin",
        ABOVE,
        BELOW,
        p=1.5,
        margin=2,
        reduction="mean",
        torch=ONLY_1_AND_2,
    ),
    row(
        "p_2_hinge_is_scaled_after_the_power",
        "multi_margin",
        [[0.0, 1.0]],
        [0],
        p=2,
        weight=Array([3.0, 1.0]),
        note="3 * 2**2 / 2, not (3 * 2)**2 / 2",
    ),
    row(
        "p_1_3_counts_as_rounded",
        "multi_margin",
        [[-1e8, 1e8]],
        [0],
        p=1.3,
        dtypes=SINGLE,
        torch=ONLY_1_AND_2,
        note="with 1.3 itself the result would be 8 ULP of float32 larger",
    ),
    row(
        "p_1_3_of_a_tiny_term",
        "accuracy",
        [[0.0, 1e-100]],
        [0],
        p=1.3,
        margin=0.0,
        dtypes=F64,
        torch=ONLY_1_AND_2,
        note="1e-130 / 2",
    ),
    row("p_2_random_seed_11", "accuracy", normal(11, 8, 10), drawn(12, 10, 8), p=2),
)

MARGINS = (
    *(
        row(f"margin_{name}", "margin", ABOVE, BELOW, margin=value)
        for name, value in (
            ("0", 0),
            ("0_3", 0.3),
            ("true_is_1", True),
            ("numpy_scalar", np.float32(0.3)),
            ("int", 2),
        )
    ),
    *(
        row(f"margin_tensor_{name}", "margin", ABOVE, BELOW, margin=Array(value, grad=True))
        for name, value in (("0d", 0.75), ("of_shape_1", [0.75]), ("of_shape_1_1", [[0.75]]))
    ),
    row(
        "margin_tensor_p_2_mean",
        "margin",
        ABOVE,
        BELOW,
        margin=Array([0.75], grad=True),
        p=2,
        reduction="mean",
    ),
    row(
        "margin_tensor_float64_keeps_the_dtype",
        "margin",
        ABOVE,
        BELOW,
        margin=Array(0.75, "float64"),
        dtypes=(*HALF, "float32"),
    ),
    *(
        row(
            f"margin_{name}counts_as_rounded",
            "margin",
            [[0.7, 0.0]],
            [0],
            margin=margin,
            dtypes=F32,
            note="at the kink, where the gradient is 0; 0.7 itself is above it",
        )
        for name, margin in (("", 0.7), ("tensor_float64_", Array(0.7, "float64")))
    ),
    row("margin_tensor_int64", "margin", ABOVE, BELOW, margin=Array(2, "int64")),
)

WEIGHT = [0.5, 2.0, 0.3]
WEIGHTS = (
    row("weight", "multi_margin", ABOVE, BELOW, weight=Array(WEIGHT)),
    row("weight_gradient", "gradients", ABOVE, BELOW, weight=Array(WEIGHT, grad=True)),
    row(
        "weight_gradient_below_float16",
        "gradients",
        [[0.0, 1.875 * 2.0**-20]],
        [0],
        p=4,
        margin=0.0,
        weight=Array([1.0, 1.0], grad=True),
        dtypes=HALF[:1],
        torch=ONLY_1_AND_2,
        note="1.5 * 2**-78, which Paddle casts to a float16 of 9e-5",
    ),
    row("weight_mean_is_over_n", "reduction", ABOVE, BELOW, weight=Array(WEIGHT), reduction="mean"),
    row(
        "weight_p_2_sum",
        "multi_margin",
        ABOVE,
        BELOW,
        weight=Array(WEIGHT, grad=True),
        p=2,
        reduction="sum",
    ),
    row("weight_zero_class", "multi_margin", ABOVE, BELOW, weight=Array([1.0, 0.0, 2.0])),
    row("weight_all_zero", "multi_margin", ABOVE, BELOW, weight=Array([0.0] * 3)),
    row("weight_negative", "multi_margin", ABOVE, BELOW, weight=Array([1.0, -2.0, 1.0])),
    row("weight_of_one_row", "multi_margin", [[0.0, 0.5, -1.0]], [1], weight=Array(WEIGHT)),
    row("weight_unbatched", "multi_margin", [0.0, 0.5, -1.0], 1, weight=Array(WEIGHT), batch=()),
    row(
        "weight_label_column",
        "multi_margin",
        ABOVE,
        [[1], [2]],
        weight=Array(WEIGHT),
        torch=ONLY_1D,
    ),
    row(
        "weight_float64_beyond_float16",
        "dtype",
        [[0.0, -0.875]],
        [0],
        weight=Array([1e5, 1.0], "float64"),
        dtypes=HALF[:1],
        torch="torch wants the weight in the input's dtype",
        note="cast to the input's dtype it is infinity",
    ),
    *(
        row(
            f"weight_{own}_is_cast",
            "dtype",
            ABOVE,
            BELOW,
            weight=Array(WEIGHT, own),
            dtypes=dtypes,
            torch="torch wants the weight in the input's dtype",
        )
        for own, dtypes in (
            ("float64", (*HALF, "float32")),
            ("float32", (*HALF, "float64")),
            ("float16", ("bfloat16", *SINGLE)),
            ("bfloat16", ("float16", *SINGLE)),
        )
    ),
)

EQUAL = np.full((2, 1000), 0.1)
MANY = (
    row("random_normal_seed_7", "C1", normal(7, 8, 10), drawn(8, 10, 8)),
    row(
        "random_normal_seed_9_mean",
        "C1",
        normal(9, 32, 4),
        drawn(10, 4, 32),
        margin=0.3,
        reduction="mean",
    ),
    row(
        "70_classes_in_every_mode",
        "C6",
        normal(21, 3, 70),
        drawn(22, 70, 3),
        p=1.3,
        dtypes=F64,
        torch=ONLY_1_AND_2,
        note="float64 sums are grouped from 33 classes on, with open dimensions too",
    ),
    row("random_150_classes_seed_13", "accuracy", normal(13, 2, 150), drawn(14, 150, 2)),
    row(
        "random_150_classes_p_3_seed_15",
        "accuracy",
        normal(15, 1, 150),
        drawn(16, 150, 1),
        p=3,
        torch=ONLY_1_AND_2,
    ),
    row(
        "1000_classes_of_equal_terms",
        "accuracy",
        EQUAL,
        [0, 999],
        margin=0.1,
        dtypes=SINGLE,
        note="adding one by one loses 99 ULP",
    ),
    row(
        "1100_classes_of_equal_terms_p_2",
        "accuracy",
        np.full((2, 1100), 0.1),
        [0, 1099],
        margin=0.1,
        p=2,
        dtypes=F64,
        note="the gradient of the true class is a sum over the others",
    ),
    row("scaled_by_100_seed_17", "accuracy", 100 * normal(17, 8, 10), drawn(18, 10, 8)),
    row("scaled_by_1e_3_seed_19", "accuracy", 1e-3 * normal(19, 8, 10), drawn(20, 10, 8)),
    Case(
        "mean_of_a_million_rows",
        "C1",
        {"input": Repeat(0.5, (10**6, 2)), "label": Repeat(0, (10**6,), "int64")},
        {"margin": 0.1, "reduction": "mean"},
        dtypes=F32,
        exact=0.05,
        modes="too large for a graph",
        note="each term is 0.1, halved by C",
    ),
)

OUT_OF_RANGE = (("minus_1", -1), ("of_c", 3), ("beyond_c", 5), ("minus_100", -100))
ERRORS = (
    *(
        refused(
            f"label_{name}_is_refused",
            ABOVE,
            [0, y],
            ValueError,
            "0.*2",
            f"received.*{y}",
            modes=GRAPH,
            clause="outside the domain",
        )
        for name, y in OUT_OF_RANGE
    ),
    refused(
        "label_out_of_range_unbatched_is_refused",
        [0.0, 1.0, 2.0],
        3,
        ValueError,
        "0.*2",
        "received.*3",
        modes=GRAPH,
        clause="outside the domain",
    ),
    *(
        refused(
            f"label_{dtype}_is_refused", ABOVE, Array([0, 1], dtype), TypeError, "integer", dtype
        )
        for dtype in ("float32", "float64", "bool")
    ),
    *(
        refused(
            f"p_{name}_is_refused",
            ABOVE,
            BELOW,
            kind,
            r"\bp\b",
            f"received.*{text}",
            p=p,
            constructor=True,
        )
        for name, p, kind, text in (
            ("0", 0, ValueError, "0"),
            ("minus_1", -1, ValueError, "-1"),
            ("nan", NAN, ValueError, "nan"),
            ("inf", INF, ValueError, "inf"),
            ("text", "a", TypeError, "'a'"),
            ("none", None, TypeError, "None"),
        )
    ),
    refused("label_of_wrong_length", ABOVE, [0, 1, 2], ValueError, r"\[[2N]\]", r"\[3\]"),
    *(
        refused(
            f"label_{name}_for_2_rows",
            ABOVE,
            label,
            ValueError,
            r"\[[2N]\]",
            shape,
            clause="broadcasting",
        )
        for name, label, shape in (("of_1", [0], r"\[1\]"), ("0d", 0, r"\[\]"))
    ),
    refused("label_n_by_2", ABOVE, [[0, 1], [1, 2]], ValueError, r"\[[2N]\]", r"\[2, 2\]"),
    refused("label_3d", ABOVE, [[[0]], [[1]]], ValueError, r"\[[2N]\]", r"\[2, 1, 1\]"),
    refused("label_row", ABOVE, [[0, 1]], ValueError, r"\[[2N]\]", r"\[1, 2\]"),
    refused("label_of_2_for_unbatched", [0.0, 0.5, 1.0], [0, 1], ValueError, r"\[[1N]\]", r"\[2\]"),
    refused("input_without_classes", np.zeros((1, 0)), [0], ValueError, "class", r"\[1, 0\]"),
    refused("unbatched_without_classes", np.zeros(0), 0, ValueError, "class", r"\[0\]"),
    refused("input_3d", [[[0.0, 0.5]]], [0], ValueError, "input", r"\[1, 1, 2\]"),
)


def _budget(few: int) -> Any:
    return lambda classes: few if classes <= 100 else 24


TYPICAL = {"input": ABOVE, "label": Array(BELOW, "int64")}
RAISABLE = Interval(1e-100, 1e100)
"""Sizes of which float64 holds the third powers, and the accuracy of the power 1.3 as well."""
DOMAIN = Domain(
    shapes=(("N C", "N"),),
    hostile_shapes=(("N C", "N 1"), ("C", ""), ("C", "1"), ("", "")),
    inputs={
        "input": Reals({"float64": RAISABLE}),
        "label": Classes(0, hostile_dtypes=("int16", "uint8")),
    },
    options={
        "p": Numbers((1, 2), drawn=(1, 2), hostile=(0.5, 1.3, 1.5, 2.0, 3)),
        "margin": margins(Interval(-1e100, 1e100), hostile=(INF, NAN)),
        "weight": Weights(),
        "reduction": REDUCTION,
    },
)

LOSS = Loss(
    stem="multi_margin",
    function="multi_margin_loss",
    layer="MultiMarginLoss",
    signature="(input, label, p=1, margin=1.0, weight=None, reduction='mean', name=None)",
    layer_signature="(p=1, margin=1.0, weight=None, reduction='mean', name=None)",
    inputs=("input", "label"),
    differentiable=("input",),
    formula=formula,
    budget=Budget(
        value={"float16": 1, "bfloat16": 1, "float32": 4, "float64": _budget(6)},
        gradient={"float16": 2, "bfloat16": 2, "float32": 16, "float64": 16},
    ),
    domain=DOMAIN,
    cases=(
        *DOCUMENTED,
        *KINKS,
        *ZEROS,
        *LARGE_LOGITS,
        *NOT_FINITE,
        *SHAPES,
        *POWERS,
        *MARGINS,
        *WEIGHTS,
        *MANY,
        *ERRORS,
        shared_rows.longer_than_a_block(
            {"input": normal(60, 2, LONG), "label": classes([3, 1050])},
            p=2,
            weight=Array(normal(61, LONG)),
        ),
        *shared_rows.shared(TYPICAL, TORCH_NAMES),
        *shared_rows.positions(TYPICAL, p=2, margin=0.5, weight=Array(WEIGHT), reduction="none"),
        *shared_rows.margin_errors(TYPICAL),
        *shared_rows.weight_errors(TYPICAL, classes=3),
    ),
    layers=(
        LayerState("defaults", {}, "p=1, margin=1.0, reduction='mean'"),
        LayerState(
            "weight_is_shown_and_saved",
            {"p": 2, "margin": 0.5, "weight": Array([1.0, 2.0, 3.0]), "reduction": "sum"},
            "p=2, margin=0.5, weight=Tensor(shape=[3], dtype=float32), reduction='sum'",
            ("weight",),
        ),
    ),
    torch_names=TORCH_NAMES,
    batch=("input", "label"),
    documentation="w[y] * (sum over j other than y of max(0, m - x[y] + x[j])**p) / C",
)
