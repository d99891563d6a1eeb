"""Keeps a check that never ends, or that ends its process, from ending the run."""

from __future__ import annotations

import faulthandler
import re
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Optional

from conformance.checks import RANDOM, SHARDED, Check, Verdict, failed, not_run
from conformance.modes import MODES

LIMIT = 60
"""Seconds after which a check counts as hanging."""
SLOW = {RANDOM: 5, SHARDED: 5}
"""How many times as long those may take that do much more than one row."""
STRIKES = 3
"""Rows and modes of one loss that may end a process before the rest of it is left out."""


class Watch:
    """Watches over checks, from within the process that makes them.

    What ends the process of one check would end that of others: those of the same row, as they
    share its calls, and those of the same execution mode, as they share its graphs.

    Args:
        folder: where the processes of a run leave traces for each other.
        limit: seconds that a check may take.
        worker: the name of this process, where a check may end it; empty where not.
    """

    def __init__(self, folder: str, limit: float, worker: str) -> None:
        self._limit = self._allowed = limit
        self._folder = Path(folder)
        self._ends = self._folder / "ends"
        self._seen = 0
        self._ended: dict[str, str] = {}
        self._worker = worker
        if worker:
            self._row_file = self._trace(worker, "row").open("w", encoding="utf-8")
            self._stack_file = self._trace(worker, "stack").open("w")
            faulthandler.enable(self._stack_file, all_threads=False)
            # A timer costs nothing; faulthandler's own starts a thread for every check.
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            faulthandler.register(signal.SIGALRM, self._stack_file, all_threads=False, chain=True)

    @contextmanager
    def over(self, check: Check) -> Iterator[None]:
        """End this process where a check takes too long, so that another one goes on."""
        if not self._worker:
            yield
            return
        self._allowed = self._limit * SLOW.get(check.name, 1)
        self.go_on()
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def go_on(self, row: str = "") -> None:
        """Count the seconds of a check anew, as it came to another of its parts.

        Args:
            row: the row that it now runs eagerly, if it does.
        """
        if not self._worker:
            return
        self._row_file.seek(0)
        self._row_file.truncate()
        self._row_file.write(row)
        self._row_file.flush()
        signal.setitimer(signal.ITIMER_REAL, self._allowed)

    def given_up(self, check: Check) -> Optional[Verdict]:
        """The verdict of a check that is not made, because of what ended a process before."""
        if not self._worker:
            return None
        ended = self._known()
        if _row_of(check) in ended:
            cause = ended[_row_of(check)]
            return failed(
                f"expected an answer, received none: the row ended the process of {cause}"
            )
        if _mode_of(check) in ended:
            return not_run(f"its graphs ended the process of {ended[_mode_of(check)]}")
        if Counter(key.partition("/")[0] for key in ended)[check.loss.stem] < STRIKES:
            return None
        return not_run(f"{STRIKES} rows or modes of {check.loss.stem} ended their process")

    def died(self, check: Check, worker: str) -> Verdict:
        """The verdict of a check whose process ended, which all processes learn of.

        Args:
            check: the check.
            worker: the name of the process.
        """
        row = self._trace(worker, "row").read_text(encoding="utf-8")
        cause = (row or _mode_of(check)) if check.name in MODES else _row_of(check)
        with self._ends.open("a", encoding="utf-8") as file:
            file.write(f"{cause} {check.id}\n")
        if cause not in (_row_of(check), _mode_of(check)):
            return not_run(f"{cause}, which runs first, ended its process")
        stack = self._trace(worker, "stack").read_text(encoding="utf-8", errors="replace")
        limit = self._limit * SLOW.get(check.name, 1)
        crash = stack.partition("\n")[0].partition("Fatal Python error: ")[2]
        received = f"{crash or 'the end of the process'}{_innermost(stack)}"
        if stack and not crash:
            received = f"none within {limit:g} s{_innermost(stack)}"
        return failed(f"expected an answer, received {received}")

    def _trace(self, worker: str, kind: str) -> Path:
        return self._folder / f"{worker}.{kind}"

    def _known(self) -> dict[str, str]:
        """The rows and modes that ended a process, and a check that each ended."""
        size = self._ends.stat().st_size if self._ends.exists() else 0
        if size != self._seen:
            self._seen = size
            lines = self._ends.read_text(encoding="utf-8").splitlines()
            self._ended = dict(line.split(" ") for line in lines)
        return self._ended


def _innermost(stack: str) -> str:
    """Where the main thread was, which faulthandler writes last."""
    where = re.search(r'File "(.*)", line (\d+) in (\S+)', stack.rpartition("Thread 0x")[2])
    return f", in {where[3]}, line {where[2]} of {Path(where[1]).name}" if where else ""


def _row_of(check: Check) -> str:
    """The row of a check, with its dtype."""
    return check.id.rpartition("/")[0]


def _mode_of(check: Check) -> str:
    """The execution mode of a check, if it has one."""
    return f"{check.loss.stem}/{check.name}" if check.name in MODES else ""
