"""``python -m conformance``: checks an implementation of the margin losses."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NoReturn, Optional

FAILED, USAGE = 1, 2
IN_PROCESS = 1000
"""So few checks are made in this process: starting others takes longer."""


class _Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        _refuse(message)


def _refuse(message: str) -> NoReturn:
    print(f"conformance: {' '.join(message.split())}", file=sys.stderr)
    raise SystemExit(USAGE)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m conformance", description=__doc__, allow_abbrev=False)
    _add_implementation(parser)
    parser.add_argument("--torch", default="recorded", choices=("recorded", "live"))
    parser.add_argument(
        "-k", metavar="EXPRESSION", help="only checks whose id matches, as in pytest"
    )
    parser.add_argument(
        "-n",
        metavar="PROCESSES",
        type=int,
        default=os.cpu_count() or 1,
        help="how many losses run at a time, each in a process of its own; 0: all in this one",
    )
    parser.add_argument("--junit-xml", metavar="FILE", help="write the verdicts as JUnit XML")
    parser.add_argument("--register", metavar="FILE", help="known differences, instead of our own")
    parser.add_argument("--every-mode", action="store_true", help="each mode in each dtype")
    parser.add_argument("--list", action="store_true", help="print the ids of the checks")
    return parser


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
    if given[:1] == ["reproduce"]:
        return _reproduce(given[1:])
    options = _parser().parse_args(given)
    return _list(options) if options.list else _run(options, given)


def _reproduce(argv: Sequence[str]) -> int:
    from conformance import reproduce
    from conformance.implementation import UsageError

    parser = _Parser(prog="python -m conformance reproduce", allow_abbrev=False)
    parser.add_argument("case", metavar="CASE_ID", help="STEM/ROW[/DTYPE[/PROPERTY]]")
    _add_implementation(parser)
    options = parser.parse_args(argv)
    try:
        print(reproduce.script(options.case, options.implementation), end="")
    except UsageError as error:
        _refuse(str(error))
    return 0


def _list(options: argparse.Namespace) -> int:
    from conformance.cases import all_losses
    from conformance.checks import checks_of

    for loss in all_losses().values():
        for check in checks_of(loss, options.every_mode):
            print(check.id)
    return 0


def _run(options: argparse.Namespace, given: Sequence[str]) -> int:
    from rich.console import Console

    from conformance import plugin, processes, report

    _quieten()
    own = processes.part()
    if own is not None:
        ran = _pytest(options, *_junit(options)).run
        assert isinstance(ran, plugin.Run)
        processes.save(ran.report, own[1])
        return FAILED if ran.report.failures else 0
    selected = _selected(options)
    if options.n > 1 and sum(selected.values()) > IN_PROCESS:
        run = _loaded(options)
        stems = sorted(selected, key=lambda stem: -selected[stem])
        run.judge(processes.run(given, stems, options.n, options.junit_xml or ""))
    else:
        run = _pytest(options, *_junit(options)).run
    assert isinstance(run, plugin.Run)
    console = Console(width=None if sys.stdout.isatty() else 80)
    report.show_header(console, run.implementation)
    default = options.implementation == "paddle_margin.nn"
    report.show(console, run.report, [] if default else ["-i", options.implementation])
    return FAILED if run.report.failures else 0


def _loaded(options: argparse.Namespace) -> Any:
    from conformance import plugin, register
    from conformance.implementation import UsageError

    try:
        known = Path(options.register or register.DEFAULT)
        return plugin.Run(options.implementation, options.torch == "live", known)
    except UsageError as error:
        _refuse(str(error))


def _selected(options: argparse.Namespace) -> Mapping[str, int]:
    """How many checks of each loss are selected."""
    if options.k is None:
        from conformance.cases import all_losses
        from conformance.checks import checks_of

        losses = all_losses().values()
        return {loss.stem: len(checks_of(loss, options.every_mode)) for loss in losses}
    stems = _pytest(options, "--collect-only").stems
    if not stems:
        _refuse(f"-k {options.k!r} selects no check; --list prints their ids")
    return stems


def _quieten() -> None:
    """Keep the user's pytest settings out, and Python's and Paddle's messages off the terminal."""
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        os.environ.pop(name, None)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.environ["PYTHONWARNINGS"] = "ignore"
    os.environ.setdefault("GLOG_minloglevel", "3")
    warnings.simplefilter("ignore")


def _pytest(options: argparse.Namespace, *more: str) -> _Keeper:
    """Run pytest once; anything but passes and failures is bad usage."""
    import pytest

    keeper = _Keeper()
    errors = StringIO()
    with redirect_stderr(errors), redirect_stdout(errors):
        status = pytest.main([*_pytest_arguments(options), *more], plugins=[keeper])
    codes = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
    if keeper.run is None or status not in codes:
        said = [line for line in errors.getvalue().splitlines() if line.strip()]
        _refuse(said[-1].replace("ERROR: ", "") if said else f"pytest ended with {status!r}")
    return keeper


def _junit(options: argparse.Namespace) -> list[str]:
    return [f"--junit-xml={os.path.abspath(options.junit_xml)}"] if options.junit_xml else []


def _pytest_arguments(options: argparse.Namespace) -> list[str]:
    """Pytest's arguments; nothing of the user's own configuration is read."""
    from conformance import processes

    folder = Path(__file__).parent
    own = processes.part()
    collected = folder / "cases" / f"{own[0]}.py" if own else folder / "cases"
    arguments = [str(collected), "-c", os.devnull, f"--rootdir={folder}", "--noconftest"]
    arguments += ["-p", "no:cacheprovider", "-p", "no:terminal", "-p", "no:warnings", "-s"]
    arguments += ["-p", "conformance.plugin"]
    arguments += [f"--implementation={options.implementation}", f"--torch={options.torch}"]
    if options.k is not None:
        arguments += ["-k", options.k]
    if options.register:
        arguments += [f"--register={os.path.abspath(options.register)}"]
    return [*arguments, "--every-mode"] if options.every_mode else arguments


class _Keeper:
    """Takes out of pytest what is gone after it: the run, and what was selected."""

    run: Any = None

    def __init__(self) -> None:
        self.stems: Counter[str] = Counter()

    def pytest_sessionstart(self, session: Any) -> None:
        """Keep the run."""
        self.run = session.config.pluginmanager.getplugin("conformance-run")

    def pytest_collection_finish(self, session: Any) -> None:
        """Count the checks of each loss."""
        self.stems = Counter(item.check.loss.stem for item in session.items)


if __name__ == "__main__":
    raise SystemExit(main())
