"""Rows of ``multi_label_margin_loss``."""

from __future__ import annotations

from itertools import takewhile
from typing import Any

import numpy as np
from mpmath import mp

from conformance import shared_rows
from conformance.autodiff import Number, clamp, total, undefined
from conformance.case import Array, Budget, Case, LayerState, Loss, Printed
from conformance.domain import REDUCTION, SUMMABLE, Classes, Domain, Reals
from conformance.shared_rows import LONG, normal

INF, NAN = float("inf"), float("nan")
F32, F64 = ("float32",), ("float64",)
SINGLE = ("float32", "float64")
TORCH_NAMES = {"label": "target"}

ONLY_INT64 = "torch accepts int64 labels only"
SWALLOWS_NAN = "C3: torch swallows NaN"
GRAPH = "a graph has no values to check"
EMPTY = "C3: torch reduces an empty batch to uninitialised memory"


def formula(input: Any, label: Any) -> Any:
    """Sum over k in targets and i not in targets of max(0, 1 - x_k + x_i), over C."""
    if input.ndim < 2:
        return np.asarray(_sample(input.reshape(-1), label.reshape(-1)), dtype=object)
    losses = np.empty(len(input), dtype=object)
    for n, x in enumerate(input):
        losses[n] = _sample(x, label[n])
    return losses


def _sample(x: np.ndarray, label: np.ndarray) -> Number:
    working = x[0].working
    if any(mp.isnan(number.value) for number in x):
        return undefined(x, working)
    targets = [int(k) for k in takewhile(lambda k: k >= 0, label)]
    others = [i for i in range(len(x)) if i not in targets and x[i].value != -mp.inf]
    terms = [
        clamp(1 - x[k] + x[i], passes_at_zero=False)
        for k in targets
        if x[k].value != mp.inf
        for i in others
    ]
    return total(terms, working) / len(x)


def row(id: str, clause: str, x: Any, y: Any, **more: Any) -> Case:
    """A row of scores and, unless it says otherwise, an int64 label."""
    return shared_rows.row(id, clause, {"input": x, "label": classes(y)}, **more)


def refused(id: str, x: Any, y: Any, kind: type[Exception], *match: str, **more: Any) -> Case:
    """A row that must raise; see :func:`shared_rows.refused`."""
    return shared_rows.refused(id, {"input": x, "label": classes(y)}, kind, match, **more)


def outside(id: str, x: Any, y: Any, *match: str) -> Case:
    """A row with a label outside the domain, which a graph cannot see."""
    clause = "outside the domain"
    return refused(id, x, y, ValueError, *match, modes=GRAPH, clause=clause)


def classes(label: Any) -> Any:
    """Class indices as an int64 tensor; an ``Array`` or a tuple as it is."""
    return label if isinstance(label, (Array, tuple)) else Array(label, "int64")


def drawn(seed: int, samples: int, count: int) -> np.ndarray:
    """Random targets of a fixed seed: any number of the classes in any order, then -1."""
    rng = np.random.default_rng(seed)
    label = np.array([rng.permutation(count) for _ in range(samples)])
    return np.where(np.arange(count) < rng.integers(0, count + 1, (samples, 1)), label, -1)


PADDLE = "paddle.nn.functional.multi_label_margin_loss, 3.3.1, Examples"
PADDLE_LAYER = "paddle.nn.MultiLabelMarginLoss, 3.3.1, Examples"
TORCH = "torch.nn.MultiLabelMarginLoss, 2.13, Examples"
PADDLE_X = [[0.1, 0.2, 0.4, 0.8], [0.2, 0.5, 0.3, 0.1]]
PADDLE_Y = [[3, 0, -1, -1], [0, 2, -1, -1]]

DOCUMENTED = (
    *(
        row(
            id,
            "examples",
            PADDLE_X,
            PADDLE_Y,
            reduction="mean",
            printed=Printed("0.94999999", source, units=1.5),
            note="(0.85 + 1.05) / 2; what is printed is 1 unit below it",
        )
        for id, source in (("paddle_mean", PADDLE), ("paddle_layer_mean", PADDLE_LAYER))
    ),
    row(
        "torch_example",
        "examples",
        [[0.1, 0.2, 0.4, 0.8]],
        [[3, 0, -1, 1]],
        reduction="mean",
        printed=Printed("0.85", TORCH),
        note="0.25 * ((1-(0.1-0.2)) + (1-(0.1-0.4)) + (1-(0.8-0.2)) + (1-(0.8-0.4)))",
    ),
    row("paddle_none_in_every_mode", "C6", PADDLE_X, PADDLE_Y, note="0.85 and 1.05"),
)

FIRST = [[0, -1, -1]]
KINKS = (
    row("at_the_kink", "kink", [[1.0, 0.0, -5.0]], FIRST, note="the gradient is 0 at 0"),
    row("at_the_kink_of_two_targets", "kink", [[1.0, 1.0, 0.0, 0.5]], [[0, 1, -1, -1]]),
    row("at_the_kink_mean", "kink", [[1.0, 0.0, -5.0]] * 2, FIRST * 2, reduction="mean"),
    *(
        row(f"{dtype}_{side}_the_kink", "kink", [[1 + x, other, -5.0]], FIRST, dtypes=(dtype,))
        for dtype, bits in (("float16", 10), ("bfloat16", 7), ("float32", 23), ("float64", 52))
        for side, x, other in (("above", 0.0, 2.0**-bits), ("below", 2.0**-bits, 0.0))
    ),
)

X = [[0.5, -1.0, 0.25, 2.0], [1.5, 0.75, -0.5, 0.0]]
Y = [[1, 3, -1, -1], [2, -1, -1, -1]]
TARGETS = (
    row("one_target", "multi_label_margin", X, [[1, -1, -1, -1], [0, -1, -1, -1]]),
    row("every_class_but_one", "multi_label_margin", X, [[1, 3, 0, -1], [2, 0, 1, -1]]),
    row("every_class", "multi_label_margin", X, [[1, 3, 0, 2], [2, 0, 1, 3]], note="no term: 0"),
    row("order_does_not_count", "multi_label_margin", X, [[3, 1, -1, -1], [2, -1, -1, -1]]),
    row("target_0_is_a_class", "multi_label_margin", X, [[0, -1, -1, -1], [0, 2, -1, -1]]),
    row("labels_after_the_first_minus_1", "multi_label_margin", X, [[1, -1, 3, 0], [2, 3, -1, 1]]),
    row("labels_after_a_leading_minus_1", "multi_label_margin", X, [[-1, 1, 2, 3], [-1, 0, -1, 0]]),
    row("repeated_target_counts_again", "multi_label_margin", X, [[1, 1, -1, -1], [2, 0, 2, 2]]),
    row("target_repeated_c_times", "multi_label_margin", X, [[1] * 4, [2] * 4]),
    row("all_minus_1_in_one_sample", "multi_label_margin", X, [[1, 3, -1, -1], [-1] * 4]),
    *(
        row(f"all_minus_1_{name}", "multi_label_margin", X, [[-1] * 4] * 2, reduction=name)
        for name in ("none", "mean", "sum")
    ),
    row("all_minus_1_unbatched", "multi_label_margin", X[0], [-1] * 4, batch=()),
)

LABELS = (
    *(
        row(f"label_{dtype}", "dtype", X, Array(Y, dtype), torch=ONLY_INT64)
        for dtype in ("int8", "int16", "int32")
    ),
    row(
        "label_uint8_has_no_minus_1",
        "dtype",
        X,
        Array([[1, 3, 1, 3], [2, 2, 2, 2]], "uint8"),
        torch=ONLY_INT64,
    ),
)

NOT_FINITE = (
    row("nan_target", "NaN and infinity", [[NAN, 0.0, 0.0]], FIRST, torch=SWALLOWS_NAN),
    row("nan_elsewhere", "NaN and infinity", [[0.0, NAN, 0.0]], FIRST, torch=SWALLOWS_NAN),
    row(
        "nan_of_one_sample",
        "NaN and infinity",
        [[0.0, NAN, 0.5], [0.0, 0.25, 0.5]],
        FIRST * 2,
        torch=SWALLOWS_NAN,
    ),
    row(
        "nan_where_the_clamp_is_shut",
        "NaN and infinity",
        [[9.0, 0.0, NAN]],
        FIRST,
        torch=SWALLOWS_NAN,
    ),
    row(
        "nan_in_the_mean",
        "NaN and infinity",
        [[0.0, NAN, 0.5], [0.0, 0.25, 0.5]],
        FIRST * 2,
        reduction="mean",
        torch=SWALLOWS_NAN,
    ),
    row(
        "nan_of_an_all_true_sample", "NaN and infinity", [[0.0, NAN]], [[0, 1]], torch=SWALLOWS_NAN
    ),
    row("nan_without_targets", "NaN and infinity", [[0.0, NAN]], [[-1, -1]], torch=SWALLOWS_NAN),
    row("inf_target", "NaN and infinity", [[INF, 0.0, 0.0]], FIRST),
    row("minus_inf_target", "NaN and infinity", [[-INF, 0.0, 0.0]], FIRST),
    row("inf_elsewhere", "NaN and infinity", [[0.0, INF, 0.0]], FIRST),
    row("minus_inf_elsewhere", "NaN and infinity", [[0.0, -INF, 0.0]], FIRST),
    row("inf_target_inf_elsewhere", "NaN and infinity", [[INF, INF, 0.0]], FIRST),
    row("inf_target_minus_inf_elsewhere", "NaN and infinity", [[INF, -INF, 0.0]], FIRST),
    row("minus_inf_target_and_elsewhere", "NaN and infinity", [[-INF, -INF, 0.0]], FIRST),
)

EXTREMES = (
    row("separable_is_exactly_0", "accuracy", [[5.0, 0.0, 0.0]], FIRST),
    row("separable_by_1e8", "accuracy", [[1e8, 0.0, 0.0]], FIRST, dtypes=("bfloat16", *SINGLE)),
    row("offset_2e7_float32", "accuracy", [[2e7, 2e7 + 2, 2e7 - 4]], FIRST, dtypes=F32),
    row("offset_1e8_float32", "accuracy", [[1e8, 1e8 + 8, 1e8]], FIRST, dtypes=F32),
    row("offset_1e15_float64", "accuracy", [[1e15, 1e15 + 1, 1e15 - 3]], FIRST, dtypes=F64),
    row("huge_float32", "C1", [[-1e37, 1e37, 3e37]], FIRST, dtypes=F32),
    row(
        "sum_overflows_float32_but_not_its_mean",
        "C1",
        [[-3e38, 3e38, 0.0]],
        FIRST,
        dtypes=F32,
        torch="C3: torch overflows before it divides",
    ),
    row("float64_overflows", "C1", [[-1.7e308, *[1.7e308] * 3]], [[0, -1, -1, -1]], dtypes=F64),
    row("largest_float16", "C1", [[-30000.0, 30000.0, 0.0]], FIRST, dtypes=("float16",)),
    row("float16_overflows", "C1", [[-65504.0, 65504.0]], [[0, -1]], dtypes=("float16",)),
    row("signed_zeros", "C1", [[-0.0, 0.0, -0.0]], [[0, 1, -1]]),
    row("subnormal_float32", "C1", [[0.0, 2.0**-149, -(2.0**-149)]], FIRST, dtypes=F32),
    row("subnormal_float64", "C1", [[0.0, 2.0**-1074, -(2.0**-1074)]], FIRST, dtypes=F64),
    row(
        "cancellation",
        "C1",
        Array([[1.3, 0.1 + 0.2, 0.3]], grad=False),
        FIRST,
        dtypes=SINGLE,
        note="rounding decides which side of the kink it is on, so no gradient is asked for",
    ),
)

SHAPES = (
    row("unbatched", "reduction", X[0], Y[0], batch=()),
    row("unbatched_mean", "reduction", X[0], Y[0], reduction="mean", batch=()),
    row("unbatched_torch_example", "reduction", PADDLE_X[0], [3, 0, -1, 1], batch=(), note="0.85"),
    row("input_0d", "reduction", 2.0, 0, batch=(), note="one class: there is no term"),
    row("input_0d_without_target", "reduction", 2.0, -1, batch=()),
    row("one_class", "reduction", [[2.0], [-3.0]], [[0], [-1]]),
    row("one_sample", "reduction", X[:1], Y[:1]),
    row("two_classes", "reduction", [[0.25, 0.5], [0.5, 0.25]], [[0, -1], [1, -1]]),
    row("empty_batch_none", "empty", np.zeros((0, 3)), np.zeros((0, 3))),
    *(
        row(
            f"empty_batch_{name}",
            "empty",
            np.zeros((0, 3)),
            np.zeros((0, 3)),
            reduction=name,
            torch=EMPTY,
        )
        for name in ("mean", "sum")
    ),
    *(
        row(
            f"empty_0_by_0_{name}",
            "empty",
            np.zeros((0, 0)),
            np.zeros((0, 0)),
            reduction=name,
            torch="torch refuses an input without classes",
        )
        for name in ("none", "mean")
    ),
)

MANY_SAMPLES = (10**5, 4)
MANY = (
    row("random_8_10_seed_80", "C1", normal(80, 8, 10), drawn(81, 8, 10)),
    row("random_32_4_seed_82_mean", "C1", normal(82, 32, 4), drawn(83, 32, 4), reduction="mean"),
    row("random_scaled_by_100_seed_84", "accuracy", 100 * normal(84, 8, 10), drawn(85, 8, 10)),
    row(
        "random_scaled_by_1e_3_seed_86_sum",
        "accuracy",
        1e-3 * normal(86, 8, 10),
        drawn(87, 8, 10),
        reduction="sum",
    ),
    row(
        "random_repeats_seed_88",
        "multi_label_margin",
        normal(88, 8, 10),
        np.random.default_rng(89).integers(-1, 10, (8, 10)),
    ),
    row(
        "random_150_classes_seed_90",
        "accuracy",
        normal(90, 2, 150),
        np.where(np.arange(150) < 3, [[7, 149, 0] * 50, [42, 3, 99] * 50], -1),
    ),
    row(
        "1000_classes_of_equal_terms",
        "accuracy",
        [[0.1] * 1000],
        [[999, 0, *([-1] * 998)]],
        dtypes=F64,
        note="adding one by one loses 99 ULP",
    ),
    row(
        "a_repeat_beside_100_classes",
        "multi_label_margin",
        normal(91, 1, 100),
        [[5, 5, 17, 5, *([-1] * 96)]],
    ),
    Case(
        "mean_of_a_hundred_thousand_samples",
        "C1",
        {
            "input": Array(np.broadcast_to(PADDLE_X[0], MANY_SAMPLES)),
            "label": Array(np.broadcast_to([3, 0, -1, 1], MANY_SAMPLES), "int64"),
        },
        {"reduction": "mean"},
        dtypes=SINGLE,
        exact=0.85,
        torch="a tensor of more than 100,000 elements",
        modes="too large for a graph",
    ),
)

ERRORS = (
    *(
        outside(f"label_{name}_is_refused", X, [Y[0], label], "-1.*3", y)
        for name, label, y in (
            ("of_c", [0, 4, -1, -1], "received 4"),
            ("minus_2", [-2, -1, -1, -1], "received -2"),
            ("minus_100", [0, -100, -1, -1], "received -100"),
            ("of_c_after_minus_1", [0, -1, 4, -1], "received 4"),
            ("minus_2_after_minus_1", [0, -1, -1, -2], "received -2"),
        )
    ),
    outside("label_of_c_unbatched_is_refused", X[0], [4, -1, -1, -1], "3", "4"),
    outside("label_1_of_one_class_is_refused", [[2.0]], [[1]], "0", "received 1"),
    *(
        refused(f"label_{dtype}_is_refused", X, Array(Y, dtype), TypeError, "label.*integer", dtype)
        for dtype in ("float32", "float64", "bool")
    ),
    *(
        refused(f"label_{name}_is_refused", X, y, ValueError, r"\[2, 4\]", received, clause=clause)
        for name, y, received, clause in (
            ("of_one_row", [[3, 0, -1, -1]], r"received.*\[1, 4\]", "broadcasting"),
            ("of_three_rows", [*Y, Y[0]], r"received.*\[3, 4\]", "C5"),
            ("too_narrow", [[1, -1]] * 2, r"received.*\[2, 2\]", "C5"),
            ("too_wide", [[1, -1, -1, -1, -1]] * 2, r"received.*\[2, 5\]", "C5"),
            ("1d", [1, 2], r"received.*\[2\]", "C5"),
            ("0d", 1, r"received.*\[\]", "broadcasting"),
            ("3d", [Y], r"received.*\[1, 2, 4\]", "broadcasting"),
        )
    ),
    refused("label_2d_of_one_sample", X[0], [Y[0]], ValueError, r"\[4\]", r"received.*\[1, 4\]"),
    refused("input_3d", [X], [Y], ValueError, "input", r"received.*\[1, 2, 4\]"),
    refused("unbatched_without_classes", np.zeros(0), np.zeros(0), ValueError, "class", r"\[0\]"),
    refused(
        "input_without_classes",
        np.zeros((2, 0)),
        np.zeros((2, 0)),
        ValueError,
        "class",
        r"received.*\[2, 0\]",
    ),
)

TYPICAL = {"input": X, "label": Array(Y, "int64")}
DOMAIN = Domain(
    shapes=(("N C", "N C"),),
    hostile_shapes=(("C", "C"), ("", "")),
    inputs={"input": Reals(SUMMABLE), "label": Classes(-1, hostile_dtypes=("int16", "int8"))},
    options={"reduction": REDUCTION},
)

LOSS = Loss(
    stem="multi_label_margin",
    function="multi_label_margin_loss",
    layer="MultiLabelMarginLoss",
    signature="(input, label, reduction='mean', name=None)",
    layer_signature="(reduction='mean', name=None)",
    inputs=("input", "label"),
    differentiable=("input",),
    formula=formula,
    budget=Budget(
        value={
            "float16": 1,
            "bfloat16": 1,
            "float32": 4,
            "float64": lambda classes: 6 if classes <= 100 else 24,
        },
        gradient={"float16": 2, "bfloat16": 2, "float32": 16, "float64": 16},
    ),
    domain=DOMAIN,
    cases=(
        *DOCUMENTED,
        *KINKS,
        *TARGETS,
        *LABELS,
        *NOT_FINITE,
        *EXTREMES,
        *SHAPES,
        *MANY,
        *ERRORS,
        shared_rows.longer_than_a_block(
            {
                "input": normal(60, 1, LONG),
                "label": classes([[1050, 3, LONG - 1, *[-1] * (LONG - 3)]]),
            }
        ),
        *shared_rows.shared(TYPICAL, TORCH_NAMES),
        *shared_rows.positions(TYPICAL, reduction="none"),
    ),
    layers=(
        LayerState("defaults", {}, "reduction='mean'"),
        LayerState("every_option", {"reduction": "sum"}, "reduction='sum'"),
    ),
    torch_function="multilabel_margin_loss",
    torch_names=TORCH_NAMES,
    batch=("input", "label"),
    never_negative=True,
    documentation="sum over k in targets, i not in targets of max(0, 1 - x[k] + x[i]), over C",
)
