"""A bound loss as one more recipe of its framework, which an adapter calls to compute a case of a variant."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from lossvet.adapters import presence_of
from lossvet.adapters.presence import package
from lossvet.adapters.types import Adapter, Native, Ops, Prepared, Recipe
from lossvet.reference.types import Case, Reduction, Variant
from lossvet.verify import calls, fitting
from lossvet.verify.binding import Plan

RECIPE = "own"


@dataclasses.dataclass(frozen=True)
class Calling:
    """Calls the loss with the tensors of a case. `integers` is the dtype of its integer labels; `copied`: it changes
    what it is given, and gets copies."""

    function: Callable[..., Any]
    plan: Plan
    variant: Variant
    ops: Ops
    integers: str = "int64"
    copied: bool = False

    def __call__(
        self, logits: Any, labels: Any, params: Any, reduction: Reduction, sizes: tuple[int, int] = (0, 0)
    ) -> Any:
        """The loss, in the shape that the variant has."""
        if sizes != (0, 0):
            _measured(logits, labels, params, sizes)
        result, _ = calls.loss_of(calls.call(self.function, self.plan, self._tensors(logits, labels, params), sizes))
        if not hasattr(result, "shape"):
            raise TypeError(f"returns a Python {type(result).__name__}, which has no gradient; expected a tensor")
        column = self.plan.logits_layout != "nc" and len(result.shape) == 1
        return result[:, None] if column else result

    def _tensors(self, logits: Any, labels: Any, params: Any) -> dict[str, Any]:
        ops, plan = self.ops, self.plan
        if self.variant.family == "sparse" and plan.labels == "dense":
            labels = ops.one_hot(labels, logits)
        given = {"logits": logits, "labels": labels}
        for name in fitting.params(self.variant):
            if role := fitting.role(plan, name):
                given[role] = getattr(params, name)
        for name in fitting.NEUTRAL:
            if name in plan.roles and name not in given:
                given[name] = ops.ones(logits)
        tensors = {role: self._laid(plan.layouts[role], value, logits) for role, value in given.items()}
        if self.copied:
            tensors = {role: tensor * 1 for role, tensor in tensors.items()}
        return {**tensors, **{name: getattr(params, name) for name in fitting.settings(plan)}}

    def _laid(self, layout: str, value: Any, logits: Any) -> Any:
        rank = len(value.shape)
        match layout:
            case "n":
                return value[:, 0] if rank == 2 else value
            case "n1":
                return value[:, None] if rank == 1 else value
            case "nc" if rank == 1:  # repeated over the classes, by a condition that has them
                column = value[:, None]
                return self.ops.where(self.ops.equal(logits, 0.0), column, column)
            case "scalar" if rank == 1:
                return value[0]
        return value


def _measured(logits: Any, labels: Any, params: Any, sizes: tuple[int, int]) -> None:
    """Tell a graph's tensors the lengths that they are going to have."""
    n, c = sizes
    lengths = {"class_weight": [c], "cost_matrix": [c, c], "sample_weight": [n]}
    given = [(logits, [n, c]), (labels, [n, c] if len(labels.shape) == 2 else [n])]
    given += [(getattr(params, name), shape) for name, shape in lengths.items() if hasattr(params, name)]
    for tensor, shape in given:
        if hasattr(tensor, "set_shape"):
            tensor.set_shape(shape)


def added(adapter: Adapter, calling: Calling, reduction: Reduction, dtypes: tuple[str, ...]) -> Adapter:
    """The adapter with the loss as a recipe of its variant, judged by this reduction alone.

    A gradient that it has not is nothing to be wrong, except for that in the logits. Where the loss may ask for
    lengths, every shape is a recipe of its own, or what was built for one would be used for another.
    """
    plan, variant = calling.plan, calling.variant
    native = Native(
        calling,
        plan.name,
        reductions={reduction: ""},
        sample_weight="sample_weight" in plan.roles,
        ignore_index="ignore_index" in plan.roles and plan.labels == "sparse",
        dtypes=dtypes,
    )
    # a graph that leaves its lengths open cannot tell a loss its number of classes
    shaped = fitting.sized(plan) or (adapter.primitives is not None and adapter.primitives.open_lengths)
    recipes: dict[tuple[int, int], Recipe] = {}

    def prepare(recipe: Recipe, case: Case, mode: str, dtype: str, device: str, outputs: tuple[str, ...]) -> Prepared:
        if variant.family == "sparse" and plan.labels == "sparse":
            case = dataclasses.replace(case, labels=case.labels.astype(np.dtype(calling.integers)))
        n, c = case.logits.shape
        if shaped:
            own = dataclasses.replace(native, call=partial(calling, sizes=(n, c)))
            recipe = recipes.setdefault((n, c), Recipe(variant, f"{RECIPE} {n}x{c}", own))
        return adapter.prepare(recipe, case, mode, dtype, device, outputs)

    without = (*(leaf for leaf in ("labels", *fitting.params(variant))), "hvp")
    return dataclasses.replace(
        adapter,
        native={variant.name: {RECIPE: native}},
        prepare=prepare,
        no_gradient={mode: (*adapter.no_gradient.get(mode, ()), *without) for mode in adapter.modes},
    )


def native_of(adapter: Adapter, variant: str, function: Any, name: str) -> str:
    """The recipe of the adapter that calls this function of the framework, found by `name`; empty for a user's own."""
    kind = function if isinstance(function, type) else getattr(function, "func", function)
    if package(kind) not in presence_of(adapter.name).packages:
        return ""
    called = f".{name.rpartition('.')[2]}("
    natives = adapter.native.get(variant, {})
    return next((recipe for recipe, n in natives.items() if recipe.startswith("native") and called in n.spelling), "")
