"""The suite as a pytest plugin: one item a check, one verdict an item.

Items are made without fixtures and report once, as there are tens of thousands of them. A check
that does not end, or that ends its process, is that check's failure: a worker of pytest-xdist
dies of it, and another goes on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Optional

import pytest

from conformance import findings, register
from conformance.cases import all_losses
from conformance.checker import Checker
from conformance.checks import CONFORMANT, FAIL, KNOWN, PROFILES, Check, Verdict, checks_of, failed
from conformance.clauses import clauses_of
from conformance.findings import Finding, Report
from conformance.implementation import Implementation, UsageError, load
from conformance.progress import Progress
from conformance.watch import LIMIT, Watch

CASES = Path(__file__).with_name("cases")


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
        self._part, self._parts = (int(n) for n in config.getoption("fraction").split("/"))
        self._checker: Optional[Checker] = None
        self._deselected = 0
        self._is_worker = hasattr(config, "workerinput")
        self._watch = Watch(config.getoption("watch"), config.getoption("limit"), self._is_worker)
        self._progress = Progress(shown=not self._is_worker)
        self.report = Report(
            made.name, made.version, config.getoption("profile"), config.getoption("seed")
        )

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep one part of the rows, where the run is split."""
        if self._parts == 1:
            return
        rows = dict.fromkeys(item.name.rpartition("/")[0] for item in items)
        mine = {row for n, row in enumerate(rows) if n % self._parts == self._part - 1}
        kept = [item for item in items if item.name.rpartition("/")[0] in mine]
        self._deselected += len(items) - len(kept)
        items[:] = kept

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Remember that not all was selected."""
        self._deselected += len(items)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Prepare for what was selected."""
        checks = [item.check for item in session.items if isinstance(item, Item)]
        self._progress.expect(len(checks))
        self._checker = Checker(self.implementation, self._live_torch, checks)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        """Learn how many checks the workers found."""
        self._progress.expect(len(ids))

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
            verdict = self._watch.given_up(check) or _judged(check, checker)
            entry = self._register.entry(check.id) if verdict.status == FAIL else None
            detail = checker.detail(check, verdict) if self._details else {}
        if entry is not None:
            verdict = Verdict(entry.verdict, verdict.text, verdict.measure)
        return finding_of(
            check,
            verdict,
            entry=entry.id if entry else "",
            seconds=round(time.perf_counter() - start, 6),
            **detail,
        )

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
        self._watch.died(check)
        text = f"expected an answer, received the end of the process; {self._watch.limit_text()}"
        entry = self._register.entry(check_id)
        verdict = failed(text) if entry is None else Verdict(entry.verdict, text)
        found = finding_of(check, verdict, entry=entry.id if entry else "")
        self.report.findings.append(found)

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
            whole = report.whole and self._parts == 1
            report.stale = self._register.stale(report.verdicts(), whole)
            report.register = self._register.described()
            report.environment = findings.environment()
            report.hashes = findings.hashes()


def _judged(check: Check, checker: Checker) -> Verdict:
    try:
        return checker.run(check)
    except Exception as error:
        return failed(f"the suite itself failed: {type(error).__name__}: {error}")


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
    outcome: Any = {CONFORMANT: "passed", FAIL: "failed"}.get(finding.verdict, "skipped")
    text: Any = finding.text or None
    extra: dict[str, Any] = {}
    if finding.verdict == KNOWN:
        extra = {"wasxfail": f"{finding.entry}: {finding.text}"}
    elif outcome == "skipped":
        text = (str(item.path), 0, f"{finding.verdict}: {finding.text}")
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
        finding=asdict(finding),
        whole=whole,
        **extra,
    )
