"""Cross-entropy against dense labels with each class's term multiplied by its weight, as PyTorch does.

The same as `class_weight` for one-hot labels, and another loss for soft ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lossvet.reference import composed, softmax
from lossvet.reference.cases.dense import dense_cases
from lossvet.reference.types import Array, Rows, Variant


@dataclass(frozen=True)
class ClassWeightTerms:
    class_weight: Array
    """Weight of each class, shape [C]."""
    sample_weight: Array | None = None
    """Factor of each row's loss and of its weight, shape [N]."""


def definition(b: Any, logits: Any, labels: Any, params: ClassWeightTerms) -> Any:
    w = params.class_weight
    losses = [
        -b.dot([w_c * t_c for w_c, t_c in zip(w, t, strict=True)], [b.log(p) for p in b.softmax(x)])
        for x, t in zip(logits, labels, strict=True)
    ]
    return losses, [b.dot(w, t) for t in labels]


def closed(a: Any, logits: Any, labels: Any, params: ClassWeightTerms) -> Rows:
    s, t, w = a.softmax(a.exact(logits)), a.leaf(labels), a.leaf(params.class_weight)
    k = w * t

    def pullback(g: Any) -> dict[str, Any]:
        return {
            "logits": g.column() * softmax.logits_gradient(s, k),
            "labels": g.column() * w * s.nll,
            "class_weight": (g.column() * t * s.nll).sum(0),
        }

    def weight_pullback(g: Any) -> dict[str, Any]:
        return {"labels": g.column() * w, "class_weight": (g.column() * t).sum(0)}

    def hessian(g: Any, direction: Array) -> Any:
        return g.column() * softmax.hessian_product(s, k, direction)

    return Rows(s.class_sum(k), pullback, k.sum(1), weight_pullback, hessian)


def losses(ops: Any, logits: Any, labels: Any, params: ClassWeightTerms) -> Any:
    return ops.sum(params.class_weight * composed.nll_terms(ops, logits, labels), 1)


def weights(ops: Any, logits: Any, labels: Any, params: ClassWeightTerms) -> Any:
    return ops.sum(params.class_weight * labels, 1)


VARIANT = Variant(
    name="class_weight_terms",
    family="dense",
    params=ClassWeightTerms,
    formula="sum_c w_c t_c (lse(x) - x_c)",
    means={"weighting": ("class_weight_terms",)},
    definition=definition,
    closed=closed,
    losses=losses,
    weights=weights,
    cases=lambda: dense_cases("class_weight_terms", ClassWeightTerms),
)
