"""Known differences of an implementation: read, matched with failures, and kept honest.

Strict: an entry whose checks no longer fail is a failure itself. An entry is a table of
``conformance/registers/*.toml`` or of a user's own file; its keys are the fields of :class:`Entry`.
Patterns that hold in a part of its versions only stand in a table of their own,
``checks_in = {"<3.2" = [...]}``: of Paddle's versions where the entry names those, else of the
implementation's.
"""

from __future__ import annotations

import fnmatch
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Optional

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from conformance.cases import all_losses
from conformance.checks import CONFORMANT, DEFECT, KNOWN, checks_of
from conformance.findings import Stale
from conformance.implementation import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT = Path(__file__).with_name("registers")
"""A file for each implementation that we know."""
REQUIRED = {"id": str, "implementation": str, "versions": str, "reason": str}
OPTIONAL = {
    "paddle": str,
    "divergence": int,
    "link": str,
    "measured": str,
    "defect": bool,
    "unsteady": bool,
    "checks": list,
    "checks_in": dict,
}


@dataclass(frozen=True)
class Entry:
    """One known difference.

    Args:
        id: its name.
        implementation: whose difference it is.
        versions: a PEP 440 specifier.
        paddle: a specifier of Paddle's version, for what is Paddle's doing in an implementation of
            another name; ``None`` where any will do.
        reason: what is different, and why.
        checks: patterns over ids of checks; ``*`` stands for anything, ``{a,b}`` for either.
        divergence: its number in the list of divergences.
        link: the upstream thread.
        measured: its numbers.
        defect: whether it is a defect of a reference (clause C3), which then has that verdict.
        unsteady: whether it comes and goes from run to run, as what is read from uninitialised
            memory does; a check that conforms does not contradict it then.
    """

    id: str
    implementation: str
    versions: SpecifierSet
    reason: str
    checks: tuple[str, ...]
    paddle: Optional[SpecifierSet] = None
    divergence: Optional[int] = None
    link: Optional[str] = None
    measured: str = ""
    defect: bool = False
    unsteady: bool = False

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
            whole: whether every check of the profile was selected; if not, a pattern without
                a selected check is not judged. Nor is one that a larger profile's checks match.
        """
        found = []
        for entry, pattern, regex in self._compiled:
            matched = {i: verdict for i, verdict in verdicts.items() if regex.match(i)}
            passed = [i for i, verdict in matched.items() if verdict == CONFORMANT]
            if passed and not entry.unsteady:
                found.append(Stale(entry.id, pattern, f"{len(passed)} pass, such as {passed[0]}"))
            elif whole and matched and not {entry.verdict, CONFORMANT} & set(matched.values()):
                found.append(Stale(entry.id, pattern, "no check that it matches ran"))
            elif whole and not matched and not any(map(regex.match, every_check())):
                found.append(Stale(entry.id, pattern, "no check of any profile matches it"))
        return found

    def described(self) -> list[dict[str, Any]]:
        """The entries as plain data."""
        return [
            {
                **vars(entry),
                "versions": str(entry.versions),
                "paddle": None if entry.paddle is None else str(entry.paddle),
                "checks": list(entry.checks),
            }
            for entry in self.entries
        ]


def alternatives(pattern: str) -> list[str]:
    """``a{b,c}d`` as ``abd`` and ``acd``."""
    found = re.search(r"\{([^{}]*)\}", pattern)
    if found is None:
        return [pattern]
    before, after = pattern[: found.start()], pattern[found.end() :]
    return [each for part in found[1].split(",") for each in alternatives(f"{before}{part}{after}")]


@cache
def every_check() -> tuple[str, ...]:
    """The id of every check of the largest profile."""
    losses = all_losses().values()
    return tuple(check.id for loss in losses for check in checks_of(loss, "exhaustive"))


def read(path: Path, implementation: str, version: str, paddle: str = "") -> Register:
    """The register of one implementation.

    Args:
        path: a TOML file with a list of tables ``entry``, or a folder of such files.
        implementation: its name.
        version: its version.
        paddle: the version of Paddle that it runs on; an empty text where it does not.

    Raises:
        UsageError: the file or an entry of it is wrong.
    """
    return Register(
        _entry(table, paddle if "paddle" in table else version)
        for table in tables(path)
        if table["implementation"] == implementation
        and version in _range(table, "versions")
        and ("paddle" not in table or (paddle and paddle in _range(table, "paddle")))
    )


def tables(path: Path) -> list[dict[str, Any]]:
    """The entries of a register for all implementations, as they are written.

    Args:
        path: a TOML file, or a folder of such files.

    Raises:
        UsageError: the file or an entry of it is wrong.
    """
    found = []
    for file in sorted(path.glob("*.toml")) if path.is_dir() else [path]:
        try:
            document = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise UsageError(f"register {file}: {error}") from error
        unknown = set(document) - {"entry"}
        if unknown:
            raise UsageError(f"register {file}: unknown key {sorted(unknown)[0]!r}")
        for index, table in enumerate(document.get("entry", [])):
            _check(table, f"register entry {table.get('id', f'number {index + 1}')!r}")
            found.append(table)
    ids = [table["id"] for table in found]
    for id in ids:
        if ids.count(id) > 1:
            raise UsageError(f"register entry {id!r}: the id occurs {ids.count(id)} times")
    return found


def _check(table: Mapping[str, Any], name: str) -> None:
    for key, value in table.items():
        kind = {**REQUIRED, **OPTIONAL}.get(key)
        if kind is None:
            raise UsageError(f"{name}: unknown key {key!r}")
        if not isinstance(value, kind):
            raise UsageError(f"{name}: expected {key} to be {kind.__name__}, received {value!r}")
    for key in REQUIRED:
        if not table.get(key):
            raise UsageError(f"{name}: {key} is missing")
    if not table.get("checks") and not table.get("checks_in"):
        raise UsageError(f"{name}: checks is missing")
    for key, text in _ranges(table):
        try:
            SpecifierSet(text)
        except InvalidSpecifier as error:
            raise UsageError(f"{name}: {key}: {error}") from error


def _ranges(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from ((key, table[key]) for key in ("versions", "paddle") if key in table)
    yield from (("checks_in", text) for text in table.get("checks_in", {}))


def _range(table: Mapping[str, Any], key: str) -> SpecifierSet:
    return SpecifierSet(table[key], prereleases=True)


def _entry(table: Mapping[str, Any], version: str) -> Entry:
    """The entry with the patterns that hold in a version, of Paddle where it names Paddle's."""
    patterns = list(table.get("checks", ()))
    for text, more in table.get("checks_in", {}).items():
        if version in SpecifierSet(text, prereleases=True):
            patterns += more
    fields = {key: value for key, value in table.items() if key != "checks_in"}
    ranges = {key: _range(table, key) for key in ("versions", "paddle") if key in table}
    return Entry(**{**fields, **ranges, "checks": tuple(patterns)})
