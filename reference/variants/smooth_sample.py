"""Label smoothing and class weights as PaddlePaddle combines them: one weight per row, that of its smoothed labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lossvet.reference import composed, softmax
from lossvet.reference.cases.sparse import sparse_cases
from lossvet.reference.types import Array, Rows, Variant


@dataclass(frozen=True)
class SmoothSample:
    class_weight: Array
    """Weight of each class, shape [C]."""
    label_smoothing: float
    """Share a of each label that is spread evenly over all classes, in [0, 1]."""
    ignore_index: int = -100
    """Rows with this label have no loss, no gradient, weight 0, and do not count."""
    sample_weight: Array | None = None
    """Factor of each row's loss and of its weight, shape [N]."""


def definition(b: Any, logits: Any, labels: Any, params: SmoothSample) -> Any:
    targets = [b.smoothed(y, len(x), params.label_smoothing) for x, y in zip(logits, labels, strict=True)]
    weights = [b.dot(params.class_weight, t) for t in targets]
    cross_entropies = [-b.dot(t, [b.log(p) for p in b.softmax(x)]) for x, t in zip(logits, targets, strict=True)]
    return [w * loss for w, loss in zip(weights, cross_entropies, strict=True)], weights


def closed(a: Any, logits: Any, labels: Any, params: SmoothSample) -> Rows:
    s, w = a.softmax(a.exact(logits)), a.leaf(params.class_weight)
    t = softmax.smoothed(a, labels, logits.shape[1], params.label_smoothing)
    cross_entropy, weight = s.class_sum(t), (w * t).sum(1)

    def pullback(g: Any) -> dict[str, Any]:
        return {
            "logits": (g * weight).column() * softmax.logits_gradient(s, t),
            "class_weight": ((g * cross_entropy).column() * t).sum(0),
        }

    def weight_pullback(g: Any) -> dict[str, Any]:
        return {"class_weight": (g.column() * t).sum(0)}

    def hessian(g: Any, direction: Array) -> Any:
        return (g * weight).column() * softmax.hessian_product(s, t, direction)

    return Rows(weight * cross_entropy, pullback, weight, weight_pullback, hessian)


def losses(ops: Any, logits: Any, labels: Any, params: SmoothSample) -> Any:
    smoothed = composed.smoothed(ops, logits, labels, params.label_smoothing)
    cross_entropy = ops.sum(composed.nll_terms(ops, logits, smoothed), 1)
    return weights(ops, logits, labels, params) * cross_entropy


def weights(ops: Any, logits: Any, labels: Any, params: SmoothSample) -> Any:
    return ops.sum(params.class_weight * composed.smoothed(ops, logits, labels, params.label_smoothing), 1)


VARIANT = Variant(
    name="smooth_sample",
    family="sparse",
    params=SmoothSample,
    formula="s sum_c t'_c (lse(x) - x_c), s = sum_c w_c t'_c, t' = (1 - a) onehot(y) + a / C",
    means={"weighting": ("class_weight",), "smoothing": "over_classes", "smoothing_order": "sample"},
    definition=definition,
    closed=closed,
    losses=losses,
    weights=weights,
    cases=lambda: sparse_cases("smooth_sample", SmoothSample),
)
