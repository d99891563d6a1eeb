"""The clauses of the contract, and which of them a check is about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Optional

from conformance import layers
from conformance.case import Array, Case, Loss
from conformance.checks import DROP_IN, OTHER_ROWS, RANDOM, SHARDED, Check
from conformance.modes import MODES

CLAUSES = {
    "C1": "on finite input, the documented formula rounded once",
    "C2": "where the formula is silent, torch's convention",
    "C3": "where torch itself is broken, what is mathematically right",
    "C4": "what either framework accepts with a clear meaning is accepted",
    "C5": "what has no clear meaning raises and says why",
    "C6": "the same bits in every execution mode",
    "C7": "sharded tensors give the numbers of one process",
    "names": "Paddle's signatures, and torch's spellings as keywords",
    "layers": "text, state, copies, and the function's result",
    "reduction": "none, mean and sum, in value and shape",
    "empty": "an empty batch",
    "dtype": "dtypes of inputs, labels and results",
    "broadcasting": "shapes that differ, and the warning where the result grows",
    "margin": "margins that are numbers, tensors, NaN",
    "gradients": "first and second, for every floating input",
    "in place": "no argument changes, and a second call answers alike",
    "formula": "the loss's own line of the contract",
    "outside the domain": "labels that the documentation does not speak of",
    "kink": "the gradient exactly at a kink",
    "NaN and infinity": "neither is swallowed, neither appears",
    "accuracy": "the budgets, at the ends of the range too",
    "examples": "what the documentations print",
    "drop-in": "paddle.nn's own result on its documented domain (scored apart)",
}
"""Every clause in one line; the order is that of reports."""

SILENT = ("kink", "outside the domain", "NaN and infinity")
"""Where the formula leaves open what is right, so that torch's word counts (clause C2)."""

_OF_PROPERTY = {
    "printed": "examples",
    "layer": "layers",
    **dict.fromkeys(layers.STATE_PROPERTIES, "layers"),
    "signature": "names",
    "shape": "reduction",
    "dtype": "dtype",
    "second_gradient": "gradients",
    "unchanged": "in place",
    **dict.fromkeys(MODES, "C6"),
    OTHER_ROWS: "C6",
    SHARDED: "C7",
    RANDOM: "accuracy",
    DROP_IN: "drop-in",
}


def clauses_of(check: Check) -> tuple[str, ...]:
    """The clauses that a check is about; the first is the one that it counts for in scores."""
    row = check.row
    if not isinstance(row, Case):
        return (_OF_PROPERTY[check.name],)
    of_row = "formula" if row.clause == check.loss.stem else row.clause
    if row.raises is not None:
        first = "C6" if check.name == "error_program" else of_row
        return _unique(first, of_row, "C5")
    if check.name in ("value", "exact", "gradient"):
        return _unique("C3" if is_defect(row) else of_row, of_row, *_of_result(check.name, row))
    if check.name == "torch":
        silent = row.clause in SILENT
        return _unique("C3" if is_defect(row) else "C2" if silent else of_row, of_row)
    return _unique(_OF_PROPERTY.get(check.name, of_row), of_row)


def _of_result(name: str, row: Case) -> Iterator[str]:
    """The further clauses that a comparison with the formula is about."""
    if name == "gradient":
        yield "gradients"
        return
    if row.clause not in ("outside the domain", "NaN and infinity"):
        yield from ("C1", "formula")
    if _is_of_one_framework(row):
        yield "C4"


def _unique(*clauses: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(clauses))


def is_defect(row: Case) -> bool:
    """Whether torch is broken where the row looks (clause C3)."""
    return row.torch is not None and row.torch.startswith("C3")


def _is_of_one_framework(row: Case) -> bool:
    """Whether torch refuses the row, or paddle.nn its label's dtype."""
    if row.torch is not None:
        return not is_defect(row)
    label = row.inputs.get("label", row.inputs.get("target"))
    return isinstance(label, Array) and label.dtype in ("int8", "int16", "uint8", "bool")


def exemption(loss: Loss, clause: str) -> Optional[str]:
    """Why a clause says nothing of a loss; ``None`` where it does."""
    if clause == "margin" and not re.search(r"\bmargin\b", loss.signature):
        return "it has no margin"
    return loss.exempt.get(clause)


def coverage(losses: Iterable[Loss], checks: Iterable[Check]) -> dict[str, dict[str, set[str]]]:
    """Which rows check each clause of each loss.

    Args:
        losses: the losses.
        checks: their checks.

    Returns:
        Sets of row ids by clause and stem, for each cell that applies; an empty set is a hole.
    """
    losses = list(losses)
    found: dict[str, dict[str, set[str]]] = {
        clause: {loss.stem: set() for loss in losses if exemption(loss, clause) is None}
        for clause in CLAUSES
    }
    for check in checks:
        row = check.row if isinstance(check.row, str) else check.row.id
        for clause in () if _says_nothing(check) else clauses_of(check):
            found[clause].setdefault(check.loss.stem, set()).add(row)
    return found


def _says_nothing(check: Check) -> bool:
    """Whether it is clear beforehand that a check cannot be made."""
    no_torch = isinstance(check.row, Case) and check.row.torch is not None
    return check.name == OTHER_ROWS or (check.name == "torch" and no_torch)
