"""A progress bar with the time left, for a run that takes longer than a glance."""

from __future__ import annotations

import os
import time
from typing import Optional

from rich import progress
from rich.console import Console

PATIENCE = 2.0
"""Seconds before the bar appears."""


class Progress:
    """A bar on the terminal's error stream; nothing where that is no terminal.

    Args:
        shown: whether this process shows one at all.
    """

    def __init__(self, shown: bool) -> None:
        # A descriptor of its own: what goes to the usual one counts as printed by a check.
        self._console = Console(file=os.fdopen(os.dup(2), "w"))
        self._shown = shown and self._console.is_terminal
        self._start = time.monotonic()
        self._total = self._done = 0
        self._bar: Optional[progress.Progress] = None

    def expect(self, total: int) -> None:
        """Say how many checks there will be."""
        self._total = max(total, self._total)

    def advance(self) -> None:
        """Count one check."""
        self._done += 1
        if not self._shown:
            return
        if self._bar is None and time.monotonic() - self._start > PATIENCE:
            self._bar = self._started()
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self._done, total=self._total)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        self._console.file.close()

    def _started(self) -> progress.Progress:
        bar = progress.Progress(
            progress.TextColumn("checks"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            progress.TextColumn("left"),
            progress.TimeRemainingColumn(),
            console=self._console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        bar.add_task("", total=self._total, completed=self._done)
        bar.start()
        return bar
