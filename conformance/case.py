"""What a row of the suite is: data, with an id that states its point.

A row names its arguments as Paddle does. Everything that is checked of it (value, shape,
dtype, gradients, execution modes) follows from these fields; nothing is typed twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Callable, Optional, Union

import numpy as np

from conformance.domain import Domain

FLOAT_DTYPES = ("float16", "bfloat16", "float32", "float64")
"""The dtypes that a row runs in unless it says otherwise."""

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Array:
    """A tensor argument.

    Args:
        data: nested lists of numbers, or a NumPy array. Values are rounded once to the dtype.
        dtype: a Paddle dtype name, or ``None`` for the dtype that the row runs in.
        grad: whether a gradient is asked for; ``None`` follows ``Loss.differentiable``.
    """

    data: Any
    dtype: Optional[str] = None
    grad: Optional[bool] = None


@dataclass(frozen=True)
class Repeat:
    """A large tensor of one value, made when it is needed.

    Args:
        value: the value of every element.
        shape: the shape.
        dtype: as in :class:`Array`.
    """

    value: float
    shape: tuple[int, ...]
    dtype: Optional[str] = None

    @property
    def data(self) -> Any:
        """The elements, as a read-only float64 array without memory of its own."""
        return np.broadcast_to(np.float64(self.value), self.shape)


@dataclass(frozen=True)
class Printed:
    """A tensor as a documentation prints it: correct to half a unit of its last digit.

    Args:
        text: the printed numbers, for example ``"[[0., -2., 0.], [0., -1., 2.]]"``.
        source: which page prints it.
        units: units of the last digit that a result may be off: more than half a one only
            where the documentation prints its own rounding error.
    """

    text: str
    source: str
    units: float = 0.5


@dataclass(frozen=True)
class Raises:
    """An expected error.

    Args:
        kind: ``ValueError`` or ``TypeError``.
        match: regular expressions that the message must contain, in any order: one for what
            was expected, one for what was received.
        constructor: whether the layer must raise when it is made, before any tensor is seen.
    """

    kind: type[Exception]
    match: tuple[str, ...]
    constructor: bool = False


@dataclass(frozen=True)
class Case:
    """One row.

    Args:
        id: the point, in words (``at_the_kink``), unique within its loss.
        clause: the clause of the contract that it checks: ``C1`` … ``C7`` or the name of a
            paragraph or column (``broadcasting``, ``kink``).
        inputs: tensor arguments under Paddle's names. Nested lists mean ``Array(list)``;
            a bare number means a 0-D tensor; any other object is handed over as it is.
        options: the other arguments. An ``Array`` among them becomes a tensor.
        dtypes: the dtypes that it runs in: those of the inputs that name none.
        printed: what a documentation prints for it (checked in float32 and float64).
        exact: the result by hand, for rows that are too large for the multiprecision formula.
        raises: the error that it must raise, instead of any result.
        warns: the warning that the call must give; any other warning is a failure.
        warns_match: regular expressions that the warning's text must contain.
        torch: ``None`` where torch is an oracle; otherwise why it is not ("C3: …" for a
            defect of torch, or what it cannot run).
        modes: ``None`` where every execution mode applies; otherwise why only eager does.
        batch: names of inputs whose first dimension is the batch, which the modes with an
            unknown batch leave open; ``None`` follows ``Loss.batch``.
        profile: the smallest profile that runs it (``checks.PROFILES``): ``full`` where it takes
            seconds and adds little.
        positional: names of options that are given by position, behind the inputs and in Paddle's
            order; torch, which has another order, is given them by keyword.
        note: why the row is there, where its id does not say it all.
        second: whether a second gradient is claimed: not where a kink lies on both sides of the row
            and the differences that it is held against see neither.
        drawn: whether the row was drawn, so that a gradient is claimed only where rounding does
            not decide which one is right.
    """

    id: str
    clause: str
    inputs: Mapping[str, Any]
    options: Options = field(default_factory=dict)
    dtypes: tuple[str, ...] = FLOAT_DTYPES
    printed: Optional[Printed] = None
    exact: Any = None
    raises: Optional[Raises] = None
    warns: Optional[type[Warning]] = None
    warns_match: tuple[str, ...] = ()
    torch: Optional[str] = None
    modes: Optional[str] = None
    batch: Optional[tuple[str, ...]] = None
    profile: str = "quick"
    positional: tuple[str, ...] = ()
    note: str = ""
    second: bool = True
    drawn: bool = False

    @property
    def opens_part(self) -> bool:
        """Whether the row is about graphs that leave one batch open beside another's."""
        return self.clause == "C6" and bool(self.batch)


@dataclass(frozen=True)
class LayerState:
    """What a layer must keep and show.

    Args:
        id: the point.
        options: the constructor's arguments.
        extra_repr: the text that ``extra_repr`` must give.
        state: the names that ``state_dict`` must hold.
        torch: why torch cannot have such a layer; ``None`` where it can.
    """

    id: str
    options: Options
    extra_repr: str
    state: tuple[str, ...] = ()
    torch: Optional[str] = None


@dataclass(frozen=True)
class Budget:
    """Accuracy in ULP of the result's dtype, before the condition number (contract, section 5).

    Args:
        value: for ``none``, by dtype; a callable receives the row's number of classes.
        gradient: for the first gradient, by dtype.
    """

    value: Mapping[str, Union[float, Callable[[int], float]]]
    gradient: Mapping[str, float]


@dataclass(frozen=True)
class Loss:
    """One loss: its names, its formula and its rows.

    Args:
        stem: the name of its file in every folder (``hinge_embedding``).
        function: the function's name in ``nn.functional``.
        layer: the layer's name in ``nn``.
        signature: Paddle's ``inspect.signature`` of the function, as text.
        layer_signature: the same of the layer's constructor, without ``self``.
        inputs: the tensor arguments in order.
        differentiable: those that a gradient is asked for, wherever they are floating.
        formula: the documented formula, elementwise over ``oracle.Number``: takes the inputs
            as NumPy object arrays and every option but ``reduction``; returns the ``none``
            result as an object array.
        budget: the accuracy that is promised.
        domain: what the arguments may be.
        torch_function: torch's name of the function, where it differs.
        torch_names: Paddle's argument names to torch's.
        batch: inputs whose first dimension is the batch.
        never_negative: whether no input makes the loss negative.
        exempt: clauses that say nothing of this loss, each with the reason.
        documentation: the formula in words and symbols, for reports.
    """

    stem: str
    function: str
    layer: str
    signature: str
    layer_signature: str
    inputs: tuple[str, ...]
    differentiable: tuple[str, ...]
    formula: Callable[..., Any]
    budget: Budget
    domain: Domain
    cases: tuple[Case, ...] = ()
    layers: tuple[LayerState, ...] = ()
    torch_function: Optional[str] = None
    torch_names: Mapping[str, str] = field(default_factory=dict)
    batch: tuple[str, ...] = ()
    never_negative: bool = False
    exempt: Mapping[str, str] = field(default_factory=dict)
    documentation: str = ""
