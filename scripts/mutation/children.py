"""Children that are forked, watched and, where they stop saying anything, ended."""

from __future__ import annotations

import multiprocessing
import os
import resource
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from typing import Any, Callable, Generic, TypeVar

CRASH, TIME_OUT = "crash", "time-out"
PATIENCE = 300.0
"""Seconds without a word, after which a child counts as hanging."""
MEMORY = 24 * 2**30
"""Bytes that a child may ask for: the stacks of Paddle's threads, a hundred a loss, count whole."""

Task = TypeVar("Task")
Say = Callable[[str], None]
"""Told by a child of what it is about to do."""


@dataclass
class Ended:
    """How a child ended.

    Args:
        result: what it returned.
        failure: ``crash`` or ``time-out`` where it did not return.
        last: the last thing that it said.
        seconds: how long it ran.
    """

    result: Any = None
    failure: str = ""
    last: str = ""
    seconds: float = 0.0


@dataclass
class _Child(Generic[Task]):
    task: Task
    process: ForkProcess
    started: float
    heard: float
    last: str = ""


def run(
    tasks: Iterable[Task], work: Callable[[Task, Say], Any], jobs: int
) -> Iterator[tuple[Task, Ended]]:
    """Do each task in a child of its own.

    Args:
        tasks: what is to be done.
        work: does one; is handed a function to call with what it is about to do.
        jobs: how many run at a time.

    Yields:
        Each task with how it ended, in the order in which they end.

    Raises:
        RuntimeError: ``work`` itself raised.
    """
    left = iter(tasks)
    children: dict[Connection, _Child[Task]] = {}
    try:
        while True:
            while len(children) < jobs:
                task = next(left, None)
                if task is None:
                    break
                connection, child = _started(task, work)
                children[connection] = child
            if not children:
                return
            for connection in _heard(children):
                child = children[connection]
                ended = _listened(connection, child)
                if ended is not None:
                    del children[connection]
                    connection.close()
                    child.process.join()
                    ended.seconds = time.monotonic() - child.started
                    yield child.task, ended
    finally:
        for child in children.values():
            child.process.kill()
            child.process.join()


def _started(task: Task, work: Callable[[Task, Say], Any]) -> tuple[Connection, _Child[Task]]:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_main, args=(task, work, theirs))
    process.start()
    theirs.close()
    now = time.monotonic()
    return ours, _Child(task, process, now, now)


def _main(task: Any, work: Callable[[Any, Say], Any], out: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    try:
        out.send([work(task, out.send)])
    except Exception:
        out.send(RuntimeError(traceback.format_exc()))
    # Paddle's threads and its own clean-up are of no use any more.
    os._exit(0)


def _heard(children: dict[Connection, _Child[Task]]) -> list[Any]:
    """Children that said something, and those that have not for too long."""
    ready = wait(list(children), timeout=1.0)
    late = time.monotonic() - PATIENCE
    silent = [each for each, child in children.items() if each not in ready and child.heard < late]
    for each in silent:
        children[each].process.kill()
        children[each].last = f"{TIME_OUT} {children[each].last}"
    return [*ready, *silent]


def _listened(connection: Connection, child: _Child[Task]) -> Any:
    if child.last.startswith(TIME_OUT):
        return Ended(failure=TIME_OUT, last=child.last[len(TIME_OUT) + 1 :])
    try:
        message = connection.recv()
    except (EOFError, OSError):
        return Ended(failure=CRASH, last=child.last)
    if isinstance(message, RuntimeError):
        raise message
    if isinstance(message, str):
        child.heard, child.last = time.monotonic(), message
        return None
    return Ended(result=message[0], last=child.last)
