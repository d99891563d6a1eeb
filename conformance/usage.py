"""How the command says that it was used wrongly: one line, and exit status 2."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

FAILED, USAGE = 1, 2
"""Exit statuses besides 0."""


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        refuse(message)


def refuse(message: str) -> NoReturn:
    """End with one line on stderr."""
    print(f"conformance: {' '.join(message.split())}", file=sys.stderr)
    raise SystemExit(USAGE)
