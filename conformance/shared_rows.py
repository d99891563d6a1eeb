"""Rows that every loss has, made from one of its typical calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from conformance.case import Array, Case, Raises

FIELDS = {field.name for field in fields(Case)}
LONG = 1100
NOT_REDUCTIONS: dict[str, Any] = {
    "capitalised": "Mean",
    "none_object": None,
    "number": 1,
    "true": True,
    "elementwise_mean": "elementwise_mean",
    "empty_text": "",
}
OLDER_SPELLINGS: dict[str, dict[str, Any]] = {
    "size_average_true_is_mean": {"size_average": True},
    "size_average_false_is_sum": {"size_average": False},
    "reduce_true_is_mean": {"reduce": True},
    "reduce_false_is_none": {"reduce": False},
    "both_false_is_none": {"size_average": False, "reduce": False},
    "both_true_is_mean": {"size_average": True, "reduce": True},
    "older_spelling_wins_over_reduction": {"size_average": False, "reduction": "none"},
}


def normal(seed: int, *shape: int) -> np.ndarray:
    """Normal random numbers of a fixed seed, with six decimals: the same on every platform."""
    return np.round(np.random.default_rng(seed).standard_normal(shape), 6)


def signs(seed: int, *shape: int) -> np.ndarray:
    """Random labels of 1 and -1 of a fixed seed."""
    return np.random.default_rng(seed).choice([-1.0, 1.0], shape)


def longer_than_a_block(inputs: Mapping[str, Any], **more: Any) -> Case:
    """More elements, no two alike, than whoever computes in blocks has in one.

    Args:
        inputs: tensors of ``LONG`` elements or rows of so many.
        **more: as in :func:`row`.
    """
    given = {"reduction": "sum", "dtypes": ("float32",), **more}
    return row("longer_than_a_block", "C1", inputs, **given)


def row(id: str, clause: str, inputs: Mapping[str, Any], **more: Any) -> Case:
    """A row with ``reduction='none'`` unless it says otherwise.

    Args:
        id: as in :class:`Case`.
        clause: as in :class:`Case`.
        inputs: as in :class:`Case`; a NumPy array becomes a tensor too.
        **more: fields of :class:`Case`; every other name is an option of the loss.
    """
    tensors = {n: Array(x) if isinstance(x, np.ndarray) else x for n, x in inputs.items()}
    named = {name: more.pop(name) for name in list(more) if name in FIELDS}
    return Case(id, clause, tensors, {"reduction": "none", **more}, **named)


def refused(
    id: str,
    inputs: Mapping[str, Any],
    kind: type[Exception],
    match: tuple[str, ...],
    constructor: bool = False,
    clause: str = "C5",
    **more: Any,
) -> Case:
    """A row that must raise, in float32.

    Args:
        id: as in :class:`Case`.
        inputs: as in :func:`row`.
        kind: as in :class:`Raises`.
        match: as in :class:`Raises`.
        constructor: as in :class:`Raises`.
        clause: as in :class:`Case`.
        **more: as in :func:`row`.
    """
    raises = Raises(kind, match, constructor)
    return row(id, clause, inputs, dtypes=("float32",), raises=raises, **more)


def shared(inputs: Mapping[str, Any], torch_names: Mapping[str, str]) -> tuple[Case, ...]:
    """Reductions, right and wrong, torch's spellings, and inputs that are no floating tensors.

    Args:
        inputs: a call that is right: tensors under Paddle's names, more than one element.
        torch_names: Paddle's argument names to torch's.
    """
    return (
        *_reductions(inputs),
        *_older_spellings(inputs),
        *_wrong_flags(inputs),
        *_spellings(inputs, {a: b for a, b in torch_names.items() if a in inputs}),
        *_wrong_types(inputs),
    )


def positions(inputs: Mapping[str, Any], **options: Any) -> tuple[Case, ...]:
    """Options by position, as Paddle's code may give them, and a deprecated flag beside them.

    Args:
        inputs: a call that is right.
        **options: every option in Paddle's order, down to ``reduction="none"``.
    """
    right = Case(
        "options_by_position",
        "names",
        inputs,
        {**options, "reduction": "sum"},
        dtypes=("float32",),
        positional=tuple(options),
    )
    flag = replace(
        right,
        id="older_spelling_wins_over_a_position",
        options={**options, "name": None, "size_average": False},
        positional=(*options, "name"),
        warns=DeprecationWarning,
        warns_match=("reduction",),
        torch="torch's functions have no name",
    )
    return right, flag


def margin_errors(inputs: Mapping[str, Any]) -> tuple[Case, ...]:
    """Margins that are no numbers, for a loss that has one.

    Args:
        inputs: a call that is right.
    """
    wrong = {
        "digit_text": ("2", TypeError, "'2'"),
        "text": ("a", TypeError, "'a'"),
        "none": (None, TypeError, "None"),
        "list": ([1.0], TypeError, "list"),
        "tensor_of_3": (Array([1.0, 2.0, 3.0]), ValueError, r"\[3\]"),
        "bool_tensor": (Array(True, "bool"), TypeError, "bool"),
        "complex_tensor": (Array(1.0, "complex64"), TypeError, "complex64"),
    }
    return tuple(
        refused(
            f"margin_{name}_is_refused",
            inputs,
            kind,
            ("margin.*number", f"received.*{received}"),
            constructor=True,
            margin=margin,
        )
        for name, (margin, kind, received) in wrong.items()
    )


def weight_errors(inputs: Mapping[str, Any], classes: int) -> tuple[Case, ...]:
    """Class weights that are none, for a loss that has them.

    Args:
        inputs: a call that is right.
        classes: how many classes it has.
    """
    length, more = rf"\[{classes}\]", classes + 1
    wrong = {
        "list": ([1.0] * classes, TypeError, "tensor", "list", True),
        "numpy": (np.ones(classes), TypeError, "tensor", "ndarray", True),
        "number": (2.0, TypeError, "tensor", "2.0", True),
        "bool": (Array([True] * classes, "bool"), TypeError, "tensor", "bool", True),
        "2d": (Array([[1.0]] * classes), ValueError, rf"\[C\]|{length}", ", 1", True),
        "0d": (Array(1.0), ValueError, rf"\[C\]|{length}", r"\[\]", True),
        "too_long": (Array([1.0] * more), ValueError, length, rf"\[{more}\]", False),
        "of_1": (Array([1.0]), ValueError, length, r"\[1\]", False),
    }
    return tuple(
        refused(
            f"weight_{name}_is_refused",
            inputs,
            kind,
            (f"weight.*({expected})", f"received.*{received}"),
            constructor=constructor,
            weight=weight,
        )
        for name, (weight, kind, expected, received, constructor) in wrong.items()
    )


def _wrong_types(inputs: Mapping[str, Any]) -> list[Case]:
    no_tensors = [
        refused(f"{name}_{text}_is_refused", {**inputs, name: value}, TypeError, (name, received))
        for name in inputs
        for text, value, received in (("tuple", (1, 2), "tuple"), ("none", None, "None"))
    ]
    first = next(iter(inputs))
    shape = np.shape(getattr(inputs[first], "data", inputs[first]))
    not_floating = [
        refused(
            f"{first}_{dtype}_is_refused",
            {**inputs, first: Array(np.zeros(shape), dtype)},
            TypeError,
            ("float32", f"received.*{dtype}"),
        )
        for dtype in ("int32", "int64", "bool", "complex64")
    ]
    return no_tensors + not_floating


def _reductions(inputs: Mapping[str, Any]) -> list[Case]:
    right = [
        Case(f"reduction_{name}", "reduction", inputs, {"reduction": name})
        for name in ("none", "mean", "sum")
    ]
    wrong = [
        Case(
            f"reduction_{name}_is_refused",
            "C5",
            inputs,
            {"reduction": value},
            dtypes=("float32",),
            raises=Raises(ValueError, ("'mean'", f"received.*{value!r}"), constructor=True),
        )
        for name, value in NOT_REDUCTIONS.items()
    ]
    return right + wrong


def _older_spellings(inputs: Mapping[str, Any]) -> list[Case]:
    return [
        Case(
            name,
            "names",
            inputs,
            options,
            dtypes=("float32",),
            warns=DeprecationWarning,
            warns_match=("reduction",),
        )
        for name, options in OLDER_SPELLINGS.items()
    ]


def _wrong_flags(inputs: Mapping[str, Any]) -> list[Case]:
    return [
        refused(
            f"{flag}_text_is_refused",
            inputs,
            TypeError,
            (flag, f"received.*{text!r}"),
            constructor=True,
            **{flag: text},
        )
        for flag, text in (("size_average", "sum"), ("reduce", "mean"))
    ]


def _spellings(inputs: Mapping[str, Any], torch_names: Mapping[str, str]) -> list[Case]:
    renamed = {torch_names.get(name, name): value for name, value in inputs.items()}
    right = Case("torch_spelling", "names", renamed, dtypes=("float32",))
    both = [
        replace(
            right,
            id=f"both_{paddle}_and_{torch}_is_refused",
            inputs={**inputs, torch: inputs[paddle]},
            raises=Raises(TypeError, (paddle, torch)),
        )
        for paddle, torch in torch_names.items()
    ]
    return [right, *both]
