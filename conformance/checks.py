"""The checks: which follow from a row, and what each finds.

A check is a row, a dtype and a property: ``hinge_embedding/at_the_kink/float32/gradient``. Checks
of a layer's state and of signatures have no dtype: ``multi_margin/with_weight/state_dict``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Optional, Union

import numpy as np

from conformance import exhaustive, layers
from conformance.arguments import Tensor, arguments
from conformance.case import FLOAT_DTYPES, Case, LayerState, Loss
from conformance.documented import documented
from conformance.modes import MODES
from conformance.program import has_open_dimensions

CONFORMANT = "conformant"
"""The contract holds."""
KNOWN = "known difference"
"""It does not, and the register says why."""
DEFECT = "reference defect"
"""The reference itself is broken there (clause C3), so nobody is held against it."""
UNSPECIFIED = "unspecified"
"""Neither the formula nor the reference says what is right, as for a gradient through NaN."""
NOT_RUN = "not run"
"""It could not be checked; the text says why. Never a pass."""
FAIL = "FAIL"
"""The contract does not hold."""
VERDICTS = (CONFORMANT, KNOWN, DEFECT, UNSPECIFIED, NOT_RUN, FAIL)
"""What a check can find."""

PRINTED_DTYPES = ("float32", "float64")
"""A documentation prints no more digits than these have."""

OTHER_ROWS = "modes"
"""Stands for all modes of a row that a larger profile runs."""
RANDOM = "random"
"""Rows drawn at random."""
SHARDED = "sharded"
"""Tensors that are sharded over two processes."""
DROP_IN = "drop_in"
"""paddle.nn's own result on its documented domain, scored apart."""

OWN_FORMULAS = (0, 1, 2, math.inf, -math.inf)
"""Powers that are computed otherwise than the rest."""

PROFILES = ("quick", "full", "exhaustive")
"""What a run checks; each holds the one before it."""
DRAWN = {"quick": (1, 5), "full": (10, 250), "exhaustive": (10, 250)}
"""Batches of random rows in each dtype, and rows in each batch."""

GROUPS = {
    "value": ("value", "exact", "printed", "torch"),
    "form": ("shape", "dtype", "unchanged", "warning"),
    "gradient": ("gradient", "second_gradient"),
    "error": ("error", "error_layer", "error_program"),
    "layer": ("layer", "signature", *layers.STATE_PROPERTIES),
    "mode": (*MODES, OTHER_ROWS),
    "random": (RANDOM,),
    "sharded": (SHARDED,),
    "drop-in": (DROP_IN,),
}
"""The properties, grouped as the report counts them."""


@dataclass(frozen=True)
class Check:
    """One check.

    Args:
        loss: its loss.
        row: a row, a layer's row, or the name of what has none: the kind of signature
            (``function`` or ``layer``), a batch of random rows, the processes of sharded tensors.
        dtype: the dtype, where the row has one.
        name: the property, what is checked.
    """

    loss: Loss
    row: Union[Case, LayerState, str]
    dtype: str
    name: str

    @property
    def id(self) -> str:
        """``stem/row/dtype/property``; without the dtype where there is none."""
        row = self.row if isinstance(self.row, str) else self.row.id
        return "/".join(part for part in (self.loss.stem, row, self.dtype, self.name) if part)

    @property
    def group(self) -> str:
        """The group that the report counts it in."""
        return next(group for group, names in GROUPS.items() if self.name in names)


@dataclass(frozen=True)
class Measure:
    """How far from exact a result was, at its worst element.

    Args:
        distance: in ULP.
        ratio: the error over what is allowed.
        input: the arguments there, in decimal and hex.
        histogram: how many elements are as far from exact as ``ulp.BINS`` says, in ULP of the
            largest term that went into each.
    """

    distance: float
    ratio: float
    input: str
    histogram: tuple[int, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    Args:
        status: one of ``VERDICTS``.
        text: what was expected and received, or why it was not run, in one line.
        measure: the accuracy, for ``value`` and ``gradient``.
    """

    status: str
    text: str = ""
    measure: Optional[Measure] = None


@dataclass(frozen=True)
class Found(Verdict):
    """What a number of calls found, of rows that no id names.

    Args:
        case: the smallest call that failed, or the one whose result was nearest to its limit.
        name: the property that it failed.
        dtype: the call's dtype, where the check has none.
    """

    case: Optional[Case] = None
    name: str = ""
    dtype: str = ""


PASSED = Verdict(CONFORMANT)


def failed(text: str, measure: Optional[Measure] = None) -> Verdict:
    """A failure."""
    return Verdict(FAIL, text, measure)


def unspecified(reason: str) -> Verdict:
    """Something about which nothing is claimed."""
    return Verdict(UNSPECIFIED, reason)


def defect(reason: str) -> Verdict:
    """A defect of the reference, which is not held against anybody."""
    return Verdict(DEFECT, reason)


def not_run(reason: str) -> Verdict:
    """A check that could not be made."""
    return Verdict(NOT_RUN, reason)


def checks_of(loss: Loss, profile: str = "quick", seed: int = 0) -> list[Check]:
    """Every check of a loss; those of execution modes last, as they share graphs.

    Args:
        loss: the loss.
        profile: one of ``PROFILES``. ``quick`` runs in every mode some rows that together show
            each input's rank and each option (``mode_rows``); ``full`` one row of each make,
            10,000 random rows and sharded tensors; ``exhaustive`` each row in each of its dtypes,
            and every half-precision input where that is finite.
        seed: of the random rows.
    """
    chosen = _chosen(loss, profile)
    translated = translated_rows(loss, chosen) if chosen is not None else set()
    eager, graphs = [], []
    cases = [case for case in loss.cases if profile != "quick" or case.profile == "quick"]
    cases += exhaustive.rows(loss) if profile == "exhaustive" else []
    for case in cases:
        for dtype in case.dtypes:
            names = _eager_properties(loss, case, dtype)
            eager += [Check(loss, case, dtype, name) for name in names]
            modes = _modes(loss, case, dtype, chosen)
            if profile == "quick":
                modes = _quick(modes, case, dtype, translated)
            graphs += [Check(loss, case, dtype, name) for name in modes]
    found = [Check(loss, kind, "", "signature") for kind in ("function", "layer")]
    found += [
        Check(loss, state, "", name) for state in loss.layers for name in layers.STATE_PROPERTIES
    ]
    if profile != "quick":
        found.append(Check(loss, "two_processes", "", SHARDED))
    return found + eager + list(_random(loss, profile, seed)) + graphs


def part_of(ids: Sequence[str], fraction: str) -> list[str]:
    """One part of the checks, for a run that is split; the checks of a row stay together.

    Args:
        ids: those of all checks, in their order.
        fraction: ``I/N``, the I-th of N parts, from 1 on.
    """
    part, parts = (int(number) for number in fraction.split("/"))
    rows = dict.fromkeys(each.rpartition("/")[0] for each in ids)
    mine = {row for number, row in enumerate(rows) if number % parts == part - 1}
    return [each for each in ids if each.rpartition("/")[0] in mine]


def _random(loss: Loss, profile: str, seed: int) -> Iterator[Check]:
    batches, size = DRAWN[profile]
    for dtype in FLOAT_DTYPES:
        for batch in range(batches):
            yield Check(loss, f"seed_{seed}_batch_{batch}_of_{size}", dtype, RANDOM)


def _chosen(loss: Loss, profile: str) -> Optional[set[str]]:
    """The ids of rows that run in every mode; ``None`` for all, in each of their dtypes."""
    if profile == "exhaustive":
        return None
    if profile == "quick":
        return mode_rows(loss)
    makes: dict[Any, str] = {}
    for case in loss.cases:
        if _in_graphs(case):
            makes.setdefault(frozenset(_shown(loss, case, every_p=True)), case.id)
    return {*makes.values(), *mode_rows(loss)}


def mode_rows(loss: Loss) -> set[str]:
    """The ids of rows that together show all that a graph of this loss can be made of."""
    cases = [case for case in loss.cases if _in_graphs(case)]
    return _cover(cases, [_shown(loss, case) for case in cases])


def translated_rows(loss: Loss, rows: set[str]) -> set[str]:
    """Those of the rows that together show each option: SOT translates Python, not tensors."""
    cases = [case for case in loss.cases if case.id in rows]
    return _cover(cases, [_shown(loss, case, every_tensor=False) for case in cases])


def _cover(cases: Sequence[Case], shown: Sequence[set[Any]]) -> set[str]:
    """The ids of few rows that show all; rows of clause C6, which is about graphs, come first."""
    by_id = {case.id: each for case, each in zip(cases, shown)}
    chosen = {case.id for case in cases if case.clause == "C6"}
    left: set[Any] = set().union(*shown).difference(*(by_id[row] for row in chosen))
    while left:
        most = max(by_id, key=lambda row: len(by_id[row] & left))
        left -= by_id[most]
        chosen.add(most)
    return chosen


def _shown(loss: Loss, case: Case, every_p: bool = False, every_tensor: bool = True) -> set[Any]:
    """What a row shows of its loss: the make of each argument, values of tensors left out.

    Args:
        loss: the loss.
        case: the row.
        every_p: whether to tell apart the powers that have no formula of their own.
        every_tensor: whether to tell apart the ranks and kinds of tensors.
    """
    inputs, options = arguments(loss, case, _main_dtype(case))
    shown: set[Any] = set()
    for name, value in {**inputs, **options}.items():
        if isinstance(value, Tensor):
            kind = value.values.dtype.kind
            make = (kind, value.values.ndim, value.values.size == 0) if every_tensor else ()
            shown.add((name, Tensor, *make))
        elif isinstance(value, (str, bool)):
            shown.add((name, value))
        elif isinstance(value, (int, float)):
            general = name != "p" or not (every_p or value in OWN_FORMULAS)
            shown.add((name, math.isfinite(value) if general else value))
        else:
            # Any of NumPy's numbers stands for the rest.
            number = isinstance(value, np.generic) and not every_p
            shown.add((name, "numpy" if number else type(value).__name__))
    return shown


def _eager_properties(loss: Loss, case: Case, dtype: str) -> list[str]:
    if case.raises is not None:
        names = ["error", "error_layer", "warning"]
        return [*names, "error_program"] if case.modes is None else names
    names = ["value"] if case.exact is None else ["exact"]
    if case.printed is not None and dtype in PRINTED_DTYPES:
        names.append("printed")
    names.append("torch")
    if case.exact is None and documented(loss, case, dtype):
        names.append(DROP_IN)
    names += ["shape", "dtype", "unchanged", "warning", "layer"]
    if case.exact is None:
        names.append("gradient")
        if dtype == "float64":
            names.append("second_gradient")
    return names


def _in_graphs(case: Case) -> bool:
    return case.modes is None and case.raises is None


def _main_dtype(case: Case) -> str:
    return "float32" if "float32" in case.dtypes else case.dtypes[0]


def _modes(loss: Loss, case: Case, dtype: str, chosen: Optional[set[str]]) -> list[str]:
    """The modes of a row.

    Unless all are run, of the chosen rows only: all modes in one dtype, a Program in float64 too,
    as graphs hold numbers in float32.
    """
    if not _in_graphs(case):
        return []
    if chosen is not None and dtype != _main_dtype(case):
        return ["program"] if case.id in chosen and dtype == "float64" else []
    if chosen is not None and case.id not in chosen:
        return [OTHER_ROWS]
    closed = {v: not has_open_dimensions(loss, case, dtype, v) for v in ("batch", "unknown")}
    return [mode for mode in MODES if not closed.get(mode.rpartition("_")[2], False)]


def _quick(modes: Sequence[str], case: Case, dtype: str, translated: set[str]) -> list[str]:
    """Those in one dtype; where every dimension is open, so is the batch.

    Of a row that is about graphs and names some of its inputs, one batch is open beside another
    that is known. SOT, by far the slowest, translates Python, to which all tensors are alike.
    """
    if dtype != _main_dtype(case):
        return []
    left_out = {mode for mode in modes if mode.endswith("_batch")}
    if case.opens_part:
        left_out = set()
    if case.id not in translated:
        left_out.add("to_static_sot")
    return [mode for mode in modes if mode not in left_out]
