"""Label smoothing and class weights as TF1 and Keras combine them: the smoothed loss times the true class's weight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lossvet.reference import composed, softmax
from lossvet.reference.cases.sparse import sparse_cases
from lossvet.reference.types import Array, Rows, Variant


@dataclass(frozen=True)
class SmoothAfter:
    class_weight: Array
    """Weight of each class, shape [C]."""
    label_smoothing: float
    """Share a of each label that is spread evenly over all classes, in [0, 1]."""
    ignore_index: int = -100
    """Rows with this label have no loss, no gradient, weight 0, and do not count."""
    sample_weight: Array | None = None
    """Factor of each row's loss and of its weight, shape [N]."""


def definition(b: Any, logits: Any, labels: Any, params: SmoothAfter) -> Any:
    weights = [params.class_weight[y] for y in labels]

    def row(x: Any, y: int) -> Any:
        return -b.dot(b.smoothed(y, len(x), params.label_smoothing), [b.log(p) for p in b.softmax(x)])

    return [w * row(x, y) for w, x, y in zip(weights, logits, labels, strict=True)], weights


def closed(a: Any, logits: Any, labels: Any, params: SmoothAfter) -> Rows:
    s, onehot = a.softmax(a.exact(logits)), a.one_hot(labels, logits.shape[1])
    t = softmax.smoothed(a, labels, logits.shape[1], params.label_smoothing)
    cross_entropy, weight = s.class_sum(t), a.leaf(params.class_weight).take(labels)

    def pullback(g: Any) -> dict[str, Any]:
        return {
            "logits": (g * weight).column() * softmax.logits_gradient(s, t),
            "class_weight": ((g * cross_entropy).column() * onehot).sum(0),
        }

    def weight_pullback(g: Any) -> dict[str, Any]:
        return {"class_weight": (g.column() * onehot).sum(0)}

    def hessian(g: Any, direction: Array) -> Any:
        return (g * weight).column() * softmax.hessian_product(s, t, direction)

    return Rows(weight * cross_entropy, pullback, weight, weight_pullback, hessian)


def losses(ops: Any, logits: Any, labels: Any, params: SmoothAfter) -> Any:
    smoothed = composed.smoothed(ops, logits, labels, params.label_smoothing)
    return weights(ops, logits, labels, params) * ops.sum(composed.nll_terms(ops, logits, smoothed), 1)


def weights(ops: Any, logits: Any, labels: Any, params: SmoothAfter) -> Any:
    return ops.take(params.class_weight, labels)


VARIANT = Variant(
    name="smooth_after",
    family="sparse",
    params=SmoothAfter,
    formula="w_y sum_c t'_c (lse(x) - x_c), t' = (1 - a) onehot(y) + a / C",
    means={"weighting": ("class_weight",), "smoothing": "over_classes", "smoothing_order": "after"},
    definition=definition,
    closed=closed,
    losses=losses,
    weights=weights,
    cases=lambda: sparse_cases("smooth_after", SmoothAfter),
)
