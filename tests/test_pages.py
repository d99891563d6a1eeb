"""The memory of large gradients: used again, and never while somebody holds it."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import unittest
from pathlib import Path
from typing import Any, Callable

import numpy as np
import paddle
from parameterized import parameterized

import paddle_margin
import paddle_margin.nn.functional as F
from paddle_margin import _pages
from paddle_margin._kernels import library

ROOT = Path(__file__).parents[1]
SIZE = 2**21
"""Elements of a gradient that is large."""
BYTES = 4 * SIZE


def _input(value: float = 0.5) -> paddle.Tensor:
    tensor = paddle.full([SIZE], value)
    tensor.stop_gradient = False
    return tensor


def _loss(input: paddle.Tensor, sign: float = 1.0) -> paddle.Tensor:
    return F.hinge_embedding_loss(input, paddle.full([SIZE], sign), reduction="sum")


def _run(code: str, **environment: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=ROOT,
        env={**os.environ, "GLOG_minloglevel": "3", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.stdout + ran.stderr


@unittest.skipIf(library.problem, library.problem)
class TestReuse(unittest.TestCase):
    def setUp(self) -> None:
        self.addCleanup(paddle_margin.set_page_limit, _pages.LIMIT)
        self.addCleanup(paddle_margin.set_backend, paddle_margin.get_backend())
        paddle_margin.set_backend("fused")
        gc.collect()
        paddle_margin.set_page_limit(0)
        paddle_margin.set_page_limit(_pages.LIMIT)

    def test_the_next_step_has_the_memory_of_the_last(self) -> None:
        input, places = _input(), set()
        for _ in range(5):
            _loss(input).backward()
            assert input.grad is not None
            places.add(input.grad.data_ptr())
            input.clear_gradient(False)
        self.assertLessEqual(len(places), 2)
        self.assertGreaterEqual(library.kept_bytes(), BYTES)

    @parameterized.expand(
        [
            ("tensor", lambda gradient: gradient),
            ("view", lambda gradient: gradient[5:]),
            ("reshaped", lambda gradient: gradient.reshape([2, -1])),
            ("detached", lambda gradient: gradient.detach()),
            ("array", lambda gradient: np.from_dlpack(gradient)),
            ("graph", lambda gradient: _squared(gradient)),
        ]
    )
    def test_what_is_held_is_not_handed_out(
        self, name: str, hold: Callable[[paddle.Tensor], Any]
    ) -> None:
        input = _input()
        gradient = paddle.grad(_loss(input), input)[0]
        held = hold(gradient)
        before = np.array(held)
        del gradient
        for _ in range(3):
            _loss(input, -1.0).backward()
            input.clear_gradient(False)
        np.testing.assert_array_equal(np.array(held), before, err_msg=name)

    def test_a_graph_keeps_what_it_saved(self) -> None:
        input = _input()
        gradient = paddle.grad(_loss(input), input)[0]
        factor = _input(3.0)
        product = (gradient * factor).sum()
        del gradient
        for _ in range(3):
            _loss(input, -1.0).backward()
            input.clear_gradient(False)
        product.backward()
        assert factor.grad is not None
        self.assertTrue(bool((factor.grad == 1).all()))

    @parameterized.expand([(True,), (False,)])
    def test_clearing_a_gradient_changes_no_other(self, to_zero: bool) -> None:
        first, second = _input(), _input()
        _loss(first).backward()
        _loss(second, -1.0).backward()
        first.clear_gradient(to_zero)
        _loss(first).backward()
        assert first.grad is not None
        assert second.grad is not None
        self.assertTrue(bool((first.grad == 1).all()))
        self.assertTrue(bool((second.grad == -1).all()))

    def test_a_second_backward_has_memory_of_its_own(self) -> None:
        input = _input()
        loss = _loss(input)
        first = paddle.grad(loss, input, retain_graph=True)[0]
        second = paddle.grad(loss, input)[0]
        first.zero_()
        self.assertTrue(bool((second == 1).all()))

    def test_the_limit_bounds_what_is_kept(self) -> None:
        paddle_margin.set_page_limit(3 * BYTES)
        held = [paddle.grad(_loss(input), input)[0] for input in [_input() for _ in range(6)]]
        self.assertEqual(library.kept_bytes(), 0)
        del held
        gc.collect()
        self.assertEqual(library.kept_bytes(), 3 * BYTES)
        paddle_margin.set_page_limit(BYTES)
        self.assertEqual(library.kept_bytes(), BYTES)
        paddle_margin.set_page_limit(0)
        self.assertEqual(library.kept_bytes(), 0)
        input = _input()
        _loss(input).backward()
        input.clear_gradient(False)
        self.assertEqual(library.kept_bytes(), 0)

    def test_a_block_serves_no_size_that_is_much_smaller(self) -> None:
        large = paddle.ones([2 * SIZE])
        large.stop_gradient = False
        F.hinge_embedding_loss(large, paddle.ones([2 * SIZE])).backward()
        large.clear_gradient(False)
        kept = library.kept_bytes()
        input = _input()
        _loss(input).backward()
        self.assertEqual(library.kept_bytes(), kept)

    def test_threads_share_the_memory(self) -> None:
        wrong: list[float] = []

        # Paddle's own grad() is not made for threads; backward() and this library are.
        def step(value: float) -> None:
            for _ in range(50):
                input = _input()
                _loss(input, value).backward()
                assert input.grad is not None
                wrong.extend(float(number) for number in np.unique(input.grad.numpy() - value))

        threads = [threading.Thread(target=step, args=(value,)) for value in (1.0, -1.0) * 2]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(set(wrong), {0.0})


def _squared(gradient: paddle.Tensor) -> paddle.Tensor:
    return gradient * gradient


class TestSettings(unittest.TestCase):
    @parameterized.expand([("1",), (1.5,), (None,)])
    def test_a_limit_is_an_integer(self, size: Any) -> None:
        with self.assertRaisesRegex(TypeError, "number of bytes, received"):
            paddle_margin.set_page_limit(size)

    @parameterized.expand([(-1,), (2**63,)])
    def test_a_limit_is_a_size(self, size: int) -> None:
        with self.assertRaisesRegex(ValueError, f"received {size}"):
            paddle_margin.set_page_limit(size)

    def test_the_environment_variable_sets_the_limit(self) -> None:
        if library.problem:
            self.skipTest(library.problem)
        code = (
            "import paddle, paddle_margin; from paddle_margin._kernels import library\n"
            "x = paddle.ones([2**21]); x.stop_gradient = False\n"
            "paddle_margin.nn.functional.hinge_embedding_loss(x, x.detach()).backward()\n"
            "x.clear_gradient(False); print('kept', library.kept_bytes())"
        )
        self.assertIn("kept 0", _run(code, PADDLE_MARGIN_PAGE_LIMIT="0"))
        self.assertIn(f"kept {BYTES}", _run(code, PADDLE_MARGIN_PAGE_LIMIT=str(BYTES)))
        refused = "PADDLE_MARGIN_PAGE_LIMIT: expected a number of bytes, received 'much'"
        self.assertIn(refused, _run(code, PADDLE_MARGIN_PAGE_LIMIT="much"))

    def test_freed_memory_is_kept_where_that_was_asked_for(self) -> None:
        code = (
            "import sys, paddle, paddle_margin, resource\n"
            "if sys.argv[1:]: paddle_margin.keep_freed_memory()\n"
            "x = paddle.ones([2**24])\n"
            "def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
            "for _ in range(3): x + x\n"
            "before = faults()\n"
            "for _ in range(3): x + x\n"
            "print('faults', faults() - before)"
        )
        said = _run(f"import sys; sys.argv.append('1')\n{code}")
        if "Expected the C library to be glibc" in said:
            self.skipTest(said)
        without = int(_run(code).rpartition("faults")[2])
        kept = int(said.rpartition("faults")[2])
        self.assertGreater(without, 10_000)
        self.assertLess(kept, 1_000)

    def test_a_step_takes_the_memory_of_its_gradient(self) -> None:
        if library.problem or not Path("/proc/self/clear_refs").exists():
            self.skipTest(library.problem or "this system does not say the most that was in use")
        code = (
            "import paddle, paddle_margin\n"
            "from pathlib import Path\n"
            "def memory(line):\n"
            "    text = Path('/proc/self/status').read_text()\n"
            "    return 1024 * int(text.partition(line + ':')[2].split()[0])\n"
            "def step(size):\n"
            "    x, y = paddle.ones([size]), paddle.ones([size])\n"
            "    x.stop_gradient = False\n"
            "    Path('/proc/self/clear_refs').write_text('5')\n"
            "    before = memory('VmRSS')\n"
            "    paddle_margin.nn.functional.hinge_embedding_loss(x, y).backward()\n"
            "    return memory('VmHWM') - before\n"
            "step(1000)\n"
            "print('bytes', step(2**24))"
        )
        self.assertLess(int(_run(code).rpartition("bytes")[2]), 1.1 * 4 * 2**24)
