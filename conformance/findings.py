"""What a run found: one finding a check, and the whole as JSON.

The schema, version 1: ``schema`` (1), ``implementation`` and ``version`` of what was checked,
``profile``, ``seed``, ``whole`` (whether every check of the profile was selected), ``seconds``,
``environment`` (versions and platform), ``hashes`` (SHA-256 of the suite's own files and of the
goldens), ``findings`` (the fields of :class:`Finding`), ``stale`` (entries of the register that do
not describe what happened: ``entry``, ``pattern``, ``problem``), ``register`` (the entries that
speak of this version) and ``broken`` (failures outside of any check). JSON has no infinity: a
``distance`` or ``ratio`` that is one, or NaN, is the text ``inf`` or ``nan``.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib import metadata
from pathlib import Path
from typing import Any, Optional

from conformance.checks import CONFORMANT, FAIL, KNOWN

SCHEMA = 1
MEASURED = ("distance", "ratio")
PACKAGES = ("paddlepaddle", "torch", "numpy", "mpmath", "hypothesis", "pytest")


@dataclass(frozen=True)
class Finding:
    """The verdict of one check, as it travels between processes and into reports.

    Args:
        id: the check's id, ``stem/row/dtype/property``.
        stem: its loss.
        row: its row.
        dtype: its dtype, or an empty text.
        name: its property.
        group: the group of the property.
        clause: the clause of the contract that it counts for.
        verdict: one of ``checks.VERDICTS``.
        text: what was expected and received, or why there is no verdict.
        entry: the register's entry that knows it, or an empty text.
        distance: the error in ULP at the worst element.
        ratio: that error over what is allowed.
        input: the arguments where the error is largest, in decimal and hex.
        histogram: how many elements are as far from exact as ``ulp.BINS`` says, in ULP of the
            largest term that went into each.
        inputs: the arguments of the row, where details were asked for.
        expected: what was expected, by which oracle, where details were asked for.
        received: what came, where details were asked for.
        script: a script that reproduces it, where details were asked for and it did not conform.
        seconds: how long the check took.
    """

    id: str
    stem: str
    row: str
    dtype: str
    name: str
    group: str
    clause: str
    verdict: str
    text: str = ""
    entry: str = ""
    distance: Optional[float] = None
    ratio: Optional[float] = None
    input: str = ""
    histogram: tuple[int, ...] = ()
    inputs: str = ""
    expected: str = ""
    received: str = ""
    script: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Stale:
    """A pattern of the register that does not describe what happened.

    Args:
        entry: the id of its entry.
        pattern: the pattern.
        problem: what happened instead.
    """

    entry: str
    pattern: str
    problem: str


@dataclass
class Report:
    """All that a run found.

    Args:
        implementation: the name of what was checked.
        version: its version.
        profile: one of ``checks.PROFILES``.
        seed: of the random rows.
        whole: whether every check of the profile was selected.
        findings: one for each check.
        stale: entries of the register that do not describe what happened.
        broken: what broke outside of any check: where, and the text.
        register: the register's entries that speak of this version, as plain data.
        environment: versions and platform.
        hashes: SHA-256 of the suite and of the goldens.
        seconds: how long the run took.
    """

    implementation: str = ""
    version: str = ""
    profile: str = "quick"
    seed: int = 0
    whole: bool = True
    findings: list[Finding] = field(default_factory=list)
    stale: list[Stale] = field(default_factory=list)
    broken: list[tuple[str, str]] = field(default_factory=list)
    register: list[dict[str, Any]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def verdicts(self) -> dict[str, str]:
        """The verdict of each check."""
        return {finding.id: finding.verdict for finding in self.findings}

    def count(self, verdict: str) -> int:
        """How many checks have a verdict."""
        return sum(finding.verdict == verdict for finding in self.findings)

    @property
    def failures(self) -> int:
        """Everything that makes the run a failure."""
        return self.count(FAIL) + len(self.stale) + len(self.broken)

    def score(self, drop_in: bool) -> tuple[int, int]:
        """How many checks conform, of those that say so or not.

        Args:
            drop_in: whether of paddle.nn's own behaviour, or of the contract.
        """
        counted = [f for f in self.findings if (f.clause == "drop-in") is drop_in]
        conformant = sum(f.verdict == CONFORMANT for f in counted)
        return conformant, conformant + sum(f.verdict in (KNOWN, FAIL) for f in counted)

    def write(self, path: Path) -> None:
        """Write the report as JSON."""
        document = {"schema": SCHEMA, **{f.name: getattr(self, f.name) for f in fields(self)}}
        document["findings"] = [_brief(finding) for finding in self.findings]
        document["stale"] = [asdict(stale) for stale in self.stale]
        write_text(path, json.dumps(document, ensure_ascii=False, allow_nan=False))

    @classmethod
    def read(cls, path: Path) -> Report:
        """Read what :meth:`write` wrote.

        Raises:
            ValueError: it is no report, or of another schema.
        """
        document = json.loads(path.read_text(encoding="utf-8"))
        schema = document.pop("schema", None) if isinstance(document, dict) else None
        if schema != SCHEMA:
            raise ValueError(f"{path}: expected a report of schema {SCHEMA}, received {schema!r}")
        document["findings"] = [_finding(each) for each in document["findings"]]
        document["stale"] = [Stale(**each) for each in document["stale"]]
        document["broken"] = [(where, text) for where, text in document["broken"]]
        return cls(**document)


def _brief(finding: Finding) -> dict[str, Any]:
    """The fields that say something."""
    empty = Finding("", "", "", "", "", "", "", "")
    said = {k: v for k, v in vars(finding).items() if v != getattr(empty, k)}
    return {k: str(v) if k in MEASURED and not math.isfinite(v) else v for k, v in said.items()}


def _finding(stored: Mapping[str, Any]) -> Finding:
    named = {**stored, "histogram": tuple(stored.get("histogram", ()))}
    named.update({k: float(stored[k]) for k in MEASURED if k in stored})
    return Finding(**{"dtype": "", **named})


def write_text(path: Path, text: str) -> None:
    """Write a file under a temporary name first, so that an interruption leaves the old one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def environment() -> dict[str, str]:
    """Versions and platform."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def hashes() -> dict[str, str]:
    """SHA-256 of the suite's own files together, and of the recording of torch."""
    folder = Path(__file__).parent
    return {
        "suite": _digest(sorted(folder.rglob("*.py"))),
        "goldens": _digest(sorted((folder / "goldens").iterdir())),
    }


def _digest(paths: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
