"""The arithmetic of dtypes: rounding, spacing and distance, against NumPy's own types."""

from __future__ import annotations

from unittest import TestCase

import numpy as np
from mpmath import mp, mpf
from parameterized import parameterized

from conformance.ulp import DIGITS, FORMATS, computed_in, distance, promote, quantize, ulp

INF, NAN = float("inf"), float("nan")


def hostile_numbers() -> np.ndarray:
    """Numbers of every magnitude, with the edges of float16 and float32."""
    rng = np.random.default_rng(0)
    wide = rng.standard_normal(5000) * 10.0 ** rng.uniform(-50, 45, 5000)
    edges = [0.0, -0.0, INF, -INF, NAN, 65519.9, 65520.0, 3.4028235e38, 3.5e38, 2.0**-150]
    return np.concatenate([wide, edges, [1.5 * 2.0**-149, 2.0**-25, 3 * 2.0**-26, 2.0**-1074]])


class Quantize(TestCase):
    @parameterized.expand(["float16", "float32", "float64"])
    def test_agrees_with_numpy(self, dtype: str) -> None:
        numbers = hostile_numbers()
        with np.errstate(over="ignore"):
            expected = numbers.astype(dtype).astype(np.float64)
        received = quantize(numbers, dtype)
        np.testing.assert_array_equal(received, expected)
        np.testing.assert_array_equal(np.signbit(received), np.signbit(expected))

    @parameterized.expand(
        [
            ("tie_to_even_below", 1 + 2.0**-8, 1.0),
            ("tie_to_even_above", 1 + 3 * 2.0**-8, 1 + 2.0**-6),
            ("just_over_a_tie", 1 + 2.0**-8 + 2.0**-30, 1 + 2.0**-7),
            ("largest", 3.3895313892515355e38, 3.3895313892515355e38),
            ("overflow", 3.4e38, INF),
            ("smallest", 2.0**-133, 2.0**-133),
            ("half_of_the_smallest", 2.0**-134, 0.0),
            ("tenth", 0.1, 0.10009765625),
        ]
    )
    def test_bfloat16(self, name: str, number: float, expected: float) -> None:
        self.assertEqual(quantize(number, "bfloat16").item(), expected)
        self.assertEqual(quantize(-number, "bfloat16").item(), -expected)

    def test_integers_keep_their_type(self) -> None:
        self.assertEqual(quantize([2**53 + 1], "int64").tolist(), [2**53 + 1])
        self.assertEqual(quantize([255], "uint8").dtype, np.uint8)
        self.assertEqual(quantize([1, 0], "bool").tolist(), [True, False])


class Spacing(TestCase):
    @parameterized.expand(["float16", "float32", "float64"])
    def test_agrees_with_numpy(self, dtype: str) -> None:
        for number in (1.0, -1.5, 0.0, 6.1e-5, 1e-7, 0.1, 1000.0, FORMATS[dtype].largest / 2):
            exact = float(quantize(number, dtype))
            expected = float(np.spacing(np.abs(np.array(exact, dtype))))
            self.assertEqual(float(ulp(mpf(exact), dtype)), expected, number)

    def test_just_below_a_power_of_two_is_half_as_wide(self) -> None:
        self.assertEqual(ulp(mpf(1), "float32"), mpf(2) ** -23)
        with mp.workdps(DIGITS):
            below = 1 - mpf(2) ** -80
        self.assertEqual(ulp(below, "float32"), mpf(2) ** -24)

    def test_bfloat16(self) -> None:
        self.assertEqual(ulp(mpf(1), "bfloat16"), mpf(2) ** -7)
        self.assertEqual(ulp(mpf(0), "bfloat16"), mpf(2) ** -133)


class Distance(TestCase):
    @parameterized.expand(
        [
            ("equal", 1.0, mpf(1), 0.0),
            ("one_step", 1 + 2.0**-23, mpf(1), 1.0),
            ("half_a_step", 1.0, 1 + mpf(2) ** -24, 0.5),
            ("zeros_of_both_signs", -0.0, mpf(0), 0.0),
            ("both_nan", NAN, mp.nan, 0.0),
            ("nan_received", NAN, mpf(1), INF),
            ("nan_expected", 1.0, mp.nan, INF),
            ("nan_expected_infinity_received", INF, mp.nan, INF),
            ("both_infinite", INF, mp.inf, 0.0),
            ("opposite_infinities", -INF, mp.inf, INF),
            ("infinity_received", INF, mpf(1), INF),
            ("largest_for_infinity", 3.4028234663852886e38, mp.inf, INF),
            ("rounds_to_infinity", INF, mpf(10) ** 39, 0.0),
            ("rounds_to_minus_infinity", -INF, -(mpf(10) ** 39), 0.0),
            ("rounds_to_infinity_of_the_other_sign", -INF, mpf(10) ** 39, INF),
            ("just_under_infinity", INF, mpf(3.4028234663852886e38), INF),
            ("subnormal", 0.0, mpf(2) ** -149, 1.0),
        ]
    )
    def test_in_float32(self, name: str, got: float, exact: mpf, expected: float) -> None:
        self.assertEqual(distance(got, exact, "float32"), expected)


class Dtypes(TestCase):
    @parameterized.expand(
        [
            ("float16", "bfloat16", "float32"),
            ("bfloat16", "float16", "float32"),
            ("float16", "float16", "float16"),
            ("float32", "bfloat16", "float32"),
            ("float16", "float64", "float64"),
        ]
    )
    def test_promote(self, first: str, second: str, expected: str) -> None:
        self.assertEqual(promote(first, second), expected)

    @parameterized.expand(
        [
            ("float16", "float32"),
            ("bfloat16", "float32"),
            ("float32", "float32"),
            ("float64", "float64"),
        ]
    )
    def test_computed_in(self, dtype: str, expected: str) -> None:
        self.assertEqual(computed_in(dtype), expected)
