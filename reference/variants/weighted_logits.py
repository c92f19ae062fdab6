"""Cross-entropy of w * x: common advice that changes what is learnt. It is included so that it can be recognised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lossvet.reference import composed, softmax
from lossvet.reference.cases.dense import dense_cases
from lossvet.reference.types import Array, Rows, Variant


@dataclass(frozen=True)
class WeightedLogits:
    class_weight: Array
    """Factor of each class's logits, shape [C]."""
    sample_weight: Array | None = None
    """Factor of each row's loss, shape [N]."""


def definition(b: Any, logits: Any, labels: Any, params: WeightedLogits) -> Any:
    scaled = [[w * x_c for w, x_c in zip(params.class_weight, x, strict=True)] for x in logits]
    losses = [-b.dot(t, [b.log(p) for p in b.softmax(x)]) for x, t in zip(scaled, labels, strict=True)]
    return losses, [1 for _ in losses]


def closed(a: Any, logits: Any, labels: Any, params: WeightedLogits) -> Rows:
    x, t, w = a.exact(logits), a.leaf(labels), a.leaf(params.class_weight)
    s = a.softmax(w * x)

    def pullback(g: Any) -> dict[str, Any]:
        inner = g.column() * softmax.logits_gradient(s, t)
        return {"logits": w * inner, "labels": g.column() * s.nll, "class_weight": (x * inner).sum(0)}

    def hessian(g: Any, direction: Array) -> Any:
        return g.column() * w * softmax.hessian_product(s, t, w * direction)

    return Rows(loss=s.class_sum(t), weight=a.ones(len(logits)), pullback=pullback, hessian=hessian)


def losses(ops: Any, logits: Any, labels: Any, params: WeightedLogits) -> Any:
    return ops.sum(composed.nll_terms(ops, params.class_weight * logits, labels), 1)


def weights(ops: Any, logits: Any, labels: Any, params: WeightedLogits) -> Any:
    return ops.ones(logits)


VARIANT = Variant(
    name="weighted_logits",
    family="dense",
    params=WeightedLogits,
    formula="sum_c t_c (lse(w x) - w_c x_c)",
    means={"weighting": ("weighted_logits",)},
    definition=definition,
    closed=closed,
    cancels="everywhere",
    losses=losses,
    weights=weights,
    # w * x has no derivative in w where x is infinite.
    cases=lambda: tuple(c for c in dense_cases("weighted_logits", WeightedLogits) if np.isfinite(c.logits).all()),
)
