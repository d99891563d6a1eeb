"""One process a loss: a crash is that loss's failure, and two losses run side by side."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Optional

from conformance.report import Finding, Report

PART = "CONFORMANCE_PART"
"""The variable that tells a process which loss is its own, and the file of its findings."""

LONGEST = 1800
"""Seconds after which a process counts as hanging."""


def part() -> Optional[tuple[str, Path]]:
    """The loss of this process and where its findings go, where it runs one of several."""
    stem, _, path = os.environ.get(PART, "").partition(":")
    return (stem, Path(path)) if stem else None


def save(report: Report, path: Path) -> None:
    """Write what a process found, under a temporary name first."""
    found = {
        "findings": [asdict(finding) for finding in report.findings],
        "crashes": report.crashes,
        "whole": report.whole,
    }
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(found), encoding="utf-8")
    temporary.replace(path)


def run(arguments: Sequence[str], stems: Sequence[str], workers: int, junit: str) -> Report:
    """Run the command once for each loss.

    Args:
        arguments: the command's own arguments.
        stems: the losses, those that take longest first.
        workers: how many processes run at a time.
        junit: where the verdicts go as JUnit XML, if anywhere.
    """
    report = Report()
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        with ThreadPoolExecutor(workers) as pool:
            ends = list(pool.map(lambda stem: _run(arguments, stem, Path(folder)), stems))
        for stem, end in zip(stems, ends):
            _take(report, stem, end, Path(folder, f"{stem}.json"))
        if junit:
            _join([Path(folder, f"{stem}.xml") for stem in stems], Path(junit))
    return report


def _run(arguments: Sequence[str], stem: str, folder: Path) -> str:
    """How the process of one loss ended, where it did not end by itself."""
    environment = {**os.environ, PART: f"{stem}:{folder / f'{stem}.json'}"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    command = [sys.executable, "-m", "conformance", *arguments]
    try:
        done = subprocess.run(
            [*command, "--junit-xml", str(folder / f"{stem}.xml")],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LONGEST,
        )
    except subprocess.TimeoutExpired:
        return f"the process did not end in {LONGEST} s"
    if done.returncode < 0:
        return f"the process died of signal {-done.returncode}"
    said = done.stderr.strip().splitlines()
    return f"exit status {done.returncode}: {said[-1] if said else 'no message'}"


def _take(report: Report, stem: str, end: str, path: Path) -> None:
    if not path.exists():
        last = path.with_suffix(".last")
        where = last.read_text(encoding="utf-8").strip() if last.exists() else stem
        report.crashed(where, end)
        report.whole = False
        return
    found = json.loads(path.read_text(encoding="utf-8"))
    for finding in found["findings"]:
        report.add(Finding(**finding), found["whole"])
    for where, text in found["crashes"]:
        report.crashed(where, text)


def _join(parts: Sequence[Path], path: Path) -> None:
    """One JUnit file of several."""
    suites = ET.Element("testsuites")
    for each in parts:
        if each.exists():
            suites.extend(ET.parse(each).getroot())
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    ET.ElementTree(suites).write(temporary, encoding="utf-8", xml_declaration=True)
    temporary.replace(path)
