"""Time every loss: fused, composed, paddle.nn, torch, torch.compile and the memory's own limit.

python scripts/benchmark.py                      everything; torch's part where it is installed
python scripts/benchmark.py --quick              under a minute
python scripts/benchmark.py --only multi_margin --against paddle.nn --against torch
python scripts/benchmark.py --json new.json --compare old.json
python scripts/benchmark.py --readme             the READMEs' table, the picture, the JSON

Each contender is a process of its own, and they take turns on each case, so that what else the
machine does falls on all alike: a ratio of two medians of one run says something, a time alone
does not. ``--mapped`` reports a second regime, where memory that was freed is used again.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Optional

import pages
from bench import picture
from bench.cases import BOTH, PASSES, Case, cases
from bench.worker import CONTENDERS
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

WORKER = Path(__file__).parent / "bench" / "worker.py"
MAPPED = {"MALLOC_MMAP_THRESHOLD_": str(2**32), "MALLOC_TRIM_THRESHOLD_": str(2**40)}
"""What has glibc keep freed memory."""
OURS = "fused"
ROUNDS = 5
PATIENCE = 60
"""Seconds that a round may take: a compilation can take minutes, and some never end."""
KEPT = Path(__file__).parent / "bench"
"""Where the last run of --readme is kept."""


@dataclass(frozen=True)
class Timing:
    """The time of a step.

    Args:
        median: in microseconds.
        low: the lowest of the rounds' medians.
        high: the highest.
    """

    median: float
    low: float
    high: float


Results = dict[tuple[Case, str, str], Timing]


class Contender:
    """A process that times one contender.

    Args:
        name: its name.
        environment: variables of its own.
    """

    def __init__(self, name: str, environment: dict[str, str]) -> None:
        inherited = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
        self._environment = {**inherited, "GLOG_minloglevel": "3", **environment}
        self._name = name
        self._process = self._start()
        self._refused: set[tuple[Case, str]] = set()

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", str(WORKER), self._name],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def measure(self, case: Case, which: str, seconds: float) -> list[float]:
        """The seconds of each step of one round; none where it cannot do the case in time."""
        if (case, which) in self._refused:
            return []
        asked = {"stem": case.stem, "shape": case.shape, "which": which, "seconds": seconds}
        stdin: Optional[IO[str]] = self._process.stdin
        stdout: Optional[IO[str]] = self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(asked) + "\n")
        stdin.flush()
        impatient = threading.Timer(PATIENCE, os.killpg, (self._process.pid, signal.SIGKILL))
        impatient.start()
        try:
            for line in stdout:
                if line.startswith("\x1e"):
                    return list(json.loads(line[1:]).get("times", []))
        finally:
            impatient.cancel()
        self._process.wait()
        self._refused.add((case, which))
        self._process = self._start()
        return []

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def run(
    wanted: Sequence[Case], names: Sequence[str], environment: dict[str, str], seconds: float
) -> Results:
    """Time all cases; contenders take turns."""
    contenders = {name: Contender(name, environment) for name in names}
    found: Results = {}
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("cases", total=len(wanted) * len(PASSES))
        for case in wanted:
            for which in PASSES:
                rounds: dict[str, list[float]] = {name: [] for name in names}
                for _ in range(ROUNDS):
                    for name, contender in contenders.items():
                        times = contender.measure(case, which, seconds)
                        rounds[name] += [statistics.median(times)] if times else []
                for name, medians in rounds.items():
                    if medians:
                        low, high = min(medians) * 1e6, max(medians) * 1e6
                        middle = statistics.median(medians) * 1e6
                        found[case, which, name] = Timing(middle, low, high)
                progress.advance(task)
    for contender in contenders.values():
        contender.close()
    return found


def rows(results: Results, wanted: Sequence[Case], names: Sequence[str]) -> list[list[str]]:
    """A line a case and pass: the fused form's time, and how many times as long others take."""
    lines = []
    for case in wanted:
        for which in PASSES:
            ours = results.get((case, which, OURS))
            if ours is None:
                continue
            line = [case.stem, case.size, which, f"{ours.median:,.0f}"]
            for name in names:
                other = results.get((case, which, name))
                line.append(f"{other.median / ours.median:.2f}" if other else "–")
            lines.append(line)
    return lines


def table(lines: Sequence[Sequence[str]], names: Sequence[str]) -> Table:
    """The lines for a terminal."""
    shown = Table(title="µs of a step, and times as long as that", title_justify="left")
    for index, column in enumerate(("loss", "size", "pass", f"{OURS}, µs", *names)):
        shown.add_column(column, justify="left" if index in (0, 2) else "right")
    for line in lines:
        shown.add_row(*line)
    return shown


def markdown(lines: Sequence[Sequence[str]], names: Sequence[str], command: str) -> str:
    """The lines for the README pages, forward and backward together."""
    head = ["loss", "size", f"{OURS}, µs", *names]
    kept = [[*line[:2], *line[3:]] for line in lines if line[2] == BOTH]
    made = [head, ["---", *["---:"] * (len(head) - 1)], *kept]
    return "\n".join([*(f"| {' | '.join(line)} |" for line in made), "", f"`{command}`"])


def document(results: Results, options: argparse.Namespace) -> str:
    """Everything as JSON."""
    measured = [
        {"stem": case.stem, "shape": case.shape, "pass": which, "contender": name, **vars(timing)}
        for (case, which, name), timing in results.items()
    ]
    made: dict[str, Any] = {
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "mapped": options.mapped,
        "microseconds": measured,
    }
    return json.dumps(made, indent=1) + "\n"


def keep(results: Results, options: argparse.Namespace, names: Sequence[str]) -> None:
    """Write the picture and the JSON beside it."""
    stem = "mapped" if options.mapped else "fresh"
    steps: dict[str, dict[str, float]] = {}
    for (case, which, name), timing in results.items():
        if which == BOTH and case.shape == picture.LARGE[len(case.shape)]:
            steps.setdefault(f"{case.stem}, {case.size}", {})[name] = timing.median
    title = f"float32, mean, {os.cpu_count()} processors, {stem} memory"
    pages.write(KEPT / f"{stem}.svg", picture.draw(steps, names, title))
    pages.write(KEPT / f"{stem}.json", document(results, options))


def compare(results: Results, path: Path, console: Console) -> None:
    """Say where the ratio of the fused form to paddle.nn became another by a quarter."""
    old: Results = {}
    for each in json.loads(path.read_text(encoding="utf-8"))["microseconds"]:
        key = Case(each["stem"], tuple(each["shape"])), each["pass"], each["contender"]
        old[key] = Timing(each["median"], each["low"], each["high"])
    for case, which, name in results:
        pair = [(case, which, OURS), (case, which, "paddle.nn")]
        if name != OURS or not all(key in found for found in (old, results) for key in pair):
            continue
        before, after = (found[pair[1]].median / found[pair[0]].median for found in (old, results))
        if not 0.8 < after / before < 1.25:
            word = "faster" if after > before else "slower"
            console.print(
                f"{word}: {case.stem} {case.size} {which}: {before:.1f} → {after:.1f} "
                "times as fast as paddle.nn"
            )


def _options(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few sizes, no compilation")
    parser.add_argument("--only", action="append", default=[], metavar="STEM")
    parser.add_argument(
        "--against", action="append", choices=[name for name in CONTENDERS if name != OURS]
    )
    parser.add_argument("--mapped", action="store_true", help="keep memory that was freed")
    parser.add_argument("--seconds", type=float, help="of each round of each contender")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="what --json wrote before")
    parser.add_argument("--readme", action="store_true", help="write what the READMEs show")
    options = parser.parse_args(argv)
    if not options.against:
        options.against = [name for name in CONTENDERS if name != OURS]
        if options.quick or importlib.util.find_spec("torch") is None:
            options.against.remove("torch.compile")
        if importlib.util.find_spec("torch") is None:
            options.against.remove("torch")
    return options


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the command."""
    options = _options(argv)
    wanted = cases(options.quick, options.only)
    names = [OURS, *options.against]
    seconds = options.seconds or (0.02 if options.quick else 0.2)
    results = run(wanted, names, MAPPED if options.mapped else {}, seconds)
    lines = rows(results, wanted, options.against)
    console = Console()
    console.print(table(lines, options.against))
    if options.compare:
        compare(results, options.compare, console)
    if options.json:
        pages.write(options.json, document(results, options))
    if options.readme:
        command = " ".join(["python", "scripts/benchmark.py", *(argv or sys.argv[1:])])
        if not options.mapped:
            pages.update("benchmark", markdown(lines, options.against, command))
        keep(results, options, names)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
