"""A recipe of an adapter as a plain function, so that it can be run and compared like a user loss."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

from lossvet import adapters
from lossvet.adapters import steps
from lossvet.adapters.types import Adapter, Recipe, recipes
from lossvet.reference import variants
from lossvet.reference.types import Reduction
from lossvet.verify.sources import RecipeSource, SourceError, near


def function(source: RecipeSource) -> Callable[..., Any]:
    """loss(logits, labels, ...) with the array parameters of the variant as arguments by their names.

    It reduces as the recipe does unasked, else by the mean. Raises SourceError for a variant or a recipe that is not
    there.
    """
    if source.variant not in variants.names():
        raise SourceError("spec", f"no such variant: {source.variant!r}{near(source.variant, variants.names())}")
    adapter, variant = adapters.load(source.framework), variants.load(source.variant)
    known = recipes(adapter, variant)
    if source.recipe not in known:
        raise SourceError(
            "name", f"{source.framework} has no recipe {source.variant}/{source.recipe}{near(source.recipe, known)}"
        )
    recipe = known[source.recipe]
    fields = {f.name: f for f in dataclasses.fields(variant.params)}
    arrays = [name for name, f in fields.items() if "Array" in str(f.type)]
    settings = {n: f.default for n, f in fields.items() if n not in arrays and f.default is not dataclasses.MISSING}
    missing = [n for n, f in fields.items() if n not in arrays and f.default is dataclasses.MISSING]
    if missing:
        settings |= dict.fromkeys(missing, 0.1)  # label_smoothing, the one setting without a default

    def loss(logits: Any, labels: Any, **given: Any) -> Any:
        return _loss(adapter, recipe, logits, labels, settings | given)

    asked = [n for n in arrays if n != "sample_weight"]
    loss.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # what binding reads the arguments from
        [inspect.Parameter(n, inspect.Parameter.POSITIONAL_OR_KEYWORD) for n in ("logits", "labels", *asked)]
    )
    return loss


def _loss(adapter: Adapter, recipe: Recipe, logits: Any, labels: Any, values: dict[str, Any]) -> Any:
    if recipe.variant.family != "binary" and "sample_weight" in recipe.variant.params.__annotations__:
        values = {"sample_weight": adapter.ops.ones(logits), **values}
    reduction = _reduction(recipe)
    params = steps.with_tensors(recipe, values)
    return steps.losses(recipe, adapter.ops, logits, labels, params, (reduction,))[reduction]


def _reduction(recipe: Recipe) -> Reduction:
    """The one that a native does unasked; of one that does not reduce, and of what is composed, the mean."""
    if recipe.native is not None and set(recipe.native.reductions) != {"none"}:
        unasked = [r for r, words in recipe.native.reductions.items() if not words]
        return unasked[0] if unasked else next(iter(recipe.native.reductions))
    return "mean"
