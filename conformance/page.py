"""A report as one self-contained page: opens from disk, asks no network for anything.

What a reader wants first (scores, the scoreboard, accuracy, the register, coverage) is plain HTML;
the tens of thousands of checks are compressed into the page and unfold in the browser.
"""

from __future__ import annotations

import base64
import gzip
import json
import math
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from conformance import clauses
from conformance.accuracy import Accuracy, accuracies, bin_texts, budget_text, ulp_text
from conformance.case import FLOAT_DTYPES, Loss
from conformance.cases import all_losses
from conformance.checks import CONFORMANT, FAIL, KNOWN, NOT_RUN, VERDICTS, checks_of
from conformance.findings import Finding, Report, write_text
from conformance.ulp import BINS

MARKS = dict(zip(VERDICTS, "✓≈◆?–✗"))
"""Stands before each verdict, as colour alone is not for everybody."""
KINDS = dict(zip(VERDICTS, ("ok", "known", "defect", "open", "notrun", "fail")))
"""The style of each verdict."""
DECADES = 4
"""Histograms show shares of elements from 1 down to 10 ** -DECADES."""
WIDTH, HEIGHT = 220.0, 60.0
"""Of a histogram: all bins, and one quantity's bars."""


def write(reports: Sequence[Report], path: Path) -> None:
    """Write reports side by side as one HTML page.

    Args:
        reports: at least one; the page is about all of them.
        path: where to; an interruption leaves what was there.
    """
    losses = all_losses()
    environment = Environment(
        loader=PackageLoader("conformance"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(ulp=ulp_text, budget=budget_text, share=share_text)
    text = environment.get_template("page.html").render(
        many=len(reports) > 1,
        reports=[_summary(report, letter) for report, letter in zip(reports, _letters())],
        stems=_stems(reports, losses),
        clauses=_clauses(reports),
        scored={finding.clause for report in reports for finding in report.findings},
        scoreboard=[_scores(report) for report in reports],
        accuracy=_figures(reports),
        bins=bin_texts(),
        marks=MARKS,
        kinds=KINDS,
        coverage=_coverage(losses),
        environment_names=_names(report.environment for report in reports),
        hash_names=_names(report.hashes for report in reports),
        data=[_packed(report, losses) for report in reports],
        facts=_facts(reports),
    )
    write_text(path, text)


def _letters() -> Iterable[str]:
    """Short names of the implementations, side by side."""
    yield from string.ascii_uppercase
    yield from (f"{n}" for n in range(1, 1000))


def _stems(reports: Sequence[Report], losses: dict[str, Loss]) -> list[str]:
    found = {finding.stem for report in reports for finding in report.findings}
    return [*(stem for stem in losses if stem in found), *sorted(found - set(losses))]


def _names(mappings: Iterable[dict[str, str]]) -> list[str]:
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))


def _clauses(reports: Sequence[Report]) -> dict[str, str]:
    found = {finding.clause for report in reports for finding in report.findings}
    return {**clauses.CLAUSES, **dict.fromkeys(sorted(found - set(clauses.CLAUSES)), "")}


def _summary(report: Report, letter: str) -> dict[str, Any]:
    """What the page says of a report besides its checks."""
    known = Counter(finding.entry for finding in report.findings if finding.entry)
    reasons = Counter(f.text for f in report.findings if f.verdict == NOT_RUN)
    return {
        "report": report,
        "letter": letter,
        "title": f"{report.implementation} {report.version}".strip(),
        "counts": {verdict: report.count(verdict) for verdict in VERDICTS},
        "correct": report.score(drop_in=False),
        "drop_in": report.score(drop_in=True),
        "entries": [{**entry, "count": known[entry["id"]]} for entry in report.register],
        "not_run": reasons.most_common(),
    }


def _scores(report: Report) -> dict[tuple[str, str], dict[str, Any]]:
    """By clause and loss, how many checks agree, and the style that says so."""
    counted: dict[tuple[str, str], Counter[str]] = {}
    for finding in report.findings:
        counted.setdefault((finding.clause, finding.stem), Counter())[finding.verdict] += 1
    return {cell: _score(found) for cell, found in counted.items()}


def _score(found: Counter[str]) -> dict[str, Any]:
    agree, made = found[CONFORMANT], found[CONFORMANT] + found[KNOWN] + found[FAIL]
    worst = FAIL if found[FAIL] else KNOWN if found[KNOWN] else CONFORMANT if made else NOT_RUN
    words = ", ".join(f"{found[verdict]} {verdict}" for verdict in VERDICTS if found[verdict])
    percent = share_text((agree, made)).partition(".")[0]
    kind = KINDS[worst]
    return {"agree": agree, "made": made, "percent": percent, "kind": kind, "words": words}


def share_text(pair: tuple[int, int]) -> str:
    """A percentage that is 100 only where all agree, and 0 only where none does."""
    part, whole = pair
    if not whole or part in (0, whole):
        return "100" if whole and part else "0"
    return f"{min(max(math.floor(1000 * part / whole), 1), 999) / 10:g}"


def _figures(reports: Sequence[Report]) -> list[dict[str, Any]]:
    """For each loss, a histogram of every dtype: values upwards, gradients downwards."""
    found: dict[tuple[str, str], list[tuple[int, Accuracy]]] = {}
    for number, report in enumerate(reports):
        for accuracy in accuracies(report.findings):
            found.setdefault((accuracy.stem, accuracy.dtype), []).append((number, accuracy))
    stems = list(dict.fromkeys(stem for stem, _ in sorted(found)))
    return [
        {
            "stem": stem,
            "figures": [
                {
                    "dtype": dtype,
                    "bars": _bars(found[stem, dtype], len(reports)),
                    "measured": found[stem, dtype],
                    "by": [
                        (number, [a for n, a in found[stem, dtype] if n == number])
                        for number in dict.fromkeys(n for n, _ in found[stem, dtype])
                    ],
                }
                for dtype in FLOAT_DTYPES
                if (stem, dtype) in found
            ],
        }
        for stem in stems
    ]


def _bars(measured: Sequence[tuple[int, Accuracy]], reports: int) -> list[dict[str, Any]]:
    """Rectangles in the coordinates of a picture whose axis is at 0."""
    pitch = WIDTH / len(BINS)
    width = (pitch - 3) / reports
    bars = []
    for number, accuracy in measured:
        for place, count in enumerate(accuracy.counts):
            if count:
                share = max(math.log10(count / accuracy.elements) + DECADES, 0.15) / DECADES
                height = round(share * HEIGHT, 1)
                bars.append(
                    {
                        "x": round(place * pitch + 1.5 + number * width, 1),
                        "y": -height if accuracy.quantity == "value" else 0,
                        "width": round(width - 0.4, 1),
                        "height": height,
                        "number": number,
                        "quantity": accuracy.quantity,
                    }
                )
    return bars


def _coverage(losses: dict[str, Loss]) -> dict[str, Any]:
    """How many rows check each clause of each loss, and why a clause says nothing of one."""
    exempt = {
        (clause, stem): reason
        for clause in clauses.CLAUSES
        for stem, loss in losses.items()
        if (reason := clauses.exemption(loss, clause)) is not None
    }
    checks = (check for loss in losses.values() for check in checks_of(loss, "full"))
    rows = clauses.coverage(losses.values(), checks)
    return {"stems": list(losses), "rows": rows, "exempt": exempt}


def _facts(reports: Sequence[Report]) -> dict[str, Any]:
    """What the page's script must know."""
    return {
        "names": [f"{report.implementation} {report.version}".strip() for report in reports],
        "implementations": [report.implementation for report in reports],
        "verdicts": [[verdict, KINDS[verdict], MARKS[verdict]] for verdict in VERDICTS],
        "letters": [letter for letter, _ in zip(_letters(), reports)],
    }


def _packed(report: Report, losses: dict[str, Loss]) -> str:
    """The checks of a report by row and dtype, in the suite's order: JSON, gzip, base64."""
    rows = [
        (stem, case.id, dtype)
        for stem, loss in losses.items()
        for case in loss.cases
        for dtype in case.dtypes
    ]
    place = {row: number for number, row in enumerate(rows)}
    cases: dict[tuple[str, str, str], list[Any]] = {}
    for finding in report.findings:
        key = finding.stem, finding.row, finding.dtype
        case = cases.setdefault(key, [*key, "", []])
        case[3] = case[3] or finding.inputs
        case[4].append(_trimmed(_check(finding)))
    ordered = sorted(cases.values(), key=lambda case: place.get(tuple(case[:3]), len(rows)))
    text = json.dumps(ordered, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _check(finding: Finding) -> list[Any]:
    return [
        finding.name,
        finding.clause,
        VERDICTS.index(finding.verdict),
        finding.text,
        finding.entry,
        ulp_text(finding.distance),
        budget_text(finding.ratio),
        finding.input,
        finding.expected,
        finding.received,
        finding.script,
    ]


def _trimmed(fields: list[Any]) -> list[Any]:
    while fields and fields[-1] == "":
        fields.pop()
    return fields
