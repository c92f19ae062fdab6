"""From a recipe and a case to its outputs, with the primitives of any framework: the same algorithm for all of them.

Outputs are grouped by reduction, each reduction is differentiated in all of its leaves at once, and an output that
raises does not affect the others. Only the requested outputs are computed, since calls are timed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lossvet.adapters import steps
from lossvet.adapters.call import Answers, Call, Compiled
from lossvet.adapters.protocol import Function, Mode, Primitives, Tensors, mode_of
from lossvet.adapters.types import Adapter, Measured, Missing, Native, Ops, Outcome, Prepared, Raised, Recipe
from lossvet.reference.dtypes import DTYPES, NARROW, WIDE
from lossvet.reference.output import HVP, parse
from lossvet.reference.types import Case


def never(function: Function, inputs: Tensors, leaf: str) -> Exception | None:
    """No function refuses to be given a leaf that a gradient is to be taken in."""
    return None


@dataclass(frozen=True)
class Habits:
    """What frameworks do each in their own way."""

    zeros: bool = False
    """Whether a gradient that is not there comes as zeros; those that a recipe says it lacks are then not asked for."""
    refusal: Callable[[Function, Tensors, str], Exception | None] = never
    """What a function raises as soon as a gradient in a leaf is prepared for."""
    no_derivative: tuple[str, ...] = ()
    """What an exception says that means "there is no such derivative"; every other one is a `Raised`."""
    words: Callable[[Exception], str] = str
    """What an exception says."""


def adapter(
    primitives: Primitives,
    version: str,
    ops: Ops,
    native: Mapping[str, Mapping[str, Native]],
    habits: Habits = Habits(),  # frozen
    compiled: Callable[[], int] | None = None,
    **more: Any,
) -> Adapter:
    """The adapter of a framework that has primitives; `more` are other fields of `Adapter`.

    `compiled` counts what was compiled where the framework knows better than by shapes.
    """
    computing, modes = Computing(primitives, ops, habits), primitives.modes
    without = {mode.name: ("*",) if not mode.reverse_mode else () if mode.second_order else ("hvp",) for mode in modes}
    given = {"devices": ("cpu",), "dtypes": WIDE, **more}
    return Adapter(
        name=primitives.name,
        version=version,
        modes=tuple(mode.name for mode in modes),
        ops=ops,
        native=native,
        prepare=computing.prepare,
        read=computing.read,
        compiled=compiled or (lambda: len(computing.compiled.signatures)),
        costs={mode.name: mode.cost for mode in modes},
        no_gradient={name: leaves for name, leaves in without.items() if leaves},
        primitives=primitives,
        **given,
    )


class Computing:
    """Prepares calls, and keeps what it compiled and what it learnt of functions that refuse."""

    def __init__(self, primitives: Primitives, ops: Ops, habits: Habits) -> None:
        self.primitives, self.ops, self.habits = primitives, ops, habits
        self.compiled = Compiled()
        self.refusals: dict[tuple[str, str, str], Missing | None] = {}

    def prepare(
        self, recipe: Recipe, case: Case, mode: str, dtype: str, device: str, outputs: tuple[str, ...]
    ) -> Prepared:
        p, how = self.primitives, mode_of(self.primitives, mode)
        absent: Answers = {o: why for o in outputs if (why := self._lacking(recipe, case, how, o))}
        asked = tuple(output for output in outputs if output not in absent)
        with p.scope(dtype, device):
            arrays = steps.inputs(recipe, case, asked)
            inputs = {name: p.put(array, dtype, device) for name, array in arrays.items()}
            call = Call(p, self.ops, self.compiled, recipe, steps.settings(case), how, (dtype, device), inputs)
            absent |= {o: why for o in asked if (why := self._refused(call, o))}
            asked = tuple(output for output in asked if output not in absent)
            together = call.ready(asked)

        def dispatch() -> Answers:
            try:
                with p.scope(dtype, device):
                    return {**absent, **together()} if absent else together()
            except Exception as error:
                return {**absent, **call.apart(asked, error)}

        def wait(answers: Answers) -> Answers:
            try:
                p.wait(answers)
            except Exception as error:
                return {**absent, **call.apart(asked, error)}
            return answers

        return Prepared(dispatch, wait)

    def read(self, answers: Answers) -> dict[str, Outcome]:
        return {output: self._outcome(output, answer) for output, answer in answers.items()}

    def _outcome(self, output: str, answer: Any) -> Outcome:
        match answer:
            case Missing():
                return answer
            case None:
                return Missing(f"no gradient into {parse(output).leaf}")
            case Exception() if any(words in str(answer) for words in self.habits.no_derivative):
                return Missing(f"no such derivative: {answer}")
            case Exception():
                return Raised(type(answer).__name__, self.habits.words(answer))
        try:
            return Measured(self._values(answer))
        except Exception as error:
            return Raised(type(error).__name__, self.habits.words(error))

    def _values(self, tensor: Any) -> NDArray[Any]:
        """What is read, in the dtype of the tensor: bfloat16 is read as float32."""
        array = self.primitives.read(tensor)
        own = self.primitives.dtype(tensor) if array.dtype == np.float32 else ""
        return array.astype(DTYPES[own].numpy) if own in NARROW else array

    def _lacking(self, recipe: Recipe, case: Case, mode: Mode, output: str) -> Missing | None:
        """Why there is no such output, as far as it is known before anything is computed."""
        of = parse(output)
        if not (mode.second_order if of == HVP else mode.reverse_mode or of.kind == "loss"):
            order = "second derivatives" if mode.reverse_mode else "derivatives"
            return Missing(f"{self.primitives.name} has no {order} in the mode {mode.name}")
        if self.habits.zeros and recipe.native is not None and of.leaf in recipe.native.no_gradient:
            return Missing(f"{recipe.native.spelling} has no gradient into {of.leaf}")
        return steps.missing(recipe, case, of.reduction)

    def _refused(self, call: Call, output: str) -> Missing | None:
        """Why a native function has no such gradient, where it says so with the loss: that is found out once."""
        of = parse(output)
        if call.recipe.native is None or of.kind != "gradient":
            return None
        key = (call.recipe.variant.name, call.recipe.name, of.leaf)
        if key not in self.refusals:
            error = self.habits.refusal(lambda tensors: call.losses(tensors, ("none",))(), call.inputs, of.leaf)
            outcome = None if error is None else self._outcome(output, error)
            if isinstance(outcome, Raised):
                return None  # a fault of this case: the call will meet it again
            self.refusals[key] = outcome if isinstance(outcome, Missing) else None
        return self.refusals[key]
