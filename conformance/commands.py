"""Commands that read reports, or the suite itself, and check nothing."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Optional

from rich import box
from rich.console import Console
from rich.table import Table

from conformance import clauses
from conformance.accuracy import Accuracy, accuracies, bin_texts, budget_text, ulp_text
from conformance.cases import all_losses
from conformance.checks import PROFILES, checks_of
from conformance.comparison import Comparison
from conformance.findings import Report
from conformance.report import COLOURS
from conformance.usage import FAILED, Parser, refuse

SHOWN = 20
"""How many checks of one kind are listed."""
PIPED = 100
"""Columns where the output is no terminal."""
BARS = "▁▂▃▄▅▆▇█"


def page(argv: Sequence[str]) -> int:
    """Write reports side by side as one HTML page."""
    from conformance import page

    parser = Parser(prog="python -m conformance page", description=page.__doc__)
    parser.add_argument("out", metavar="OUT.html", type=Path)
    parser.add_argument("reports", metavar="REPORT.json", type=Path, nargs="+")
    options = parser.parse_args(argv)
    reports = [_read(path) for path in options.reports]
    try:
        page.write(reports, options.out)
    except OSError as error:
        refuse(f"{options.out}: {error}")
    return 0


def compare(argv: Sequence[str]) -> int:
    """Say what became better and worse between two reports; 1 where something became worse."""
    parser = Parser(prog="python -m conformance compare", description=compare.__doc__)
    parser.add_argument("old", metavar="OLD.json", type=Path)
    parser.add_argument("new", metavar="NEW.json", type=Path)
    parser.add_argument("--all", action="store_true", help=f"list all, not {SHOWN} of a kind")
    options = parser.parse_args(argv)
    old, new = _read(options.old), _read(options.new)
    found = Comparison(old, new)
    _show_comparison(_console(), found, sys.maxsize if options.all else SHOWN)
    return FAILED if found.is_worse else 0


def _show_comparison(console: Console, found: Comparison, shown: int) -> None:
    for name, report in (("old", found.old), ("new", found.new)):
        text = f"{name}: {report.implementation} {report.version}, profile {report.profile}"
        part = "" if report.whole else ", a part of it"
        console.print(f"{text}, seed {report.seed}{part}", highlight=False, soft_wrap=True)
    console.print(_transitions(found))
    for title, style, pairs in (
        ("worse", "bold red", found.worse),
        ("better", "green", found.better),
    ):
        for before, after in pairs[:shown]:
            text = f"{title}: {after.id}: {before.verdict} -> {after.verdict}"
            console.print(text, style=style, highlight=False, soft_wrap=True)
            if title == "worse" and after.text:
                console.print(f"  {after.text}", highlight=False, markup=False, soft_wrap=True)
        _show_rest(console, len(pairs) - shown)
    for before, after in found.less_accurate[:shown]:
        text = (
            f"less accurate within its budget: {after.id}: {ulp_text(before.distance)} -> "
            f"{ulp_text(after.distance)} ULP, {budget_text(before.ratio)} -> "
            f"{budget_text(after.ratio)} of what is allowed"
        )
        console.print(text, style="yellow", highlight=False, soft_wrap=True)
    _show_rest(console, len(found.less_accurate) - shown)
    for where, text in found.broken:
        console.print(f"worse: broken {where}", style="bold red", highlight=False, soft_wrap=True)
        console.print(f"  {text}", highlight=False, markup=False, soft_wrap=True)
    worse = len(found.worse) + len(found.broken)
    counts = (
        f"{worse} worse, {len(found.better)} better, {len(found.less_accurate)} less accurate, "
        f"{len(found.new_checks)} new, {len(found.gone)} gone"
    )
    console.print(counts, style="bold red" if worse else "", highlight=False, soft_wrap=True)


def _show_rest(console: Console, left: int) -> None:
    if left > 0:
        console.print(f"and {left} others", style="dim", highlight=False)


def _transitions(found: Comparison) -> Table:
    """How many checks went from which verdict to which."""
    table = Table(box=box.SIMPLE)
    for column in ("old", "new"):
        table.add_column(column)
    table.add_column("checks", justify="right")
    for (before, after), count in found.transitions():
        texts = (
            f"[{COLOURS[verdict]}]{verdict}[/]" if verdict else "[dim]no such check[/]"
            for verdict in (before, after)
        )
        table.add_row(*texts, f"{count:,}")
    return table


def coverage(argv: Sequence[str]) -> int:
    """Say how many rows check each clause of each loss; 1 where a cell has none."""
    parser = Parser(prog="python -m conformance coverage", description=coverage.__doc__)
    parser.add_argument("--profile", choices=PROFILES, default="full", help="of the checks")
    parser.add_argument(
        "--cases", nargs=2, metavar=("CLAUSE", "LOSS"), help="list the rows of one cell instead"
    )
    options = parser.parse_args(argv)
    losses = all_losses()
    checks = (check for loss in losses.values() for check in checks_of(loss, options.profile))
    found = clauses.coverage(losses.values(), checks)
    if options.cases:
        return _list_rows(found, *options.cases)
    console = _console()
    console.print(_coverage(found, list(losses)))
    holes = [
        f"{clause}, {stem}" for clause in found for stem in found[clause] if not found[clause][stem]
    ]
    for hole in holes:
        console.print(f"no row checks {hole}", style="bold red", highlight=False)
    for clause in clauses.CLAUSES:
        for stem, loss in losses.items():
            reason = clauses.exemption(loss, clause)
            if reason is not None:
                console.print(f"{clause} says nothing of {stem}: {reason}", highlight=False)
    return FAILED if holes else 0


def _list_rows(found: Mapping[str, Mapping[str, set[str]]], clause: str, stem: str) -> int:
    losses = all_losses()
    if clause not in found:
        refuse(f"--cases: no clause {clause!r}; there are {', '.join(found)}")
    if stem not in losses:
        refuse(f"--cases: no loss {stem!r}; there are {', '.join(losses)}")
    if stem not in found[clause]:
        refuse(
            f"--cases: {clause} says nothing of {stem}: {clauses.exemption(losses[stem], clause)}"
        )
    for row in sorted(found[clause][stem]):
        print(row)
    return 0 if found[clause][stem] else FAILED


def _coverage(found: Mapping[str, Mapping[str, set[str]]], stems: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE, padding=(0, 0, 0, 1))
    table.add_column("rows that check", overflow="fold", max_width=12)
    for stem in stems:
        table.add_column(stem.replace("_", "\n"), justify="right", vertical="bottom")
    for clause, cells in found.items():
        counts = [_cell(cells.get(stem)) for stem in stems]
        table.add_row(clause, *counts)
    return table


def _cell(rows: Optional[set[str]]) -> str:
    if rows is None:
        return "[dim]–[/]"
    return f"{len(rows):,}" if rows else "[bold red]0[/]"


def ulp(argv: Sequence[str]) -> int:
    """Show how far from exact an implementation is: histograms, and the worst inputs in hex."""
    parser = Parser(prog="python -m conformance ulp", description=ulp.__doc__)
    parser.add_argument("report", metavar="REPORT.json", type=Path)
    parser.add_argument("loss", metavar="LOSS", nargs="?", help="only this one")
    options = parser.parse_args(argv)
    report = _read(options.report)
    stems = sorted({finding.stem for finding in report.findings})
    if options.loss and options.loss not in stems:
        refuse(f"{options.report}: no loss {options.loss!r}; there are {', '.join(stems)}")
    found = accuracies(f for f in report.findings if options.loss in (None, f.stem))
    console = _console()
    console.print(f"{report.implementation} {report.version}", style="bold", highlight=False)
    scale = f"bars: ULP of the largest term, {', '.join(bin_texts())}; 3 times as many a step"
    console.print(scale, style="dim", highlight=False)
    for accuracy in found:
        _show_accuracy(console, accuracy)
    return 0


def _show_accuracy(console: Console, accuracy: Accuracy) -> None:
    """A line of figures, and one to paste: nothing of it is wrapped."""
    worst = accuracy.worst
    name = f"{accuracy.stem} {accuracy.dtype} {accuracy.quantity}"
    used = f"{ulp_text(worst.distance)} ULP, {budget_text(worst.ratio)} of its budget"
    line = f"{name:<48} {_sparkline(accuracy.counts)} {accuracy.elements:>7,} elements, {used}"
    style = "bold red" if (worst.ratio or 0.0) > 1 else "bold"
    console.print(line, style=style, highlight=False, markup=False, soft_wrap=True)
    where = f"  {worst.row}: {worst.input}"
    console.print(where, highlight=False, markup=False, soft_wrap=True)


def _sparkline(counts: Sequence[int]) -> str:
    """A bar for each count, its height logarithmic; a dot for none."""
    most = len(BARS) - 1
    return "".join(BARS[min(int(math.log(count, 3)), most)] if count else "·" for count in counts)


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else PIPED)


def _read(path: Path) -> Report:
    try:
        return Report.read(path)
    except OSError as error:
        refuse(f"{path}: {error.strerror or error}")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        refuse(f"{path}: expected a report of this suite: {type(error).__name__}: {error}")
