"""The variants of the reference as contracts: every variant is the contract of its name."""

from __future__ import annotations

from collections.abc import Mapping

from lossvet.reference import variants
from lossvet.reference.types import Reduction
from lossvet.verify.contract import Contract, Setting

VARIANTS: Mapping[str, Mapping[str, Setting]] = {
    "sigmoid": {"family": "sigmoid"},
    "pos_weight": {"family": "sigmoid", "weighting": ("pos_weight",)},
    "dynamic_pos_weight": {
        "family": "sigmoid",
        "weighting": ("pos_weight",),
        "weights_from": "batch_counts",
        "weights_formula": "positive_share",
    },
    "softmax": {},
    "sparse": {},
    "class_weight": {"weighting": ("class_weight",)},
    "class_weight_terms": {"weighting": ("class_weight_terms",)},
    "sparse_class_weight": {"weighting": ("class_weight",)},
    "predicted_weight": {"weighting": ("predicted_weight",)},
    "cost_realized": {"weighting": ("cost_realized",)},
    "cost_expected": {"weighting": ("cost_expected",)},
    "cost_complement": {"weighting": ("cost_complement",)},
    "weighted_logits": {"weighting": ("weighted_logits",)},
    "smooth_terms": {"weighting": ("class_weight_terms",), "smoothing": "over_classes"},
    "smooth_sample": {"weighting": ("class_weight",), "smoothing": "over_classes", "smoothing_order": "sample"},
    "smooth_after": {"weighting": ("class_weight",), "smoothing": "over_classes", "smoothing_order": "after"},
}
"""Before reduction, sample weights, ignored rows and the number of the smoothing, which `contract` adds."""

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
    """The contract of a variant under a reduction. Raises KeyError for a variant that does not exist."""
    if variant not in VARIANTS:
        raise KeyError(f"there is no variant called {variant!r}; there are: {', '.join(variants.names())}")
    settings: dict[str, Setting] = dict(VARIANTS[variant])
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
