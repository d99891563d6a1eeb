"""What a run found, for a person to read: rich tables, plain where they are piped."""

from __future__ import annotations

import platform
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Optional

import numpy as np
from rich.console import Console
from rich.table import Table

from conformance import torch_reference
from conformance.case import FLOAT_DTYPES
from conformance.checks import CONFORMANT, FAIL, GROUPS, NOT_RUN, VERDICTS
from conformance.implementation import Implementation
from conformance.register import Stale

SHOWN = 20
"""How many failures are shown."""


@dataclass(frozen=True)
class Finding:
    """The verdict of one check, as it travels between processes.

    Args:
        id: the check's id.
        stem: its loss.
        dtype: its dtype, or an empty text.
        name: its property.
        group: the group of the property.
        status: one of ``VERDICTS``.
        text: what was expected and received, or why it was not run.
        distance: the error in ULP.
        ratio: the error over what is allowed.
        input: the arguments where the error is largest.
    """

    id: str
    stem: str
    dtype: str
    name: str
    group: str
    status: str
    text: str
    distance: Optional[float]
    ratio: Optional[float]
    input: str


@dataclass
class Report:
    """All that a run found.

    Args:
        findings: one for each check.
        stale: entries of the register that do not describe what happened.
        crashes: what broke outside of any check: a worker's name or file, and the text.
        whole: whether every check was selected.
    """

    findings: list[Finding] = field(default_factory=list)
    stale: list[Stale] = field(default_factory=list)
    crashes: list[tuple[str, str]] = field(default_factory=list)
    whole: bool = True

    def add(self, finding: Finding, whole: bool) -> None:
        """Keep one verdict."""
        self.findings.append(finding)
        self.whole = self.whole and whole

    def crashed(self, where: str, text: str) -> None:
        """Keep a failure that no check has reported."""
        self.crashes.append((where, text))

    def statuses(self) -> dict[str, str]:
        """The status of each check."""
        return {finding.id: finding.status for finding in self.findings}

    def count(self, status: str) -> int:
        """How many checks have a status."""
        return sum(finding.status == status for finding in self.findings)

    @property
    def failures(self) -> int:
        """Everything that makes the run a failure."""
        return self.count(FAIL) + len(self.stale) + len(self.crashes)


def show_header(console: Console, implementation: Implementation) -> None:
    """What is under test, against what, on what."""
    import paddle

    line = f"conformance of {implementation.name} {implementation.version}"
    console.print(line, style="bold", highlight=False)
    torch = torch_reference.manifest().get("torch", "not recorded")
    versions = (
        f"paddle {paddle.__version__}, torch's results {torch}, "
        f"numpy {np.__version__}, python {platform.python_version()}"
    )
    console.print(versions, highlight=False, soft_wrap=True)
    console.print(platform.platform(), highlight=False, soft_wrap=True)


def show(console: Console, report: Report, arguments: Sequence[str]) -> None:
    """Tables and counts.

    Args:
        console: where to.
        report: what was found.
        arguments: the options of the run that a reproduction needs.
    """
    console.print(_counts(report))
    worst = _worst(report)
    if worst.row_count:
        console.print(worst)
    _show_not_run(console, report)
    _show_failures(console, report, arguments)
    counts = ", ".join(f"{n} {verdict}" for verdict in VERDICTS if (n := report.count(verdict)))
    if report.stale:
        counts += f", {len(report.stale)} registered differences no longer occur"
    if report.crashes:
        counts += f", {len(report.crashes)} crashed"
    style = "bold red" if report.failures else "bold green"
    console.print(counts, style=style, highlight=False, soft_wrap=True)


def _counts(report: Report) -> Table:
    table = Table(title="Checks", title_justify="left")
    table.add_column("loss")
    table.add_column("checks of")
    for status in VERDICTS:
        table.add_column(status, justify="right")
    counted = Counter((f.stem, f.group, f.status) for f in report.findings)
    for stem in sorted({f.stem for f in report.findings}):
        for group in GROUPS:
            row = [counted[stem, group, status] for status in VERDICTS]
            if any(row):
                style = "red" if row[VERDICTS.index(FAIL)] else None
                table.add_row(stem, group, *(str(n) if n else "" for n in row), style=style)
        table.add_section()
    return table


def _worst(report: Report) -> Table:
    """The largest share of its budget that each loss and dtype uses, of what passes."""
    table = Table(title="Nearest to its budget, of what passes", title_justify="left")
    for column, justify in (("loss, dtype", "left"), ("of", "left")):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    table.add_column("ULP", justify="right")
    table.add_column("budget", justify="right")
    table.add_column("row and input", overflow="fold")
    measured = [f for f in report.findings if f.ratio is not None and f.status == CONFORMANT]
    for stem in sorted({f.stem for f in measured}):
        for dtype in FLOAT_DTYPES:
            for name in ("value", "gradient"):
                own = [f for f in measured if (f.stem, f.dtype, f.name) == (stem, dtype, name)]
                if own:
                    table.add_row(f"{stem}\n{dtype}", name, *_largest(own))
        table.add_section()
    return table


def _largest(findings: Sequence[Finding]) -> tuple[str, str, str]:
    found = max(findings, key=lambda f: (f.ratio or 0.0, f.distance or 0.0))
    row = found.id.split("/")[1]
    return f"{found.distance:.3g}", f"{found.ratio:.0%}", f"{row}\n{found.input[:160]}"


def _show_not_run(console: Console, report: Report) -> None:
    reasons = Counter(f.text for f in report.findings if f.status == NOT_RUN)
    if not reasons:
        return
    table = Table(title="Not run", title_justify="left")
    table.add_column("checks", justify="right")
    table.add_column("because", overflow="fold")
    for reason, count in reasons.most_common(SHOWN):
        table.add_row(str(count), reason[:160])
    if len(reasons) > SHOWN:
        table.add_row("", f"and {len(reasons) - SHOWN} other reasons")
    console.print(table)


def _show_failures(console: Console, report: Report, arguments: Sequence[str]) -> None:
    failed = [f for f in report.findings if f.status == FAIL]
    options = "".join(f" {shlex.quote(argument)}" for argument in arguments)
    for finding in failed[:SHOWN]:
        console.print(f"failed {finding.id}", style="red", highlight=False, soft_wrap=True)
        console.print(f"  {finding.text}", highlight=False, markup=False, soft_wrap=True)
        command = f"  python -m conformance reproduce{options} {finding.id}"
        console.print(command, style="dim", highlight=False, soft_wrap=True)
    if len(failed) > SHOWN:
        console.print(f"and {len(failed) - SHOWN} other failures", style="red", highlight=False)
    for stale in report.stale:
        text = f"registered difference no longer occurs: {stale.entry.id}: {stale.pattern}"
        console.print(text, style="red", highlight=False, markup=False, soft_wrap=True)
        console.print(f"  {stale.problem}", highlight=False, markup=False, soft_wrap=True)
    for where, text in report.crashes:
        console.print(f"crashed {where}", style="red", highlight=False, soft_wrap=True)
        console.print(f"  {text}", highlight=False, markup=False, soft_wrap=True)
