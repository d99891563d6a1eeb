"""Small reports, made by hand."""

from __future__ import annotations

from typing import Any

from conformance.checks import CONFORMANT
from conformance.findings import Finding, Report


def finding(id: str, verdict: str = CONFORMANT, clause: str = "C1", **more: Any) -> Finding:
    """A finding of a check ``stem/row[/dtype]/property``."""
    stem, row, *dtype, name = id.split("/")
    return Finding(id, stem, row, *(dtype or [""]), name, "value", clause, verdict, **more)


def report(*findings: Finding, **more: Any) -> Report:
    """A report of ``mine.losses`` 1.0."""
    fields = {"implementation": "mine.losses", "version": "1.0", **more}
    return Report(findings=list(findings), **fields)
