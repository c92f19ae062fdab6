"""A function of the caller's process, run on the cases of a variant as the worker of check runs one: by primitives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lossvet.adapters.protocol import built, mode_of
from lossvet.adapters.types import Measured, Missing, Outcome, Raised
from lossvet.conformance.types import Cell
from lossvet.reference import variants, vectors
from lossvet.reference.dtypes import WIDE
from lossvet.reference.types import Case, Reduction, Variant
from lossvet.reference.vectors import Golden
from lossvet.testing import asking
from lossvet.testing.asking import Function, Options, with_signature
from lossvet.verify import calls, check, fitting, layouts
from lossvet.verify.check_remote import Asked
from lossvet.verify.checked import Checked
from lossvet.verify.fitting import Fitted
from lossvet.verify.options import Options as CheckOptions
from lossvet.verify.options import SideOptions
from lossvet.verify.probing import Bound, sample
from lossvet.verify.questions import Question, Side
from lossvet.verify.raised import NOT_DIFFERENTIABLE
from lossvet.workers.messages import Hello

SHAPES = 2
"""Shapes of logits that are asked where each is compiled: the commonest two are those of nine cases in ten."""
BESIDE = ("cotangent", "direction")
"""Inputs that are no arguments of the loss."""


def checked(function: Function, variant: str, reduction: str, options: Options) -> Checked:
    """Judge a function as a variant. Raises ValueError for one that there is not, and as `asking.found` does."""
    check.known(variant, reduction)
    local = Local(function, options, variants.load(variant))
    every = check.cases(variant, ())
    chosen = few(every) if local.compiles else every
    said = CheckOptions(SideOptions(dict(options.bind), options.init, mode=options.mode), classes=options.classes)
    found = check.judged(local, local.variant, reduction, said, chosen)
    if len(chosen) < len(every):
        rest = f"{len(every) - len(chosen)} of {len(every)} cases: other shapes, each compiled anew; " \
               "`lossvet check` runs them"  # fmt: skip
        found = msgspec.structs.replace(found, not_checked=(*found.not_checked, rest))
    return found


def few(every: Mapping[str, Golden]) -> dict[str, Golden]:
    """The cases of the commonest shapes."""
    counted = Counter(golden.case.logits.shape for golden in every.values())
    kept = [shape for shape, _ in counted.most_common(SHAPES)]
    return {name: golden for name, golden in every.items() if golden.case.logits.shape in kept}


@dataclass
class Local:
    """The loss as `check.judged` asks it. Raises as `asking.found` does when it is made."""

    function: Function
    options: Options
    variant: Variant
    spec: str = ""
    _built: dict[Any, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.found = asking.suited(self.function, self.options, self.variant)
        self.bound = self.found.best(self.variant)
        subject = self.bound.subject
        self.primitives, self.mode, self.integers = self.found.primitives, subject.mode, subject.integers
        self.called = with_signature(self.function)
        self.plan = fitting.with_settings(subject.plan, *fitting.parameters(self.called), self.variant)
        self.copied = any("in place" in note for note in self.found.probed.notes)
        self.spec = self.spec or self.found.spec
        self.framework, self.version = self.primitives.name, self.found.version
        self.differentiable = self.found.differentiable
        self.notes = self.found.notes

    @property
    def compiles(self) -> bool:
        return mode_of(self.primitives, self.mode).compiles

    def imported(self) -> Hello:
        costs = {mode.name: mode.cost for mode in self.primitives.modes}
        return Hello(self.framework, self.version, tuple(costs), ("cpu",), WIDE, costs, {}, {}, (), {}, "")

    def fit(self, variant: str) -> Fitted:
        return Fitted(
            binding=msgspec.structs.replace(self.plan.binding(), domain=self.bound.domain, dtype=self.bound.dtype),
            layouts=self.plan.layouts,
            settings=fitting.settings(self.plan),
            scalar=self._scalar(),
            mode=self.mode,
        )

    def told(
        self, cell: Cell, recipe: str, reduction: Reduction, asked: Sequence[Asked]
    ) -> Iterator[tuple[str, dict[str, Outcome]]]:
        cases = {golden.case.id: golden.case for golden in vectors.load(self.variant.name)}
        for one in asked:
            yield one.case, self._outcomes(cases[one.case], cell.mode, cell.dtype, reduction, one.outputs)

    def identifiable(self) -> None:
        """Bind it whatever it can be called with."""
        self.found = asking.found(self.function, self.options)

    def sides(self) -> Sequence[tuple[Bound, Side]]:
        return [(bound, bound.subject) for bound in self.found.probed.bound]

    def _scalar(self) -> bool:
        classes = self.bound.binding.classes or (1 if self.plan.logits_layout != "nc" else 3)
        inputs = sample(self.bound.subject.plan, 5, classes)
        (answer,) = self.bound.subject.ask([Question(inputs, derivative="value", dtype=self.bound.dtype)])
        return answer.value is None or answer.value.shape == ()

    def _outcomes(
        self, case: Case, mode: str, dtype: str, reduction: Reduction, outputs: tuple[str, ...]
    ) -> dict[str, Outcome]:
        """The outcomes; where asking for all at once raises, they are asked for apart: none is to hide another."""
        if without := self._without(case):
            return dict.fromkeys(outputs, Missing(without))
        try:
            return self._together(case, mode, dtype, reduction, outputs)
        except (Exception, SystemExit) as error:
            if len(outputs) > 1:
                apart = [self._outcomes(case, mode, dtype, reduction, (output,)) for output in outputs]
                return {output: outcome for some in apart for output, outcome in some.items()}
            return {outputs[0]: self._raised(error, outputs[0])}

    def _raised(self, error: BaseException, output: str) -> Outcome:
        none = isinstance(error, NotImplementedError) or any(words in str(error) for words in NOT_DIFFERENTIABLE)
        if none and not output.startswith("loss/") and not (output.endswith("/logits") and self.differentiable):
            return Missing(f"no such derivative: {error}")
        return Raised(type(error).__name__, str(error))

    def _without(self, case: Case) -> str:
        """Why this case cannot be asked of the loss, as `adapters.steps` says it of a recipe; empty where it can."""
        if getattr(case.params, "sample_weight", None) is not None and "sample_weight" not in self.plan.roles:
            return f"{self.plan.name} takes no sample weights"
        leaves_out = "ignore_index" in self.plan.roles and self.plan.labels == "sparse"
        if self.variant.family == "sparse" and not leaves_out and (case.labels == case.params.ignore_index).any():
            return f"{self.plan.name} cannot ignore rows"
        return ""

    def _together(
        self, case: Case, mode: str, dtype: str, reduction: Reduction, outputs: tuple[str, ...]
    ) -> dict[str, Outcome]:
        p = self.primitives
        arrays = self._arrays(case)
        settings = {name: getattr(case.params, name) for name in fitting.settings(self.plan)}
        wanted = {o: self._role(o.split("/")[2]) for o in outputs if o.startswith("gradient/")}
        leaves = tuple(role for role in dict.fromkeys(wanted.values()) if role in arrays)
        product = "hvp" in outputs and mode_of(p, mode).second_order
        if self.compiles and len(outputs) > 1:  # one function for all cases of a shape
            leaves = tuple(role for role, array in arrays.items() if array.dtype.kind == "f")
            product = reduction == "none" and mode_of(p, mode).second_order
        if reduction == "none":
            arrays["cotangent"] = case.cotangent
        if product:
            arrays["direction"] = self._laid_like_logits(case.direction)
        with p.precision(dtype):
            tensors = {name: p.put(array, dtype) for name, array in arrays.items()}
            made = self._computation(mode, leaves, product, settings, case.logits.shape)(tensors)
            p.wait(made)
            read = {name: None if value is None else p.read(value) for name, value in made.items()}
        return {output: self._outcome(output, wanted.get(output, ""), read, case) for output in outputs}

    def _outcome(self, output: str, role: str, read: Mapping[str, Any], case: Case) -> Outcome:
        if output.startswith("loss/"):
            return Measured(read["value"])
        found = read.get("hvp" if output == "hvp" else f"gradient {role}")
        if found is None:
            words = "there is no such gradient"
            return Raised("NoAnswer", words) if role == "logits" and self.differentiable else Missing(words)
        shape = np.shape(case.logits if output == "hvp" or role == "logits" else self._original(output, case))
        return Measured(layouts.unlaid(self.plan, role or "logits", found, shape))

    def _original(self, output: str, case: Case) -> Any:
        leaf = output.split("/")[2]
        return case.labels if leaf == "labels" else getattr(case.params, leaf)

    def _role(self, leaf: str) -> str:
        """The role under which the loss has an input of the variant; empty where it has it not."""
        return leaf if leaf in ("logits", "labels") else fitting.role(self.plan, leaf)

    def _arrays(self, case: Case) -> dict[str, NDArray[Any]]:
        """By role, the arguments as the loss takes them."""
        inputs: dict[str, Any] = {"logits": case.logits, "labels": case.labels}
        for name in fitting.params(self.variant):
            role, value = fitting.role(self.plan, name), getattr(case.params, name)
            if role and value is not None:
                inputs[role] = value
        for name in fitting.NEUTRAL:
            if name in self.plan.roles and name not in inputs:
                inputs[name] = np.ones(len(case.logits))
        found = layouts.laid(self.plan, inputs)
        return {r: a if a.dtype.kind == "f" else a.astype(self.integers) for r, a in found.items()}

    def _laid_like_logits(self, array: Any) -> NDArray[Any]:
        return layouts.laid(self.plan, {"logits": array})["logits"]

    def _computation(
        self, mode: str, leaves: tuple[str, ...], product: bool, settings: Mapping[str, Any], sizes: tuple[int, ...]
    ) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
        key = (mode, leaves, product, tuple(settings.items()), sizes if fitting.sized(self.plan) else None)
        if key not in self._built:
            loss = self._loss(settings, (sizes[0], sizes[1]))
            self._built[key] = built(self.primitives, loss, self._compute(leaves, product), mode)
        return self._built[key]

    def _compute(self, leaves: tuple[str, ...], product: bool) -> Callable[[Any, Mapping[str, Any]], Mapping[str, Any]]:
        p = self.primitives

        def compute(loss: Callable[[Mapping[str, Any]], Any], tensors: Mapping[str, Any]) -> Mapping[str, Any]:
            inputs = {name: tensor for name, tensor in tensors.items() if name not in BESIDE}
            along = tensors.get("cotangent")
            if not leaves:
                found = {"value": loss(inputs)}
            else:
                value, gradients = p.vjp(loss, inputs, leaves, along)
                found = {"value": value, **{f"gradient {leaf}": gradients[leaf] for leaf in leaves}}
            if product:
                found["hvp"] = p.hvp(loss, inputs, "logits", along, tensors["direction"])
            return found

        return compute

    def _loss(self, settings: Mapping[str, Any], sizes: tuple[int, int]) -> Callable[[Mapping[str, Any]], Any]:
        def loss(tensors: Mapping[str, Any]) -> Any:
            given = {role: t * 1 if self.copied and role != "labels" else t for role, t in tensors.items()}
            result, _ = calls.loss_of(calls.call(self.called, self.plan, {**given, **settings}, sizes))
            if not hasattr(result, "shape"):
                raise TypeError(f"returns a Python {type(result).__name__}, which has no gradient; expected a tensor")
            column = self.plan.logits_layout != "nc" and len(result.shape) == 1
            return result[:, None] if column else result

        return loss
