"""Each clause of the contract is checked for each loss, or says nothing of it."""

from __future__ import annotations

from contextlib import redirect_stdout
from dataclasses import replace
from functools import cache
from io import StringIO
from unittest import TestCase, mock

from parameterized import parameterized

from conformance.__main__ import main
from conformance.case import Loss
from conformance.cases import all_losses
from conformance.checks import OTHER_ROWS, Check, checks_of
from conformance.clauses import CLAUSES, clauses_of, coverage, exemption
from conformance.modes import MODES

LOSSES = all_losses()


@cache
def found() -> dict[str, dict[str, set[str]]]:
    """The rows of each cell, in the full profile."""
    return covered(*LOSSES.values())


def covered(*losses: Loss) -> dict[str, dict[str, set[str]]]:
    """The rows of each cell of some losses."""
    return coverage(losses, (check for loss in losses for check in checks_of(loss, "full")))


@cache
def checks() -> dict[str, Check]:
    """All checks by their ids."""
    return {check.id: check for loss in LOSSES.values() for check in checks_of(loss, "full")}


class Coverage(TestCase):
    @parameterized.expand([(clause,) for clause in CLAUSES])
    def test_no_cell_is_a_hole(self, clause: str) -> None:
        holes = [stem for stem, rows in found()[clause].items() if not rows]
        self.assertEqual(holes, [], f"no row checks {clause}")

    @parameterized.expand([(stem,) for stem in LOSSES])
    def test_an_exemption_is_of_a_clause_and_true(self, stem: str) -> None:
        for clause, reason in LOSSES[stem].exempt.items():
            self.assertIn(clause, CLAUSES)
            self.assertTrue(reason)
            self.assertNotIn(stem, found()[clause], f"rows check {clause}, which says nothing")

    @parameterized.expand([(stem,) for stem in LOSSES])
    def test_every_row_names_a_clause(self, stem: str) -> None:
        loss = LOSSES[stem]
        unknown = [case.id for case in loss.cases if case.clause not in (*CLAUSES, stem)]
        self.assertEqual(unknown, [])

    def test_a_hole_is_found(self) -> None:
        loss = LOSSES["hinge_embedding"]
        bare = replace(loss, cases=tuple(case for case in loss.cases if case.clause != "kink"))
        self.assertEqual(covered(bare)["kink"], {"hinge_embedding": set()})

    def test_the_command_says_so(self) -> None:
        loss = LOSSES["soft_margin"]
        bare = replace(loss, cases=tuple(case for case in loss.cases if case.clause != "empty"))
        only = mock.patch("conformance.commands.all_losses", return_value={"soft_margin": bare})
        with only, redirect_stdout(StringIO()) as printed:
            status = main(["coverage"])
        self.assertEqual(status, 1)
        self.assertIn("no row checks empty, soft_margin\n", printed.getvalue())
        self.assertIn("kink says nothing of soft_margin: the loss is smooth\n", printed.getvalue())

    def test_the_command_lists_the_rows_of_a_cell(self) -> None:
        with redirect_stdout(StringIO()) as printed:
            status = main(["coverage", "--cases", "empty", "soft_margin"])
        self.assertEqual(status, 0)
        self.assertEqual(set(printed.getvalue().split()), found()["empty"]["soft_margin"])

    @parameterized.expand(
        [
            ("hinge_embedding/at_the_kink/float32/value", "kink", {"C1", "formula"}),
            ("hinge_embedding/at_the_kink/float32/torch", "C2", {"kink"}),
            ("hinge_embedding/at_the_kink/float32/shape", "reduction", {"kink"}),
            ("hinge_embedding/at_the_kink/float32/gradient", "kink", {"gradients"}),
            ("hinge_embedding/paddle_none/float32/torch", "examples", set()),
            ("soft_margin/lead_of_minus_1e4/float32/value", "C3", {"accuracy", "C1", "formula"}),
            ("soft_margin/lead_of_minus_1e4/float32/torch", "C3", {"accuracy"}),
            ("soft_margin/label_bool_false_is_0/float32/value", "dtype", {"C4", "C1", "formula"}),
            ("soft_margin/label_nan/float32/value", "outside the domain", set()),
            ("soft_margin/input_none_is_refused/float32/error", "C5", set()),
            ("soft_margin/input_none_is_refused/float32/error_program", "C6", {"C5"}),
            ("multi_margin/label_of_c_is_refused/float32/error", "outside the domain", {"C5"}),
            ("multi_margin/layer/signature", "names", set()),
        ]
    )
    def test_what_a_check_is_about(self, id: str, first: str, others: set[str]) -> None:
        clauses = clauses_of(checks()[id])
        self.assertEqual((clauses[0], set(clauses[1:])), (first, others))

    def test_an_execution_mode_is_about_c6(self) -> None:
        modes = [check for check in checks().values() if check.name in MODES]
        self.assertEqual({clauses_of(check)[0] for check in modes}, {"C6"})

    def test_what_another_profile_checks_covers_nothing(self) -> None:
        left_out = [check for check in checks().values() if check.name == OTHER_ROWS]
        self.assertTrue(left_out)
        for check in left_out:
            self.assertNotIn(check.row.id, found()["C6"][check.loss.stem])

    def test_a_loss_without_a_margin_needs_no_row_for_it(self) -> None:
        self.assertEqual(exemption(LOSSES["soft_margin"], "margin"), "it has no margin")
        self.assertIsNone(exemption(LOSSES["hinge_embedding"], "margin"))
