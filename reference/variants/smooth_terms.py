"""Label smoothing and class weights as PyTorch combines them: each class's smoothed term has its own weight.

The sample weight is that of the true class, w_y, as PyTorch divides by for index targets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lossvet.reference import composed, softmax
from lossvet.reference.cases.sparse import sparse_cases
from lossvet.reference.types import Array, Rows, Variant


@dataclass(frozen=True)
class SmoothTerms:
    class_weight: Array
    """Weight of each class, shape [C]."""
    label_smoothing: float
    """Share a of each label that is spread evenly over all classes, in [0, 1]."""
    ignore_index: int = -100
    """Rows with this label have no loss, no gradient, weight 0, and do not count."""
    sample_weight: Array | None = None
    """Factor of each row's loss and of its weight, shape [N]."""


def definition(b: Any, logits: Any, labels: Any, params: SmoothTerms) -> Any:
    w = params.class_weight

    def row(x: Any, y: int) -> Any:
        smoothed = b.smoothed(y, len(x), params.label_smoothing)
        return -sum(w_c * t * b.log(p) for w_c, t, p in zip(w, smoothed, b.softmax(x), strict=True))

    return [row(x, y) for x, y in zip(logits, labels, strict=True)], [w[y] for y in labels]


def closed(a: Any, logits: Any, labels: Any, params: SmoothTerms) -> Rows:
    s, w = a.softmax(a.exact(logits)), a.leaf(params.class_weight)
    onehot = a.one_hot(labels, logits.shape[1])
    t = softmax.smoothed(a, labels, logits.shape[1], params.label_smoothing)
    k = w * t

    def pullback(g: Any) -> dict[str, Any]:
        return {
            "logits": g.column() * softmax.logits_gradient(s, k),
            "class_weight": (g.column() * t * s.nll).sum(0),
        }

    def weight_pullback(g: Any) -> dict[str, Any]:
        return {"class_weight": (g.column() * onehot).sum(0)}

    def hessian(g: Any, direction: Array) -> Any:
        return g.column() * softmax.hessian_product(s, k, direction)

    return Rows(s.class_sum(k), pullback, w.take(labels), weight_pullback, hessian)


def losses(ops: Any, logits: Any, labels: Any, params: SmoothTerms) -> Any:
    smoothed = composed.smoothed(ops, logits, labels, params.label_smoothing)
    return ops.sum(params.class_weight * composed.nll_terms(ops, logits, smoothed), 1)


def weights(ops: Any, logits: Any, labels: Any, params: SmoothTerms) -> Any:
    return ops.take(params.class_weight, labels)


VARIANT = Variant(
    name="smooth_terms",
    family="sparse",
    params=SmoothTerms,
    formula="sum_c w_c t'_c (lse(x) - x_c), t' = (1 - a) onehot(y) + a / C",
    means={"weighting": ("class_weight_terms",), "smoothing": "over_classes"},
    definition=definition,
    closed=closed,
    losses=losses,
    weights=weights,
    cases=lambda: sparse_cases("smooth_terms", SmoothTerms),
)
