"""The checks catch what they are meant to catch, and pass what is right."""

from __future__ import annotations

import unittest
from unittest import mock

from parameterized import parameterized

from conformance.cases import all_losses
from conformance.checker import Checker
from conformance.checks import checks_of
from conformance.implementation import load

LOSSES = all_losses()
CHECKS = {check.id: check for check in checks_of(LOSSES["hinge_embedding"], "exhaustive")}

# implementation, check that must fail, what its text must contain
WRONG = [
    ("wrong_sign", "paddle_none/float32/value", "formula"),
    ("wrong_sign", "paddle_none/float32/printed", "paddle.nn"),
    ("wrong_sign", "paddle_none/float32/torch", "torch"),
    ("wrong_kink", "at_the_kink/float32/gradient", "expected -1.0"),
    ("wrong_kink", "at_the_kink/float32/torch", "torch"),
    ("swallows_nan", "nan_where_dissimilar/float32/value", "expected nan"),
    ("raises", "at_the_kink/float32/value", "RuntimeError: out of order"),
    ("raises", "reduction_capitalised_is_refused/float32/error", "RuntimeError"),
    ("prints", "at_the_kink/float32/warning", "nothing printed"),
    ("warns", "at_the_kink/float32/warning", "no UserWarning"),
    ("returns_numpy", "at_the_kink/float32/value", "ndarray"),
    ("returns_none", "at_the_kink/float32/value", "NoneType"),
    ("another_shape", "at_the_kink/float32/shape", "[1, 2]"),
    ("another_dtype", "at_the_kink/float32/dtype", "float64"),
    ("changes_its_input", "at_the_kink/float32/unchanged", "label"),
    ("answers_differently", "paddle_none/float32/unchanged", "second call"),
    ("depends_on_gradients", "paddle_none/float32/unchanged", "without gradients"),
    ("off_by_2", "paddle_none/float32/value", "2 of what is allowed"),
    ("off_by_2", "paddle_none/float32/gradient", "2 of what is allowed"),
    ("no_gradient", "at_the_kink/float32/gradient", "received none"),
    ("other_in_graphs", "at_the_kink/float32/program", "eager"),
    ("other_in_graphs", "at_the_kink/float32/to_static_ast", "eager"),
    ("other_in_graphs", "at_the_kink/float32/saved_batch", "eager"),
    ("other_in_graphs", "at_the_kink/float32/inference", "eager"),
    ("correct", "column_against_row_warns/float32/warning", "UserWarning"),
    ("correct", "reduction_capitalised_is_refused/float32/error", "ValueError"),
    ("correct", "reduction_capitalised_is_refused/float32/error_program", "ValueError"),
]

RIGHT = [
    *(f"at_the_kink/float32/{name}" for name in ("value", "torch", "shape", "dtype", "gradient")),
    *(f"at_the_kink/float32/{name}" for name in ("unchanged", "warning", "program", "saved")),
    *(f"at_the_kink/float32/{name}" for name in ("to_static_ast", "to_static_sot", "inference")),
    "at_the_kink/float32/program_unknown",
    "paddle_none/float32/printed",
    "nan_where_dissimilar/float64/value",
    "at_the_kink/float64/second_gradient",
]


def verdict(name: str, *check_ids: str):
    """The verdict of the last of some checks on one implementation."""
    checks = [CHECKS[f"hinge_embedding/{check_id}"] for check_id in check_ids]
    made = load(f"tests.implementations.hinge:{name}", list(LOSSES.values()))
    checker = Checker(made, False, checks)
    try:
        return [checker.run(check) for check in checks][-1]
    finally:
        checker.close()


class TestChecker(unittest.TestCase):
    @parameterized.expand(WRONG)
    def test_wrong_is_caught(self, name, check_id, text):
        found = verdict(name, check_id)
        self.assertEqual(found.status, "FAIL", found)
        self.assertIn(text, found.text)

    @parameterized.expand([(check_id,) for check_id in RIGHT])
    def test_right_passes(self, check_id):
        found = verdict("correct", check_id)
        self.assertEqual(found.status, "conformant", found)

    @parameterized.expand([("value",), ("gradient",)])
    def test_what_is_off_by_the_budget_passes(self, name):
        found = verdict("off_by_1", f"paddle_none/float32/{name}")
        self.assertEqual((found.status, found.measure.ratio), ("conformant", 1.0))

    def test_what_leaks_from_one_call_to_the_next_is_caught(self):
        rows = [f"{row}/float32/value" for row in ("paddle_none", "lucid_margin_2")]
        found = verdict("leaks_its_margin", *rows)
        self.assertEqual(found.status, "FAIL", found)
        self.assertEqual(verdict("correct", *rows).status, "conformant")

    @parameterized.expand(
        [
            ("kink_of_a_label_outside/float64/second_gradient", "unspecified", "kink"),
            ("label_uint8_255_is_not_minus_1/float32/torch", "reference defect", "C3"),
        ]
    )
    def test_nobody_is_held_against_what_nobody_says(self, check_id, status, text):
        found = verdict("correct", check_id)
        self.assertEqual(found.status, status, found)
        self.assertIn(text, found.text)

    @parameterized.expand(
        [
            ("correct", "at_the_kink/float32/layer", "has no HingeEmbeddingLoss"),
            ("raises", "at_the_kink/float32/program", "no tensor eagerly"),
            ("raises", "at_the_kink/float32/unchanged", "no tensor to compare"),
            ("correct", "label_bfloat16/float32/inference", "bfloat16"),
        ]
    )
    def test_what_cannot_run_is_not_run(self, name, check_id, text):
        found = verdict(name, check_id)
        self.assertEqual(found.status, "not run")
        self.assertIn(text, found.text)

    def test_drop_in_needs_paddle(self):
        with mock.patch("importlib.util.find_spec", return_value=None):
            found = verdict("correct", "paddle_none/float32/drop_in")
        self.assertEqual(found.status, "not run")
        self.assertIn("not installed", found.text)


if __name__ == "__main__":
    unittest.main()
