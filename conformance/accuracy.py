"""How far from exact an implementation is: histograms of ULP, and the worst input of each."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Optional

from conformance.case import FLOAT_DTYPES
from conformance.findings import Finding
from conformance.ulp import BINS

QUANTITIES = {"value": "value", "exact": "value", "gradient": "gradient"}
"""The properties that are measured, and what of."""


@dataclass(frozen=True)
class Accuracy:
    """All elements of one quantity of one loss in one dtype.

    Args:
        stem: the loss.
        dtype: the dtype that the rows run in.
        quantity: ``value`` or ``gradient``.
        counts: how many elements are in each of ``ulp.BINS``, in ULP of the largest term.
        worst: the check that uses most of its budget; its ``input`` is where it does.
    """

    stem: str
    dtype: str
    quantity: str
    counts: tuple[int, ...]
    worst: Finding

    @property
    def elements(self) -> int:
        """How many elements were measured."""
        return sum(self.counts)


def accuracies(findings: Iterable[Finding]) -> list[Accuracy]:
    """What was measured, in the order of losses, dtypes, values before gradients."""
    grouped: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in findings:
        if finding.name in QUANTITIES and finding.histogram:
            key = finding.stem, finding.dtype, QUANTITIES[finding.name]
            grouped.setdefault(key, []).append(finding)
    found = [
        Accuracy(*key, tuple(map(sum, zip(*(f.histogram for f in own)))), max(own, key=_badness))
        for key, own in grouped.items()
    ]
    return sorted(found, key=lambda a: (a.stem, FLOAT_DTYPES.index(a.dtype), a.quantity != "value"))


def _badness(finding: Finding) -> tuple[float, float]:
    return finding.ratio or 0.0, finding.distance or 0.0


def bin_texts() -> list[str]:
    """What each of ``ulp.BINS`` holds, in words."""
    texts = ["0"] + [f"up to {edge:g}" for edge in BINS[1:-1]]
    return [*texts, f"over {BINS[-2]:g}"]


def budget_text(ratio: Optional[float]) -> str:
    """An error as a share of what is allowed."""
    if ratio is None:
        return ""
    if math.isinf(ratio):
        return "∞"
    if 0 < ratio < 1e-4:
        return "<0.01 %"
    return f"{100 * ratio:.3g} %" if ratio < 10 else f"{ratio:.2g}×"


def ulp_text(distance: Optional[float]) -> str:
    """A distance in ULP, as short as it is clear."""
    if distance is None:
        return ""
    if math.isinf(distance):
        return "∞"
    return "<1e-6" if 0 < distance < 1e-6 else f"{distance:.3g}"
