"""A mutant or a control as a record, a loss in PyTorch, and the frames that let it spell one part of the loss only.

Each becomes a `Native` of the real adapter, which differentiates and reads it like any other recipe.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lossvet import adapters
from lossvet.adapters import steps
from lossvet.adapters.types import Native, Recipe
from lossvet.reference import variants
from lossvet.reference.types import Reduction

ADAPTER = adapters.load("torch")
BOTH = ("float32", "float64")
Loss = Callable[..., Any]


@dataclass(frozen=True)
class Tested:
    """A loss that claims to be a variant. `words` says what is wrong, or, of a control, how it is spelled.

    `dtypes` are those in which the fault exists: a cast to float32 is none in float32.
    """

    name: str
    variant: str
    words: str
    native: Native
    dtypes: tuple[str, ...] = BOTH

    @property
    def recipe(self) -> Recipe:
        return Recipe(variants.load(self.variant), self.name, self.native)


class Collection:
    """Mutants or controls by name, in the order in which they are written down."""

    def __init__(self) -> None:
        self.by_name: dict[str, Tested] = {}

    def rows(self, variant: str, dtypes: tuple[str, ...] = BOTH) -> Callable[[Loss], Loss]:
        """f(logits, labels, params) spells losses before sample weights and reduction; ignored rows hold only 0."""

        def frame(f: Loss) -> Loss:
            def call(x: Any, labels: Any, params: Any, reduction: Reduction) -> Any:
                ignored, clean = without_ignored(labels, params)
                x = x if ignored is None else x.masked_fill(ignored[:, None], 0.0)
                return counted(f(x, clean, params), ignored, params)

            return self._add(f, variant, call, ("none",), dtypes)

        return frame

    def reduces(self, variant: str, *reductions: Reduction, dtypes: tuple[str, ...] = BOTH) -> Callable[[Loss], Loss]:
        """f(losses, weights, kept) spells these reductions of sound losses; weights and kept (booleans) are [N]."""

        def frame(f: Loss) -> Loss:
            def call(x: Any, labels: Any, params: Any, reduction: Reduction) -> Any:
                losses, weights, kept = control_rows(variant, x, labels, params)
                return losses if reduction == "none" else f(losses, weights, kept)

            return self._add(f, variant, call, ("none", *reductions), dtypes)

        return frame

    def whole(self, variant: str, *reductions: Reduction, dtypes: tuple[str, ...] = BOTH) -> Callable[[Loss], Loss]:
        """f(logits, labels, params, reduction) spells everything, for these reductions."""

        def frame(f: Loss) -> Loss:
            return self._add(f, variant, f, reductions, dtypes)

        return frame

    def _add(
        self, f: Loss, variant: str, call: Loss, reductions: tuple[Reduction, ...], dtypes: tuple[str, ...]
    ) -> Loss:
        name = f.__name__
        assert name not in self.by_name, name
        native = Native(call, name, dict.fromkeys(reductions, ""), sample_weight=True, ignore_index=True)
        self.by_name[name] = Tested(name, variant, (f.__doc__ or "").strip(), native, dtypes)
        return f


def without_ignored(labels: Any, params: Any) -> tuple[Any, Any]:
    """Which rows are ignored, and labels with 0 in their place; nothing to do for dense labels."""
    if not hasattr(params, "ignore_index"):
        return None, labels
    ignored = labels == params.ignore_index
    return ignored, labels.masked_fill(ignored, 0)


def counted(rows: Any, ignored: Any, params: Any) -> Any:
    """Rows times their sample weights, ignored ones 0."""
    weight = getattr(params, "sample_weight", None)
    rows = rows if weight is None else rows * weight
    return rows if ignored is None else rows.masked_fill(ignored, 0.0)


def control_rows(variant: str, x: Any, labels: Any, params: Any) -> tuple[Any, Any, Any]:
    """Losses, sample weights (None for binary variants) and kept rows, by the composed recipe of the variant."""
    known = variants.load(variant)
    losses = steps.losses(Recipe(known, "composed"), ADAPTER.ops, x, labels, params, ("none",))["none"]
    ignored, clean = without_ignored(labels, params)
    kept = x.new_ones(len(x), dtype=bool) if ignored is None else ~ignored
    if known.weights is None:
        return losses, None, kept
    return losses, counted(known.weights(ADAPTER.ops, x, clean, params), ignored, params), kept
