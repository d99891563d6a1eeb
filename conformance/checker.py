"""Makes the checks of one implementation, each row run once."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from typing import Callable, Optional

import numpy as np

from conformance import compare, fuzz, layers, oracle, reproduce, sharded, shown, torch_reference
from conformance.arguments import paddle_name
from conformance.case import Case, LayerState, Loss
from conformance.cases import all_losses
from conformance.checks import (
    CONFORMANT,
    DROP_IN,
    FAIL,
    KNOWN,
    OTHER_ROWS,
    PASSED,
    RANDOM,
    SHARDED,
    Check,
    Found,
    Verdict,
    defect,
    failed,
    not_run,
    unspecified,
)
from conformance.clauses import is_defect
from conformance.eager import Outcome, Row
from conformance.implementation import Implementation, Received, load
from conformance.modes import GRADIENT_MODES, MODES, Graphs
from conformance.program import GraphRow, build_program, no_graph
from conformance.text import error_text, input_text

PADDLE = "paddle.nn"
"""Whose behaviour a drop-in replacement has."""
OF_PADDLE = ("error_program", "signature", SHARDED)
"""What only an implementation on Paddle has, besides execution modes."""


class Checker:
    """Makes checks of one implementation.

    Args:
        implementation: what is under test.
        live_torch: whether torch is computed now instead of read from the recording.
        selected: the checks that will be asked for.
        go_on: called where a check comes to another of its parts, with the row that it then runs
            eagerly, or an empty text.
    """

    def __init__(
        self,
        implementation: Implementation,
        live_torch: bool,
        selected: Iterable[Check],
        go_on: Callable[[str], None] = lambda row: None,
    ) -> None:
        self.implementation = implementation
        self._go_on = go_on
        self._torch = torch_reference.live if live_torch else torch_reference.recorded
        self._outcomes: dict[tuple[str, str, str], Outcome] = {}
        self._graphs: dict[str, Graphs] = {}
        self._selected = [check for check in selected if check.name in MODES]
        self._last: tuple[Optional[Row], Optional[oracle.Expected]] = None, None
        self._row: Optional[Row] = None
        self._loss: Optional[Loss] = None
        self._drop_in_for: Optional[Implementation] = None
        self._on_result: Mapping[str, Callable[[Row, Outcome, Received], Verdict]] = {
            "value": self._value,
            "exact": self._exact,
            "printed": self._printed,
            "torch": self._against_torch,
            "shape": self._shape,
            "dtype": self._dtype,
            "gradient": self._gradient,
            "second_gradient": self._second_gradient,
            "unchanged": self._unchanged,
            "layer": self._layer,
            DROP_IN: self._drop_in,
        }
        self._on_outcome: Mapping[str, Callable[[Row, Outcome], Verdict]] = {
            "warning": self._warning,
            "error": self._error,
            "error_layer": self._error_layer,
            "error_program": self._error_program,
        }

    def close(self) -> None:
        """Remove the files of the execution modes."""
        for graphs in self._graphs.values():
            graphs.close()

    def run(self, check: Check) -> Verdict:
        """Make one check."""
        reason = self.missing(check)
        if reason:
            return not_run(reason)
        if check.name == RANDOM:
            return self._random(check)
        if check.name == SHARDED:
            return sharded.run(self.implementation, check.loss)
        if not isinstance(check.row, Case):
            text = layers.problem(self.implementation, check.loss, check.row, check.name)
            return failed(text) if text else PASSED
        self._turn_to(check.loss)
        row = self._row_of(check.loss, check.row, check.dtype)
        if check.name in MODES:
            return self._mode(check, row)
        return self.judge(row, self._outcome(row), check.name)

    def judge(self, row: Row, outcome: Outcome, name: str) -> Verdict:
        """Make the check of one property of what an eager run gave."""
        if name in self._on_outcome:
            return self._on_outcome[name](row, outcome)
        if outcome.result is not None:
            return self._on_result[name](row, outcome, outcome.result)
        itself = name == DROP_IN and self.implementation.name == PADDLE
        if itself or name in ("unchanged", "layer"):
            return not_run("the function returned no tensor to compare with")
        return failed(f"expected a tensor, received {compare.instead(outcome)}; {input_text(row)}")

    def _turn_to(self, loss: Loss) -> None:
        """Drop what other losses left, which is gigabytes where every row runs in every mode."""
        if self._loss is not loss:
            self.close()
            self._graphs.clear()
            self._outcomes.clear()
            self._loss = loss

    def missing(self, check: Check) -> str:
        """Why a check cannot be made of this implementation, or an empty text."""
        implementation, loss, name = self.implementation, check.loss, check.name
        if name == OTHER_ROWS:
            return "rows of the same options run in every mode; --profile exhaustive runs this one"
        if implementation.kind != "paddle" and name in (*OF_PADDLE, *MODES):
            return "Paddle's execution modes, signatures and shards do not apply"
        if implementation.kind == "torch" and isinstance(check.row, LayerState) and check.row.torch:
            return check.row.torch
        of_layer = check.row == "layer" or name in ("error_layer", *layers.STATE_PROPERTIES)
        if (of_layer or name == "layer") and implementation.layer(loss) is None:
            return f"{implementation.name} has no {loss.layer}"
        if not of_layer and implementation.function(loss) is None:
            return f"{implementation.function_path(loss)} is missing"
        return ""

    def _row_of(self, loss: Loss, case: Case, dtype: str) -> Row:
        """The row of a check, which keeps its arguments for the checks that follow."""
        row = self._row
        if row is None or row.loss is not loss or row.case is not case or row.dtype != dtype:
            row = self._row = Row(self.implementation, loss, case, dtype)
        return row

    def _outcome(self, row: Row) -> Outcome:
        key = (row.loss.stem, row.case.id, row.dtype)
        if key not in self._outcomes:
            self._go_on("/".join(key))
            self._outcomes[key] = row.evaluate()
        return self._outcomes[key]

    def _expected(self, row: Row) -> Optional[oracle.Expected]:
        if self._last[0] is not row:
            self._last = row, oracle.evaluate(row.loss, row.case, row.dtype)
        return self._last[1]

    def _value(self, row: Row, outcome: Outcome, got: Received) -> Verdict:
        expected = self._expected(row)
        if expected is None:
            return not_run("the row has no formula")
        budget = oracle.budget(row.loss, row.case, expected.dtype, "value")
        found = compare.with_exact(row, got, expected.value, budget, expected.dtype, "formula")
        return compare.with_sign(row, got, found) if row.loss.never_negative else found

    def _exact(self, row: Row, outcome: Outcome, got: Received) -> Verdict:
        kind = row.result_dtype
        budget = oracle.budget(row.loss, row.case, kind, "value")
        exact = oracle.by_hand(row.case, kind)
        return compare.with_exact(row, got, exact, budget, kind, "by hand")

    def _printed(self, row: Row, outcome: Outcome, got: Received) -> Verdict:
        return compare.with_printed(row, got)

    def _against_torch(self, row: Row, outcome: Outcome, got: Received) -> Verdict:
        if is_defect(row.case):
            return defect(str(row.case.torch))
        torch = self._torch(row.loss, row.case, row.dtype)
        if isinstance(torch, torch_reference.NotRecorded):
            return not_run(f"torch: {torch.reason}")
        expected = self._expected(row)
        kind = row.result_dtype
        budget = oracle.budget(row.loss, row.case, kind, "value")
        exact = expected.value if expected else None
        found = compare.with_other(row, got, torch.value, exact, budget, kind, "torch")
        for name, theirs in torch.gradients.items():
            if found.status == FAIL or expected is None:
                break
            ours = outcome.gradients.get(name)
            if ours is None:
                return failed(
                    f"expected torch's gradient of {name}, received {compare.no_gradient(outcome)}"
                )
            kind = expected.gradient_dtypes[name]
            budget = oracle.budget(row.loss, row.case, kind, "gradient", name)
            exact = expected.gradients[name]
            found = compare.with_other(row, ours, theirs, exact, budget, kind, "torch")
        return Verdict(found.status, found.text)

    def _drop_in(self, row: Row, outcome: Outcome, got: Received) -> Verdict:
        """Compare with paddle.nn; where the contract wants another answer, that is known."""
        if self.implementation.name == PADDLE:
            return PASSED
        if importlib.util.find_spec("paddle") is None:
            return not_run("paddle.nn: Paddle is not installed")
        theirs = Row(self._paddle(), row.loss, row.case, row.dtype).first_order()
        if theirs.result is None:
            return not_run(f"paddle.nn: {compare.instead(theirs)}")
        expected = self._expected(row)
        assert expected is not None
        pairs = [("value", got, theirs.result, expected.value)]
        for name, exact in expected.gradients.items():
            ours, other = outcome.gradients.get(name), theirs.gradients.get(name)
            if ours is not None and other is not None:
                pairs.append(("gradient", ours, other, exact))
        for quantity, ours, other, exact in pairs:
            if other.raw.shape != ours.raw.shape:
                return self._preferred(row, outcome, got, "another shape")
            # Two results that are each within the budget are within twice of each other.
            budget = 2 * oracle.budget(row.loss, row.case, row.result_dtype, quantity)
            target = oracle.Exact(compare.exactly(other.values), exact.scale)
            found = compare.with_exact(row, ours, target, budget, row.result_dtype, PADDLE)
            if found.status == FAIL:
                return self._preferred(row, outcome, got, found.text)
        return PASSED

    def _preferred(self, row: Row, outcome: Outcome, got: Received, text: str) -> Verdict:
        """What differs from paddle.nn: known where it is what the contract wants."""
        own = (self._value(row, outcome, got), self._gradient(row, outcome, got))
        if any(verdict.status == FAIL for verdict in own):
            return failed(f"neither the contract's answer nor paddle.nn's: {text}")
        return Verdict(KNOWN, f"the contract's answer and not paddle.nn's: {text}")

    def _paddle(self) -> Implementation:
        if self._drop_in_for is None:
            self._drop_in_for = load(PADDLE, list(all_losses().values()))
        return self._drop_in_for

    def _random(self, check: Check) -> Verdict:
        assert isinstance(check.row, str)
        _, seed, _, batch, _, size = check.row.split("_")
        number = 1000 * int(seed) + int(batch)
        return fuzz.run(self, check.loss, check.dtype, int(size), number)

    def detail(self, check: Check, verdict: Verdict) -> dict[str, str]:
        """What a page shows of a check: inputs, what was expected and received, a script."""
        found = {}
        if isinstance(check.row, Case):
            row = self._row_of(check.loss, check.row, check.dtype)
            found["inputs"] = input_text(row)
            outcome = self._outcomes.get((row.loss.stem, row.case.id, row.dtype))
            if outcome is not None:
                formula = self._expected
                found.update(shown.texts(check.name, row, outcome, formula, self._torch))
        if isinstance(verdict, Found) and verdict.case is not None:
            check = Check(check.loss, verdict.case, check.dtype or verdict.dtype, verdict.name)
        if verdict.status == FAIL and isinstance(check.row, Case):
            found["script"] = reproduce.attempt(check, self.implementation)
        return found

    def _shape(self, row: Row, outcome: Outcome, got: Received) -> Verdict:
        expected = self._expected(row)
        shape = expected.value.values.shape if expected else np.shape(row.case.exact)
        if got.raw.shape == shape:
            return PASSED
        text = f"expected shape {list(shape)}, received {list(got.raw.shape)}"
        return failed(f"{text}; {input_text(row)}")

    def _dtype(self, row: Row, outcome: Outcome, got: Received) -> Verdict:
        wanted = row.result_dtype
        if got.dtype == wanted:
            return PASSED
        return failed(f"expected {wanted}, received {got.dtype}; {input_text(row)}")

    def _gradient(self, row: Row, outcome: Outcome, got: Received) -> Verdict:
        expected = self._expected(row)
        if expected is None or not expected.gradients:
            return not_run("no argument asks for a gradient")
        found = []
        for name, exact in expected.gradients.items():
            ours = outcome.gradients.get(name)
            if ours is None:
                received = compare.no_gradient(outcome)
                return failed(f"expected a gradient of {name}, received {received}")
            wanted = self._argument_dtype(row, name)
            if ours.dtype != wanted:
                return failed(f"expected a gradient of {name} in {wanted}, received {ours.dtype}")
            kind = expected.gradient_dtypes[name]
            budget = oracle.budget(row.loss, row.case, kind, "gradient", name)
            source = f"formula, gradient of {name}"
            found.append(compare.with_exact(row, ours, exact, budget, kind, source))
            if oracle.is_finite(expected.value) and np.isnan(ours.values).any():
                found.append(compare.no_number(row, ours, f"the gradient of {name}"))
        return compare.together(found)

    def _argument_dtype(self, row: Row, name: str) -> str:
        inputs, options = row.arguments
        named = {paddle_name(row.loss, key): value for key, value in {**inputs, **options}.items()}
        return str(named[name].dtype)

    def _second_gradient(self, row: Row, outcome: Outcome, got: Received) -> Verdict:
        expected = oracle.second_gradients(row.loss, row.case)
        if not expected:
            return not_run("too large for second gradients, or none is asked for")
        error = outcome.gradient_error or outcome.second_error
        if error is not None:
            return failed(f"expected second gradients, received {error_text(error)}")
        if all(value is None for exact in expected.values() for value in exact.values.flat):
            return unspecified("the second gradient at a kink")
        for name, exact in expected.items():
            ours = outcome.second.get(name) or Received("float64", np.zeros(exact.values.shape))
            source = f"formula, second gradient of {name}"
            found = compare.with_exact(row, ours, exact, oracle.SECOND_BUDGET, "float64", source)
            if found.status == FAIL:
                return failed(found.text)
        return PASSED

    def _unchanged(self, row: Row, outcome: Outcome, got: Received) -> Verdict:
        if outcome.changed:
            return failed(f"expected {outcome.changed[0]} unchanged, received other bits after")
        again = outcome.again
        if again is not None and again.same_bits(got):
            return PASSED
        received = compare.first(again) if again is not None else "no tensor"
        wanted = f"expected {compare.first(got)} at a second call too, without gradients"
        return failed(f"{wanted}, received {received}")

    def _layer(self, row: Row, outcome: Outcome, got: Received) -> Verdict:
        if outcome.layer is not None:
            return compare.same_bits(row, outcome.layer, got, "the function")
        error = outcome.layer_error
        received = error_text(error) if error else "no tensor"
        return failed(f"expected the function's result, received {received}")

    def _warning(self, row: Row, outcome: Outcome) -> Verdict:
        if outcome.error is not None and row.case.raises is None:
            return not_run("the function raised")
        return compare.with_warnings(row, outcome)

    def _error(self, row: Row, outcome: Outcome) -> Verdict:
        return compare.with_raised(row, outcome.error, outcome.returned)

    def _error_layer(self, row: Row, outcome: Outcome) -> Verdict:
        verdict = compare.with_raised(row, outcome.layer_error, "a result")
        assert row.case.raises is not None
        if verdict.status == CONFORMANT and row.case.raises.constructor and outcome.layer_made:
            return failed("expected the constructor to raise, received the error at the call")
        return verdict

    def _error_program(self, row: Row, outcome: Outcome) -> Verdict:
        try:
            build_program(row)
        except Exception as error:
            return compare.with_raised(row, error, "")
        return compare.with_raised(row, None, "a graph")

    def _mode(self, check: Check, row: Row) -> Verdict:
        outcome = self._outcome(row)
        if outcome.result is None:
            return not_run("the function returned no tensor eagerly")
        reason = no_graph(check.name, row, outcome.result)
        if reason:
            return not_run(reason)
        found = self._graphs_of(check.loss).found(
            check.name, row, [_key(c) for c in self._selected if _shares(c, check)]
        )
        if isinstance(found, Exception):
            return failed(f"expected eager's bits, received {error_text(found)}; {input_text(row)}")
        verdict = compare.same_bits(row, found.value, outcome.result, "eager")
        if check.name not in GRADIENT_MODES:
            return verdict
        for name, ours in outcome.gradients.items():
            theirs = found.gradients.get(name)
            if verdict.status == CONFORMANT and ours is not None:
                if theirs is None:
                    return failed(f"expected eager's gradient of {name}, received none")
                # The order in which gradients are added decides the sign of a zero.
                source = f"eager's gradient of {name}"
                verdict = compare.same_bits(row, theirs, ours, source, signed_zero=False)
        return verdict

    def _graphs_of(self, loss: Loss) -> Graphs:
        """The graphs of a loss's selected rows, as far as they run eagerly."""
        if loss.stem not in self._graphs:
            keys = {_key(check): check for check in self._selected if check.loss is loss}
            rows = []
            for check in keys.values():
                assert isinstance(check.row, Case)
                row = Row(self.implementation, loss, check.row, check.dtype)
                outcome = self._outcome(row)
                if outcome.result is not None:
                    rows.append(GraphRow(row, outcome))
            self._graphs[loss.stem] = Graphs(rows, self._go_on)
        return self._graphs[loss.stem]


def _key(check: Check) -> tuple[str, str]:
    assert isinstance(check.row, Case)
    return check.row.id, check.dtype


def _shares(check: Check, other: Check) -> bool:
    """Whether two checks' rows can be in one graph."""
    return check.loss is other.loss and check.name == other.name
