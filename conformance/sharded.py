"""Sharded tensors: rows of a loss on two processes of this machine (clause C7).

The rows are the loss's own, those that together show each option, with the batches of ``BATCHES``
and every reduction. What two gloo processes give is held against what one process gives: it may be
off from that by the accuracy that is promised and by what one process itself is off.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import IO, Any, Optional

import numpy as np

from conformance import compare, oracle
from conformance.arguments import Tensor, arguments, paddle_name
from conformance.case import Array, Case, Loss
from conformance.checks import FAIL, PASSED, SHARDED, Found, Verdict, failed, mode_rows, not_run
from conformance.eager import Gradients, Outcome, Row
from conformance.implementation import Implementation, Received, load
from conformance.text import error_text

PROCESSES = 2
BATCHES = (("float32", 7), ("float64", 8))
"""Dtype and samples: one more for the first process, and as many for each."""
REDUCTIONS = ("none", "mean", "sum")
AXES = (0, 1)
"""The axis that is sharded, of each input with a batch that has it."""
REFUSAL = "DistTensor"
"""What an error must name to say that sharded tensors are not taken."""
LIMIT = 100.0
"""Seconds for all rows of a loss."""
GRACE = 10.0
"""Seconds that a process may go on without the other one."""
ATTEMPTS = 2
"""Starts, as another program may take a port that was free."""
START = "import sys; del sys.path[0]; from conformance.sharded import work; work(*sys.argv[1:])"
"""What a process runs; the working folder must not come before the path that it is given."""


@dataclass(frozen=True)
class Answer:
    """What a process gave for a row.

    Args:
        value: the result; ``None`` where there was none.
        gradients: by Paddle's argument name.
        problem: what was raised or returned instead.
        refused: whether the problem is an error that says that sharded tensors are not taken.
    """

    value: Optional[Received] = None
    gradients: Gradients = field(default_factory=dict)
    problem: str = ""
    refused: bool = False


def run(implementation: Implementation, loss: Loss) -> Verdict:
    """Check that sharded tensors give the numbers of one process, or a clear error.

    Args:
        implementation: what is under test, which both processes import by its name.
        loss: the loss.
    """
    wanted = rows(loss)
    if not wanted:
        return not_run("no row has a batch of finite numbers")
    for _ in range(ATTEMPTS):
        answers, end = _answers(implementation.name, loss.stem)
        if answers:
            break
    else:
        return failed(
            f"expected {PROCESSES} processes, received the end of one at its start: {end}"
        )
    compared = 0
    for index, (case, dtype) in enumerate(wanted):
        row = Row(implementation, loss, case, dtype)
        whole, expected = row.first_order(), oracle.evaluate(loss, case, dtype)
        for number, axis in enumerate(AXES):
            of_piece = [mine[len(AXES) * index + number :][:1] for mine in answers]
            where = f"{case.id}/{dtype} sharded along axis {axis}"
            if not all(of_piece):
                text = f"{where}: expected an answer, received the end of a process: {end}"
                return Found(FAIL, text, None, case, SHARDED, dtype)
            if whole.result is None:
                continue
            found = _judged(row, whole, expected, [answer for (answer,) in of_piece])
            if found.status == FAIL:
                return Found(FAIL, f"{where}: {found.text}", None, case, SHARDED, dtype)
            compared += 1
    return PASSED if compared else not_run("the function returned no tensor to one process")


def rows(loss: Loss) -> list[tuple[Case, str]]:
    """The rows that are sharded, and their dtypes: the same in each process.

    Args:
        loss: the loss.
    """
    plain = tuple(case for case in loss.cases if _is_plain(loss, case))
    chosen = mode_rows(replace(loss, cases=plain)) if plain else set()
    return [
        (_resized(loss, case, samples, reduction), dtype)
        for case in plain
        if case.id in chosen
        for (dtype, samples), reduction in product(BATCHES, REDUCTIONS)
        if dtype in case.dtypes
    ]


def _is_plain(loss: Loss, case: Case) -> bool:
    """Whether a row has a batch of finite numbers, and no options but numbers and texts."""
    if (
        case.raises
        or case.modes
        or case.warns
        or case.exact is not None
        or not split_inputs(loss, case)
    ):
        return False
    if case.opens_part:
        return False
    inputs, options = arguments(loss, case, case.dtypes[0])
    if not all(isinstance(value, Tensor) and value.values.size for value in inputs.values()):
        return False
    if not all(inputs[name].values.ndim for name in split_inputs(loss, case)):
        return False
    return all(
        np.isfinite(value.values).all()
        if isinstance(value, Tensor)
        else value is None or isinstance(value, (bool, int, float, str))
        for value in {**inputs, **options}.values()
    )


def split_inputs(loss: Loss, case: Case) -> list[str]:
    """The inputs whose first dimension is the batch, as the row spells them."""
    batch = loss.batch if case.batch is None else case.batch
    return [name for name in case.inputs if paddle_name(loss, name) in batch]


def _resized(loss: Loss, case: Case, samples: int, reduction: str) -> Case:
    """The row with another number of samples: its own in turn, each round a bit larger."""
    inputs = dict(case.inputs)
    for name in split_inputs(loss, case):
        own = inputs[name] if isinstance(inputs[name], Array) else Array(inputs[name])
        data = np.asarray(own.data)
        rounds, index = np.divmod(np.arange(samples), len(data))
        data = data[index]
        if paddle_name(loss, name) in loss.differentiable:
            data = data * (1 + rounds / 8).reshape(-1, *[1] * (data.ndim - 1))
        inputs[name] = replace(own, data=data)
    options = {**case.options, "reduction": reduction}
    name = f"{case.id}_of_{samples}_{reduction}"
    return replace(case, id=name, inputs=inputs, options=options, printed=None)


def _judged(
    row: Row, whole: Outcome, expected: Optional[oracle.Expected], answers: Sequence[Answer]
) -> Verdict:
    """Compare both processes' answers with what one process gives."""
    first, *others = answers
    if all(answer.refused for answer in answers):
        return PASSED
    for answer in answers:
        if answer.value is None:
            return failed(f"expected the numbers of one process, received {answer.problem}")
    assert expected is not None
    pairs = [("value", "value", first.value, whole.result, expected.value, expected.dtype)]
    for name, exact in expected.gradients.items():
        both = first.gradients.get(name), whole.gradients.get(name)
        pairs.append(("gradient", name, *both, exact, expected.gradient_dtypes[name]))
    for quantity, name, ours, theirs, exact, kind in pairs:
        source = "one process" if quantity == "value" else f"gradient of {name} in one process"
        if theirs is None:
            continue
        if ours is None:
            return failed(f"expected the {source}, received {first.problem or 'none'}")
        alike = exact if exact.values.shape == theirs.raw.shape else None
        budget = oracle.budget(row.loss, row.case, kind, quantity, name)
        found = compare.with_other(row, ours, theirs.values, alike, budget, kind, source)
        if found.status == FAIL:
            return found
        for other in others:
            again = other.value if quantity == "value" else other.gradients.get(name)
            if not ours.same_bits(again):
                return failed(f"expected the {source} in each process, received other bits in one")
    return PASSED


def _answers(implementation: str, stem: str) -> tuple[list[list[Answer]], str]:
    """What each process gave, as far as it came, and how the first that failed ended.

    No answers at all, not even empty ones, where the processes did not find each other.
    """
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        files = [Path(folder, str(rank)) for rank in range(PROCESSES)]
        said = Path(folder, "said")
        with said.open("wb") as output:
            workers = _started([implementation, stem], files, output)
            try:
                code = _waited(workers)
            finally:
                for worker in workers:
                    worker.kill()
                    worker.communicate()
        end = _end(code, said.read_text(encoding="utf-8", errors="replace"))
        found = all(file.exists() for file in files)
        return [list(_read(file)) for file in files] if found else [], end


def _started(
    arguments: Sequence[str], files: Sequence[Path], output: IO[bytes]
) -> list[subprocess.Popen[bytes]]:
    *ports, master = _free_ports(PROCESSES + 1)
    endpoints = [f"127.0.0.1:{port}" for port in ports]
    workers = []
    for rank, (endpoint, file) in enumerate(zip(endpoints, files)):
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
            "PADDLE_TRAINER_ID": str(rank),
            "PADDLE_TRAINERS_NUM": str(PROCESSES),
            "PADDLE_CURRENT_ENDPOINT": endpoint,
            "PADDLE_TRAINER_ENDPOINTS": ",".join(endpoints),
            "PADDLE_MASTER": f"127.0.0.1:{master}",
            "PADDLE_DISTRI_BACKEND": "gloo",
            "FLAGS_selected_cpus": str(rank),
            "GLOG_minloglevel": "3",
        }
        command = [sys.executable, "-W", "ignore", "-c", START, *arguments, str(file)]
        workers.append(
            subprocess.Popen(
                command, env=environment, stdin=subprocess.PIPE, stdout=output, stderr=output
            )
        )
    return workers


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _waited(workers: Sequence[subprocess.Popen[bytes]]) -> Optional[int]:
    """The exit status of the first process that failed, or ``None`` where they took too long."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        codes = [worker.poll() for worker in workers]
        if any(codes) or None not in codes:
            return next((code for code in codes if code), 0)
        if any(code is not None for code in codes):
            deadline = min(deadline, time.monotonic() + GRACE)
        time.sleep(0.02)
    return None


def _end(code: Optional[int], said: str) -> str:
    if code is None:
        return f"it did not end within {LIMIT:g} s, or not with the other one"
    if code < 0:
        return signal.Signals(-code).name
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return f"exit status {code}{': ' + lines[-1][:200] if code and lines else ''}"


def _read(file: Path) -> Iterator[Answer]:
    with file.open("rb") as stream:
        while True:
            try:
                yield pickle.load(stream)
            except (EOFError, pickle.UnpicklingError):
                return


def work(implementation: str, stem: str, file: str) -> None:
    """One of the processes: write its answers to a file, each as soon as it is there."""
    faulthandler.dump_traceback_later(LIMIT, exit=True)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from paddle import distributed

    from conformance.cases import all_losses

    losses = all_losses()
    made = load(implementation, list(losses.values()))
    distributed.init_parallel_env()
    mesh = distributed.ProcessMesh(list(range(PROCESSES)), dim_names=["data"])
    warnings.simplefilter("ignore")
    with open(file, "wb") as stream:
        for case, dtype in rows(losses[stem]):
            for axis in AXES:
                answer = _answer(Row(made, losses[stem], case, dtype), axis, mesh)
                pickle.dump(answer, stream)
                stream.flush()


def _end_with_parent() -> None:
    """End where the other end of the pipe does, however that came."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def _answer(row: Row, axis: int, mesh: Any) -> Answer:
    from paddle.distributed import Replicate, Shard, shard_tensor

    inputs, _ = row.arguments
    split = [inputs[name] for name in split_inputs(row.loss, row.case)]

    def make(tensor: Tensor) -> Any:
        shape = tensor.values.shape
        fits = any(tensor is each for each in split) and axis < len(shape) and shape[axis] > 1
        made = row.implementation.tensor(tensor)
        placements = [Shard(axis) if fits else Replicate()]
        return shard_tensor(made, mesh, placements, stop_gradient=not tensor.grad)

    prepared = row.prepare(make)
    function = row.implementation.function(row.loss)
    assert function is not None
    try:
        result = prepared.call(function)
        value = _received(row, result)
    except Exception as error:
        refused = isinstance(error, ValueError) and REFUSAL in str(error)
        return Answer(problem=error_text(error), refused=refused)
    if value is None:
        return Answer(problem=type(result).__name__)
    try:
        return Answer(value, _gradients(row, result, prepared.asked, prepared.given, mesh))
    except Exception as error:
        return Answer(value, problem=error_text(error))


def _gradients(row: Row, result: Any, asked: Sequence[str], given: Any, mesh: Any) -> Gradients:
    """The gradients of the weighted sum, as Paddle crashes where it is handed a cotangent."""
    import paddle
    from paddle.distributed import Replicate, shard_tensor

    if not asked or result.stop_gradient:
        return {}
    weights = oracle.cotangent(tuple(result.shape)).astype(np.float32)
    weight = shard_tensor(paddle.to_tensor(weights).astype(result.dtype), mesh, [Replicate()])
    wanted = [given[name] for name in asked]
    found = paddle.grad([(result * weight).sum()], wanted, allow_unused=True)
    return {
        paddle_name(row.loss, name): None if value is None else _received(row, value)
        for name, value in zip(asked, found)
    }


def _received(row: Row, result: Any) -> Optional[Received]:
    from paddle.distributed import unshard_dtensor

    is_dist = getattr(result, "is_dist", None)
    if is_dist is not None and is_dist():
        # Gathering gives the sum of a 0-D tensor's parts the shape [1].
        result = unshard_dtensor(result).reshape(result.shape)
    return row.implementation.received(result)
