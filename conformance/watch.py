"""Keeps a check that never ends, or that ends its process, from ending the run."""

from __future__ import annotations

import faulthandler
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Optional

from conformance.checks import RANDOM, SHARDED, Check, Verdict, not_run

LIMIT = 60
"""Seconds after which a check counts as hanging."""
SLOW = {RANDOM: 5, SHARDED: 5}
"""How many times as long those may take that do much more than one row."""
STRIKES = 3
"""Checks of one loss that may end a process before the rest of them is left out."""


class Watch:
    """Watches over checks, from within the process that makes them.

    Args:
        folder: where the ids of checks that ended a process are kept; none without workers.
        limit: seconds that a check may take.
        active: whether this process may be ended by a check.
    """

    def __init__(self, folder: str, limit: float, active: bool) -> None:
        self._limit = limit
        self._folder = Path(folder) if folder else None
        self._active = active
        self._nowhere = os.open(os.devnull, os.O_WRONLY)
        self._strikes: Counter[str] = Counter()
        if active and self._folder is not None:
            self._strikes.update(path.name.partition(".")[0] for path in self._folder.iterdir())

    @contextmanager
    def over(self, check: Check) -> Iterator[None]:
        """End this process where a check takes too long, so that another one goes on."""
        if not self._active:
            yield
            return
        limit = self._limit * SLOW.get(check.name, 1)
        faulthandler.dump_traceback_later(limit, exit=True, file=self._nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()

    def given_up(self, check: Check) -> Optional[Verdict]:
        """The verdict of a check that is left out, because too many of its loss ended a process."""
        if self._strikes[check.loss.stem] < STRIKES:
            return None
        return not_run(f"{STRIKES} checks of {check.loss.stem} ended their process")

    def died(self, check: Check) -> None:
        """Leave a trace of a check that ended its process, for the workers that start later."""
        if self._folder is not None:
            count = len(list(self._folder.iterdir()))
            Path(self._folder, f"{check.loss.stem}.{count}").touch()

    def limit_text(self) -> str:
        """What may have happened, in words."""
        return f"it crashed, or took more than {self._limit:g} s"
