"""What a page shows of a check besides its verdict: what was expected, by whom, and what came."""

from __future__ import annotations

from typing import Callable, Optional

from conformance import oracle, torch_reference
from conformance.case import Case, Loss
from conformance.compare import instead, no_gradient
from conformance.eager import Outcome, Row
from conformance.implementation import Received
from conformance.text import error_text, exact_text, numbers_text

Formula = Callable[[Row], Optional[oracle.Expected]]
Torch = Callable[[Loss, Case, str], torch_reference.Answer]


def texts(name: str, row: Row, outcome: Outcome, formula: Formula, torch: Torch) -> dict[str, str]:
    """The fields ``expected`` and ``received`` of a finding.

    Args:
        name: the property that was checked.
        row: the row.
        outcome: what the implementation gave eagerly.
        formula: asks the formula.
        torch: asks torch's recorded results.

    Returns:
        Nothing for a property whose verdict says it all.
    """
    if name == "gradient":
        expected, received = _gradients(row, outcome, formula)
    elif name in ("error", "error_layer"):
        expected, received = _error(name, row, outcome)
    else:
        expected, received = _oracle(name, row, formula, torch), _result(outcome.result, outcome)
    return {"expected": expected, "received": received} if expected else {}


def _oracle(name: str, row: Row, formula: Formula, torch: Torch) -> str:
    """The expected result, and whose word that is."""
    case = row.case
    if name == "exact":
        return f"{case.exact} (by hand)"
    if name == "printed" and case.printed is not None:
        return f"{case.printed.text} ({case.printed.source})"
    if name == "torch":
        answer = torch(row.loss, case, row.dtype)
        if isinstance(answer, torch_reference.NotRecorded):
            return ""
        return f"{numbers_text(answer.value)} (torch {answer.version})"
    expected = formula(row) if name == "value" else None
    return f"{exact_text(expected.value.values)} (formula)" if expected else ""


def _gradients(row: Row, outcome: Outcome, formula: Formula) -> tuple[str, str]:
    expected = formula(row)
    exact = expected.gradients if expected else {}
    wanted = [f"{name}: {exact_text(found.values)}" for name, found in exact.items()]
    came = [
        f"{name}: {numbers_text(ours.values) if ours else no_gradient(outcome)}"
        for name, ours in ((name, outcome.gradients.get(name)) for name in exact)
    ]
    return "; ".join([*wanted[:-1], *(f"{last} (formula)" for last in wanted[-1:])]), "; ".join(
        came
    )


def _error(name: str, row: Row, outcome: Outcome) -> tuple[str, str]:
    raises = row.case.raises
    if raises is None:
        return "", ""
    wanted = f"{raises.kind.__name__} with {', '.join(raises.match)} (the contract)"
    if name == "error":
        return wanted, instead(outcome)
    came = error_text(outcome.layer_error) if outcome.layer_error else "a result"
    return wanted, came


def _result(result: Optional[Received], outcome: Outcome) -> str:
    return numbers_text(result.values) if result else instead(outcome)
