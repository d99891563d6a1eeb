"""The bar with the time left: on a terminal, after a while, and never among what checks print."""

from __future__ import annotations

import os
import subprocess
import sys
import unittest

from tests.running import ROOT, environment

SCRIPT = """
import time
from conformance import progress
from conformance.eager import captured
progress.PATIENCE = {patience}
bar = progress.Progress(shown=True)
bar.expect(4)
time.sleep(0.2)
with captured() as printed:
    for _ in range(3):
        bar.advance()
        time.sleep(0.2)
    said = printed()
bar.close()
print("captured", repr(said))
"""


def shown(patience: float, terminal: bool) -> str:
    """What a process with a bar writes to its standard error and output."""
    ours, theirs = os.openpty() if terminal else os.pipe()
    environ = {**environment(), "TERM": "xterm", "COLUMNS": "100"}
    command = [sys.executable, "-c", SCRIPT.format(patience=patience)]
    process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=theirs, stderr=theirs)
    os.close(theirs)
    text = b""
    while True:
        try:
            read = os.read(ours, 65536)
        except OSError:  # Linux's way to say that the other end of a terminal is closed
            break
        if not read:
            break
        text += read
    os.close(ours)
    process.wait()
    return text.decode(errors="replace")


class TestProgress(unittest.TestCase):
    def test_a_terminal_shows_the_checks_and_the_time_left(self) -> None:
        text = shown(0.1, terminal=True)
        self.assertIn("3/4", text)
        self.assertIn("left", text)
        self.assertIn("captured ''", text)

    def test_a_short_run_shows_none(self) -> None:
        self.assertEqual(shown(60, terminal=True).split(), ["captured", "''"])

    def test_a_pipe_shows_none(self) -> None:
        self.assertEqual(shown(0.1, terminal=False).split(), ["captured", "''"])


if __name__ == "__main__":
    unittest.main()
