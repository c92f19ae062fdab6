"""One recipe at work on the inputs of one case: which passes its outputs take, and how they are compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from lossvet.adapters import steps
from lossvet.adapters.protocol import SECOND, Function, Losses, Mode, Primitives, Tensors, Wanted
from lossvet.adapters.types import Ops, Recipe
from lossvet.reference.output import HVP, Output, parse

COTANGENT, DIRECTION = "cotangent", "direction"
"""Names of inputs beside the tensors of the recipe."""
Answers = dict[str, Any]
"""By output a tensor, None where there is no gradient, a `Missing`, or the exception that took its place."""


@dataclass(frozen=True)
class Compiled:
    """What was compiled: functions, each for outputs of a recipe; and these with the shapes that they met."""

    functions: dict[Any, Function] = field(default_factory=dict)
    signatures: set[Any] = field(default_factory=set)


@dataclass(frozen=True)
class Call:
    """A recipe at work on the inputs of a case; `where` is the dtype and the device."""

    primitives: Primitives
    ops: Ops
    compiled: Compiled
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
            wanted = grouped(map(parse, names))
            return self.direct(names, self.inputs, lambda tensors, own: self._compiled_loss(tensors, own, wanted))
        whole = self._compiled(names, lambda tensors: self.direct(names, tensors, self.losses)())
        return partial(whole, self.inputs)

    def direct(self, names: tuple[str, ...], tensors: Tensors, losses: Losses) -> Callable[[], Answers]:
        """A call that computes these outputs with the primitives."""
        asked = {name: parse(name) for name in names}
        second = (HVP.reduction, HVP.leaf, tensors[DIRECTION]) if HVP in asked.values() else None
        cotangents = {"none": tensors[COTANGENT]} if COTANGENT in tensors else {}
        run = self.primitives.passes(losses, tensors, Wanted(grouped(asked.values()), cotangents, second))
        places = [(name, *((SECOND, "") if o == HVP else (o.reduction, o.leaf))) for name, o in asked.items()]

        def call() -> Answers:
            found = run()
            return {name: found[loss][1][leaf] if leaf else found[loss][0] for name, loss, leaf in places}

        return call

    def losses(self, tensors: Tensors, reductions: tuple[Any, ...]) -> Callable[[], Mapping[Any, Any]]:
        """The losses of these tensors, as a call before which all is ready that is no part of the loss."""
        return bound(self.recipe, self.ops, self.settings, tensors, reductions)

    def apart(self, names: tuple[str, ...], error: Exception) -> Answers:
        """The outputs part by part, after all at once have raised: one refusal loses only its own part.

        A part is one loss, the gradients of one reduction, or the Hessian product. What needs a loss that was refused
        is refused in the same words, and not asked for again.
        """
        p = self.primitives
        parts: dict[Output, list[str]] = {}
        for name, output in ((name, parse(name)) for name in names):
            parts.setdefault(replace(output, leaf=""), []).append(name)
        if len(parts) == 1:
            return dict.fromkeys(names, error)
        found: Answers = {}
        for whole, part in sorted(parts.items(), key=lambda item: item[0].kind != "loss"):
            loss = found.get(str(replace(whole, kind="loss")))
            if isinstance(loss, Exception):
                found |= dict.fromkeys(part, loss)
                continue
            try:
                with p.scope(*self.where):
                    answers = self.computed(tuple(part))()
                    p.wait(answers)
                found |= answers
            except Exception as refusal:
                found |= dict.fromkeys(part, refusal)
        return found

    def _compiled(self, key: Any, function: Function) -> Function:
        made, own = self.compiled.functions, (self.kind, key)
        if own not in made:
            made[own] = self.primitives.compile(function, self.mode.name, self.inputs)
        if self.mode.compiles:
            self.compiled.signatures.add((own, *(tuple(x.shape) for x in self.inputs.values())))
        return made[own]

    def _compiled_loss(
        self, tensors: Tensors, reductions: tuple[Any, ...], wanted: Mapping[Any, tuple[str, ...]]
    ) -> Callable[[], Mapping[Any, Any]]:
        """One reduction, compiled for the gradients that will be taken: another set of them is compiled anew."""
        recipe, ops, settings = self.recipe, self.ops, self.settings  # not self: every attribute is guarded
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


def grouped(outputs: Iterable[Output]) -> dict[str, tuple[str, ...]]:
    """By reduction the leaves in which gradients are asked for; none where only the loss is."""
    wanted: dict[str, tuple[str, ...]] = {}
    for output in outputs:
        if output.kind != "hvp":
            wanted[output.reduction] = (*wanted.get(output.reduction, ()), *([output.leaf] if output.leaf else []))
    return wanted
