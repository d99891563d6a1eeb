"""The suite as a pytest plugin: one item a check, one verdict an item.

Items are made without fixtures and report once, as there are tens of thousands of them. A check
that does not end, or that ends its process, is that check's failure: a worker of pytest-xdist
dies of it, and another goes on.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Optional

import pytest

from conformance import findings, register, reproduce
from conformance.cases import all_losses
from conformance.checker import Checker
from conformance.checks import (
    CONFORMANT,
    FAIL,
    KNOWN,
    PROFILES,
    Check,
    Verdict,
    checks_of,
    failed,
    part_of,
)
from conformance.clauses import clauses_of
from conformance.findings import Finding, Report
from conformance.implementation import Implementation, UsageError, load
from conformance.progress import Progress
from conformance.watch import LIMIT, Watch

CASES = Path(__file__).with_name("cases")
BROKEN = "the suite itself failed"
"""How the text of a failure begins that is none of the implementation's, and never registered."""
FAILED_STARTS = 3
"""Workers that may end before their first check."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The suite's own options."""
    group = parser.getgroup("conformance")
    group.addoption("--implementation", default="paddle_margin.nn", help="what is under test")
    group.addoption("--torch", choices=("recorded", "live"), default="recorded")
    group.addoption("--register", default=str(register.DEFAULT), help="known differences")
    group.addoption("--profile", choices=PROFILES, default="quick")
    group.addoption("--seed", type=int, default=0, help="of the random rows")
    group.addoption("--fraction", default="1/1", help="I/N: the I-th of N parts")
    group.addoption("--details", action="store_true", help="what a page of the report shows")
    group.addoption("--limit", type=float, default=LIMIT, help="seconds that a check may take")
    group.addoption("--watch", default="", help="a folder in which workers leave a trace")


def pytest_configure(config: pytest.Config) -> None:
    """Import what is under test, and read its register."""
    try:
        run = Run(config)
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
        option = self.config.getoption
        loss = all_losses()[self.path.stem]
        for check in checks_of(loss, option("profile"), option("seed")):
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

    def __init__(self, config: pytest.Config) -> None:
        self.implementation: Implementation = load(
            config.getoption("implementation"), list(all_losses().values())
        )
        made = self.implementation
        self._live_torch = config.getoption("torch") == "live"
        self._register = register.read(
            Path(config.getoption("register")), made.name, made.version, made.paddle
        )
        self._details = config.getoption("details")
        self._fraction = config.getoption("fraction")
        self._checker: Optional[Checker] = None
        self._deselected = 0
        worker = getattr(config, "workerinput", {}).get("workerid", "")
        self._is_worker = bool(worker)
        if worker:
            _silence()
        self._started: set[str] = set()
        self._failed_starts = 0
        self.ended_because = ""
        self._watch = Watch(config.getoption("watch"), config.getoption("limit"), worker)
        self._progress = Progress(shown=not self._is_worker)
        self.report = Report(
            made.name, made.version, config.getoption("profile"), config.getoption("seed")
        )

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep one part of the rows, where the run is split."""
        mine = set(part_of([item.name for item in items], self._fraction))
        kept = [item for item in items if item.name in mine]
        self._deselected += len(items) - len(kept)
        items[:] = kept

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Remember that not all was selected."""
        self._deselected += len(items)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Prepare for what was selected."""
        checks = [item.check for item in session.items if isinstance(item, Item)]
        self._progress.expect(len(checks))
        # What ended a process before would end it again in the graphs that rows share.
        checks = [check for check in checks if self._watch.given_up(check) is None]
        self._checker = Checker(self.implementation, self._live_torch, checks, self._watch.go_on)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        """Learn how many checks the workers found."""
        self._started.add(node.gateway.id)
        self._progress.expect(len(ids))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: Any) -> None:
        """End a run whose workers end before their first check, as they would for ever."""
        refused = getattr(node, "workeroutput", {}).get("exitstatus") == pytest.ExitCode.USAGE_ERROR
        if refused:
            self.ended_because = f"-k {node.config.option.keyword!r} is no expression of pytest"
        elif error and node.gateway.id not in self._started:
            self._failed_starts += 1
        if self._failed_starts > FAILED_STARTS:
            self.ended_because = "processes end before their first check; -n 0 starts none"
        if self.ended_because:
            pytest.exit(self.ended_because)

    def pytest_runtest_protocol(self, item: pytest.Item) -> Optional[bool]:
        """Make one check, and report it once."""
        if not isinstance(item, Item):
            return None
        assert self._checker is not None
        start = time.time()
        finding = self._found(item.check, self._checker)
        report = _report(item, finding, start, self._deselected == 0)
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def _found(self, check: Check, checker: Checker) -> Finding:
        start = time.perf_counter()
        with self._watch.over(check):
            left_out = None if checker.missing(check) else self._watch.given_up(check)
            verdict, detail = (left_out, {}) if left_out else self._judged(check, checker)
        return self._finding(check, verdict, time.perf_counter() - start, detail)

    def _judged(self, check: Check, checker: Checker) -> tuple[Verdict, dict[str, str]]:
        """The verdict of a check, and what a page shows of it, whatever the check raises."""
        anything = BaseException if self._is_worker else (Exception, SystemExit)
        try:
            verdict = checker.run(check)
            return verdict, checker.detail(check, verdict) if self._details else {}
        except anything as error:
            received = f"{type(error).__name__}: {error}".rstrip(": ")
            if isinstance(error, Exception):
                return failed(f"{BROKEN}: {received}"), {}
            return failed(f"expected an answer, received {received}"), self._script(check)

    def _script(self, check: Check) -> dict[str, str]:
        """What a page shows of a check that gave no outcome."""
        return {"script": reproduce.attempt(check, self.implementation)} if self._details else {}

    def _finding(
        self, check: Check, verdict: Verdict, seconds: float, detail: dict[str, str]
    ) -> Finding:
        """What is reported of a check: a failure that is registered is known."""
        entry = None
        if verdict.status == FAIL and not verdict.text.startswith(BROKEN):
            entry = self._register.entry(check.id)
        if entry is not None:
            verdict = Verdict(entry.verdict, verdict.text, verdict.measure)
        named = entry.id if entry else ""
        return finding_of(check, verdict, entry=named, seconds=round(seconds, 6), **detail)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Keep a verdict."""
        found = getattr(report, "finding", None)
        if found is not None:
            self._progress.advance()
            self.report.findings.append(
                Finding(**{**found, "histogram": tuple(found["histogram"])})
            )
            self.report.whole = self.report.whole and report.whole
        elif report.failed:
            self._died(report)

    def _died(self, report: Any) -> None:
        """A worker died of a check, which pytest-xdist reports in its place."""
        check_id = report.nodeid.rpartition("::")[2]
        check = self._check(check_id)
        if check is None or self._is_worker:
            self.report.broken.append((report.nodeid, str(report.longrepr)))
            return
        self._progress.advance()
        verdict = self._watch.died(check, report.node.gateway.id)
        detail = self._script(check) if verdict.status == FAIL else {}
        found = self._finding(check, verdict, 0.0, detail)
        self.report.findings.append(found)
        vars(report).update(_as_pytest(found, report.fspath), when="call")

    def _check(self, check_id: str) -> Optional[Check]:
        loss = all_losses().get(check_id.split("/")[0])
        checks = checks_of(loss, self.report.profile, self.report.seed) if loss else []
        return next((check for check in checks if check.id == check_id), None)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Judge the register, where all verdicts are."""
        self._progress.close()
        if self._checker is not None:
            self._checker.close()
        if not self._is_worker:
            report = self.report
            report.stale = self._register.stale(report.verdicts(), report.whole)
            report.register = self._register.described()
            report.environment = findings.environment()
            report.hashes = findings.hashes()


def _silence() -> None:
    """Keep what graphs and crashes write off the terminal, C++ too."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)


def finding_of(check: Check, verdict: Verdict, **more: Any) -> Finding:
    """A check and its verdict as plain data."""
    row = check.row if isinstance(check.row, str) else check.row.id
    measure = verdict.measure
    return Finding(
        check.id,
        check.loss.stem,
        row,
        check.dtype,
        check.name,
        check.group,
        clauses_of(check)[0],
        verdict.status,
        verdict.text,
        distance=measure.distance if measure else None,
        ratio=measure.ratio if measure else None,
        input=measure.input if measure else "",
        histogram=measure.histogram if measure else (),
        **more,
    )


def _report(item: Item, finding: Finding, start: float, whole: bool) -> pytest.TestReport:
    stop = time.time()
    return pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords={},
        when="call",
        duration=stop - start,
        start=start,
        stop=stop,
        finding=asdict(finding),
        whole=whole,
        **_as_pytest(finding, str(item.path)),
    )


def _as_pytest(finding: Finding, path: str) -> dict[str, Any]:
    """A verdict in pytest's own words."""
    outcome = {CONFORMANT: "passed", FAIL: "failed"}.get(finding.verdict, "skipped")
    if finding.verdict == KNOWN:
        text = f"{finding.entry}: {finding.text}"
        return {"outcome": outcome, "longrepr": text, "wasxfail": text}
    if outcome == "skipped":
        return {"outcome": outcome, "longrepr": (path, 0, f"{finding.verdict}: {finding.text}")}
    return {"outcome": outcome, "longrepr": finding.text or None}
