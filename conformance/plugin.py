"""The suite as a pytest plugin: one item a check, one verdict an item.

Items are made without fixtures and report once, as there are tens of thousands of them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import pytest

from conformance import processes, register
from conformance.cases import all_losses
from conformance.checker import Checker
from conformance.checks import CONFORMANT, FAIL, KNOWN, Check, Verdict, checks_of, failed
from conformance.implementation import Implementation, UsageError, load
from conformance.report import Finding, Report

CASES = Path(__file__).with_name("cases")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The suite's own options."""
    group = parser.getgroup("conformance")
    group.addoption("--implementation", default="paddle_margin.nn", help="what is under test")
    group.addoption("--torch", choices=("recorded", "live"), default="recorded")
    group.addoption("--register", default=str(register.DEFAULT), help="known differences")
    group.addoption("--every-mode", action="store_true", help="each mode in each dtype")


def pytest_configure(config: pytest.Config) -> None:
    """Import what is under test, and read its register."""
    try:
        run = Run(
            config.getoption("implementation"),
            config.getoption("torch") == "live",
            Path(config.getoption("register")),
        )
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error
    config.pluginmanager.register(run, "conformance-run")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Optional[pytest.Collector]:
    """Collect the rows of each loss from its file."""
    losses = all_losses()
    if file_path.parent == CASES and file_path.stem in losses:
        return Rows.from_parent(parent, path=file_path)
    return None


class Rows(pytest.File):
    """The checks of one loss."""

    def collect(self) -> Iterator[Item]:
        """One item a check."""
        every_mode = self.config.getoption("every_mode")
        for check in checks_of(all_losses()[self.path.stem], every_mode):
            yield Item.from_parent(self, name=check.id, check=check)


class Item(pytest.Item):
    """One check."""

    def __init__(self, *, check: Check, **named: Any) -> None:
        super().__init__(**named)
        self.check = check

    def runtest(self) -> None:
        """Never called: ``Run`` makes the check and reports it."""
        raise NotImplementedError

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where the row is."""
        return self.path, None, self.name


class Run:
    """One run: makes the checks where they run, collects their verdicts where they are shown."""

    def __init__(self, implementation: str, live_torch: bool, known: Path) -> None:
        self.implementation: Implementation = load(implementation, list(all_losses().values()))
        self._live_torch = live_torch
        self._register = register.read(known, self.implementation.name, self.implementation.version)
        self._checker: Optional[Checker] = None
        self._deselected = 0
        self.report = Report()
        own = processes.part()
        flags = os.O_WRONLY | os.O_CREAT
        self._last = os.open(own[1].with_suffix(".last"), flags) if own else None

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Remember that not all was selected."""
        self._deselected += len(items)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Prepare for what was selected."""
        checks = [item.check for item in session.items if isinstance(item, Item)]
        self._checker = Checker(self.implementation, self._live_torch, checks)

    def pytest_runtest_protocol(self, item: pytest.Item) -> Optional[bool]:
        """Make one check, and report it once."""
        if not isinstance(item, Item):
            return None
        assert self._checker is not None
        self._note(item.check.id)
        start = time.time()
        verdict = self._judged(item.check, self._checker)
        report = _report(item, verdict, start, self._deselected == 0)
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def _note(self, check_id: str) -> None:
        """Leave behind what is being checked, in case it ends the process."""
        if self._last is not None:
            os.pwrite(self._last, f"{check_id:<300}".encode(), 0)

    def _judged(self, check: Check, checker: Checker) -> Verdict:
        try:
            verdict = checker.run(check)
        except Exception as error:
            verdict = failed(f"the suite itself failed: {type(error).__name__}: {error}")
        entry = self._register.entry(check.id) if verdict.status == FAIL else None
        if entry is None:
            return verdict
        return Verdict(KNOWN, f"{entry.id}: {verdict.text}", verdict.measure)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Keep a verdict."""
        found = getattr(report, "finding", None)
        if found is not None:
            self.report.add(Finding(**found), report.whole)
        elif report.failed:
            self.report.crashed(report.nodeid, str(report.longrepr))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Judge the register, where all verdicts are."""
        if self._checker is not None:
            self._checker.close()
        if processes.part() is None:
            self.judge(self.report)

    def judge(self, report: Report) -> None:
        """Hold the register against all that was found."""
        self.report = report
        report.stale = self._register.stale(report.statuses(), report.whole)


def _report(item: Item, verdict: Verdict, start: float, whole: bool) -> pytest.TestReport:
    outcome: Any = {CONFORMANT: "passed", FAIL: "failed"}.get(verdict.status, "skipped")
    text: Any = verdict.text or None
    extra: dict[str, Any] = {"wasxfail": verdict.text} if verdict.status == KNOWN else {}
    if outcome == "skipped" and not extra:
        text = (str(item.path), 0, verdict.text)
    check, measure = item.check, verdict.measure
    finding = {
        "id": check.id,
        "stem": check.loss.stem,
        "dtype": check.dtype,
        "name": check.name,
        "group": check.group,
        "status": verdict.status,
        "text": verdict.text,
        "distance": measure.distance if measure else None,
        "ratio": measure.ratio if measure else None,
        "input": measure.input if measure else "",
    }
    stop = time.time()
    return pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords={},
        outcome=outcome,
        longrepr=text,
        when="call",
        duration=stop - start,
        start=start,
        stop=stop,
        finding=finding,
        whole=whole,
        **extra,
    )
