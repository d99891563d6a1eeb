"""What is claimed of a gradient beside a kink, and how much a gradient may be off."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable
from unittest import TestCase

from mpmath import mp, mpf
from parameterized import parameterized

from conformance import oracle
from conformance.autodiff import Number, backward, clamp, maximum, sqrt
from conformance.case import Array, Case
from conformance.cases import all_losses
from conformance.kinks import doubting

LOSSES = all_losses()
HALF_ULP, TENTH = 2.0**-24, float.fromhex("0x1.99999ap-4")

Formula = Callable[..., Number]


def slope(formula: Formula, inputs: tuple[float, ...], drawn: bool = True) -> mpf:
    """The derivative by the first of some float32 inputs."""
    with mp.workdps(60), doubting(drawn):
        leaves = [Number(value, "float32", live=True) for value in inputs]
        found = backward([(formula(*leaves), mpf(1))])
    return found.get(leaves[0].serial, (mpf(0), mpf(0)))[0]


def passing(z: Number) -> Number:
    return clamp(z, passes_at_zero=True)


BESIDE: list[tuple[str, Formula, tuple[float, ...], int]] = [
    ("neighbour_below", lambda x: passing(1 - x), (1 - HALF_ULP,), -1),
    ("neighbour_above", lambda x: passing(1 - x), (1 + 2 * HALF_ULP,), 0),
    ("at_the_kink", lambda x: passing(1 - x), (1.0,), -1),
    ("tie_of_any_numbers", lambda a, b: passing(a - b), (TENTH, TENTH), 1),
    ("product_of_an_exact_0", lambda a, b: passing(sqrt(b) * (a - a)), (2.0, 3.0), 0),
    ("product", lambda a, b: passing(1 - a * b), (0.5, 2.0), -2),
    ("square_root_of_a_square", lambda a, b: passing(sqrt(a * a) - b), (3.0, 3.0), 1),
    ("far", lambda a, b: passing(a - b - 1), (3.0, TENTH), 1),
    ("absolute_at_0", lambda a, b: abs(a - b), (TENTH, TENTH), 0),
    ("absolute_beside_0", lambda a, b: abs(a - b), (1.0, 1 + 2 * HALF_ULP), -1),
    ("largest_of_two", lambda a, b: maximum([a, b]), (1 + 2 * HALF_ULP, 1.0), 1),
]
UNDECIDED: list[tuple[str, Formula, tuple[float, ...]]] = [
    ("order_decides", lambda a, b: passing(1 - a + b), (1.0, 2.0**-30)),
    ("three_terms", lambda a, b: passing(a + b - 3 * TENTH), (TENTH, 2 * TENTH)),
    ("product_of_many_digits", lambda a, b: passing(1 - a * b), (3.0, 1 / 3)),
    ("root_of_no_square", lambda a, b: passing(sqrt(a) * sqrt(b) - 2), (2.0, 2.0)),
    ("absolute", lambda a, b: abs(a - b + 1e-6), (TENTH, TENTH + 1e-6)),
    ("largest_of_two", lambda a, b: maximum([a + 1e-9, b]), (1.0, 1.0)),
]


class Kinks(TestCase):
    @parameterized.expand(BESIDE)
    def test_decided(self, name: str, formula: Formula, inputs: tuple, expected: int) -> None:
        self.assertEqual(slope(formula, inputs), expected)

    @parameterized.expand(UNDECIDED)
    def test_undecided(self, name: str, formula: Formula, inputs: tuple) -> None:
        self.assertTrue(mp.isnan(slope(formula, inputs)))
        self.assertFalse(mp.isnan(slope(formula, inputs, drawn=False)))

    def test_a_drawn_row_claims_less_than_the_same_by_hand(self) -> None:
        loss = LOSSES["multi_margin"]
        row = Case("row", "C1", {"input": [[1.0, 2.0**-30]], "label": Array([0], "int64")})
        for drawn, unclaimed in ((False, 0), (True, 2)):
            found = oracle.evaluate(loss, replace(row, drawn=drawn), "float32")
            assert found is not None
            values = found.gradients["input"].values.ravel().tolist()
            self.assertEqual(values.count(None), unclaimed)


class Claims(TestCase):
    def test_a_gradient_has_the_range_of_its_argument(self) -> None:
        inputs = {
            "input": Array([2.0**17, 2.0**-30], "bfloat16"),
            "label": Array([-1.0, -1.0], "float16", grad=True),
        }
        row = Case("row", "C1", inputs, {"reduction": "none"})
        found = oracle.evaluate(LOSSES["soft_margin"], row, "float32")
        assert found is not None
        gradient = found.gradients["label"]
        self.assertEqual(gradient.values[0], -mp.inf)
        self.assertEqual(gradient.scale[1], 2.0**-14)

    @parameterized.expand(
        [
            ("float32", "mean", 3),
            ("float32", "none", 1),
            ("float64", "mean", 3),
            ("float16", "mean", 2),
            ("bfloat16", "sum", 2),
        ]
    )
    def test_a_mean_adds_two_roundings_to_a_gradient(
        self, dtype: str, reduction: str, expected: float
    ) -> None:
        inputs = {"input": [1.0, 2.0], "other": [2.0, 0.0], "label": [1.0, 1.0]}
        row = Case("row", "C1", inputs, {"reduction": reduction})
        received = oracle.budget(LOSSES["margin_ranking"], row, dtype, "gradient", "label")
        self.assertEqual(received, expected)
