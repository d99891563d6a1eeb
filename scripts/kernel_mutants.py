"""Plant errors in the C source of the kernels, and see the suite and the kernels' tests find each.

python scripts/kernel_mutants.py                    every planted error
python scripts/kernel_mutants.py --only wrong_tail  this one
python scripts/kernel_mutants.py --list             what is wrong in each, run nothing

scripts/kernel_mutants.toml describes the errors. Each is compiled into a folder of its own and
meets the rows of one loss, run by the kernels, and tests/test_fused.py. The source as it is comes
first, and must pass both. Exit status 0 where every error is found.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Optional

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

import pages

sys.path.insert(0, str(pages.ROOT))

from rich.console import Console
from rich.table import Table

from conformance.cases import all_losses
from conformance.checks import FAIL
from conformance.findings import Report

PLANTS = Path(__file__).with_suffix(".toml")
KERNELS = Path("paddle_margin", "_kernels")
BUILT_FROM = ("setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE", "paddle_margin")
TESTS = "tests/test_fused.py"
FIELDS = {"id": str, "wrong": str, "loss": str, "changes": list}
PATIENCE = 600
"""Seconds that a run may take; a kernel that hangs is found too."""


@dataclass(frozen=True)
class Plant:
    """A planted error.

    Args:
        id: its name.
        wrong: what is wrong.
        loss: the stem of the loss whose rows are to find it.
        changes: file, text and replacement of each change.
        profile: of the suite.
        rows: more of what is selected, as ``-k`` takes it.
    """

    id: str
    wrong: str
    loss: str
    changes: tuple[tuple[str, str, str], ...]
    profile: str = "quick"
    rows: str = ""


@dataclass(frozen=True)
class Found:
    """What found a plant; empty texts where nothing did.

    Args:
        plant: its id.
        failed: how many checks of the suite fail.
        check: the first of them.
        test: the test of the kernels that fails first.
    """

    plant: str
    failed: int
    check: str
    test: str


def read(path: Path) -> list[Plant]:
    """The planted errors.

    Raises:
        ValueError: an entry that is not whole, or one name twice.
    """
    found: list[Plant] = []
    for number, entry in enumerate(tomllib.loads(path.read_text(encoding="utf-8"))["plants"], 1):
        where = f"{path.name}: entry {number}"
        wrong = [n for n, kind in FIELDS.items() if not isinstance(entry.get(n), kind)]
        if wrong or set(entry) - {*FIELDS, "profile", "rows"}:
            raise ValueError(f"{where}: expected {sorted(FIELDS)}, received {sorted(entry)}")
        if entry["loss"] not in all_losses() or entry["id"] in {each.id for each in found}:
            raise ValueError(f"{where}: expected a loss's stem and a new id, received {entry}")
        changes = tuple((file, old, new) for file, old, new in entry["changes"])
        found.append(Plant(**{**entry, "changes": changes}))
    return found


def plant(error: Optional[Plant], folder: Path) -> None:
    """Copy the source into a folder, with an error.

    Raises:
        ValueError: a text that is not found exactly once.
    """
    for name in BUILT_FROM:
        source = pages.ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("*.so", "*.dylib", "*.pyd", "__pycache__")
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder)
    for file, old, new in error.changes if error else ():
        path = folder / KERNELS / file
        text = path.read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise ValueError(f"{file}: expected once, received {text.count(old)} times: {old}")
        path.write_text(text.replace(old, new), encoding="utf-8")


def build(folder: Path) -> Path:
    """Compile a copy of the source; where its library lies."""
    command = ["setup.py", "-q", "build_ext", "--build-lib", "built", "--build-temp", "objects"]
    subprocess.run([sys.executable, *command], cwd=folder, check=True)
    built = folder / "built" / KERNELS
    if not any(built.iterdir()):
        raise FileNotFoundError(f"expected a library in {built}, received none")
    return built


def run(command: Sequence[str], environment: Mapping[str, str]) -> tuple[Optional[int], str]:
    """The exit status of a command, ``None`` where it takes too long, and its last lines."""
    started = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", *command],
        cwd=pages.ROOT,
        env={**os.environ, "GLOG_minloglevel": "3", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said = started.communicate(timeout=PATIENCE)[0]
    except subprocess.TimeoutExpired:
        return None, "time-out"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
    return started.returncode, said


def by_suite(library: Path, profile: str, rows: str) -> tuple[int, str]:
    """How many checks fail, and the first; 1 and how it ended where there is no report."""
    report = library / "report.json"
    command = ["conformance", "--profile", profile, "-k", rows, "-n", "1", "--json", str(report)]
    environment = {"PADDLE_MARGIN_LIBRARY": str(library), "PADDLE_MARGIN_BACKEND": "fused"}
    status, said = run(command, environment)
    failed = []
    if report.exists():
        failed = [each.id for each in Report.read(report).findings if each.verdict == FAIL]
    if failed or status == 0:
        return len(failed), failed[0] if failed else ""
    return 1, f"exit status {status}: {' '.join(said.split()[-20:])}"


def by_tests(library: Path) -> str:
    """The first test of the kernels that fails."""
    status, said = run(
        ["pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider", TESTS],
        {"PADDLE_MARGIN_LIBRARY": str(library)},
    )
    failed = [line.split()[1].partition("::")[2] for line in said.splitlines() if "FAILED" in line]
    return failed[0] if failed else "" if status == 0 else f"exit status {status}"


def judge(error: Plant) -> Found:
    """Build an error, and have it looked for."""
    with tempfile.TemporaryDirectory(prefix="kernel-mutant-") as folder:
        plant(error, Path(folder))
        library = build(Path(folder))
        rows = f"{error.loss}/ and ({error.rows})" if error.rows else f"{error.loss}/"
        failed, check = by_suite(library, error.profile, rows)
        return Found(error.id, failed, check, by_tests(library))


def check_source(plants: Sequence[Plant]) -> None:
    """See that the source as it is passes what the errors have to meet.

    Raises:
        SystemExit: it does not.
    """
    with tempfile.TemporaryDirectory(prefix="kernel-mutant-") as folder:
        plant(None, Path(folder))
        library = build(Path(folder))
        rows = " or ".join(sorted({f"{each.loss}/" for each in plants}))
        found = by_suite(library, "quick", rows)[1] or by_tests(library)
        if found:
            raise SystemExit(f"kernel_mutants: the source as it is fails: {found}")


def table(plants: Sequence[Plant], found: Sequence[Found]) -> Table:
    """What found each error."""
    shown = Table(title="Planted errors, and what finds them", title_justify="left")
    for column in ("error", "what is wrong", "checks", "the first", "the first test"):
        shown.add_column(column, overflow="fold", justify="right" if column == "checks" else "left")
    wrong = {each.id: each.wrong for each in plants}
    for each in found:
        shown.add_row(each.plant, wrong[each.plant], str(each.failed or ""), each.check, each.test)
    return shown


def _options(argv: Optional[Sequence[str]], plants: Sequence[Plant]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [each.id for each in plants]
    parser.add_argument("--only", action="append", choices=names, metavar="ID", help="only this")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all results")
    parser.add_argument("--list", action="store_true", help="print the errors, run nothing")
    return parser.parse_args(argv)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the command."""
    plants = read(PLANTS)
    options = _options(argv, plants)
    plants = [each for each in plants if each.id in (options.only or each.id)]
    console = Console()
    if options.list:
        for each in plants:
            console.print(f"{each.id}: {each.wrong}", markup=False, highlight=False)
        return 0
    check_source(plants)
    found = []
    for each in plants:
        found.append(judge(each))
        by = found[-1].check or found[-1].test or "NOT FOUND"
        console.print(f"{each.id}: {by}", markup=False, highlight=False, soft_wrap=True)
    console.print(table(plants, found))
    missed = [each.plant for each in found if not (each.check or each.test)]
    if options.json:
        document: list[dict[str, Any]] = [asdict(each) for each in found]
        pages.write(options.json, json.dumps(document, indent=1) + "\n")
    console.print(f"{len(found) - len(missed)} of {len(found)} planted errors found", style="bold")
    for name in missed:
        console.print(f"not found: {name}", style="red")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
