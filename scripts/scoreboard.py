"""Write the README's scoreboard: what the suite finds in paddle_margin.nn and in paddle.nn.

python scripts/scoreboard.py                    run the suite twice, rewrite the READMEs
python scripts/scoreboard.py --json A.json B.json   use reports that are there already
python scripts/scoreboard.py --check            fail where a README is not what it would write

Correctness is the contract's; drop-in is how often paddle_margin.nn gives paddle.nn's own result on
the inputs that its documentation speaks of, and scored apart, as the two conflict.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Optional

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import pages  # noqa: E402

from conformance.findings import Report  # noqa: E402

IMPLEMENTATIONS = ("paddle_margin.nn", "paddle.nn")


def run(implementation: str, folder: Path) -> Path:
    """Run the suite; where its report is."""
    path = folder / f"{implementation}.json"
    command = [sys.executable, "-m", "conformance", "-i", implementation, "--json", str(path)]
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
    return path


def table(ours: Report, theirs: Report) -> str:
    """The scoreboard in Markdown."""
    head = ["loss", "checks", "`paddle_margin.nn` is right", "`paddle.nn` is right"]
    drop_in = bool(ours.score(True)[1])
    head += ["`paddle_margin.nn` drops in"] if drop_in else []
    stems = sorted({finding.stem for finding in ours.findings})
    rows = [_row(stem, *(_of(stem, report) for report in (ours, theirs))) for stem in stems]
    rows.append(_row("all", ours, theirs))
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *(row[: len(head)] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _of(stem: str, report: Report) -> Report:
    return replace(report, findings=[f for f in report.findings if f.stem == stem])


def _row(name: str, ours: Report, theirs: Report) -> list[str]:
    scores = (ours.score(False), theirs.score(False), ours.score(True))
    return [name, f"{len(ours.findings):,}", *(_share(*score) for score in scores)]


def _share(conformant: int, made: int) -> str:
    return f"{conformant:,} of {made:,}" if made else "–"


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the command; 1 where ``--check`` finds another scoreboard."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", nargs=2, type=Path, metavar=("OURS", "PADDLE"))
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        paths = options.json or [run(name, Path(folder)) for name in IMPLEMENTATIONS]
        scoreboard = table(*map(Report.read, paths))
    stale = pages.update("scoreboard", scoreboard, options.check)
    if options.check and stale:
        print(f"scoreboard: {', '.join(stale)} should be written again")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
