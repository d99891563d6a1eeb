"""Known differences of an implementation: read, matched with failures, and kept honest.

Strict: an entry whose checks no longer fail is a failure itself.
"""

from __future__ import annotations

import fnmatch
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from conformance.checks import CONFORMANT, DEFECT, KNOWN
from conformance.findings import Stale
from conformance.implementation import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT = Path(__file__).with_name("register.toml")
REQUIRED = {"id": str, "implementation": str, "versions": str, "reason": str, "checks": list}
OPTIONAL = {"divergence": int, "link": str, "measured": str, "defect": bool}


@dataclass(frozen=True)
class Entry:
    """One known difference.

    Args:
        id: its name.
        implementation: whose difference it is.
        versions: a PEP 440 specifier.
        reason: what is different, and why.
        checks: patterns over ids of checks; ``*`` stands for anything, ``{a,b}`` for either.
        divergence: its number in the list of divergences.
        link: the upstream thread.
        measured: its numbers.
        defect: whether it is a defect of a reference (clause C3), which then has that verdict.
    """

    id: str
    implementation: str
    versions: SpecifierSet
    reason: str
    checks: tuple[str, ...]
    divergence: Optional[int] = None
    link: Optional[str] = None
    measured: str = ""
    defect: bool = False

    @property
    def verdict(self) -> str:
        """The verdict of a check that it knows."""
        return DEFECT if self.defect else KNOWN


class Register:
    """The entries that speak of one implementation in one version.

    Args:
        entries: those entries.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = tuple(entries)
        self._compiled = [
            (entry, pattern, re.compile("|".join(map(fnmatch.translate, alternatives(pattern)))))
            for entry in self.entries
            for pattern in entry.checks
        ]

    def entry(self, check_id: str) -> Optional[Entry]:
        """The entry that knows a failing check, if one does."""
        return next((entry for entry, _, regex in self._compiled if regex.match(check_id)), None)

    def stale(self, verdicts: Mapping[str, str], whole: bool) -> list[Stale]:
        """Patterns whose difference no longer occurs.

        Args:
            verdicts: the verdict of each selected check by its id.
            whole: whether every check was selected; if not, a pattern without a selected
                check is not judged.
        """
        found = []
        for entry, pattern, regex in self._compiled:
            matched = {i: verdict for i, verdict in verdicts.items() if regex.match(i)}
            passed = [i for i, verdict in matched.items() if verdict == CONFORMANT]
            if passed:
                found.append(Stale(entry.id, pattern, f"{len(passed)} pass, such as {passed[0]}"))
            elif whole and entry.verdict not in matched.values():
                found.append(Stale(entry.id, pattern, "no check that ran matches it"))
        return found

    def described(self) -> list[dict[str, Any]]:
        """The entries as plain data."""
        return [
            {**vars(entry), "versions": str(entry.versions), "checks": list(entry.checks)}
            for entry in self.entries
        ]


def alternatives(pattern: str) -> list[str]:
    """``a{b,c}d`` as ``abd`` and ``acd``."""
    found = re.search(r"\{([^{}]*)\}", pattern)
    if found is None:
        return [pattern]
    before, after = pattern[: found.start()], pattern[found.end() :]
    return [each for part in found[1].split(",") for each in alternatives(f"{before}{part}{after}")]


def read(path: Path, implementation: str, version: str) -> Register:
    """The register of one implementation.

    Args:
        path: a TOML file with a list of tables ``entry``.
        implementation: its name.
        version: its version.

    Raises:
        UsageError: the file or an entry of it is wrong.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"register {path}: {error}") from error
    unknown = set(document) - {"entry"}
    if unknown:
        raise UsageError(f"register {path}: unknown key {sorted(unknown)[0]!r}")
    entries = [_entry(table, index) for index, table in enumerate(document.get("entry", []))]
    ids = [entry.id for entry in entries]
    for id in ids:
        if ids.count(id) > 1:
            raise UsageError(f"register entry {id!r}: the id occurs {ids.count(id)} times")
    return Register(
        entry
        for entry in entries
        if entry.implementation == implementation
        and entry.versions.contains(Version(version), prereleases=True)
    )


def _entry(table: Mapping[str, Any], index: int) -> Entry:
    name = f"register entry {table.get('id', f'number {index + 1}')!r}"
    for key, value in table.items():
        kind = {**REQUIRED, **OPTIONAL}.get(key)
        if kind is None:
            raise UsageError(f"{name}: unknown key {key!r}")
        if not isinstance(value, kind):
            raise UsageError(f"{name}: expected {key} to be {kind.__name__}, received {value!r}")
    for key in REQUIRED:
        if not table.get(key):
            raise UsageError(f"{name}: {key} is missing")
    try:
        versions = SpecifierSet(table["versions"])
    except InvalidSpecifier as error:
        raise UsageError(f"{name}: versions: {error}") from error
    return Entry(**{**table, "versions": versions, "checks": tuple(table["checks"])})
