"""A process of the benchmark: times one contender, case by case, as it is told on its input.

Reads one JSON object a line (``stem``, ``shape``, ``which``, ``seconds``) and answers each with the
seconds of every step, or with the error.
"""

from __future__ import annotations

import ctypes
import json
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from bench.cases import BOTH, Case  # noqa: E402

Step = Callable[[], Any]
TORCH_NAMES = {
    "multi_label_margin": "multilabel_margin",
    "multi_label_soft_margin": "multilabel_soft_margin",
}


def _of_paddle(functional: Any, case: Case, which: str, layers: Any = None) -> Step:
    import paddle

    inputs, labels = ([paddle.to_tensor(array) for array in part] for part in case.arrays())
    for tensor in inputs:
        tensor.stop_gradient = which != BOTH
    name = f"{case.stem}_loss"
    if case.stem == "triplet_margin_with_distance":
        labels = [lambda u, v: u + v]
    # paddle.nn has this one as a layer only.
    function = getattr(functional, name, None) or layers.MultiLabelMarginLoss()

    def step() -> None:
        loss = function(*inputs, *labels)
        if which == BOTH:
            loss.backward()
            for tensor in inputs:
                tensor.clear_gradient(False)

    return step


def _fused(case: Case, which: str) -> Step:
    import paddle_margin

    paddle_margin.set_backend("fused")
    return _of_paddle(paddle_margin.nn.functional, case, which)


def _composed(case: Case, which: str) -> Step:
    import paddle_margin

    paddle_margin.set_backend("composed")
    return _of_paddle(paddle_margin.nn.functional, case, which)


def _paddle(case: Case, which: str) -> Step:
    import paddle

    return _of_paddle(paddle.nn.functional, case, which, paddle.nn)


def _torch(case: Case, which: str, compiled: bool = False) -> Step:
    import torch

    inputs, labels = ([torch.from_numpy(array) for array in part] for part in case.arrays())
    for tensor in inputs:
        tensor.requires_grad_(which == BOTH)
    stem = TORCH_NAMES.get(case.stem, case.stem)
    own: Any = getattr(torch.nn.functional, f"{stem}_loss")
    function = own
    if case.stem == "triplet_margin_with_distance":

        def function(a: Any, p: Any, n: Any) -> Any:
            return own(a, p, n, distance_function=lambda u, v: u + v)

    if compiled:
        torch._dynamo.reset()
        function = torch.compile(function, dynamic=False)

    def step() -> None:
        loss = function(*inputs, *labels)
        if which == BOTH:
            loss.backward()
            for tensor in inputs:
                tensor.grad = None

    return step


def _torch_compile(case: Case, which: str) -> Step:
    return _torch(case, which, compiled=True)


def _limit(case: Case, which: str) -> Step:
    """Read what must be read and write what must be written, on two threads and no more."""
    libc = ctypes.CDLL(None)
    for function in (libc.memcmp, libc.memcpy):
        function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
    read, written = case.traffic(which)
    halves = []
    for _ in range(2):
        # memcmp reads two equal buffers to their ends; memcpy reads and writes.
        compared = [np.ones((read - written) // 4, np.uint8) for _ in range(2)]
        copied = [np.ones(written // 2, np.uint8) for _ in range(2)]
        halves.append((compared, copied))

    def half(compared: Sequence[np.ndarray], copied: Sequence[np.ndarray]) -> None:
        libc.memcmp(compared[0].ctypes.data, compared[1].ctypes.data, compared[0].nbytes)
        libc.memcpy(copied[0].ctypes.data, copied[1].ctypes.data, copied[0].nbytes)

    def step() -> None:
        if read < 2**20:
            half(*halves[0])
            half(*halves[1])
            return
        thread = threading.Thread(target=half, args=halves[0])
        thread.start()
        half(*halves[1])
        thread.join()

    return step


CONTENDERS: dict[str, Callable[[Case, str], Step]] = {
    "fused": _fused,
    "composed": _composed,
    "paddle.nn": _paddle,
    "torch": _torch,
    "torch.compile": _torch_compile,
    "limit": _limit,
}


def measure(step: Step, seconds: float) -> list[float]:
    """The seconds of each step, of so many as fit, after two that do not count."""
    step()
    step()
    times: list[float] = []
    started = time.perf_counter()
    while not times or (time.perf_counter() - started < seconds and len(times) < 1000):
        begin = time.perf_counter()
        step()
        times.append(time.perf_counter() - begin)
    return times


def main() -> None:
    """Answer what comes in."""
    make = CONTENDERS[sys.argv[1]]
    made: dict[tuple[Case, str], Step] = {}
    for line in sys.stdin:
        asked = json.loads(line)
        key = Case(asked["stem"], tuple(asked["shape"])), asked["which"]
        try:
            if key not in made:
                made.clear()
                made[key] = make(*key)
            answer: dict[str, Any] = {"times": measure(made[key], asked["seconds"])}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"[:200]}
        # Not print: frameworks write to the standard output as well.
        sys.__stdout__.write(f"\x1e{json.dumps(answer)}\n")  # type: ignore[union-attr]
        sys.__stdout__.flush()  # type: ignore[union-attr]


if __name__ == "__main__":
    main()
