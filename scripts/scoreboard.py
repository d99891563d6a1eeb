"""Write the README's scoreboard: what the suite finds in paddle_margin.nn and in paddle.nn.

python scripts/scoreboard.py                    run the suite twice, rewrite README.md
python scripts/scoreboard.py --junit A.xml B.xml    use runs that are there already
python scripts/scoreboard.py --check            fail where README.md is not what it would write
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("README.md", "README.zh-CN.md")
IMPLEMENTATIONS = ("paddle_margin.nn", "paddle.nn")
BEGIN, END = "<!-- scoreboard -->", "<!-- end of scoreboard -->"


def run(implementation: str, folder: Path) -> Path:
    """Run the suite; its verdicts as JUnit XML."""
    path = folder / f"{implementation}.xml"
    command = [sys.executable, "-m", "conformance", "-i", implementation, "--junit-xml", str(path)]
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
    return path


def counts(path: Path) -> dict[str, Counter[str]]:
    """For each loss, how many checks agree, differ and were not run."""
    found: dict[str, Counter[str]] = {}
    for case in ET.parse(path).iter("testcase"):
        loss = found.setdefault(case.get("name", "").split("/")[0], Counter())
        skipped = case.find("skipped")
        if skipped is not None and skipped.get("type") != "pytest.xfail":
            loss["not run"] += 1
        elif skipped is not None or case.find("failure") is not None:
            loss["differ"] += 1
        else:
            loss["agree"] += 1
    return found


def table(ours: dict[str, Counter[str]], theirs: dict[str, Counter[str]]) -> str:
    """The scoreboard in Markdown."""
    lines = [
        "| loss | checks | `paddle_margin.nn` agrees | `paddle.nn` agrees |",
        "|---|---:|---:|---:|",
    ]
    lines += [_line(loss, ours[loss], theirs[loss]) for loss in sorted(ours)]
    lines.append(_line("all", _total(ours), _total(theirs)))
    return "\n".join(lines)


def _total(found: dict[str, Counter[str]]) -> Counter[str]:
    return sum(found.values(), Counter())


def _line(loss: str, ours: Counter[str], theirs: Counter[str]) -> str:
    return f"| {loss} | {sum(ours.values()):,} | {_share(ours)} | {_share(theirs)} |"


def _share(found: Counter[str]) -> str:
    made = found["agree"] + found["differ"]
    return f"{found['agree']:,} of {made:,}" if made else "–"


def with_scoreboard(text: str, scoreboard: str) -> str:
    """A page with its scoreboard replaced."""
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"scoreboard: expected the line {BEGIN}, received none")
    return pattern.sub(lambda _: f"{BEGIN}\n{scoreboard}\n{END}", text)


def write(path: Path, text: str) -> None:
    """Write a file under a temporary name, then rename it."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the command; 1 where ``--check`` finds another scoreboard."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--junit", nargs=2, type=Path, metavar=("OURS", "PADDLE"))
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        paths = options.junit or [run(name, Path(folder)) for name in IMPLEMENTATIONS]
        scoreboard = table(*map(counts, paths))
    stale = []
    for page in (ROOT / name for name in PAGES):
        text = page.read_text(encoding="utf-8")
        wanted = with_scoreboard(text, scoreboard)
        if wanted != text:
            stale.append(page.name)
            if not options.check:
                write(page, wanted)
    if options.check and stale:
        print(f"scoreboard: {', '.join(stale)} should be written again")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
