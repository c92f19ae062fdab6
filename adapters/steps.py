"""From a recipe to its losses: what every framework does in the same way, written over its operations."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, assert_never

import numpy as np

from lossvet.adapters import reduced
from lossvet.adapters.types import Adapter, Missing, Ops, Recipe
from lossvet.reference.output import HVP, gradient, parse
from lossvet.reference.types import REDUCTIONS, Case, Reduction, array_params


def missing(recipe: Recipe, case: Case, reduction: Reduction) -> Missing | None:
    """Why this recipe has no answer for this case and reduction; None where it has one."""
    native = recipe.native
    if native is None:
        return None
    if case.params is not None and getattr(case.params, "sample_weight", None) is not None and not native.sample_weight:
        return Missing(f"{native.spelling} takes no sample weights")
    if (
        recipe.variant.family == "sparse"
        and not native.ignore_index
        and (case.labels == case.params.ignore_index).any()
    ):
        return Missing(f"{native.spelling} cannot ignore rows")
    if reduction not in native.reductions and set(native.reductions) != {"none"}:
        # Over a function that does not reduce, users write the reduction; one that does is judged by its own.
        return Missing(f"{native.spelling} has no reduction {reduction}")
    return None


def losses(
    recipe: Recipe, ops: Ops, logits: Any, labels: Any, params: Any, reductions: tuple[Reduction, ...]
) -> dict[Reduction, Any]:
    """The losses by reduction, as tensors. `params` holds tensors, sample weights among them where there are any.

    Whatever happens here is timed: a native loss that reduces by itself is called, and nothing else.
    """
    native, variant = recipe.native, recipe.variant
    own: dict[Reduction, Any] = {}
    if native is not None:
        own = {r: native.call(logits, labels, params, r) for r in reductions if r in native.reductions}
        if len(own) == len(reductions):
            return own
    rest = tuple(r for r in reductions if r not in own)
    weigh, count = any(REDUCTIONS[r].by_weights for r in rest), "mean" in rest
    ignored = None
    if variant.family == "sparse" and (native is None or (native.ignore_index and (weigh or count))):
        ignored = reduced.left_out(ops, labels, params.ignore_index)
    y = labels if ignored is None else reduced.clean_labels(ops, labels, ignored)
    if native is None:
        x = logits if ignored is None else reduced.clean_logits(ops, logits, ignored)
        unreduced = _apply(ops, variant.losses(ops, x, y, params), ignored, params)
    else:
        x = logits  # in which no variant's weights have a gradient
        unreduced = own["none"] if "none" in own else native.call(logits, labels, params, "none")
        # what has no gradient has none through the weights either
        stopped = {
            leaf: ops.stop_gradient(getattr(params, leaf)) for leaf in native.no_gradient if hasattr(params, leaf)
        }
        params = with_tensors(recipe, {**vars(params), **stopped})
        y = ops.stop_gradient(y) if "labels" in native.no_gradient else y
    weights = _apply(ops, variant.weights(ops, x, y, params), ignored, params) if weigh and variant.weights else None
    number = _count(recipe, ops, logits, ignored) if count else None
    return {**own, **_reduce(ops, unreduced, weights, number, logits, rest)}


def unexpected(adapter: Adapter, recipe: Recipe, case: Case, mode: str, output: str) -> bool:
    """Whether this output has to be there: nobody has said that the recipe, or the mode, does without."""
    of = parse(output)
    leaf = of.leaf if of.kind == "gradient" else of.kind
    without = (*adapter.no_gradient.get(mode, ()), *(recipe.native.no_gradient if recipe.native else ()))
    return missing(recipe, case, of.reduction) is None and leaf not in without and "*" not in without


def widened(recipe: Recipe, outputs: tuple[str, ...]) -> tuple[str, ...]:
    """The outputs, and beside each gradient in the logits that in the sample weights, in one order.

    What is built for them serves cases with sample weights and without: only half as much has to be compiled.
    """
    if recipe.variant.family == "binary":
        return outputs
    asked = [parse(output) for output in outputs]
    more = (gradient(o.reduction, "sample_weight") for o in asked if o.kind == "gradient" and o.leaf == "logits")
    return tuple(sorted({*outputs, *more}))


def inputs(recipe: Recipe, case: Case, outputs: tuple[str, ...]) -> dict[str, Any]:
    """The arrays that these outputs are computed from, by name: the tensors, and cotangent and direction where used."""
    given, asked = tensors(recipe, case), [parse(output) for output in outputs]
    if HVP in asked:
        given["direction"] = case.direction
    if any(o.kind != "loss" and o.reduction == "none" for o in asked):
        given["cotangent"] = case.cotangent
    return given


def tensors(recipe: Recipe, case: Case) -> dict[str, Any]:
    """The case's arrays by leaf name, labels of either kind included; sample weights of 1 where the case gives none."""
    arrays = {"logits": case.logits, "labels": case.labels, **array_params(case.params)}
    if recipe.variant.family != "binary" and "sample_weight" not in arrays:
        arrays["sample_weight"] = np.ones(len(case.logits))
    return arrays


def settings(case: Case) -> dict[str, Any]:
    """The params that are not arrays: they are constants of a compiled function."""
    arrays = array_params(case.params)
    values = {f.name: getattr(case.params, f.name) for f in dataclasses.fields(case.params)}
    return {name: value for name, value in values.items() if name not in arrays and name != "sample_weight"}


def with_tensors(recipe: Recipe, values: Mapping[str, Any]) -> Any:
    """The variant's params, made of settings and of a framework's tensors."""
    names = recipe.variant.params.__annotations__  # not dataclasses.fields: torch.compile cannot trace it
    return recipe.variant.params(**{name: value for name, value in values.items() if name in names})


def _apply(ops: Ops, rows: Any, ignored: Any, params: Any) -> Any:
    """Sample weights multiplied in, ignored rows set to 0."""
    weight = getattr(params, "sample_weight", None)
    rows = rows if weight is None else rows * weight
    return rows if ignored is None else reduced.kept(ops, rows, ignored)


def _count(recipe: Recipe, ops: Ops, logits: Any, ignored: Any) -> Any:
    """The number of losses that count, in the dtype of the logits: kept rows, or all elements of a binary loss."""
    if recipe.variant.family == "binary":
        return ops.size(logits, 0) * ops.size(logits, 1)
    return ops.size(logits, 0) if ignored is None else reduced.count(ops, logits, ignored)


def _reduce(
    ops: Ops, unreduced: Any, weights: Any, count: Any, logits: Any, reductions: tuple[Reduction, ...]
) -> dict[Reduction, Any]:
    def one(reduction: Reduction) -> Any:
        match reduction:
            case "none":
                return unreduced
            case "sum":
                return ops.sum(unreduced)
            case "mean":
                return reduced.mean(ops, unreduced, count)
            case "weighted_mean":
                return reduced.weighted_mean(ops, unreduced, weights)
            case "nonzero_mean":
                return reduced.nonzero_mean(ops, unreduced, weights, logits)
            case _:
                assert_never(reduction)

    return {reduction: one(reduction) for reduction in reductions}
