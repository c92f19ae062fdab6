"""The classes of keras.losses as recipes, in whichever framework is Keras's backend."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from lossvet.adapters.types import Native
from lossvet.reference.types import Reduction

REDUCTIONS: Mapping[Reduction, str] = {
    "none": "none",
    "sum": "sum",
    "mean": "sum_over_batch_size",
    "weighted_mean": "mean_with_sample_weight",
}
MODULE = "keras.losses"
DEFAULT: Reduction = "mean"
SPELLED: Mapping[Reduction, str] = {
    reduction: "" if reduction == DEFAULT else f"reduction={name!r}" for reduction, name in REDUCTIONS.items()
}


def native(
    losses: Any,
    path: str,
    name: str,
    arguments: str,
    labels_and_weights: Callable[[Any, Any, Any], tuple[Any, Any]],
    settings: Mapping[str, str] | None = None,
    reductions: Mapping[Reduction, str] = SPELLED,
    sample_weight: bool = True,
    ignore_index: bool = False,
    dtypes: tuple[str, ...] = Native.dtypes,
    label_edges: Callable[[str], Mapping[str, str]] = lambda arguments: {},
) -> Native:
    """The class `name` of the module `losses`, which users call `path`; it computes in the dtype of the logits.

    `labels_and_weights(logits, labels, params)` are what `arguments` says. `settings` are keywords of the class, and
    the params that they are given; `label_edges` says what labels that are no class do where it takes `arguments`.
    """
    keywords = settings or {}

    @cache
    def loss(reduction: Reduction, dtype: Any, **own: Any) -> Any:
        return getattr(losses, name)(from_logits=True, reduction=REDUCTIONS[reduction], dtype=dtype, **own)

    def call(x: Any, labels: Any, params: Any, reduction: Reduction) -> Any:
        own = {keyword: getattr(params, param) for keyword, param in keywords.items()}
        targets, weights = labels_and_weights(x, labels, params)
        return loss(reduction, x.dtype, **own)(targets, x, sample_weight=weights)

    given = "".join(f", {keyword}={param}" for keyword, param in keywords.items())
    edges = {"empty_batch": "empty", **label_edges(arguments)}
    if ignore_index:
        edges |= {"invalid_label": "too large: raises, -1: raises, -100: dropped", "all_ignored": "zero"}
    return Native(
        call,
        f"{path}.{name}(from_logits=True{given})({arguments})",
        reductions=reductions,
        sample_weight=sample_weight,
        ignore_index=ignore_index,
        dtypes=dtypes,
        also=() if path == MODULE else (f"{MODULE}.{name}",),
        edges=edges,
    )


def binary(losses: Any, path: str, dtypes: tuple[str, ...] = Native.dtypes) -> Native:
    """BinaryCrossentropy, which averages over the last axis before it reduces: only its mean, over all N C elements, is
    that of a variant."""
    return native(
        losses,
        path,
        "BinaryCrossentropy",
        "t, x",
        lambda x, t, p: (t, None),
        reductions={DEFAULT: SPELLED[DEFAULT]},
        sample_weight=False,
        dtypes=dtypes,
    )
