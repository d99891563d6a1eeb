"""How far from exact: which bin an element is in, the worst of many, and how both are shown."""

from __future__ import annotations

import math
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import TestCase

import numpy as np
from mpmath import mpf
from parameterized import parameterized

from conformance import oracle
from conformance.__main__ import main
from conformance.accuracy import accuracies, bin_texts, budget_text, ulp_text
from conformance.ulp import BINS
from tests.reports import finding, report

ULP = mpf(2) ** -23
"""Of float32 at 1."""


def counts(got: float, exact: mpf, scale: float = 0.0) -> list[float]:
    """The upper edges of the bins that are not empty."""
    target = oracle.Exact(np.array([exact], object), np.array([mpf(scale)], object))
    worst = oracle.worst(np.array([got]), target, np.array([mpf(1)], object), "float32")
    assert worst is not None
    return [edge for edge, count in zip(BINS, worst.histogram) if count]


class Bins(TestCase):
    @parameterized.expand(
        [
            ("exact", 1.0, mpf(1), 0.0),
            ("half", 1.0, 1 + ULP / 2, 0.5),
            ("one", 1.0, 1 + ULP, 1.0),
            ("over_one", 1.0, 1 + ULP * mpf("1.001"), 2.0),
            ("1024", 1.0, 1 + 1024 * ULP, 1024.0),
            ("wrong", -1.0, mpf(1), math.inf),
            ("nan", math.nan, mpf(1), math.inf),
            ("nan_as_it_should_be", math.nan, mpf("nan"), 0.0),
        ]
    )
    def test_an_edge_is_in_its_own_bin(
        self, name: str, got: float, exact: mpf, edge: float
    ) -> None:
        self.assertEqual(counts(got, exact), [edge], name)

    def test_the_largest_term_counts(self) -> None:
        small = mpf(2) ** -10
        self.assertEqual(counts(float(small + ULP), small), [1024.0])
        self.assertEqual(counts(float(small + ULP), small, scale=1.0), [1.0])

    def test_each_has_a_text(self) -> None:
        self.assertEqual(len(bin_texts()), len(BINS))
        self.assertEqual(
            bin_texts()[:3] + bin_texts()[-1:], ["0", "up to 0.5", "up to 1", "over 1e+06"]
        )


class Together(TestCase):
    def test_counts_add_and_the_worst_uses_most_of_its_budget(self) -> None:
        one, far, slope = (
            finding("soft_margin/one/float32/value", distance=0.5, ratio=0.5, histogram=(2, 1, 0)),
            finding("soft_margin/far/float32/exact", distance=9.0, ratio=0.1, histogram=(1, 0, 4)),
            finding("soft_margin/one/float32/gradient", ratio=0.2, histogram=(0, 1, 0)),
        )
        other = finding("soft_margin/one/float32/torch", histogram=(9, 9, 9))
        value, gradient = accuracies([slope, far, other, one])
        self.assertEqual((value.quantity, value.counts, value.elements), ("value", (3, 1, 4), 8))
        self.assertIs(value.worst, one)
        self.assertEqual((gradient.quantity, gradient.counts), ("gradient", (0, 1, 0)))

    @parameterized.expand(
        [(None, ""), (0.0, "0"), (1e-9, "<1e-6"), (0.51234, "0.512"), (math.inf, "∞")]
    )
    def test_ulp_text(self, distance: float, text: str) -> None:
        self.assertEqual(ulp_text(distance), text)

    @parameterized.expand(
        [
            (None, ""),
            (0.0, "0 %"),
            (1e-9, "<0.01 %"),
            (0.5, "50 %"),
            (3e7, "3e+07×"),
            (math.inf, "∞"),
        ]
    )
    def test_budget_text(self, ratio: float, text: str) -> None:
        self.assertEqual(budget_text(ratio), text)


class Command(TestCase):
    def test_shows_the_histogram_and_the_input_in_hex_on_one_line(self) -> None:
        where = "input=0.1 (0x1.99999a0000000p-4) " * 20
        made = report(
            finding(
                "soft_margin/one/float32/value",
                distance=0.5,
                ratio=0.25,
                histogram=(81, 1, *[0] * 9),
                input=where,
            ),
            finding("hinge_embedding/one/float32/value", ratio=0.25, histogram=(1,) * 11),
        )
        with TemporaryDirectory() as folder:
            path = Path(folder, "report.json")
            made.write(path)
            with redirect_stdout(StringIO()) as printed:
                status = main(["ulp", str(path), "soft_margin"])
        self.assertEqual(status, 0)
        self.assertRegex(
            printed.getvalue(),
            "soft_margin float32 value +▅▁········· +82 elements, 0.5 ULP, 25 % of its budget\n",
        )
        self.assertIn(f"  one: {where}\n", printed.getvalue())
        self.assertNotIn("hinge", printed.getvalue())
