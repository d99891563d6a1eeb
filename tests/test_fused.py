"""The fused kernels: they serve, they agree with the composed form, and memory stays one's own."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import unittest
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable
from unittest.mock import patch

import numpy as np
import paddle
from parameterized import parameterized

import paddle_margin
import paddle_margin.nn.functional as F
from paddle_margin import _fused
from paddle_margin._kernels import INSTRUCTION_SETS, Library, library

ROOT = Path(__file__).parents[1]
DTYPES = ("float16", "bfloat16", "float32", "float64")
LOGISTIC = ("soft_margin_loss", "multi_label_soft_margin_loss")
SIZES = ((1, 1), (4, 3), (5, 33), (2, 1500), (700, 60))
"""Rows and columns; the last has several tasks."""

Arrays = dict[str, np.ndarray]
Make = Callable[[Any, int, int], tuple[list[np.ndarray], list[Any], dict[str, Any]]]


def _elementwise(inputs: int, labels: tuple[float, ...]) -> Make:
    def make(rng: Any, rows: int, columns: int) -> Any:
        shape = (rows, columns)
        scores = [rng.standard_normal(shape) * 3 for _ in range(inputs)]
        return scores, [rng.choice(labels, shape)], {}

    return make


def _class_label(rng: Any, rows: int, columns: int) -> Any:
    weight = rng.random(columns) + 0.5
    return (
        [rng.standard_normal((rows, columns))],
        [rng.integers(0, columns, rows)],
        {"weight": weight, "p": 2},
    )


def _class_labels(rng: Any, rows: int, columns: int) -> Any:
    label = rng.integers(-1, columns, (rows, columns))
    label[:, min(4, columns) :] = -1
    return [rng.standard_normal((rows, columns))], [label], {}


def _soft_labels(rng: Any, rows: int, columns: int) -> Any:
    shape = (rows, columns)
    return (
        [rng.standard_normal(shape) * 5],
        [rng.choice((0, 0.25, 1), shape)],
        {"weight": rng.random(columns)},
    )


def _vectors(count: int, **options: Any) -> Make:
    def make(rng: Any, rows: int, columns: int) -> Any:
        vectors = [rng.standard_normal((rows, columns)) for _ in range(count)]
        labels = [rng.choice((-1, 0, 1), rows)] if count == 2 else []
        return vectors, labels, options

    return make


def _l1(u: paddle.Tensor, v: paddle.Tensor) -> paddle.Tensor:
    return paddle.abs(u.cast("float64") - v.cast("float64")).sum(-1).cast(u.dtype)


LOSSES: dict[str, Make] = {
    "hinge_embedding_loss": _elementwise(1, (-1, 0, 1)),
    "margin_ranking_loss": _elementwise(2, (-1, 0, 1, 2)),
    "soft_margin_loss": _elementwise(1, (-1, 1)),
    "cosine_embedding_loss": _vectors(2),
    "triplet_margin_loss": _vectors(3, swap=True),
    "triplet_margin_with_distance_loss": _vectors(3, distance_function=_l1),
    "multi_margin_loss": _class_label,
    "multi_label_margin_loss": _class_labels,
    "multi_label_soft_margin_loss": _soft_labels,
}
TABLE = [(name, *size, dtype) for name in LOSSES for size in SIZES for dtype in DTYPES]


@contextmanager
def backend(name: str) -> Iterator[None]:
    before = paddle_margin.get_backend()
    paddle_margin.set_backend(name)
    try:
        yield
    finally:
        paddle_margin.set_backend(before)


class Example:
    """Arguments of a loss.

    Args:
        name: the loss's function.
        rows, columns: the shape of its inputs.
        dtype: theirs.
    """

    def __init__(self, name: str, rows: int, columns: int, dtype: str) -> None:
        scores, labels, options = LOSSES[name](np.random.default_rng(0), rows, columns)
        self.function = getattr(F, name)
        self.inputs = [paddle.to_tensor(each).cast(dtype) for each in scores]
        for tensor in self.inputs:
            tensor.stop_gradient = False
        self.labels = [paddle.to_tensor(each) for each in labels]
        self.options = options
        if "weight" in options:
            self.options = {**options, "weight": paddle.to_tensor(options["weight"])}

    def __call__(self, reduction: str = "mean") -> paddle.Tensor:
        return self.function(*self.inputs, *self.labels, reduction=reduction, **self.options)

    def results(self, reduction: str) -> list[np.ndarray]:
        """The loss, its gradients for two upstream gradients, and second gradients."""
        loss = self(reduction)
        # Of a number with many digits, a target's gradient can be a tie, which either order of
        # adding rounds its own way.
        weights = [paddle.ones_like(loss), paddle.full_like(loss, 3)]
        found = [loss]
        for weight in weights:
            found += paddle.grad(loss, self.inputs, weight, retain_graph=True)
        return [each.cast("float64").numpy() for each in found]

    def second(self) -> list[np.ndarray]:
        """The gradients of the sum of the squared gradients."""
        first = paddle.grad(self(), self.inputs, create_graph=True)
        total = sum((each.cast("float64") ** 2).sum() for each in first)
        found = paddle.grad(total, self.inputs, allow_unused=True)
        return [
            np.zeros(x.shape) if each is None else each.cast("float64").numpy()
            for x, each in zip(self.inputs, found)
        ]


@unittest.skipIf(library.problem, library.problem)
class TestKernels(unittest.TestCase):
    @parameterized.expand(TABLE)
    def test_they_give_the_bits_of_the_composed_form(
        self, name: str, rows: int, columns: int, dtype: str
    ) -> None:
        example = Example(name, rows, columns, dtype)
        for reduction in ("none", "mean", "sum"):
            with backend("composed"):
                expected = example.results(reduction)
            with backend("fused"):
                received = example.results(reduction)
            for ours, theirs in zip(received, expected):
                np.testing.assert_array_equal(ours, theirs)

    @parameterized.expand(
        [(name, rows, columns) for name in LOSSES for rows, columns in SIZES[1:3]]
    )
    def test_second_gradients_agree(self, name: str, rows: int, columns: int) -> None:
        # The logistic kernels take no float64, so that the suite's second gradients miss them.
        dtype, of_largest = ("float32", 1e-6) if name in LOGISTIC else ("float64", 1e-13)
        example = Example(name, rows, columns, dtype)
        with backend("composed"):
            expected = example.second()
        with backend("fused"):
            received = example.second()
        for ours, theirs in zip(received, expected):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=of_largest * np.abs(theirs).max())

    @parameterized.expand([(name, dtype) for name in LOSSES for dtype in DTYPES])
    def test_they_are_called(self, name: str, dtype: str) -> None:
        example = Example(name, 4, 3, dtype)
        with patch.object(_fused, "loss", side_effect=_fused.loss) as called, backend("fused"):
            example()
        unserved = getattr(paddle, dtype) in _fused._UNSERVED
        expected = 0 if unserved or (name in LOGISTIC and dtype == "float64") else 1
        self.assertEqual(called.call_count, expected)

    @parameterized.expand([(name,) for name in LOSSES])
    def test_every_number_is_written(self, name: str) -> None:
        example = Example(name, 5, 33, "float32")

        def filled(shape: Any, dtype: Any, _place: Any) -> paddle.Tensor:
            return paddle.full(shape, -12345, dtype)

        for reduction in ("none", "mean"):
            expected = example.results(reduction)
            with patch.object(_fused, "_empty", filled):
                received = example.results(reduction)
            for ours, theirs in zip(received, expected):
                np.testing.assert_array_equal(ours, theirs)

    # A sum that is rounded to float32 looks the same in any order.
    @parameterized.expand([(name, dtype) for name in LOSSES for dtype in ("float32", "float64")])
    def test_the_number_of_threads_changes_nothing(self, name: str, dtype: str) -> None:
        example = Example(name, 3000, 100, dtype)
        before = library.threads
        found = []
        try:
            for threads in (1, 2, 3, 7):
                library.set_threads(threads)
                found.append(example.results("mean"))
        finally:
            library.set_threads(before)
        for other in found[1:]:
            for ours, theirs in zip(other, found[0]):
                np.testing.assert_array_equal(ours, theirs)

    @parameterized.expand([(name,) for name in INSTRUCTION_SETS])
    def test_every_instruction_set_gives_the_same_bits(self, name: str) -> None:
        if not hasattr(library._dll, f"hinge_embedding_{name}"):
            self.skipTest(f"no kernels for {name} in this library")
        with patch.dict(os.environ, PADDLE_MARGIN_INSTRUCTIONS=name):
            other = Library(library.folder)
        if other.problem:
            self.skipTest(other.problem)
        self.assertEqual(other.instructions, name)
        for stem in LOSSES:
            example = Example(stem, 300, 70, "float32")
            expected = example.results("mean")
            with patch.object(_fused, "library", other):
                received = example.results("mean")
            for ours, theirs in zip(received, expected):
                np.testing.assert_array_equal(ours, theirs)


@unittest.skipIf(library.problem, library.problem)
class TestGradients(unittest.TestCase):
    """What was handed out stays as it is, and nobody else's memory is handed out."""

    def setUp(self) -> None:
        self.example = Example("hinge_embedding_loss", 500, 1000, "float32")
        self.input = self.example.inputs[0]

    def test_a_second_backward_is_right_after_the_first_gradient_was_overwritten(self) -> None:
        loss = self.example()
        first = paddle.grad(loss, self.input, retain_graph=True)[0]
        expected = first.numpy().copy()
        first.zero_()
        second = paddle.grad(loss, self.input)[0]
        np.testing.assert_array_equal(second.numpy(), expected)

    def test_gradients_accumulate(self) -> None:
        self.example().backward()
        once = self.input.grad.numpy().copy()
        self.example().backward()
        np.testing.assert_array_equal(self.input.grad.numpy(), once + once)

    def test_the_gradient_can_be_asked_for_any_number_of_times(self) -> None:
        loss = self.example()
        once = paddle.grad(loss, self.input, retain_graph=True)[0].numpy()
        for times in (1, 2, 3):
            loss.backward(retain_graph=True)
            np.testing.assert_array_equal(self.input.grad.numpy(), times * once)
            again = paddle.grad(loss, self.input, retain_graph=True)[0]
            np.testing.assert_array_equal(again.numpy(), once)

    def test_a_graph_that_was_not_retained_gives_its_gradient_once_more(self) -> None:
        loss = self.example()
        loss.backward()
        once = self.input.grad.numpy().copy()
        for times in (2, 3):
            loss.backward()
            np.testing.assert_array_equal(self.input.grad.numpy(), times * once)

    @parameterized.expand([(name,) for name in LOSSES])
    def test_each_input_has_its_gradient_alone(self, name: str) -> None:
        example = Example(name, 5, 33, "float32")
        loss = example()
        together = paddle.grad(loss, example.inputs, retain_graph=True)
        for index, input in enumerate(example.inputs):
            others = [other for other in example.inputs if other is not input] or None
            # Paddle's process ends where all that a list's tensor came from is made constant, as
            # in paddle.stack([near, far]) too.
            for constant in (None, None if "distance" in name else others):
                (alone,) = paddle.grad(loss, input, retain_graph=True, no_grad_vars=constant)
                np.testing.assert_array_equal(alone.numpy(), together[index].numpy())
        loss.backward()
        for input, gradient in zip(example.inputs, together):
            np.testing.assert_array_equal(input.grad.numpy(), gradient.numpy())

    def test_a_failing_hook_leaves_a_graph_that_can_be_used(self) -> None:
        loss = self.example()
        expected = paddle.grad(loss, self.input, retain_graph=True)[0].numpy()

        def fail(gradient: paddle.Tensor) -> None:
            raise ArithmeticError("not this time")

        hook = self.input.register_hook(fail)
        with self.assertRaises(Exception):  # noqa: B017  (which, differs between Paddles)
            loss.backward(retain_graph=True)
        hook.remove()
        for _ in range(2):
            received = paddle.grad(loss, self.input, retain_graph=True)[0]
            np.testing.assert_array_equal(received.numpy(), expected)
        loss.backward()
        np.testing.assert_array_equal(self.input.grad.numpy(), expected)

    def test_what_asked_for_a_gradient_then_is_what_counts(self) -> None:
        example = Example("margin_ranking_loss", 5, 33, "float32")
        for reduction in ("none", "mean"):
            loss = example(reduction)
            expected = paddle.grad(loss, example.inputs, retain_graph=True)
            example.inputs[1].stop_gradient = True
            loss.backward()
            example.inputs[1].stop_gradient = False
            np.testing.assert_array_equal(example.inputs[0].grad.numpy(), expected[0].numpy())
            example.inputs[0].clear_gradient()

    @parameterized.expand([(dtype,) for dtype in DTYPES])
    def test_a_loss_of_0_has_one_sign(self, dtype: str) -> None:
        found = []
        for weight, score in ((-2.0, 0.0), (-1e-9, 2.0), (1e-9, 2.0)):
            input = paddle.to_tensor([[score, 0.0]]).cast(dtype)
            label, of_class = paddle.to_tensor([1]), paddle.to_tensor([0.0, weight])
            for name in ("composed", "fused"):
                with backend(name):
                    loss = F.multi_margin_loss(
                        input, label, margin=0.0, weight=of_class, reduction="none"
                    )
                    found.append(loss.cast("float64").numpy())
        for composed, fused in zip(found[::2], found[1::2]):
            self.assertEqual(composed.tobytes(), fused.tobytes())

    def test_one_tensor_can_be_both_inputs(self) -> None:
        input = paddle.ones([7])
        input.stop_gradient = False
        F.margin_ranking_loss(input, input, paddle.ones([7]), margin=1.0).backward()
        assert input.grad is not None
        self.assertEqual(input.grad.tolist(), [0.0] * 7)

    def test_nothing_outlives_the_loss(self) -> None:
        loss = self.example()
        loss.backward(retain_graph=True)
        loss.backward()
        alive = weakref.ref(self.example.labels[0])
        del loss, self.example
        gc.collect()
        self.assertIsNone(alive())

    def test_changing_one_gradient_spoils_no_other(self) -> None:
        kept = paddle.grad(self.example(), self.input)[0]
        expected = kept.numpy().copy()
        for _ in range(3):
            self.example().backward()
            self.input.clear_gradient()
        np.testing.assert_array_equal(kept.numpy(), expected)

    def test_an_argument_that_was_written_to_is_an_error_where_it_is_read_again(self) -> None:
        loss = self.example("none").sum()
        self.example.labels[0].zero_()
        with self.assertRaisesRegex(Exception, "written to in place"):  # OSError from Paddle
            loss.backward()

    def test_one_tensor_as_both_inputs_gets_both_gradients(self) -> None:
        x = paddle.to_tensor([1.0, 2.0], stop_gradient=False)
        label = paddle.to_tensor([1.0, -1.0])
        F.margin_ranking_loss(x, x, label, 1.0).backward()
        np.testing.assert_array_equal(x.grad.numpy(), [0.0, 0.0])

    @parameterized.expand([("fused",), ("composed",)])
    def test_a_slope_of_0_stays_0_whatever_the_gradient(self, name: str) -> None:
        x = paddle.to_tensor([3.0, 3.0], stop_gradient=False)
        endless = paddle.to_tensor([np.inf, np.nan])
        with backend(name):
            loss = F.hinge_embedding_loss(x, paddle.full([2], -1.0), reduction="none")
        np.testing.assert_array_equal(paddle.grad(loss, x, endless)[0].numpy(), [0.0, 0.0])

    def test_an_input_without_a_gradient_costs_the_other_nothing(self) -> None:
        example = Example("margin_ranking_loss", 4, 3, "float32")
        expected = example.results("mean")[2]
        example.inputs[0].stop_gradient = True
        example().backward()
        self.assertIsNone(example.inputs[0].grad)
        np.testing.assert_array_equal(example.inputs[1].grad.numpy(), expected)

    def test_strided_tensors_are_read_where_they_lie(self) -> None:
        wide = paddle.arange(24, dtype="float32").reshape([4, 6])
        x = wide[1:, 1:5:2].detach()
        x.stop_gradient = False
        label = paddle.ones([3, 2])
        loss = F.hinge_embedding_loss(x, label, reduction="none")
        np.testing.assert_array_equal(loss.numpy(), wide.numpy()[1:, 1:5:2])

    def test_labels_out_of_range_say_so(self) -> None:
        for wrong in (-1, 3, 2**62):
            label = paddle.to_tensor([0, wrong])
            with self.assertRaisesRegex(ValueError, f"between 0 and 2.*received {wrong}"):
                F.multi_margin_loss(paddle.zeros([2, 3]), label)
        with self.assertRaisesRegex(ValueError, "between -1 and 2.*received 3"):
            F.multi_label_margin_loss(paddle.zeros([2, 3]), paddle.full([2, 3], 3, "int64"))

    def test_a_label_out_of_range_is_found_in_any_of_several_tasks(self) -> None:
        rows = 100_000
        for at in (0, rows // 2, rows - 1):
            label = np.zeros(rows, "int64")
            label[at] = 3
            with self.assertRaisesRegex(ValueError, "between 0 and 2.*received 3"):
                F.multi_margin_loss(paddle.zeros([rows, 3]), paddle.to_tensor(label))


@unittest.skipIf(library.problem, library.problem)
class TestThreads(unittest.TestCase):
    def test_calls_from_several_threads_do_not_meet(self) -> None:
        examples = [Example("multi_margin_loss", 3000, 100, "float32") for _ in range(4)]
        expected = examples[0].results("mean")[:2]
        wrong: list[int] = []

        def work(index: int) -> None:
            # Not paddle.grad, which keeps its state for the whole process.
            example = examples[index]
            for _ in range(20):
                loss = example()
                loss.backward()
                received = [loss.numpy(), example.inputs[0].grad.numpy()]
                example.inputs[0].clear_gradient(False)
                if not all(map(np.array_equal, received, expected)):
                    wrong.append(index)

        threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_a_fork_starts_threads_of_its_own(self) -> None:
        code = """
import os, paddle, paddle_margin.nn.functional as F
from paddle_margin._kernels import library
library.set_threads(3)
x, y = paddle.randn([1000, 1000]), paddle.ones([1000, 1000])
expected = F.hinge_embedding_loss(x, y).item()
for _ in range(5):
    child = os.fork()
    if not child:
        same = [F.hinge_embedding_loss(x, y).item() == expected for _ in range(5)]
        os._exit(0 if all(same) else 1)
    status = os.waitpid(child, 0)[1]
    assert status == 0, status
    assert F.hinge_embedding_loss(x, y).item() == expected
"""
        self.assertEqual(_run(code).returncode, 0)


class TestBackend(unittest.TestCase):
    def test_an_unknown_backend_is_refused(self) -> None:
        with self.assertRaisesRegex(ValueError, "'auto', 'fused', 'composed', received 'fast'"):
            paddle_margin.set_backend("fast")

    def test_the_environment_chooses_and_the_command_says_so(self) -> None:
        done = _run(["-m", "paddle_margin"], PADDLE_MARGIN_BACKEND="composed")
        self.assertIn("backend: composed (composed): asked for", done.stdout)
        done = _run(["-m", "paddle_margin"], PADDLE_MARGIN_BACKEND="fast")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("PADDLE_MARGIN_BACKEND=fast", done.stderr)

    def test_without_kernels_fused_is_refused_with_the_reason(self) -> None:
        code = """
from pathlib import Path
from unittest.mock import patch
with patch.object(Path, "glob", lambda self, pattern: iter(())):
    import paddle_margin._kernels
import paddle_margin, paddle
from paddle_margin import _backend
print(_backend.explain())
print(paddle_margin.nn.HingeEmbeddingLoss()(paddle.ones([2]), paddle.ones([2])).item())
try:
    paddle_margin.set_backend("fused")
except RuntimeError as error:
    print(error)
"""
        lines = _run(code).stdout.splitlines()
        self.assertIn("composed (auto): they are not compiled", lines[0])
        self.assertEqual(lines[1], "1.0")
        self.assertIn("Expected compiled kernels", lines[2])

    def test_a_paddle_of_another_make_takes_the_composed_form(self) -> None:
        code = """
from unittest.mock import patch
import paddle
from paddle_margin import _context
with patch.object(_context, "_WORDS", 8):
    print(_context.problem())
"""
        self.assertIn("was not found", _run(code).stdout)


def _run(code: Any, **environment: str) -> subprocess.CompletedProcess[str]:
    arguments = code if isinstance(code, list) else ["-c", code]
    return subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
