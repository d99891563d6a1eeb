"""The multiprecision oracle: against hand arithmetic, numeric derivatives and torch's goldens."""

from __future__ import annotations

from dataclasses import replace
from functools import wraps
from typing import Any, Callable
from unittest import TestCase
from unittest.mock import patch

import mpmath
import numpy as np
from mpmath import mp, mpf
from parameterized import parameterized

from conformance import autodiff, oracle, torch_reference
from conformance.autodiff import Number, backward, clamp, maximum, select, total
from conformance.case import Array, Case, Loss, Raises
from conformance.cases import all_losses, hinge_embedding, multi_margin
from conformance.ulp import DIGITS

HINGE, MULTI_MARGIN = hinge_embedding.LOSS, multi_margin.LOSS
INF, NAN = float("inf"), float("nan")


def leaf(value: float) -> Number:
    """A float64 input that asks for a gradient."""
    return Number(value, "float64", live=True)


def derivative(result: Number, by: Number) -> mpf:
    """The gradient of ``result``."""
    return backward([(result, mpf(1))]).get(by.serial, (mpf(0), mpf(0)))[0]


def case(x: Any, y: Any, **options: Any) -> Case:
    """A row of float64 with int64 labels and ``reduction='none'``."""
    inputs = {"input": x, "label": Array(y, "int64")}
    return Case("row", "C1", inputs, {"reduction": "none", **options}, dtypes=("float64",))


def evaluated(loss: Loss, row: Case, dtype: str = "float64") -> oracle.Expected:
    """What the formula says, where it says something."""
    expected = oracle.evaluate(loss, row, dtype)
    assert expected is not None
    return expected


def ratio(got: Any, exact: oracle.Exact, budget: float = 1.0, dtype: str = "float64") -> float:
    """The worst error over what is allowed."""
    permitted = oracle.allowed(exact, budget, dtype)
    worst = oracle.worst(np.asarray(got, np.float64), exact, permitted, dtype)
    assert worst is not None
    return worst.ratio


class Arithmetic(TestCase):
    @parameterized.expand(
        [
            ("sum", lambda a, b: a + b + 1, lambda a, b: a + b + 1),
            ("difference", lambda a, b: 2 - a - b, lambda a, b: 2 - a - b),
            ("product", lambda a, b: 3 * a * b * a, lambda a, b: 3 * a * b * a),
            ("quotient", lambda a, b: a / b + 2 / a, lambda a, b: a / b + 2 / a),
            ("absolute", lambda a, b: abs(b - a) * a, lambda a, b: abs(b - a) * a),
            ("sqrt", lambda a, b: autodiff.sqrt(a * b), lambda a, b: mp.sqrt(a * b)),
            ("exp", lambda a, b: autodiff.exp(a * b), lambda a, b: mp.exp(a * b)),
            ("log1p", lambda a, b: autodiff.log1p(a / b), lambda a, b: mp.log1p(a / b)),
            ("power", lambda a, b: autodiff.power(a * b, mpf(1.5)), lambda a, b: (a * b) ** 1.5),
            ("maximum", lambda a, b: maximum([a, b]) * a, lambda a, b: max(a, b) * a),
            ("total", lambda a, b: total([a, b, a * b], "float64"), lambda a, b: a + b + a * b),
        ]
    )
    def test_agrees_with_numeric_differentiation(
        self, name: str, formula: Callable[..., Number], plain: Callable[..., mpf]
    ) -> None:
        with mp.workdps(DIGITS):
            a, b = leaf(0.75), leaf(2.5)
            result = formula(a, b)
            point = (mpf(0.75), mpf(2.5))
            self.assertTrue(mpmath.almosteq(result.value, plain(*point), mpf(10) ** -50))
            for number, order in ((a, (1, 0)), (b, (0, 1))):
                expected = mpmath.diff(plain, point, order)
                received = derivative(result, number)
                self.assertTrue(mpmath.almosteq(received, expected, mpf(10) ** -15))

    @parameterized.expand(
        [
            ("open", 0.5, True, 0.5, 1),
            ("shut", -0.5, True, 0, 0),
            ("passes_at_the_kink", 0.0, True, 0, 1),
            ("strict_at_the_kink", 0.0, False, 0, 0),
            ("infinite", INF, False, INF, 1),
            ("minus_infinite", -INF, True, 0, 0),
        ]
    )
    def test_clamp(self, name: str, z: float, passes: bool, value: float, slope: int) -> None:
        number = leaf(z)
        result = clamp(number, passes)
        self.assertEqual((result.value, derivative(result, number)), (value, slope))

    def test_clamp_keeps_nan(self) -> None:
        number = leaf(NAN)
        result = clamp(number, passes_at_zero=True)
        self.assertTrue(mp.isnan(result.value) and mp.isnan(derivative(result, number)))

    def test_ties_of_maximum_share_evenly(self) -> None:
        a, b, c = leaf(2.0), leaf(2.0), leaf(1.0)
        result = maximum([a, b, c])
        self.assertEqual([derivative(result, x) for x in (a, b, c)], [0.5, 0.5, 0])

    def test_the_branch_that_is_not_selected_leaves_no_trace(self) -> None:
        a, b = leaf(INF), leaf(2.0)
        result = select(np.array(False), a - a, b).item()
        self.assertEqual((result.value, derivative(result, a)), (2, 0))

    def test_division_by_zero_as_in_ieee(self) -> None:
        self.assertEqual((leaf(1.0) / leaf(0.0)).value, mp.inf)
        self.assertTrue(mp.isnan((leaf(0.0) / leaf(0.0)).value))


class Conditioning(TestCase):
    def test_a_difference_is_as_uncertain_as_its_largest_term(self) -> None:
        self.assertEqual((leaf(1000.0) - leaf(999.5)).scale, 1000)

    def test_an_input_as_it_is_has_only_its_own_rounding(self) -> None:
        self.assertEqual(leaf(1000.0).scale, 0)

    def test_a_sum_is_as_uncertain_as_all_its_terms(self) -> None:
        self.assertEqual(total([leaf(3.0), leaf(-3.0), leaf(1.0)], "float64").scale, 7)

    def test_a_steep_function_enlarges_it(self) -> None:
        difference = leaf(1000.0) - leaf(990.0)
        self.assertEqual(autodiff.power(difference, mpf(2)).scale, 2 * 10 * 1000)

    def test_nothing_is_allowed_where_the_clamp_is_surely_shut(self) -> None:
        exact = evaluated(MULTI_MARGIN, case([[5.0, 0.0, 0.0]], [0])).value
        self.assertEqual(ratio([0.0], exact), 0)
        self.assertEqual(ratio([-1e-300], exact), INF)

    def test_rounding_is_allowed_where_terms_cancel(self) -> None:
        exact = evaluated(HINGE, case([1 - 2.0**-30], [-1.0])).value
        self.assertLessEqual(ratio([2.0**-30 + 2.0**-52], exact), 1)
        self.assertGreater(ratio([2.0**-30 + 2.0**-50], exact), 1)

    def test_the_smallest_normal_number_is_allowed_below_it(self) -> None:
        exact = evaluated(HINGE, case([2.0**-1070], [1.0])).value
        self.assertLessEqual(ratio([0.0], exact), 1)
        self.assertGreater(ratio([2.0**-1021], exact), 1)


class ByHand(TestCase):
    def test_hinge_values(self) -> None:
        row = case([2.0, 0.25, -3.0, 0.25], [1, -1, 1, 0], margin=1.0)
        self.assertEqual(evaluated(HINGE, row).value.values.tolist(), [2, 0.75, -3, 1])

    def test_hinge_gradient_is_weighted_by_the_cotangent(self) -> None:
        row = case([2.0, 0.25, 1.0, 0.25], [1, -1, -1, 0])
        received = evaluated(HINGE, row).gradients["input"].values.tolist()
        weights = oracle.cotangent((4,))
        self.assertEqual(received, (weights * [1, -1, -1, 0]).tolist())

    def test_multi_margin_gradient_of_the_margin_and_the_weight(self) -> None:
        options = {"margin": Array(1.0, grad=True), "weight": Array([3.0, 5.0], grad=True)}
        expected = evaluated(MULTI_MARGIN, case([[0.25, 0.5]], [0], p=2, **options))
        # h = 1 - 0.25 + 0.5 = 1.25; loss = 3 h² / 2
        self.assertEqual(expected.value.values.tolist(), [3 * 1.25**2 / 2])
        self.assertEqual(expected.gradients["margin"].values.item(), 3 * 1.25)
        self.assertEqual(expected.gradients["weight"].values.tolist(), [1.25**2 / 2, 0])
        self.assertEqual(expected.gradients["input"].values.tolist(), [[-3 * 1.25, 3 * 1.25]])

    def test_the_mean_of_nothing_is_nan_and_its_sum_0(self) -> None:
        row = case(Array(np.zeros((0, 3))), [])
        mean = evaluated(MULTI_MARGIN, replace(row, options={"reduction": "mean"}))
        summed = evaluated(MULTI_MARGIN, replace(row, options={"reduction": "sum"}))
        self.assertTrue(mp.isnan(mean.value.values.item()))
        self.assertEqual(summed.value.values.item(), 0)

    def test_a_number_counts_as_rounded_to_the_dtype_computed_in(self) -> None:
        row = case(0.0, -1.0, margin=0.1)
        for dtype, margin in (("float16", np.float32(0.1)), ("float64", np.float64(0.1))):
            self.assertEqual(evaluated(HINGE, row, dtype).value.values.item(), float(margin))

    def test_second_gradient(self) -> None:
        # loss = (1 - x1 + x0)² / 3; along v = (1, 0.5, -2) its argument moves by 0.5
        row = case([[0.0, 0.5, -1.0]], [1], p=2)
        received = oracle.second_gradients(MULTI_MARGIN, row)["input"].values[0]
        for value, expected in zip(received, (1 / 3, -1 / 3, 0)):
            self.assertAlmostEqual(float(value), expected, 15)

    def test_nothing_is_claimed_of_the_second_gradient_at_a_kink(self) -> None:
        received = oracle.second_gradients(HINGE, case([1.0, 0.5], [-1.0, -1.0]))
        self.assertEqual(received["input"].values.tolist(), [None, 0])

    def test_the_second_gradient_does_not_step_over_tiny_arguments(self) -> None:
        row = case([[1e-30, 0.0, 1e-30]], [0], margin=1e-30)
        received = oracle.second_gradients(MULTI_MARGIN, row)["input"].values
        self.assertEqual(received[0][2], 0)

    def test_nothing_is_claimed_of_a_gradient_through_nan(self) -> None:
        expected = evaluated(MULTI_MARGIN, case([[NAN, 1.0], [0.0, 1.0]], [0, 0]))
        self.assertEqual(expected.gradients["input"].values[0].tolist(), [None, None])
        self.assertNotIn(None, expected.gradients["input"].values[1].tolist())

    def test_an_error_has_no_expected_value(self) -> None:
        row = replace(case([1.0], [1]), raises=Raises(ValueError, ()))
        self.assertIsNone(oracle.evaluate(HINGE, row, "float64"))

    @parameterized.expand(
        [
            ("default", {}, "mean"),
            ("named", {"reduction": "sum"}, "sum"),
            ("size_average", {"size_average": False}, "sum"),
            ("reduce", {"reduce": False, "reduction": "sum"}, "none"),
            ("both_none", {"size_average": None, "reduce": None, "reduction": "sum"}, "sum"),
            ("both_false", {"size_average": False, "reduce": False}, "none"),
        ]
    )
    def test_reduction_of(self, name: str, options: dict[str, Any], expected: str) -> None:
        self.assertEqual(oracle.reduction_of(options), expected)


def every_row() -> list[tuple[str, Loss, Case, str]]:
    """All rows that have an expected value."""
    return [
        (f"{stem}_{row.id}_{dtype}", loss, row, dtype)
        for stem, loss in all_losses().items()
        for row in loss.cases
        for dtype in row.dtypes
        if row.raises is None and row.exact is None
    ]


def disagreements(loss: Loss) -> set[str]:
    """Where torch's goldens lie outside what the contract allows around the formula."""
    found: set[str] = set()
    for row in loss.cases:
        for dtype in row.dtypes:
            answer = torch_reference.recorded(loss, row, dtype)
            if isinstance(answer, torch_reference.Recorded):
                found.update(torch_reference.inaccuracies(loss, row, dtype, answer))
    return found


def known(loss: Loss) -> set[str]:
    """Where the manifest says that torch is not within the contract's budget."""
    return set(torch_reference.manifest()["losses"][loss.stem]["inaccurate"])


def planted_margin_sign(input: Any, label: Any, margin: Any = 1.0) -> Any:
    return HINGE.formula(input, label, margin=-margin)


def other_kink(z: Number, passes_at_zero: bool) -> Number:
    return clamp(z, not passes_at_zero)


def planted_kink_of_hinge(*arguments: Any, **options: Any) -> Any:
    with patch.object(hinge_embedding, "clamp", other_kink):
        return HINGE.formula(*arguments, **options)


def planted_kink_of_multi_margin(*arguments: Any, **options: Any) -> Any:
    with patch.object(multi_margin, "clamp", other_kink):
        return MULTI_MARGIN.formula(*arguments, **options)


def planted_outside_is_0(input: Any, label: Any, margin: Any = 1.0) -> Any:
    usual = HINGE.formula(input, label, margin=margin)
    return select((label == 1) | (label == -1), usual, autodiff.each(lambda x: x * 0, input))


def planted_no_weight(*arguments: Any, weight: Any = None, **options: Any) -> Any:
    return MULTI_MARGIN.formula(*arguments, **options)


def planted_no_power(*arguments: Any, p: Any = 1, **options: Any) -> Any:
    return MULTI_MARGIN.formula(*arguments, **options)


class AgainstTorch(TestCase):
    @parameterized.expand([(stem, loss) for stem, loss in all_losses().items()])
    def test_formula_and_torch_agree_but_where_the_manifest_says(
        self, stem: str, loss: Loss
    ) -> None:
        self.assertEqual(disagreements(loss), known(loss))

    @parameterized.expand(
        [
            ("margin_sign", HINGE, planted_margin_sign),
            ("kink_of_hinge", HINGE, planted_kink_of_hinge),
            ("kink_of_multi_margin", MULTI_MARGIN, planted_kink_of_multi_margin),
            ("outside_is_0", HINGE, planted_outside_is_0),
            ("no_weight", MULTI_MARGIN, planted_no_weight),
            ("no_power", MULTI_MARGIN, planted_no_power),
        ]
    )
    def test_a_planted_error_disagrees(self, name: str, loss: Loss, wrong: Any) -> None:
        wraps(loss.formula)(wrong)
        self.assertTrue(disagreements(replace(loss, formula=wrong)) - known(loss))


class EveryRow(TestCase):
    def test_ids_are_unique_words(self) -> None:
        for loss in all_losses().values():
            ids = [row.id for row in loss.cases]
            self.assertEqual(len(ids), len(set(ids)))
            self.assertTrue(all(id.isidentifier() or id[0].isdigit() for id in ids))

    def test_a_finite_loss_has_a_claimed_gradient(self) -> None:
        for name, loss, row, dtype in every_row():
            expected = evaluated(loss, row, dtype)
            if all(mp.isfinite(value) for value in expected.value.values.flat):
                for gradient in expected.gradients.values():
                    self.assertTrue(all(x is not None for x in gradient.values.flat), name)
