"""A row run eagerly, once: everything that its checks read from it."""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import takewhile
from typing import Any, Callable, Optional

from conformance import oracle
from conformance.arguments import Tensor, arguments, paddle_name, result_dtype
from conformance.case import Case, Loss
from conformance.implementation import Implementation, Received

Gradients = dict[str, Optional[Received]]


@dataclass
class Outcome:
    """What an implementation did with a row.

    Args:
        result: the tensor returned, ``None`` where there was none.
        returned: the name of the type returned.
        error: what the function raised.
        warnings: category and text of each warning.
        printed: what went to stdout and stderr.
        gradients: by Paddle's argument name; ``None`` where there is none.
        gradient_error: what asking for gradients raised.
        second: the second gradients, in the same form.
        second_error: what asking for them raised.
        again: the result of a second call with equal tensors, which ask for no gradient.
        changed: names of arguments whose bits the calls changed.
        layer: the layer's result.
        layer_error: what the layer raised.
        layer_made: whether the layer's constructor returned.
    """

    result: Optional[Received] = None
    returned: str = ""
    error: Optional[Exception] = None
    warnings: list[tuple[type[Warning], str]] = field(default_factory=list)
    printed: str = ""
    gradients: Gradients = field(default_factory=dict)
    gradient_error: Optional[Exception] = None
    second: Gradients = field(default_factory=dict)
    second_error: Optional[Exception] = None
    again: Optional[Received] = None
    changed: tuple[str, ...] = ()
    layer: Optional[Received] = None
    layer_error: Optional[Exception] = None
    layer_made: bool = False


@dataclass(frozen=True)
class Prepared:
    """A row's arguments as this implementation takes them.

    Args:
        positional: the leading inputs.
        placed: the options that come by position, behind the inputs.
        keywords: the other inputs, by this implementation's names.
        options: the other options, by this implementation's names.
        given: all of them by the names that the row uses.
        asked: those that ask for a gradient.
    """

    positional: list[Any]
    placed: list[Any]
    keywords: dict[str, Any]
    options: dict[str, Any]
    given: dict[str, Any]
    asked: tuple[str, ...]

    def call(self, function: Callable[..., Any]) -> Any:
        """Call the function."""
        return function(*self.positional, *self.placed, **self.keywords, **self.options)


@dataclass(frozen=True)
class Row:
    """A row of a loss in one dtype, for one implementation."""

    implementation: Implementation
    loss: Loss
    case: Case
    dtype: str

    @cached_property
    def arguments(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Its inputs and options, tensors as :class:`Tensor`."""
        return arguments(self.loss, self.case, self.dtype)

    @cached_property
    def result_dtype(self) -> str:
        """The dtype that the result must have."""
        return result_dtype(self.loss, self.case, self.dtype)

    def prepare(self, make: Optional[Callable[[Tensor], Any]] = None) -> Prepared:
        """Make the arguments anew; ``make`` replaces the implementation's ``tensor``."""
        make = make or self.implementation.tensor
        inputs, options = self.arguments
        both = {**inputs, **options}
        given = {k: make(v) if isinstance(v, Tensor) else v for k, v in both.items()}
        names = list(inputs)
        same = (mine == theirs for mine, theirs in zip(names, self.loss.inputs))
        leading = sum(takewhile(bool, same))
        spell = self.implementation.spelling
        placed = self.case.positional if self.implementation.kind == "paddle" else ()
        return Prepared(
            [given[name] for name in names[:leading]],
            [given[name] for name in placed],
            {spell(self.loss, name): given[name] for name in names[leading:]},
            {spell(self.loss, name): given[name] for name in options if name not in placed},
            given,
            tuple(k for k, v in both.items() if isinstance(v, Tensor) and v.grad),
        )

    def evaluate(self) -> Outcome:
        """Run it: function, gradients, a second call, layer."""
        outcome = Outcome()
        with captured() as printed:
            self._function(outcome, printed)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if outcome.result is not None:
                    self._second(outcome)
                self._layer(outcome)
        return outcome

    def first_order(self) -> Outcome:
        """Run the function and its first gradients alone."""
        outcome = Outcome()
        with captured() as printed:
            self._function(outcome, printed)
        return outcome

    def _function(self, outcome: Outcome, printed: Callable[[], str]) -> None:
        function = self.implementation.function(self.loss)
        if function is None:
            outcome.error = AttributeError(
                f"{self.implementation.function_path(self.loss)} is missing"
            )
            return
        prepared = self.prepare()
        received = self.implementation.received
        before = {name: received(value) for name, value in prepared.given.items()}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                result = prepared.call(function)
            except Exception as error:
                outcome.error = error.with_traceback(None)
        outcome.warnings = [(warning.category, str(warning.message)) for warning in caught]
        outcome.printed = printed()
        if outcome.error is not None:
            return
        outcome.returned = type(result).__name__
        outcome.result = received(result)
        if outcome.result is None:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outcome.again = _quietly(lambda: received(self._without_gradients().call(function)))
            self._gradients(prepared, result, outcome)
        outcome.changed = tuple(
            name
            for name, bits in before.items()
            if bits and not bits.same_bits(received(prepared.given[name]))
        )

    def _without_gradients(self) -> Prepared:
        make = self.implementation.tensor
        return self.prepare(lambda tensor: make(replace(tensor, grad=False)))

    def _gradients(self, prepared: Prepared, result: Any, outcome: Outcome) -> None:
        assert outcome.result is not None
        if self.case.exact is not None:
            return
        wanted = [prepared.given[name] for name in prepared.asked]
        cotangent = oracle.cotangent(outcome.result.raw.shape)
        try:
            found = self.implementation.gradients(result, wanted, cotangent) if wanted else []
            outcome.gradients = self._collect(prepared, found)
        except Exception as error:
            outcome.gradient_error = error.with_traceback(None)

    def _second(self, outcome: Outcome) -> None:
        """Run the row once more, with a graph of its gradients."""
        assert outcome.result is not None
        prepared = self.prepare()
        wanted = [prepared.given[name] for name in prepared.asked]
        function = self.implementation.function(self.loss)
        if self.dtype != "float64" or not outcome.gradients or function is None:
            return
        cotangent = oracle.cotangent(outcome.result.raw.shape)
        names = [paddle_name(self.loss, name) for name in prepared.asked]
        shapes = {name: tuple(value.shape) for name, value in zip(names, wanted)}
        weights = [oracle.second_cotangents(shapes)[name] for name in names]
        try:
            first = self.implementation.gradients(
                prepared.call(function), wanted, cotangent, create_graph=True
            )
            found = self.implementation.second_gradients(first, wanted, weights)
            outcome.second = self._collect(prepared, found)
        except Exception as error:
            outcome.second_error = error.with_traceback(None)

    def _collect(self, prepared: Prepared, found: list[Any]) -> Gradients:
        return {
            paddle_name(self.loss, name): None
            if value is None
            else self.implementation.received(value)
            for name, value in zip(prepared.asked, found)
        }

    def _layer(self, outcome: Outcome) -> None:
        made = self.implementation.layer(self.loss)
        if made is None:
            outcome.layer_error = AttributeError(
                f"{self.implementation.name} has no {self.loss.layer}"
            )
            return
        prepared = self.prepare()
        try:
            layer = made(*prepared.placed, **prepared.options)
            outcome.layer_made = True
            result = layer(*prepared.positional, **prepared.keywords)
            outcome.layer = self.implementation.received(result)
        except Exception as error:
            outcome.layer_error = error.with_traceback(None)


def _quietly(run: Callable[[], Optional[Received]]) -> Optional[Received]:
    try:
        return run()
    except Exception:
        return None


@contextmanager
def captured() -> Iterator[Callable[[], str]]:
    """Collect what is printed, by C++ too; yields a function that returns the text so far."""
    with ExitStack() as stack:
        file = stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace"))
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor in (1, 2):
            saved = os.dup(descriptor)
            stack.callback(os.close, saved)
            stack.callback(os.dup2, saved, descriptor)
            os.dup2(file.fileno(), descriptor)
        stack.enter_context(redirect_stdout(file))
        stack.enter_context(redirect_stderr(file))

        def text() -> str:
            file.flush()
            if not file.seek(0, os.SEEK_END):
                return ""
            file.seek(0)
            return file.read()

        yield text
