"""Random calls: they reach what they are meant to, and find what is wrong; exhaustive rows too."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable
from unittest import TestCase
from unittest.mock import patch

import numpy as np
import paddle
from parameterized import parameterized

import paddle_margin.nn
from conformance import exhaustive, fuzz
from conformance.arguments import arguments
from conformance.case import Array, Case, Loss
from conformance.cases import all_losses
from conformance.checker import Checker
from conformance.checks import CONFORMANT, FAIL, NOT_RUN
from conformance.documented import documented
from conformance.domain import Choice, Numbers, axes
from conformance.implementation import PaddleImplementation, load
from conformance.ulp import FORMATS, is_floating
from paddle_margin._losses import hinge_embedding, multi_margin

ROOT = Path(__file__).resolve().parents[1]
LOSSES = all_losses()
EACH = [(stem,) for stem in LOSSES]
RIGHT = load("paddle_margin.nn", list(LOSSES.values()))


def drawn(loss: Loss, dtype: str, examples: int, hostile: bool = True, seed: int = 1) -> list[Case]:
    """Random calls, not made."""
    found: list[Case] = []
    fuzz.each_call(found.append, loss, dtype, examples, seed, hostile)
    return found


@cache
def many(stem: str) -> list[Case]:
    """Enough calls to reach everything."""
    return drawn(LOSSES[stem], "float32", 500)


def text(cases: list[Case]) -> str:
    """What cases are, to compare them."""
    return hashlib.sha256("\n".join(map(repr, cases)).encode()).hexdigest()


def fuzzed(
    stem: str, function: Any = None, dtype: str = "float32", examples: int = 150, **more: Any
) -> fuzz.Found:
    """What random calls of a function find; without one, of this package's."""
    loss, implementation = LOSSES[stem], RIGHT
    if function is not None:
        space = SimpleNamespace(**{loss.function: function})
        implementation = PaddleImplementation("paddle_margin.nn", [space], [])
    return fuzz.run(Checker(implementation, False, []), loss, dtype, examples, 3, **more)


def elements(case: Case, loss: Loss, dtype: str) -> list[np.ndarray]:
    """The elements of every tensor of scores."""
    inputs, _ = arguments(loss, case, dtype)
    return [inputs[name].values for name in loss.inputs if name != "label"]


class Drawn(TestCase):
    @parameterized.expand(EACH)
    def test_the_seed_decides(self, stem: str) -> None:
        loss = LOSSES[stem]
        first = text(drawn(loss, "float32", 20))
        self.assertEqual(text(drawn(loss, "float32", 20)), first)
        self.assertNotEqual(text(drawn(loss, "float32", 20, seed=2)), first)

    def test_a_process_with_other_modules_draws_the_same(self) -> None:
        script = (
            "from tests.test_fuzz import LOSSES, drawn, text\n"
            "import scripts.record_goldens\n"
            "print(text(drawn(LOSSES['multi_margin'], 'float16', 40)))"
        )
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", script],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=True,
        )
        expected = text(drawn(LOSSES["multi_margin"], "float16", 40))
        self.assertEqual(done.stdout.split()[-1], expected)

    @parameterized.expand(EACH)
    def test_hostile_values_are_reached(self, stem: str) -> None:
        loss, dtype = LOSSES[stem], "float32"
        form = FORMATS[dtype]
        seen = set()
        for case in many(stem):
            tensors = elements(case, loss, dtype)
            flat = np.concatenate([tensor.ravel() for tensor in tensors])
            size, zero = np.abs(flat), flat[flat == 0]
            seen |= {f"zero with sign {bool(sign)}" for sign in np.signbit(zero)}
            seen |= {"tie"} if len(np.unique(flat)) < flat.size else set()
            seen |= {"subnormal"} if np.any((size > 0) & (size < form.smallest_normal)) else set()
            seen |= {"largest"} if np.any(size == form.largest) else set()
            seen |= {"nan"} if np.isnan(flat).any() else set()
            seen |= {"infinity"} if np.isinf(flat).any() else set()
            seen |= {"empty"} if not flat.size else set()
            seen |= {"0-D"} if tensors[0].shape == () else set()
        expected = {"zero with sign False", "zero with sign True", "tie", "empty"}
        vectors = stem == "cosine_embedding" or stem.startswith("triplet")
        expected |= {"nan", "infinity"} if stem != "triplet_margin_with_distance" else set()
        expected |= {"subnormal", "largest"} if not vectors else set()
        expected |= {"0-D"} if ("",) * len(loss.inputs) in loss.domain.hostile_shapes else set()
        self.assertEqual(seen, expected)

    @parameterized.expand(EACH)
    def test_every_option_label_and_shape_is_drawn(self, stem: str) -> None:
        loss = LOSSES[stem]
        cases = many(stem)
        for name, kind in loss.domain.options.items():
            given = [case.options[name] for case in cases if name in case.options]
            self.assertLess(len(given), len(cases), f"{name} is never left out")
            values = {repr(x.data if isinstance(x, Array) else x) for x in given}
            if isinstance(kind, Choice):
                self.assertEqual(values, {repr(x) for x in kind.documented + kind.hostile})
            elif isinstance(kind, Numbers):
                missing = {repr(x) for x in kind.drawn + kind.hostile} - values
                self.assertEqual(missing, set(), name)
                self.assertEqual(any(isinstance(x, Array) for x in given), kind.tensor)
        labels = [case.inputs["label"] for case in cases if "label" in case.inputs]
        kind = loss.domain.inputs.get("label")
        if kind is not None:
            others = set(kind.hostile_dtypes) | {x for x in kind.dtypes if not is_floating(x)}
            self.assertLessEqual(others, {label.dtype for label in labels})
            values = {repr(y) for label in labels for y in np.ravel(label.data).tolist()}
            wanted = getattr(kind, "documented", ()) + getattr(kind, "hostile", ())
            self.assertLessEqual({repr(float(y)) for y in wanted}, values)
        ranks = {tuple(np.ndim(x.data) for x in case.inputs.values()) for case in cases}
        for pattern in loss.domain.shapes + loss.domain.hostile_shapes:
            self.assertIn(tuple(len(axes(shape, ())) for shape in pattern), ranks)

    @parameterized.expand(EACH)
    def test_what_is_not_hostile_is_documented(self, stem: str) -> None:
        loss = LOSSES[stem]
        for dtype in loss.domain.dtypes:
            for case in drawn(loss, dtype, 50, hostile=False):
                self.assertTrue(documented(loss, case, dtype), case)
        self.assertTrue(any(not documented(loss, case, "float32") for case in many(stem)))


def swapped_kink(z: Any) -> Any:
    return paddle.where(z <= 0, paddle.zeros_like(z), z)


def of_module(module: Any, name: str, wrong: Callable[..., Any], stem: str) -> Callable[..., Any]:
    """This package's function, with one of its parts replaced."""
    right = getattr(paddle_margin.nn.functional, LOSSES[stem].function)

    def function(*args: Any, **kwargs: Any) -> Any:
        with patch.object(module, name, wrong):
            return right(*args, **kwargs)

    return function


def without(option: str, value: Any, stem: str) -> Callable[..., Any]:
    """This package's function, deaf to one option."""
    right = getattr(paddle_margin.nn.functional, LOSSES[stem].function)
    return lambda *args, **kwargs: right(*args, **{**kwargs, option: value})


def off_by_one_ulp(stem: str, times: float) -> Callable[..., Any]:
    right = getattr(paddle_margin.nn.functional, LOSSES[stem].function)
    return lambda *args, **kwargs: right(*args, **kwargs) * (1 + times * 2.0**-23)


WRONG = [
    (
        "swapped_kink",
        "hinge_embedding",
        of_module(hinge_embedding, "clamp_passing", swapped_kink, "hinge_embedding"),
        "gradient",
    ),
    ("dropped_margin", "triplet_margin", without("margin", 1.0, "triplet_margin"), "value"),
    ("dropped_swap", "triplet_margin", without("swap", False, "triplet_margin"), "gradient"),
    ("dropped_weight", "multi_margin", without("weight", None, "multi_margin"), "gradient"),
    ("dropped_power", "multi_margin", without("p", 1, "multi_margin"), "gradient"),
    (
        "no_gradient_through_the_target",
        "multi_margin",
        of_module(multi_margin, "spread_classes", lambda c, *_: c.detach(), "multi_margin"),
        "gradient",
    ),
    ("reduction_ignored", "soft_margin", without("reduction", "sum", "soft_margin"), "value"),
    ("off_by_3_ulp", "soft_margin", off_by_one_ulp("soft_margin", 3), "value"),
]
HINGES = [
    ("wrong_kink", "gradient"),
    ("wrong_sign", "gradient"),
    ("another_shape", "value"),
    ("another_dtype", "dtype"),
    ("no_gradient", "gradient"),
    ("raises", "value"),
    ("returns_numpy", "value"),
    ("changes_its_input", "unchanged"),
    ("answers_differently", "unchanged"),
]


class Found(TestCase):
    @parameterized.expand(WRONG)
    def test_wrong_is_found(self, name: str, stem: str, function: Any, prop: str) -> None:
        found = fuzzed(stem, function)
        self.assertEqual((found.status, found.name), (FAIL, prop), found.text)
        self.assertIn("0x", found.text)

    @parameterized.expand(HINGES)
    def test_a_wrong_hinge_is_found(self, name: str, prop: str) -> None:
        made = load(f"tests.implementations.hinge:{name}", list(LOSSES.values()))
        loss = LOSSES["hinge_embedding"]
        found = fuzz.run(Checker(made, False, []), loss, "float32", 150, 3, hostile=False)
        self.assertEqual((found.status, found.name), (FAIL, prop), found.text)

    @parameterized.expand(EACH)
    def test_what_is_right_passes(self, stem: str) -> None:
        for dtype in ("float32", "float64", "float16", "bfloat16"):
            found = fuzzed(stem, dtype=dtype, examples=10)
            self.assertEqual(found.status, CONFORMANT, found.text)

    def test_a_right_hinge_passes(self) -> None:
        made = load("tests.implementations.hinge:correct", list(LOSSES.values()))
        loss = LOSSES["hinge_embedding"]
        # In float32 it has the mean of two of the largest numbers overflow.
        found = fuzz.run(Checker(made, False, []), loss, "float64", 60, 3, hostile=False)
        self.assertEqual(found.status, CONFORMANT, found.text)
        assert found.measure is not None
        self.assertLessEqual(found.measure.ratio, 1)

    def test_the_failure_is_reduced(self) -> None:
        function = of_module(hinge_embedding, "clamp_passing", swapped_kink, "hinge_embedding")
        case = fuzzed("hinge_embedding", function).case
        assert case is not None
        inputs, options = arguments(LOSSES["hinge_embedding"], case, "float32")
        self.assertEqual([tensor.values.size for tensor in inputs.values()], [1, 1])
        self.assertEqual(options.get("margin", 1.0), inputs["input"].values.item())
        again = fuzzed("hinge_embedding", function).case
        self.assertEqual(repr(again), repr(case))

    def test_what_is_missing_is_not_run(self) -> None:
        found = fuzz.run(
            Checker(PaddleImplementation("nothing", [], []), False, []),
            LOSSES["soft_margin"],
            "float32",
            10,
            3,
        )
        self.assertEqual(found.status, NOT_RUN)


ELEMENTWISE = [(stem,) for stem, loss in LOSSES.items() if loss.domain.exhaustive]


class Exhaustive(TestCase):
    @parameterized.expand(ELEMENTWISE)
    def test_every_bit_pattern_is_there_once(self, stem: str) -> None:
        loss = LOSSES[stem]
        rows = exhaustive.rows(loss)
        self.assertEqual(len({row.id for row in rows}), len(rows))
        self.assertGreaterEqual(len(rows), 2 * 3 * 16)
        for dtype, view, shift in (("float16", np.float16, 0), ("bfloat16", np.float32, 16)):
            first = rows[0].id.split("_block_")[0].replace("float16", dtype, 1)
            own = [row for row in rows if row.id.startswith(f"{first}_block_")]
            values = np.concatenate([row.inputs[loss.inputs[0]].data for row in own])
            bits = values.astype(view).view(f"u{np.dtype(view).itemsize}").astype(np.int64) >> shift
            nan = np.isnan(values)
            self.assertEqual(values.shape, (2**16,))
            self.assertEqual(len(np.unique(bits[~nan])) + nan.sum(), 2**16)
            self.assertEqual(np.isinf(values).sum(), 2)

    def test_losses_of_vectors_have_none(self) -> None:
        self.assertEqual(exhaustive.rows(LOSSES["triplet_margin"]), [])
        self.assertEqual(len(ELEMENTWISE), 3)

    def test_one_wrong_value_of_65536_is_found(self) -> None:
        loss = LOSSES["hinge_embedding"]
        row = next(row for row in exhaustive.rows(loss) if "bfloat16" in row.id)
        row = replace(row, inputs={name: Array(x.data[:512]) for name, x in row.inputs.items()})
        right = paddle_margin.nn.functional.hinge_embedding_loss
        wrong_at = float(row.inputs["input"].data[300])

        def wrong(input: Any, label: Any, **options: Any) -> Any:
            result = right(input, label, **options)
            at = input.astype("float64") == wrong_at
            return paddle.where(at, paddle.zeros_like(result), result)

        for function, status in ((right, CONFORMANT), (wrong, FAIL)):
            space = SimpleNamespace(hinge_embedding_loss=function)
            implementation = PaddleImplementation("paddle_margin.nn", [space], [])
            found = fuzz.judge(
                Checker(implementation, False, []),
                fuzz.Row(implementation, loss, row, "bfloat16"),
            )
            self.assertEqual(found.status, status, found.text)
