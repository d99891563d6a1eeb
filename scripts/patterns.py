"""Few short patterns over ids of checks that match what they should and nothing else."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase, translate
from functools import cache

from conformance.register import alternatives

LINE = 110
"""Characters after which alternatives of a row begin another pattern."""
MANY = 4
"""Losses beyond which ``*`` is tried for all of them."""
PROPERTY_GLOBS = ("program*", "to_static*", "to_static_ast*", "saved*", "*_batch", "*_unknown")
"""What may stand for several properties, in the order in which they are tried."""


@dataclass(frozen=True)
class Tail:
    """The end of a pattern: each of some dtypes with each of some properties."""

    dtypes: frozenset[str]
    properties: frozenset[str]

    def __str__(self) -> str:
        dtypes = "*" if len(self.dtypes) > 3 else _either(self.dtypes)
        return "/".join(part for part in (dtypes, _either(self.properties)) if part)

    def matches(self, dtype: str, name: str) -> bool:
        """Whether it matches a check of a row."""
        return dtype in self.dtypes and any(fnmatchcase(name, each) for each in self.properties)


Row = tuple[str, str]
"""A loss and a row of it."""


class Compressor:
    """Writes sets of checks as patterns.

    Args:
        every: the ids of all checks.
        allowed: those that a pattern may match besides the wanted ones.
    """

    def __init__(self, every: Iterable[str], allowed: Collection[str]) -> None:
        self._allowed = set(allowed)
        self._cells: dict[Row, dict[tuple[str, str], str]] = defaultdict(dict)
        for check_id in every:
            row, cell = _parts(check_id)
            self._cells[row][cell] = check_id
        self._rows: dict[str, list[str]] = defaultdict(list)
        for stem, row_id in self._cells:
            self._rows[stem].append(row_id)

    def patterns(self, wanted: Iterable[str]) -> list[str]:
        """Patterns that match all wanted checks, and besides them allowed ones only."""
        wanted = set(wanted)
        self._allowed |= wanted
        found: list[str] = []
        for tail, rows in self._by_tail(wanted):
            by_row: dict[str, set[str]] = defaultdict(set)
            for stem, row_id in rows:
                by_row[row_id].add(stem)
            by_stems: dict[frozenset[str], set[str]] = defaultdict(set)
            for row_id, stems in by_row.items():
                by_stems[frozenset(stems)].add(row_id)
            for stems_together, row_ids in by_stems.items():
                found += self._heads(stems_together, row_ids, tail)
        return sorted(found, key=_order)

    def _by_tail(self, wanted: set[str]) -> Iterator[tuple[Tail, set[Row]]]:
        """Tails with the rows that they serve; the one that serves most rows first."""
        left: dict[Row, list[set[str]]] = defaultdict(list)
        tails: dict[Tail, None] = {}
        for row, own in _by_row(sorted(wanted)).items():
            for tail in self._tails(row, own):
                left[row].append({i for i in own if tail.matches(*_parts(i)[1])})
                tails[tail] = None
        while left:
            served = {tail: self._served(tail, left) for tail in tails}
            best = max(tails, key=lambda tail: (len(served[tail]), -len(str(tail)), str(tail)))
            rows = {row for row, _ in served[best]}
            if not rows:
                raise AssertionError(f"no pattern for {left}")
            yield best, rows
            for row, index in sorted(served[best], key=lambda pair: -pair[1]):
                del left[row][index]
                if not left[row]:
                    del left[row]

    def _served(self, tail: Tail, left: dict[Row, list[set[str]]]) -> list[tuple[Row, int]]:
        found = []
        for row, units in left.items():
            matched = self._matched(row, tail)
            if matched <= self._allowed:
                found += [(row, n) for n, unit in enumerate(units) if unit <= matched]
        return found

    def _matched(self, row: Row, tail: Tail) -> set[str]:
        return {i for cell, i in self._cells[row].items() if tail.matches(*cell)}

    def _tails(self, row: Row, wanted: set[str]) -> list[Tail]:
        """The tails of one row: one where that matches no other check, or one a set of dtypes."""
        names: dict[str, set[str]] = defaultdict(set)
        for check_id in wanted:
            dtype, name = _parts(check_id)[1]
            names[dtype].add(name)
        whole = self._tail(row, set(names), set().union(*names.values()))
        if self._matched(row, whole) <= self._allowed:
            return [whole]
        together: dict[frozenset[str], set[str]] = defaultdict(set)
        for dtype, own in names.items():
            together[frozenset(own)].add(dtype)
        return [self._tail(row, dtypes, set(own)) for own, dtypes in together.items()]

    def _tail(self, row: Row, dtypes: set[str], names: set[str]) -> Tail:
        """A tail, with a glob in place of two or more properties where that is as good."""
        for glob in PROPERTY_GLOBS:
            replaced = {name for name in names if fnmatchcase(name, glob)}
            one = Tail(frozenset(dtypes), frozenset([glob]))
            if len(replaced) > 1 and self._matched(row, one) <= self._allowed:
                names = names - replaced | {glob}
        return Tail(frozenset(dtypes), frozenset(names))

    def _heads(self, stems: frozenset[str], row_ids: set[str], tail: Tail) -> Iterator[str]:
        """Patterns for the rows that some losses share."""
        head = _either(stems)
        if len(stems) > MANY and all(self._is_safe(self._rows, row, tail) for row in row_ids):
            stems, head = frozenset(self._rows), "*"
        globs = list(self._globs(stems, row_ids, tail))
        left = [row for row in sorted(row_ids) if not any(fnmatchcase(row, g) for g in globs)]
        yield from (f"{head}/{glob}/{tail}" for glob in globs)
        line: list[str] = []
        for row in left:
            if line and len(",".join([*line, row])) > LINE:
                yield f"{head}/{_either(line)}/{tail}"
                line = []
            line.append(row)
        if line:
            yield f"{head}/{_either(line)}/{tail}"

    def _globs(self, stems: Collection[str], row_ids: set[str], tail: Tail) -> Iterator[str]:
        """Globs that match three rows or more, none of which may not be matched."""
        left = set(row_ids)
        if len(left) > 2 and self._is_safe(stems, "*", tail):
            yield "*"
            return
        covered = {glob: {r for r in left if fnmatchcase(r, glob)} for glob in _row_globs(left)}
        for glob in sorted(covered, key=lambda g: (-len(covered[g]), -len(g), g)):
            if len(covered[glob] & left) >= 3 and self._is_safe(stems, glob, tail):
                yield glob
                left -= covered[glob]

    def _is_safe(self, stems: Iterable[str], glob: str, tail: Tail) -> bool:
        return all(
            self._matched((stem, row), tail) <= self._allowed
            for stem in stems
            for row in self._rows[stem]
            if fnmatchcase(row, glob)
        )


def matching(pattern: str, ids: Iterable[str]) -> set[str]:
    """The ids that a pattern matches, as the register understands it."""
    regex = _regex(pattern)
    return {i for i in ids if regex.match(i)}


@cache
def _regex(pattern: str) -> re.Pattern[str]:
    return re.compile("|".join(map(translate, alternatives(pattern))))


def _row_globs(row_ids: Iterable[str]) -> set[str]:
    """Beginnings, ends, and both of the words of rows."""
    found = set()
    for row in row_ids:
        words = row.split("_")
        for k in range(1, len(words)):
            first = "_".join(words[:k])
            found |= {f"{first}_*", "*_" + "_".join(words[k:])}
            found |= {f"{first}_*_" + "_".join(words[j:]) for j in range(k + 1, len(words))}
    return {glob for glob in found if re.search(r"[a-z]{3}", glob)}


def _parts(check_id: str) -> tuple[Row, tuple[str, str]]:
    """Loss and row, dtype and property."""
    stem, row, *rest = check_id.split("/")
    return (stem, row), ("" if len(rest) == 1 else rest[0], rest[-1])


def _by_row(ids: Iterable[str]) -> dict[Row, set[str]]:
    found: dict[Row, set[str]] = defaultdict(set)
    for check_id in ids:
        found[_parts(check_id)[0]].add(check_id)
    return found


def _either(names: Iterable[str]) -> str:
    ordered: Sequence[str] = sorted(names)
    return ordered[0] if len(ordered) == 1 else "{" + ",".join(ordered) + "}"


def _order(pattern: str) -> tuple[int, str]:
    """Patterns of all losses first, then of some, then of one."""
    stem = pattern.split("/")[0]
    return (0 if stem == "*" else 1 if stem.startswith("{") else 2), pattern
