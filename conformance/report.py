"""What a run found, for a person to read: rich tables, plain where they are piped."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from conformance import torch_reference
from conformance.case import FLOAT_DTYPES
from conformance.checks import (
    CONFORMANT,
    DEFECT,
    FAIL,
    GROUPS,
    KNOWN,
    NOT_RUN,
    UNSPECIFIED,
    VERDICTS,
)
from conformance.findings import Finding, Report

COLOURS = {
    CONFORMANT: "green",
    KNOWN: "yellow",
    DEFECT: "magenta",
    UNSPECIFIED: "cyan",
    NOT_RUN: "bright_black",
    FAIL: "bold red",
}
SHOWN = 20
"""How many failures are shown."""


def show_header(console: Console, report: Report) -> None:
    """What was under test, against what, on what."""
    line = f"conformance of {report.implementation} {report.version}, profile {report.profile}"
    console.print(line, style="bold", highlight=False)
    torch = torch_reference.manifest().get("torch", "not recorded")
    found = report.environment
    versions = (
        f"paddle {found.get('paddlepaddle', 'of another name')}, torch's results {torch}, "
        f"numpy {found['numpy']}, python {found['python']}"
    )
    console.print(versions, highlight=False, soft_wrap=True)
    console.print(found["platform"], highlight=False, soft_wrap=True)


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
    _show_scores(console, report)
    console.print(_summary(report), highlight=False, soft_wrap=True)


def _show_scores(console: Console, report: Report) -> None:
    """Correctness and drop-in behaviour, which conflict, each by itself."""
    for text, drop_in in (("the contract", False), ("paddle.nn's documented domain", True)):
        agree, made = report.score(drop_in)
        if made:
            console.print(f"{text}: {agree:,} of {made:,} agree", highlight=False)
    rate = len(report.findings) / report.seconds if report.seconds else 0
    if rate:
        text = f"{len(report.findings):,} checks in {report.seconds:,.0f} s, {rate:,.0f} a second"
        console.print(text, highlight=False)


def _summary(report: Report) -> Text:
    """How many checks have each verdict, each in its colour."""
    parts = [
        (f"{report.count(verdict)} {verdict}", COLOURS[verdict])
        for verdict in VERDICTS
        if report.count(verdict)
    ]
    if report.stale:
        parts.append((f"{len(report.stale)} registered differences no longer occur", "bold red"))
    if report.broken:
        parts.append((f"{len(report.broken)} broken", "bold red"))
    return Text(", ").join(Text(text, style) for text, style in parts)


def _counts(report: Report) -> Table:
    table = Table(title="Checks", title_justify="left", box=box.SIMPLE)
    table.add_column("loss, checks of")
    for verdict in VERDICTS:
        table.add_column(verdict.replace(" ", "\n"), justify="right", style=COLOURS[verdict])
    counted = Counter((f.stem, f.group, f.verdict) for f in report.findings)
    for stem in sorted({f.stem for f in report.findings}):
        table.add_row(stem, style="bold")
        for group in GROUPS:
            row = [counted[stem, group, verdict] for verdict in VERDICTS]
            if any(row):
                table.add_row(f"  {group}", *(str(n) if n else "" for n in row))
    return table


def _worst(report: Report) -> Table:
    """The largest share of its budget that each loss and dtype uses, of what passes."""
    table = Table(
        title="Nearest to its budget, of what passes", title_justify="left", box=box.SIMPLE
    )
    for column, justify in (("loss, dtype", "left"), ("of", "left")):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    table.add_column("ULP", justify="right")
    table.add_column("budget", justify="right")
    table.add_column("row and input", overflow="fold")
    measured = [f for f in report.findings if f.ratio is not None and f.verdict == CONFORMANT]
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
    reasons = Counter(f.text for f in report.findings if f.verdict == NOT_RUN)
    if not reasons:
        return
    table = Table(title="Not run", title_justify="left", box=box.SIMPLE)
    table.add_column("checks", justify="right")
    table.add_column("because", overflow="fold")
    for reason, count in reasons.most_common(SHOWN):
        table.add_row(str(count), reason[:160])
    if len(reasons) > SHOWN:
        table.add_row("", f"and {len(reasons) - SHOWN} other reasons")
    console.print(table)


def _show_failures(console: Console, report: Report, arguments: Sequence[str]) -> None:
    failed = [f for f in report.findings if f.verdict == FAIL]
    options = "".join(f" {shlex.quote(argument)}" for argument in arguments)
    for finding in failed[:SHOWN]:
        console.print(f"{FAIL} {finding.id}", style=COLOURS[FAIL], highlight=False, soft_wrap=True)
        console.print(f"  {finding.text}", highlight=False, markup=False, soft_wrap=True)
        command = f"  python -m conformance reproduce{options} {finding.id}"
        console.print(command, style="dim", highlight=False, soft_wrap=True)
    if len(failed) > SHOWN:
        console.print(f"and {len(failed) - SHOWN} other failures", style="red", highlight=False)
    for stale in report.stale:
        text = f"registered difference no longer occurs: {stale.entry}: {stale.pattern}"
        console.print(text, style="red", highlight=False, markup=False, soft_wrap=True)
        console.print(f"  {stale.problem}", highlight=False, markup=False, soft_wrap=True)
    for where, text in report.broken:
        console.print(f"broken {where}", style="red", highlight=False, soft_wrap=True)
        console.print(f"  {text}", highlight=False, markup=False, soft_wrap=True)
