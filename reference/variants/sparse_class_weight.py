"""Cross-entropy against integer labels, each row multiplied by the weight of its class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lossvet.reference import softmax
from lossvet.reference.cases.sparse import sparse_cases
from lossvet.reference.types import Array, Rows, Variant


@dataclass(frozen=True)
class SparseClassWeight:
    class_weight: Array
    """Weight of each class, shape [C]."""
    ignore_index: int = -100
    """Rows with this label have no loss, no gradient, weight 0, and do not count."""
    sample_weight: Array | None = None
    """Factor of each row's loss and of its weight, shape [N]."""


def definition(b: Any, logits: Any, labels: Any, params: SparseClassWeight) -> Any:
    weights = [params.class_weight[y] for y in labels]
    return [-w * b.log(b.softmax(x)[y]) for w, x, y in zip(weights, logits, labels, strict=True)], weights


def closed(a: Any, logits: Any, labels: Any, params: SparseClassWeight) -> Rows:
    s, onehot = a.softmax(a.exact(logits)), a.one_hot(labels, logits.shape[1])
    cross_entropy, weight = s.class_sum(onehot), a.leaf(params.class_weight).take(labels)

    def pullback(g: Any) -> dict[str, Any]:
        return {
            "logits": (g * weight).column() * softmax.logits_gradient(s, onehot),
            "class_weight": ((g * cross_entropy).column() * onehot).sum(0),
        }

    def weight_pullback(g: Any) -> dict[str, Any]:
        return {"class_weight": (g.column() * onehot).sum(0)}

    def hessian(g: Any, direction: Array) -> Any:
        return (g * weight).column() * softmax.hessian_product(s, onehot, direction)

    return Rows(weight * cross_entropy, pullback, weight, weight_pullback, hessian)


def losses(ops: Any, logits: Any, labels: Any, params: SparseClassWeight) -> Any:
    return -weights(ops, logits, labels, params) * ops.pick(ops.log_softmax(logits), labels)


def weights(ops: Any, logits: Any, labels: Any, params: SparseClassWeight) -> Any:
    return ops.take(params.class_weight, labels)


VARIANT = Variant(
    name="sparse_class_weight",
    family="sparse",
    params=SparseClassWeight,
    formula="w_y (lse(x) - x_y)",
    means={"weighting": ("class_weight",)},
    definition=definition,
    closed=closed,
    losses=losses,
    weights=weights,
    cases=lambda: sparse_cases("sparse_class_weight", SparseClassWeight),
)
