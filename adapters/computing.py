"""From a recipe and a case to its outputs, with the primitives of any framework: the same algorithm for all of them.

Outputs are grouped by reduction, each reduction is differentiated in all of its leaves at once, and what raises loses
no other output. Nothing is computed beside what is asked: it is timed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from lossvet.adapters import steps
from lossvet.adapters.protocol import Function, Losses, Mode, Primitives, Tensors, mode_of
from lossvet.adapters.types import Adapter, Measured, Missing, Native, Ops, Outcome, Prepared, Raised, Recipe
from lossvet.reference.types import Case

COTANGENT, DIRECTION = "cotangent", "direction"
"""Names of inputs beside the tensors of the recipe."""
Answers = dict[str, Any]
"""By output a tensor, None where there is no gradient, a `Missing`, or the exception that took its place."""


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
    given = {"devices": ("cpu",), "dtypes": ("float32", "float64"), **more}
    return Adapter(
        name=primitives.name,
        version=version,
        modes=tuple(mode.name for mode in modes),
        ops=ops,
        native=native,
        prepare=computing.prepare,
        read=computing.read,
        compiled=compiled or (lambda: len(computing.signatures)),
        eager=tuple(mode.name for mode in modes if not mode.compiles),
        no_gradient={name: leaves for name, leaves in without.items() if leaves},
        primitives=primitives,
        **given,
    )


class Computing:
    """Prepares calls, and keeps what it compiled and what it learnt of functions that refuse."""

    def __init__(self, primitives: Primitives, ops: Ops, habits: Habits) -> None:
        self.primitives, self.ops, self.habits = primitives, ops, habits
        self.functions: dict[Any, Function] = {}
        self.signatures: set[Any] = set()
        """What was compiled, with the shapes that it met."""
        self.refusals: dict[tuple[str, str, str], Missing | None] = {}

    def prepare(
        self, recipe: Recipe, case: Case, mode: str, dtype: str, device: str, outputs: tuple[str, ...]
    ) -> Prepared:
        p, how = self.primitives, mode_of(self.primitives, mode)
        absent: Answers = {o: why for o in outputs if (why := self._lacking(recipe, case, o))}
        asked = tuple(output for output in outputs if output not in absent)
        with p.scope(dtype, device):
            arrays = steps.inputs(recipe, case, asked)
            inputs = {name: p.put(array, dtype, device) for name, array in arrays.items()}
            call = Call(self, recipe, steps.settings(case), how, (dtype, device), inputs)
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

        prepared = Prepared(dispatch, wait)
        if not how.eager:
            prepared()  # it is compiled, or a graph is built
        return prepared

    def read(self, answers: Answers) -> dict[str, Outcome]:
        return {output: self._outcome(output, answer) for output, answer in answers.items()}

    def _outcome(self, output: str, answer: Any) -> Outcome:
        match answer:
            case Missing():
                return answer
            case None:
                return Missing(f"no gradient into {'logits' if output == 'hvp' else output.rpartition('/')[2]}")
            case Exception() if any(words in str(answer) for words in self.habits.no_derivative):
                return Missing(f"no such derivative: {answer}")
            case Exception():
                return Raised(type(answer).__name__, self.habits.words(answer))
        try:
            return Measured(self.primitives.read(answer))
        except Exception as error:
            return Raised(type(error).__name__, self.habits.words(error))

    def _lacking(self, recipe: Recipe, case: Case, output: str) -> Missing | None:
        """Why the recipe has no such output, as far as it is known before anything is computed."""
        reduction, leaf = _path(output)
        if self.habits.zeros and recipe.native is not None and leaf in recipe.native.no_gradient:
            return Missing(f"{recipe.native.spelling} has no gradient into {leaf}")
        return steps.missing(recipe, case, reduction)

    def _refused(self, call: Call, output: str) -> Missing | None:
        """Why a native function has no such gradient, where it says so with the loss: that is found out once."""
        _, leaf = _path(output)
        if call.recipe.native is None or leaf is None or output == "hvp":
            return None
        key = (call.recipe.variant.name, call.recipe.name, leaf)
        if key not in self.refusals:
            error = self.habits.refusal(lambda tensors: call.losses(tensors, ("none",))(), call.inputs, leaf)
            outcome = None if error is None else self._outcome(output, error)
            if isinstance(outcome, Raised):
                return None  # a fault of this case: the call will meet it again
            self.refusals[key] = outcome if isinstance(outcome, Missing) else None
        return self.refusals[key]


@dataclass(frozen=True)
class Call:
    """A recipe at work on the inputs of a case; `where` is the dtype and the device."""

    computing: Computing
    recipe: Recipe
    settings: Mapping[str, Any]
    mode: Mode
    where: tuple[str, str]
    inputs: Tensors
    kind: tuple[Any, ...] = field(init=False)
    """What a compiled function is made for, apart from the outputs."""

    def __post_init__(self) -> None:
        ranks = ((name, len(x.shape)) for name, x in self.inputs.items())
        object.__setattr__(self, "kind", (self.recipe, self.mode.name, *self.where, *self.settings.items(), *ranks))

    def ready(self, names: tuple[str, ...]) -> Callable[[], Answers]:
        """A call that computes these outputs; where not even a graph can be built of them, one that says why."""
        if not names:
            return dict
        try:
            return self.computed(names)
        except Exception as error:
            refused = self.apart(names, error)
            return lambda: dict(refused)

    def computed(self, names: tuple[str, ...]) -> Callable[[], Answers]:
        """A call that computes these outputs, compiled if the mode compiles."""
        if self.mode.eager:
            return self.direct(names, self.inputs, self.losses)
        if self.mode.around:
            wanted = grouped(names)
            return self.direct(names, self.inputs, lambda tensors, own: self._compiled_loss(tensors, own, wanted))
        whole = self._compiled(names, lambda tensors: self.direct(names, tensors, self.losses)())
        return partial(whole, self.inputs)

    def direct(self, names: tuple[str, ...], tensors: Tensors, losses: Losses) -> Callable[[], Answers]:
        """A call that computes these outputs with the primitives."""
        p, wanted, cotangent = self.computing.primitives, grouped(names), tensors.get(COTANGENT)
        run, second = p.passes(losses, tensors, wanted, {"none": cotangent}), "hvp" in names
        paths = [(name, *_path(name)) for name in names if name != "hvp"]

        def call() -> Answers:
            found = run()
            answers = {name: found[r][0] if leaf is None else found[r][1][leaf] for name, r, leaf in paths}
            if second:
                answers["hvp"] = self._second(tensors, losses)
            return answers

        return call

    def losses(self, tensors: Tensors, reductions: tuple[Any, ...]) -> Callable[[], Mapping[Any, Any]]:
        """The losses of these tensors, as a call before which all is ready that is no part of the loss."""
        return bound(self.recipe, self.computing.ops, self.settings, tensors, reductions)

    def apart(self, names: tuple[str, ...], error: Exception) -> Answers:
        """The outputs part by part, after all at once have raised: one refusal loses only its own part.

        A part is one loss, the gradients of one reduction, or the Hessian product. What needs a loss that was refused
        is refused in the same words, and not asked for again.
        """
        p = self.computing.primitives
        parts = {tuple(other for other in names if _part(other) == _part(name)): None for name in names}
        if len(parts) == 1:
            return dict.fromkeys(names, error)
        found: Answers = {}
        for part in sorted(parts, key=lambda part: not part[0].startswith("loss/")):
            loss = found.get(f"loss/{_path(part[0])[0]}")
            if isinstance(loss, Exception):
                found |= dict.fromkeys(part, loss)
                continue
            try:
                with p.scope(*self.where):
                    answers = self.computed(part)()
                    p.wait(answers)
                found |= answers
            except Exception as refusal:
                found |= dict.fromkeys(part, refusal)
        return found

    def _second(self, tensors: Tensors, losses: Losses) -> Any:
        def loss(given: Tensors) -> Any:
            return losses(given, ("none",))()["none"]

        try:
            return self.computing.primitives.hvp(loss, tensors, "logits", tensors[COTANGENT], tensors[DIRECTION])
        except Exception as error:
            if self.mode.eager or self.mode.around:
                return error
            raise  # what is compiled as a whole is lost as a whole

    def _compiled(self, key: Any, function: Function) -> Function:
        made, own = self.computing.functions, (self.kind, key)
        if own not in made:
            made[own] = self.computing.primitives.compile(function, self.mode.name, self.inputs)
        if self.mode.compiles:
            self.computing.signatures.add((own, *(tuple(x.shape) for x in self.inputs.values())))
        return made[own]

    def _compiled_loss(
        self, tensors: Tensors, reductions: tuple[Any, ...], wanted: Mapping[Any, tuple[str, ...]]
    ) -> Callable[[], Mapping[Any, Any]]:
        """One reduction, compiled for the gradients that will be taken: another set of them is compiled anew."""
        recipe, ops, settings = self.recipe, self.computing.ops, self.settings  # not self: every attribute is guarded
        own = {name: x for name, x in tensors.items() if name not in (COTANGENT, DIRECTION)}
        compiled = self._compiled(
            (*reductions, *sorted(leaf for reduction in reductions for leaf in wanted.get(reduction, ()))),
            lambda given: bound(recipe, ops, settings, given, reductions)(),
        )
        return partial(compiled, own)


def bound(
    recipe: Recipe, ops: Ops, settings: Mapping[str, Any], tensors: Tensors, reductions: tuple[Any, ...]
) -> Callable[[], Mapping[Any, Any]]:
    """The losses of these tensors by reduction, as a call."""
    params = steps.with_tensors(recipe, {**settings, **tensors})
    logits, labels = tensors["logits"], tensors["labels"]
    return lambda: steps.losses(recipe, ops, logits, labels, params, reductions)


def grouped(names: tuple[str, ...]) -> dict[Any, tuple[str, ...]]:
    """By reduction the leaves in which gradients are asked for; none where only the loss is."""
    wanted: dict[Any, tuple[str, ...]] = {}
    for name in names:
        if name != "hvp":
            _, reduction, *leaf = name.split("/")
            wanted[reduction] = (*wanted.get(reduction, ()), *leaf)
    return wanted


def _path(output: str) -> tuple[Any, str | None]:
    """The reduction and the leaf; "hvp" is of the unreduced losses, in the logits."""
    _, *path = output.split("/")
    return (path[0] if path else "none"), (path[1] if len(path) > 1 else None)


def _part(output: str) -> str:
    return "/".join(output.split("/")[:2])
