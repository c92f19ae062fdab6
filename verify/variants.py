"""The variants of the reference as contracts: every variant is the contract of its name."""

from __future__ import annotations

from collections.abc import Mapping

from lossvet.reference import variants
from lossvet.reference.types import Reduction
from lossvet.verify.contract import Contract, Setting

DENOMINATORS: Mapping[Reduction, str] = {
    "none": "unreduced",
    "sum": "sum",
    "mean": "batch",
    "weighted_mean": "weights",
    "nonzero_mean": "nonzero_weights",
}


def contract(
    variant: str,
    reduction: Reduction = "mean",
    *,
    sample_weight: bool = False,
    ignore_index: int | None = None,
    label_smoothing: float = 0.1,
) -> Contract:
    """The contract of a variant under a reduction. Raises KeyError for a variant that does not exist or has none."""
    means = variants.load(variant).means
    if means is None:
        raise KeyError(
            f"{variant!r} has no contract; describe its meaning in reference/variants/{variant}.py (`means`)"
        )
    settings: dict[str, Setting] = dict(means)
    binary = settings.get("family") == "sigmoid"
    settings["denominator"] = "elements" if binary and reduction == "mean" else DENOMINATORS[reduction]
    if "smoothing" in settings:
        settings["smoothing_alpha"] = label_smoothing
        if label_smoothing == 0:
            del settings["smoothing"]
    if sample_weight:
        before = settings.get("weighting", ())
        settings["weighting"] = (*(n for n in before if isinstance(n, str)), "sample_weight")  # type: ignore[union-attr]  # a tuple of names
    if ignore_index is not None:
        settings |= {"ignored": "label", "ignored_label": float(ignore_index)}
    return Contract.of(settings)
