"""Write the patterns of the register from reports of what really happens.

python scripts/register_patterns.py REPORT.json ...
python scripts/register_patterns.py --check REPORT.json ...

A report is what ``python -m conformance -i NAME --json REPORT.json`` writes, and holds for the
version that it was made with: of paddle.nn and torch.nn their own, of any other implementation that
of Paddle. Of several reports of one version, a check counts as different where it always is.

The entries' words are written by hand in conformance/registers/NAME.toml; which of them a
difference belongs to is said by scripts/register_rules.toml. This rewrites the entries' versions
and patterns, save those of an unsteady entry, whose patterns are written by hand too. A difference
that no rule knows is printed, and makes the exit status 1.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Optional

from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from patterns import Compressor, matching  # noqa: E402

from conformance import register  # noqa: E402
from conformance.checks import CONFORMANT, FAIL  # noqa: E402
from conformance.findings import Finding, Report, write_text  # noqa: E402

RULES = Path(__file__).with_name("register_rules.toml")
SHOWN = 40
"""How many kinds of unknown differences are printed."""
KEYS = ("id", "implementation", "versions", "paddle", "divergence", "defect", "unsteady")
WORDS = ("reason", "measured", "link")


@dataclass(frozen=True)
class Rule:
    """What a difference must be to belong to an entry; fields as in the rules' file."""

    entry: str
    implementation: str = "paddle.nn"
    losses: str = ".*"
    rows: str = ".*"
    dtypes: str = ".*"
    properties: str = ".*"
    says: str = ""
    column: bool = False

    def fits(self, finding: Finding) -> bool:
        """Whether a difference is of this kind."""
        parts = (
            (self.losses, finding.stem),
            (self.rows, finding.row),
            (self.dtypes, finding.dtype),
            (self.properties, finding.name),
        )
        return all(re.fullmatch(regex, part) for regex, part in parts) and bool(
            re.search(self.says, _plain(finding.text), re.DOTALL)
        )


@dataclass
class Version:
    """What reports of one version say together.

    Args:
        differences: those that every report has, by id.
        conformant: checks that conform in a report.
        every: all checks.
        entries: the entry of each difference, by id.
    """

    differences: dict[str, Finding] = field(default_factory=dict)
    conformant: set[str] = field(default_factory=set)
    every: set[str] = field(default_factory=set)
    entries: dict[str, str] = field(default_factory=dict)

    def add(self, report: Report) -> set[str]:
        """Add a report; returns the checks that differ in some reports only."""
        for finding in report.findings:
            self.every.add(finding.id)
            # Without an entry, a difference from paddle.nn is what the contract wants.
            if finding.verdict == FAIL or finding.entry:
                self.differences[finding.id] = finding
            elif finding.verdict == CONFORMANT:
                self.conformant.add(finding.id)
        unsteady = set(self.differences) & self.conformant
        for check_id in unsteady:
            del self.differences[check_id]
        return unsteady

    def classify(self, rules: Sequence[Rule], apart: Iterable[str]) -> list[Finding]:
        """Find the entry of each difference; returns those without one.

        Args:
            rules: what the entries know, in order.
            apart: patterns of checks that come and go.
        """
        for pattern in apart:
            for check_id in matching(pattern, self.every):
                self.differences.pop(check_id, None)
                self.conformant.discard(check_id)
        columns: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        for finding in self.differences.values():
            entry = next((rule.entry for rule in rules if rule.fits(finding)), None)
            if entry is not None:
                self.entries[finding.id] = entry
            columns[finding.stem, finding.dtype, finding.name].add(finding.id)
        conformant = {(i.split("/")[0], *i.split("/")[2:]) for i in self.conformant}
        for rule in rules:
            for column, ids in columns.items():
                if rule.column and column not in conformant and self._is_of(rule, ids):
                    self.entries.update(dict.fromkeys(ids, rule.entry))
        return [f for i, f in self.differences.items() if i not in self.entries]

    def _is_of(self, rule: Rule, ids: set[str]) -> bool:
        """Whether a column in which nothing conforms raises, and by this rule."""
        texts = [self.differences[i] for i in ids]
        raises = all(re.search(r"received \w+(Error|Exception)", found.text) for found in texts)
        return len(ids) > 3 and raises and any(map(rule.fits, texts))


@cache
def _plain(text: str) -> str:
    """A failure's text without hexadecimal numbers."""
    return re.sub(r"\s*\(-?0x[^)]*\)", "", text)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("reports", nargs="+", type=Path, metavar="REPORT.json")
    parser.add_argument("--registers", type=Path, default=register.DEFAULT, metavar="FOLDER")
    parser.add_argument("--rules", type=Path, default=RULES, metavar="FILE")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 where it would")
    options = parser.parse_args(argv)
    rules = [
        Rule(**each) for each in register.tomllib.loads(options.rules.read_text("utf-8"))["rule"]
    ]
    status = 0
    for name, versions in _versions(options.reports).items():
        own = [rule for rule in rules if rule.implementation == name]
        path = options.registers / f"{name}.toml"
        before = path.read_text(encoding="utf-8")
        tables = register.tomllib.loads(before).get("entry", [])
        unknown = [
            finding
            for minor, version in versions.items()
            for finding in version.classify(own, list(_unsteady(tables, minor)))
        ]
        _show(unknown)
        head = before.partition("[[entry]]")[0].rstrip("\n")
        text = "\n".join([f"{head}\n", *entries(tables, versions)])
        if text != before and not options.check:
            write_text(path, text)
        print(f"{path.name}: {_counted(versions)}, {len(unknown)} without a rule")
        if unknown or (text != before and options.check):
            status = 1
    return status


def _unsteady(tables: Iterable[Mapping[str, Any]], minor: str) -> Iterator[str]:
    """Patterns of what comes and goes in a version."""
    for table in tables:
        speaks = SpecifierSet(table.get("paddle", table["versions"]), prereleases=True)
        if "unsteady" in table and minor in speaks:
            yield from table["checks"]


def _show(unknown: Sequence[Finding]) -> None:
    """Print one of each kind of difference that no rule knows."""
    kinds: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in unknown:
        kinds[finding.stem, re.sub(r"[\d.]+|'.*", "", _plain(finding.text))[:60]].append(finding)
    for found in list(kinds.values())[:SHOWN]:
        print(f"no rule: {found[0].id}: {_plain(found[0].text)[:200]}, {len(found)} like it")


def _versions(paths: Iterable[Path]) -> dict[str, dict[str, Version]]:
    """What the reports say, by implementation and version, versions in order."""
    found: dict[str, dict[str, Version]] = defaultdict(lambda: defaultdict(Version))
    for path in paths:
        report = Report.read(path)
        version = report.version
        if _is_elsewhere(report.implementation):
            version = report.environment["paddlepaddle"]
        minor = ".".join(version.split(".")[:2])
        for check_id in sorted(found[report.implementation][minor].add(report)):
            print(f"unsteady: {report.implementation} {version} {check_id}")
    return {
        name: dict(sorted(own.items(), key=lambda item: _number(item[0])))
        for name, own in sorted(found.items())
    }


def _is_elsewhere(implementation: str) -> bool:
    """Whether its register goes by the version of Paddle below it."""
    return implementation not in ("paddle.nn", "torch.nn")


def _counted(versions: Mapping[str, Version]) -> str:
    return ", ".join(f"{len(each.differences)} in {name}" for name, each in versions.items())


def entries(tables: Sequence[Mapping[str, Any]], versions: Mapping[str, Version]) -> Iterator[str]:
    """The entries of a register, with the patterns of these versions.

    Args:
        tables: the entries as they are.
        versions: what happens in each version, classified.
    """
    ids = [table["id"] for table in tables]
    missing = {e for v in versions.values() for e in v.entries.values()} - set(ids)
    if missing:
        raise SystemExit(f"register_patterns: no entry {sorted(missing)[0]!r} in the register")
    every = set().union(*(version.every for version in versions.values()))
    for place, table in enumerate(tables):
        if "unsteady" in table:
            yield _entry(table, table["checks"], {})
            continue
        groups = _groups(table["id"], versions)
        earlier = set(ids[: place + 1])
        patterns = {
            together: _written(checks, [versions[name] for name in together], every, earlier)
            for together, checks in groups.items()
        }
        if patterns:
            yield _by_version(table, patterns, list(versions))
        else:
            print(f"no difference, left out: {table['id']}")


def _groups(entry: str, versions: Mapping[str, Version]) -> dict[tuple[str, ...], set[str]]:
    """The checks of an entry, by the versions in which they differ."""
    where: dict[str, list[str]] = defaultdict(list)
    for name, version in versions.items():
        for check_id, own in version.entries.items():
            if own == entry:
                where[check_id].append(name)
    found: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for check_id, names in where.items():
        found[tuple(names)].add(check_id)
    return found


def _written(
    checks: set[str], versions: Sequence[Version], every: set[str], earlier: set[str]
) -> list[str]:
    """Patterns for checks that differ in each of some versions.

    They may match what an earlier entry knows too, and what has no verdict.
    """
    forbidden: set[str] = set()
    for version in versions:
        forbidden |= version.conformant
        forbidden |= {i for i in version.differences if version.entries.get(i) not in earlier}
    found = Compressor(every, every - forbidden).patterns(checks)
    matched = set().union(*(matching(pattern, every) for pattern in found))
    assert checks <= matched, sorted(checks - matched)[:3]
    assert not matched & (forbidden - checks), sorted(matched & forbidden)[:3]
    return found


def _by_version(
    table: Mapping[str, Any], patterns: Mapping[tuple[str, ...], list[str]], names: list[str]
) -> str:
    """An entry as TOML, with patterns by the versions in which they hold."""
    all_of_it = tuple(name for name in names if any(name in group for group in patterns))
    key = "paddle" if _is_elsewhere(table["implementation"]) else "versions"
    table = {"versions": ">=0", **table, key: specifier(all_of_it, names)}
    some = sorted(set(patterns) - {all_of_it})
    own = {f".{_toml(specifier(group, names))}": patterns[group] for group in some}
    return _entry(table, patterns.get(all_of_it, []), own)


def _entry(
    table: Mapping[str, Any], checks: Sequence[str], some: Mapping[str, Sequence[str]]
) -> str:
    """An entry as TOML."""
    lines = ["[[entry]]"]
    lines += [f"{k} = {_toml(table[k])}" for k in (*KEYS, *WORDS) if k in table]
    lists = {"checks": checks, **{f"checks_in{key}": own for key, own in some.items()}}
    for key, patterns in lists.items():
        if patterns:
            lines += [f"{key} = [", *(f"  {_toml(each)}," for each in patterns), "]"]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    """A text, number or truth value; JSON's texts are TOML's basic strings."""
    return json.dumps(value, ensure_ascii=False)


def specifier(group: Sequence[str], names: Sequence[str]) -> str:
    """The PEP 440 specifier of some of the minor versions ``names``."""
    if len(group) == 1:
        return f"=={group[0]}.*"
    between = names[names.index(group[0]) : names.index(group[-1]) + 1]
    left_out = [f"!={name}.*" for name in between if name not in group]
    major, minor = group[-1].split(".")
    return ",".join([f">={group[0]}", f"<{major}.{int(minor) + 1}", *left_out])


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


if __name__ == "__main__":
    sys.exit(main())
