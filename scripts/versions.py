"""Run the suite over the versions of Paddle and torch that the register speaks of.

python scripts/versions.py                          every run, each in an environment of its own
python scripts/versions.py --only paddle.nn-3.1     runs whose names contain a text
python scripts/versions.py --out REPORTS --reuse --readme    rewrite the READMEs' table

An environment is made where there is none yet, by pip with its own settings (for torch's CPU build,
set PIP_EXTRA_INDEX_URL), and kept. Each run leaves a report, NAME.json, which
scripts/register_patterns.py takes. The exit status is 1 where a run has a difference that is not
registered, or lacks one that is.
"""

from __future__ import annotations

import argparse
import configparser
import os
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import pages  # noqa: E402

from conformance.checks import PROFILES, VERDICTS  # noqa: E402
from conformance.findings import Report  # noqa: E402

PADDLES = ("3.1.1", "3.2.2", "3.3.1")
TORCH = "2.13.0"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "paddle_margin"


@dataclass(frozen=True)
class Run:
    """One run of the suite.

    Args:
        implementation: what is checked.
        pins: what must be installed, with its version, the most telling first.
    """

    implementation: str
    pins: Mapping[str, str]

    @property
    def name(self) -> str:
        """Its name, and its report's."""
        return f"{self.implementation}-{next(iter(self.pins.values()))}"

    @property
    def environment(self) -> str:
        """The name of its environment, which runs with the same pins share."""
        return "-".join(next(iter(self.pins.items())))


RUNS = (
    *(Run("paddle.nn", {"paddlepaddle": version}) for version in PADDLES),
    # Beside torch, Paddle answers what only its own layers and shards can say.
    Run("torch.nn", {"torch": TORCH, "paddlepaddle": PADDLES[-1]}),
    *(Run("paddle_margin.nn", {"paddlepaddle": version}) for version in PADDLES),
)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the command."""
    options = _parser().parse_args(argv)
    runs = [run for run in RUNS if options.only in run.name]
    if not runs:
        raise SystemExit(f"versions: --only {options.only!r}: {', '.join(r.name for r in RUNS)}")
    options.out.mkdir(parents=True, exist_ok=True)
    reports = {run.name: _report(run, options) for run in runs}
    print("\n".join(_summary(reports)))
    if options.readme:
        pages.update("versions", table(reports))
    return 1 if any(report.failures for report in reports.values()) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--venvs", type=Path, default=CACHE / "venvs", metavar="FOLDER", help="of environments")
    add("--out", type=Path, default=CACHE / "reports", metavar="FOLDER", help="of the reports")
    add("--only", default="", metavar="TEXT", help="runs whose names contain it")
    add("--profile", choices=PROFILES, default="quick")
    add("-n", type=int, default=os.cpu_count() or 1, metavar="PROCESSES")
    add("--limit", type=float, default=60.0, metavar="SECONDS", help="that a check may take")
    add("--reuse", action="store_true", help="reports that are there instead of runs")
    add("--readme", action="store_true", help="rewrite the table of README and README.zh-CN")
    return parser


def _report(run: Run, options: argparse.Namespace) -> Report:
    """The report of a run, made now or there already."""
    path = options.out / f"{run.name}.json"
    if not (options.reuse and path.exists()):
        python = environment(options.venvs / run.environment, run.pins)
        print(f"{run.name}: checking", flush=True)
        start = time.monotonic()
        command = [str(python), "-m", "conformance", "-i", run.implementation]
        command += ["--profile", options.profile, "-n", str(options.n), "--json", str(path)]
        command.append(f"--limit={options.limit}")
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode not in (0, 1):
            raise SystemExit(f"versions: {run.name}: {done.stderr.strip()}")
        print(f"{run.name}: {time.monotonic() - start:.0f} s", flush=True)
    return Report.read(path)


def environment(folder: Path, pins: Mapping[str, str]) -> Path:
    """The interpreter of an environment with what the suite needs; made where it is not ready.

    Args:
        folder: where it is.
        pins: packages and their versions.
    """
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not is_ready(python, pins):
        print(f"{folder.name}: installing into {folder}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        wanted = [*(f"{name}=={version}" for name, version in pins.items()), *requirements()]
        subprocess.run([str(python), "-m", "pip", "install", "-q", *wanted], check=True)
    return python


def is_ready(python: Path, pins: Mapping[str, str]) -> bool:
    """Whether an environment has its pins, which pip installs together with all else."""
    if not python.exists():
        return False
    code = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    done = subprocess.run([str(python), "-c", code, *pins], capture_output=True, text=True)
    installed = [version.partition("+")[0] for version in done.stdout.split()]
    return done.returncode == 0 and installed == list(pins.values())


def requirements() -> list[str]:
    """What the library and its suite need besides Paddle, from setup.cfg."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    extras = config["options.extras_require"]
    lines = [config["options"]["install_requires"], extras["cpu"], extras["test"]]
    names = [line.strip() for text in lines for line in text.splitlines()]
    return [name for name in names if name and not name.startswith(("#", "paddlepaddle"))]


def _summary(reports: Mapping[str, Report]) -> list[str]:
    """What each run found, in Markdown."""
    head = ["run", *VERDICTS, "no longer", "broken", "seconds"]
    return _table(
        head,
        (
            [name, *map(r.count, VERDICTS), len(r.stale), len(r.broken), int(r.seconds)]
            for name, r in reports.items()
        ),
    )


def table(reports: Mapping[str, Report]) -> str:
    """What each version gets wrong, and what each run found, in Markdown."""
    lines: list[str] = []
    for name in dict.fromkeys(report.implementation for report in reports.values()):
        own = {key: r for key, r in reports.items() if r.implementation == name}
        versions = [key.rpartition("-")[2] for key in own]
        lines += [*_table([f"`{name}`", *versions], _differences(list(own.values()))), ""]
    found = ([name, *map(report.count, VERDICTS)] for name, report in reports.items())
    return "\n".join([*lines, *_table(["run", *VERDICTS], found)])


def _differences(reports: Sequence[Report]) -> Iterable[list[object]]:
    """How many checks each difference fails in each version.

    Those of the list of 24 by their number, then defects of a reference and what some versions
    have and others do not, then the rest together.
    """
    counts = [Counter(finding.entry for finding in report.findings) for report in reports]
    entries = {entry["id"]: entry for report in reports for entry in report.register}
    groups: dict[object, list[str]] = defaultdict(list)
    for entry_id, entry in entries.items():
        found = {count[entry_id] for count in counts}
        apart = f"`{entry_id}`" if entry["defect"] or len(found) > 1 else ""
        groups[entry["divergence"] or apart].append(entry_id)
    others = groups.pop("", [])
    numbers = sorted(number for number in groups if isinstance(number, int))
    for number in numbers:
        names = ", ".join(f"`{each}`" for each in groups[number])
        yield [f"{number}. {names}", *_counted(groups.pop(number), counts)]
    yield from ([name, *_counted(ids, counts)] for name, ids in groups.items())
    if others:
        yield [f"{len(others)} others", *_counted(others, counts)]


def _counted(ids: Sequence[str], counts: Sequence[Counter[str]]) -> list[object]:
    return [sum(count[i] for i in ids) or "–" for count in counts]


def _table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> list[str]:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return [f"| {' | '.join(map(_cell, line))} |" for line in lines]


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    sys.exit(main())
