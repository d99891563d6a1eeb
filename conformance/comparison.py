"""What became better, worse, new and gone between two reports."""

from __future__ import annotations

from collections import Counter

from conformance.checks import CONFORMANT, FAIL, NOT_RUN, VERDICTS
from conformance.findings import Finding, Report

NOTABLE = 0.1
"""How much more of its budget a check must use to be called less accurate."""

Pair = tuple[Finding, Finding]


class Comparison:
    """Two reports, check by check.

    A check became worse where it conformed and does not any longer, or is not checked any longer,
    and where it fails and did not. Between the other verdicts there is no better or worse.

    Args:
        old: the report that counts as given.
        new: the report that is judged.
    """

    def __init__(self, old: Report, new: Report) -> None:
        self.old = old
        self.new = new
        before = {finding.id: finding for finding in old.findings}
        after = {finding.id: finding for finding in new.findings}
        self._pairs = [(before[id], after[id]) for id in before if id in after]
        self.new_checks = [finding for id, finding in after.items() if id not in before]
        self.gone = [finding for id, finding in before.items() if id not in after]
        self.broken = [each for each in new.broken if each not in old.broken]

    @property
    def worse(self) -> list[Pair]:
        """Checks with a worse verdict, the worst first."""
        found = [(a, b) for a, b in self._pairs if _rank(b) > _rank(a)]
        return sorted(found, key=lambda pair: -_rank(pair[1]))

    @property
    def better(self) -> list[Pair]:
        """Checks with a better verdict, that were made at all."""
        found = [(a, b) for a, b in self._pairs if _rank(b) < _rank(a)]
        return [pair for pair in found if pair[1].verdict != NOT_RUN]

    @property
    def less_accurate(self) -> list[Pair]:
        """Checks that still conform, and use notably more of their budgets."""
        return [
            (a, b)
            for a, b in self._pairs
            if a.verdict == b.verdict == CONFORMANT
            and (b.ratio or 0.0) - (a.ratio or 0.0) >= NOTABLE
        ]

    @property
    def is_worse(self) -> bool:
        """Whether anything became worse."""
        return bool(self.worse or self.broken)

    def transitions(self) -> list[tuple[tuple[str, str], int]]:
        """How many checks went from which verdict to which, an empty text where there is none."""
        pairs = Counter((a.verdict, b.verdict) for a, b in self._pairs)
        pairs.update(("", finding.verdict) for finding in self.new_checks)
        pairs.update((finding.verdict, "") for finding in self.gone)
        order = ("", *VERDICTS)
        return sorted(pairs.items(), key=lambda item: [order.index(name) for name in item[0]])


def _rank(finding: Finding) -> int:
    return {CONFORMANT: 0, FAIL: 2}.get(finding.verdict, 1)
