"""``python -m conformance``: checks an implementation of the margin losses."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any, Optional

from conformance import commands
from conformance.checks import PROFILES
from conformance.findings import Report, write_text
from conformance.usage import FAILED, Parser, refuse


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m conformance",
        description=__doc__,
        epilog="Other commands, each with --help: " + ", ".join(COMMANDS),
        allow_abbrev=False,
    )
    _add_implementation(parser)
    add = parser.add_argument
    add("--profile", choices=PROFILES, default="quick", help="how much is checked")
    add("--fraction", metavar="I/N", default="1/1", type=_fraction, help="the I-th of N parts")
    add("--seed", type=int, default=0, help="of the random rows")
    add("--torch", default="recorded", choices=("recorded", "live"))
    add("-k", metavar="EXPRESSION", help="only checks whose id matches, as in pytest")
    add(
        "-n",
        metavar="PROCESSES",
        type=int,
        default=os.cpu_count() or 1,
        help="pytest-xdist's workers; 0: this process, which a crash then ends",
    )
    add("--limit", metavar="SECONDS", type=float, default=60.0, help="that a check may take")
    add("--json", metavar="FILE", help="write the report as JSON")
    add("--html", metavar="FILE", help="write the report as one page")
    add("--junit-xml", metavar="FILE", help="write the verdicts as JUnit XML")
    add("--register", metavar="FILE", help="known differences, instead of our own")
    add("--list", action="store_true", help="print the ids of the checks")
    return parser


def _fraction(text: str) -> str:
    part, _, parts = text.partition("/")
    if not (part.isdigit() and parts.isdigit() and 1 <= int(part) <= int(parts)):
        raise argparse.ArgumentTypeError(f"expected I/N with I from 1 to N, received {text!r}")
    return text


def _add_implementation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-i",
        "--implementation",
        default="paddle_margin.nn",
        metavar="NAME",
        help="paddle_margin.nn, paddle.nn, torch.nn, MODULE or MODULE:ATTRIBUTE",
    )


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the command.

    Returns:
        0 where nothing failed, 1 where something did, 2 for bad usage.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    if given and given[0] in COMMANDS:
        return COMMANDS[given[0]](given[1:])
    options = _parser().parse_args(given)
    return _list(options) if options.list else _run(options)


def _reproduce(argv: Sequence[str]) -> int:
    from conformance import reproduce
    from conformance.implementation import UsageError

    parser = Parser(prog="python -m conformance reproduce", allow_abbrev=False)
    parser.add_argument("case", metavar="CASE_ID", help="STEM/ROW[/DTYPE[/PROPERTY]]")
    _add_implementation(parser)
    options = parser.parse_args(argv)
    try:
        print(reproduce.script(options.case, options.implementation), end="")
    except UsageError as error:
        refuse(str(error))
    return 0


def _list(options: argparse.Namespace) -> int:
    from conformance.cases import all_losses
    from conformance.checks import checks_of, part_of

    losses = all_losses().values()
    every = [c.id for loss in losses for c in checks_of(loss, options.profile, options.seed)]
    print("\n".join(part_of(every, options.fraction)))
    return 0


def _run(options: argparse.Namespace) -> int:
    from rich.console import Console

    from conformance import report

    for path in filter(None, (options.json, options.html, options.junit_xml)):
        if not Path(path).absolute().parent.is_dir():
            refuse(f"{path}: expected a file in a folder that is there")
    _quieten()
    found = _checked(options)
    if options.json:
        found.write(Path(options.json))
    if options.html:
        from conformance import page

        page.write([found], Path(options.html))
    console = Console(width=None if sys.stdout.isatty() else 80)
    report.show_header(console, found)
    default = options.implementation == "paddle_margin.nn"
    report.show(console, found, [] if default else ["-i", options.implementation])
    return FAILED if found.failures else 0


def _quieten() -> None:
    """Keep the user's pytest settings out, and Python's and Paddle's messages off the terminal."""
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        os.environ.pop(name, None)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.environ["PYTHONWARNINGS"] = "ignore"
    os.environ.setdefault("GLOG_minloglevel", "3")
    warnings.simplefilter("ignore")


def _checked(options: argparse.Namespace) -> Report:
    """Run pytest once; anything but passes and failures is bad usage."""
    import pytest

    keeper = _Keeper()
    errors = StringIO()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        Path(folder, "watch").mkdir()
        junit = Path(folder, "junit.xml")
        arguments = [*_pytest_arguments(options), f"--watch={folder}/watch"]
        if options.junit_xml:
            arguments.append(f"--junit-xml={junit}")
        with redirect_stderr(errors), redirect_stdout(errors):
            status = pytest.main(arguments, plugins=[keeper])
        codes = pytest.ExitCode
        if keeper.run is None or status not in (codes.OK, codes.TESTS_FAILED):
            if keeper.run is not None and keeper.run.ended_because:
                refuse(keeper.run.ended_because)
            if status == codes.NO_TESTS_COLLECTED:
                part = "" if options.fraction == "1/1" else f" of part {options.fraction}"
                refuse(f"-k {options.k!r} selects no check{part}; --list prints their ids")
            if status == codes.INTERRUPTED:
                refuse("interrupted; no report was written")
            said = [line for line in errors.getvalue().splitlines() if line.strip()]
            refuse(said[-1].replace("ERROR: ", "") if said else f"pytest ended with {status!r}")
        if options.junit_xml:
            write_text(Path(options.junit_xml), junit.read_text(encoding="utf-8"))
    found: Report = keeper.run.report
    found.seconds = round(time.perf_counter() - start, 1)
    return found


def _pytest_arguments(options: argparse.Namespace) -> list[str]:
    """Pytest's arguments; nothing of the user's own configuration is read."""
    folder = Path(__file__).parent
    arguments = [str(folder / "cases"), "-c", os.devnull, f"--rootdir={folder}", "--noconftest"]
    arguments += ["-p", "no:cacheprovider", "-p", "no:terminal", "-p", "no:warnings", "-s"]
    arguments += ["-p", "no:faulthandler"]
    arguments += ["-p", "xdist.plugin", "-p", "conformance.plugin"]
    # A loss's checks stay together until a worker has nothing left to do.
    if options.n:
        # What ends a worker counts as a failure; the plugin says when it happens too often.
        arguments += [f"-n{options.n}", "--dist=worksteal", "--max-worker-restart=9999"]
    for name in ("implementation", "torch", "profile", "fraction", "seed", "limit"):
        arguments.append(f"--{name}={getattr(options, name)}")
    if options.k is not None:
        arguments += ["-k", options.k]
    if options.register:
        arguments.append(f"--register={os.path.abspath(options.register)}")
    return [*arguments, "--details"] if options.json or options.html else arguments


class _Keeper:
    """Takes the run out of pytest, where it is gone afterwards."""

    run: Any = None

    def pytest_sessionstart(self, session: Any) -> None:
        """Keep the run."""
        self.run = session.config.pluginmanager.getplugin("conformance-run")


COMMANDS = {
    "reproduce": _reproduce,
    "report-upstream": lambda argv: import_module("conformance.upstream").main(argv),
    "page": commands.page,
    "compare": commands.compare,
    "coverage": commands.coverage,
    "ulp": commands.ulp,
}
"""What the first argument may be."""


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        refuse("interrupted")
