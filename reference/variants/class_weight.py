"""Cross-entropy against dense labels, each row multiplied by the weight of its labels, s = sum_c w_c t_c."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lossvet.reference import composed, softmax
from lossvet.reference.cases.dense import dense_cases
from lossvet.reference.types import Array, Rows, Variant


@dataclass(frozen=True)
class ClassWeight:
    class_weight: Array
    """Weight of each class, shape [C]."""
    sample_weight: Array | None = None
    """Factor of each row's loss and of its weight, shape [N]."""


def definition(b: Any, logits: Any, labels: Any, params: ClassWeight) -> Any:
    weights = [b.dot(params.class_weight, t) for t in labels]
    cross_entropies = [-b.dot(t, [b.log(p) for p in b.softmax(x)]) for x, t in zip(logits, labels, strict=True)]
    return [w * loss for w, loss in zip(weights, cross_entropies, strict=True)], weights


def closed(a: Any, logits: Any, labels: Any, params: ClassWeight) -> Rows:
    s, t, w = a.softmax(a.exact(logits)), a.leaf(labels), a.leaf(params.class_weight)
    cross_entropy, weight = s.class_sum(t), (w * t).sum(1)

    def pullback(g: Any) -> dict[str, Any]:
        return {
            "logits": (g * weight).column() * softmax.logits_gradient(s, t),
            "labels": g.column() * (w * cross_entropy.column() + weight.column() * s.nll),
            "class_weight": ((g * cross_entropy).column() * t).sum(0),
        }

    def weight_pullback(g: Any) -> dict[str, Any]:
        return {"labels": g.column() * w, "class_weight": (g.column() * t).sum(0)}

    def hessian(g: Any, direction: Array) -> Any:
        return (g * weight).column() * softmax.hessian_product(s, t, direction)

    return Rows(weight * cross_entropy, pullback, weight, weight_pullback, hessian)


def losses(ops: Any, logits: Any, labels: Any, params: ClassWeight) -> Any:
    return weights(ops, logits, labels, params) * ops.sum(composed.nll_terms(ops, logits, labels), 1)


def weights(ops: Any, logits: Any, labels: Any, params: ClassWeight) -> Any:
    return ops.sum(params.class_weight * labels, 1)


VARIANT = Variant(
    name="class_weight",
    family="dense",
    params=ClassWeight,
    formula="s sum_c t_c (lse(x) - x_c), s = sum_c w_c t_c",
    means={"weighting": ("class_weight",)},
    definition=definition,
    closed=closed,
    losses=losses,
    weights=weights,
    cases=lambda: dense_cases("class_weight", ClassWeight),
)
