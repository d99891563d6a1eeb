"""Break the library one place at a time, and count what the suite catches.

python scripts/mutation_score.py                       every mutant of every file
python scripts/mutation_score.py --limit 300           300 of them, of each file as many
python scripts/mutation_score.py --only hinge_embedding --only _sums
python scripts/mutation_score.py --readme              write the table of the README pages

Exit status 0 where the score is high enough and scripts/mutation_survivors.toml explains every
survivor, and nothing else; 1 otherwise.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import json
import os
import platform
import random
import resource
import shlex
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Optional

import pages

sys.path.insert(0, str(pages.ROOT))
# Children run beside each other, and threads do not survive a fork.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("GLOG_minloglevel", "3")

from mutation import children, plan, suite, survivors
from mutation.mutants import Mutant, mutants
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from conformance.case import Loss
from conformance.cases import all_losses
from conformance.checks import GROUPS

PACKAGE = pages.ROOT / suite.PACKAGE
SHARED = (
    "_backend",
    "_checks",
    "_distance",
    "_fused",
    "_layer",
    "_numerics",
    "_spellings",
    "_sums",
)
"""What several losses are made of. ``_context`` searches the memory of Paddle's objects, where a
mutant writes anywhere, and ``_kernels`` finds the library, processors and instruction sets of the
machine: what a mutant of them changes is where the process ends or how long a loss takes."""
AT_LEAST = 98.0
"""Per cent that the suite must catch of the mutants that are a change."""
KINDS = (*GROUPS, suite.TESTS, plan.IMPORT, children.CRASH, children.TIME_OUT)


@dataclass(frozen=True)
class Result:
    """A mutant and what became of it.

    Args:
        mutant: the mutant.
        found: what became of it.
        seconds: how long that took.
        reason: why nothing catches it, where that is known.
    """

    mutant: Mutant
    found: suite.Found
    seconds: float
    reason: Optional[survivors.Reason]


def files() -> dict[str, str]:
    """The files that are mutated, by stem, relative to the package; those of losses first."""
    losses = sorted(all_losses())
    return {
        **{stem: f"_losses/{stem}.py" for stem in losses},
        **{stem: f"{stem}.py" for stem in SHARED},
    }


def chosen(by_file: Sequence[Sequence[Mutant]], limit: Optional[int], seed: int) -> list[Mutant]:
    """So many of the mutants, each file's share the same as far as it has them.

    Args:
        by_file: all mutants, by file.
        limit: how many; ``None`` for all.
        seed: of the sample.
    """
    rng = random.Random(seed)
    shuffled = [rng.sample(each, len(each)) for each in by_file]
    taken = [found for found in shuffled if found]
    count = sum(map(len, taken)) if limit is None else limit
    picked: list[Mutant] = []
    for index in range(max(map(len, taken), default=0)):
        picked += [found[index] for found in taken if index < len(found)]
    return picked[:count]


class Run:
    """One run: a traced one of the library as it is, then its mutants.

    Args:
        losses: all losses.
        jobs: how many children run at a time.
        progress: where it shows how far it is.
    """

    def __init__(self, losses: Sequence[Loss], jobs: int, progress: Progress) -> None:
        self._losses = losses
        self._jobs = jobs
        self._progress = progress

    def prepare(self, folder: Path) -> plan.Plan:
        """Run the suite on the library as it is, under each backend, and the kernels' tests.

        Raises:
            SystemExit: it fails there.
        """
        suite.remember(self._losses)
        gc.collect()
        gc.freeze()
        plain = suite.compiled(pages.ROOT, folder / "plain")
        runs: list[Optional[tuple[Loss, str]]] = [
            (loss, backend) for loss in self._losses for backend in plan.BACKENDS
        ]
        runs.append(None)
        task = self._progress.add_task("the library as it is", total=len(runs))
        reaches = {}
        for run, ended in children.run(runs, partial(self._as_it_is, plain), self._jobs):
            failed = [f"{ended.failure} in {ended.last}"] if ended.failure else ended.result.failed
            if failed:
                raise SystemExit(f"mutation_score: the library itself fails: {failed[0]}")
            if run is not None:
                reaches[run[0].stem, run[1]] = ended.result
            self._advance(task)
        texts = {file: (PACKAGE / file).read_text(encoding="utf-8") for file in files().values()}
        return plan.Plan(self._losses, reaches, texts)

    def _as_it_is(
        self, plain: Path, run: Optional[tuple[Loss, str]], say: children.Say
    ) -> plan.Reach:
        """A loss under a backend; ``None`` stands for the tests of the kernels."""
        if run is not None:
            return suite.trace(plain, run[0], self._losses, run[1], say)
        found = suite.tested(plain, self._losses, say)
        return plan.Reach((f"{found.check}: {found.text}",) if found.kind else (), {})

    def judge(self, planned: plan.Plan, made: Sequence[Mutant], folder: Path) -> list[Result]:
        """Run the suite on every mutant."""
        reasons = survivors.read(survivors.DEFAULT)
        numbers = {mutant: number for number, mutant in enumerate(made)}

        def work(mutant: Mutant, say: children.Say) -> suite.Found:
            own = suite.mutated(folder / "plain", folder / str(numbers[mutant]), mutant)
            return suite.judge(own, planned.steps(mutant), self._losses, say)

        task = self._progress.add_task("mutants", total=len(made))
        results = []
        for mutant, ended in children.run(made, work, self._jobs):
            found = suite.Found(ended.failure, ended.last) if ended.failure else ended.result
            reason = None if found.kind else reasons.get(mutant.key)
            results.append(Result(mutant, found, ended.seconds, reason))
            self._advance(task)
        return results

    def _advance(self, task: TaskID) -> None:
        self._progress.advance(task)
        self._progress.refresh()


def counts(results: Sequence[Result]) -> tuple[int, int, int]:
    """How many mutants there are, are caught, and are no change at all."""
    caught = sum(bool(each.found.kind) for each in results)
    same = sum(each.reason is not None and each.reason.equivalent for each in results)
    return len(results), caught, same


def share(part: int, whole: int) -> str:
    """A share in per cent, rounded down: 99.97 % is not 100 %."""
    return f"{int(1000 * part / whole) / 10:.1f} %" if whole else "–"


def table(results: Sequence[Result]) -> Table:
    """What caught the mutants of each file."""
    shown = Table(title="Mutants, and the kind of check that caught them", title_justify="left")
    all_kinds = {each.found.kind for each in results}
    present = [kind for kind in KINDS if kind in all_kinds]
    for column in ("file", "mutants", "caught", "", *present, "survivors", "equivalent"):
        shown.add_column(column, justify="left" if column == "file" else "right")
    for name, own in [*_by_file(results), ("all", list(results))]:
        mutants_, caught, same = counts(own)
        kinds = Counter(each.found.kind for each in own)
        by_kind = [str(kinds[kind] or "") for kind in present]
        left = [str(mutants_ - caught or ""), str(same or "")]
        if name == "all":
            shown.add_section()
        shown.add_row(name, str(mutants_), str(caught), share(caught, mutants_), *by_kind, *left)
    return shown


def _by_file(results: Sequence[Result]) -> list[tuple[str, list[Result]]]:
    found = []
    for stem, file in files().items():
        own = [each for each in results if each.mutant.file == file]
        if own:
            found.append((stem, own))
    return found


def markdown(results: Sequence[Result], command: str) -> str:
    """The table of the README pages."""
    lines = ["| broken | mutants | caught | | equivalent | score |", "|---|--:|--:|--:|--:|--:|"]
    for name, own in [*_by_file(results), ("all", list(results))]:
        made, caught, same = counts(own)
        shares = share(caught, made), str(same or ""), share(caught, made - same)
        lines.append(f"| `{name}` | {made:,} | {caught:,} | {' | '.join(shares)} |")
    today = datetime.datetime.now(datetime.timezone.utc).date()
    return "\n".join([*lines, "", f"{today}: `{command}`"])


def show(console: Console, results: Sequence[Result], problems: Sequence[str]) -> None:
    """Survivors, the table, the score, and what is wrong."""
    console.print(table(results))
    known = [each for each in results if each.reason]
    if known:
        listed = Table(title="Survivors with a reason", title_justify="left")
        for column in ("where", "was", "is", "because"):
            listed.add_column(column, overflow="fold")
        for each in known:
            mutant, reason = each.mutant, each.reason
            assert reason is not None
            kind = "equivalent: " if reason.equivalent else ""
            where = f"{mutant.file}:{mutant.lines[0]}"
            listed.add_row(*map(escape, (where, mutant.old, mutant.new, kind + reason.text)))
        console.print(listed)
    for problem in problems:
        console.print(problem, style="red", markup=False, highlight=False, soft_wrap=True)
    made, caught, same = counts(results)
    console.print(
        f"{caught} of {made} mutants caught, {share(caught, made)}; without the {same} that are "
        f"equivalent {share(caught, made - same)}",
        style="bold red" if problems else "bold green",
        highlight=False,
    )


def judged(results: Sequence[Result], all_mutants: Sequence[Mutant], at_least: float) -> list[str]:
    """What is wrong: survivors without a reason, reasons without a survivor, a low score."""
    found = [
        f"survives: {each.mutant.file}:{each.mutant.lines[0]} {each.mutant.function}\n"
        f"  [{json.dumps(each.mutant.old, ensure_ascii=False)}, "
        f"{json.dumps(each.mutant.new, ensure_ascii=False)}],"
        for each in results
        if not each.found.kind and each.reason is None
    ]
    caught: dict[survivors.Key, Optional[str]] = {}
    for each in results:
        if each.found.kind:
            caught.setdefault(each.mutant.key, each.found.check or each.found.kind)
        else:
            caught[each.mutant.key] = None
    stale = survivors.stale(survivors.read(survivors.DEFAULT), all_mutants, caught)
    found += [f"{survivors.DEFAULT.name}: {each}" for each in stale]
    made, right, same = counts(results)
    if 100 * right < at_least * (made - same):
        received = share(right, made - same)
        found.append(f"expected a score of at least {at_least} %, received {received}")
    return found


def report(results: Sequence[Result], options: argparse.Namespace, seconds: float) -> str:
    """Everything as JSON."""
    import paddle

    made, caught, same = counts(results)
    document: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "paddle": paddle.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "seed": options.seed,
        "limit": options.limit,
        "seconds": round(seconds, 1),
        "mutants": made,
        "caught": caught,
        "equivalent": same,
        "results": [
            {
                "file": each.mutant.file,
                "line": each.mutant.lines[0],
                "function": each.mutant.function,
                "operator": each.mutant.operator,
                "old": each.mutant.old,
                "new": each.mutant.new,
                "caught_by": each.found.kind,
                "check": each.found.check,
                "text": each.found.text,
                "reason": each.reason.text if each.reason else "",
                "equivalent": bool(each.reason and each.reason.equivalent),
                "seconds": round(each.seconds, 2),
            }
            for each in results
        ],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _options(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", action="append", choices=sorted(files()), metavar="STEM", help="only this file"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="so many mutants")
    parser.add_argument("--seed", type=int, default=0, help="of the sample and the order")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("--at-least", type=float, default=AT_LEAST, metavar="PER_CENT")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all results")
    parser.add_argument("--list", action="store_true", help="print the mutants, run nothing")
    parser.add_argument(
        "--readme", action="store_true", help="write the tables of the README pages"
    )
    options = parser.parse_args(argv)
    if options.readme and options.only:
        parser.error("--readme needs every file: expected no --only")
    if options.jobs < 1 or (options.limit is not None and options.limit < 1):
        parser.error("--limit and --jobs: expected a number above 0")
    return options


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the command."""
    options = _options(argv)
    wanted = [file for stem, file in files().items() if stem in (options.only or files())]
    by_file = {
        file: mutants((PACKAGE / file).read_text(encoding="utf-8"), file)
        for file in files().values()
    }
    made = chosen([by_file[file] for file in wanted], options.limit, options.seed)
    every = [mutant for each in by_file.values() for mutant in each]
    console = Console()
    if options.list:
        for mutant in made:
            line = f"{mutant.operator:10} {survivors.shown(mutant.key)}"
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        return 0
    started = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    # Its own thread would not survive the forks, and what it holds would stay locked.
    shown = Progress(
        *columns, TimeRemainingColumn(), console=Console(stderr=True), auto_refresh=False
    )
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder, shown as progress:
        run = Run(list(all_losses().values()), options.jobs, progress)
        results = run.judge(run.prepare(Path(folder)), made, Path(folder))
    seconds = time.monotonic() - started
    results.sort(key=lambda each: (wanted.index(each.mutant.file), each.mutant.lines))
    problems = judged(results, every, options.at_least)
    show(console, results, problems)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    console.print(
        f"{seconds:.0f} s with {options.jobs} at a time, "
        f"{used.ru_utime + used.ru_stime:.0f} s of the processor",
        highlight=False,
    )
    if options.json:
        pages.write(options.json, report(results, options, seconds))
    if options.readme:
        given = shlex.join(["python", "scripts/mutation_score.py", *(argv or sys.argv[1:])])
        pages.update("mutation", markdown(results, given))
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
