"""Cross-entropy of a softmax against dense labels, which may be soft and need not sum to 1.

The derivative in the logits is p sum(t) - t. It is p - t only for labels that sum to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lossvet.reference import composed, softmax
from lossvet.reference.cases.dense import dense_cases
from lossvet.reference.types import Array, Rows, Variant


@dataclass(frozen=True)
class Softmax:
    sample_weight: Array | None = None
    """Factor of each row's loss, shape [N]."""


def definition(b: Any, logits: Any, labels: Any, params: Softmax) -> Any:
    losses = [-b.dot(t, [b.log(p) for p in b.softmax(x)]) for x, t in zip(logits, labels, strict=True)]
    return losses, [1 for _ in losses]


def closed(a: Any, logits: Any, labels: Any, params: Softmax) -> Rows:
    s, t = a.softmax(a.exact(logits)), a.leaf(labels)

    def pullback(g: Any) -> dict[str, Any]:
        return {"logits": g.column() * softmax.logits_gradient(s, t), "labels": g.column() * s.nll}

    def hessian(g: Any, direction: Array) -> Any:
        return g.column() * softmax.hessian_product(s, t, direction)

    return Rows(loss=s.class_sum(t), weight=a.ones(len(logits)), pullback=pullback, hessian=hessian)


def losses(ops: Any, logits: Any, labels: Any, params: Softmax) -> Any:
    return ops.sum(composed.nll_terms(ops, logits, labels), 1)


def weights(ops: Any, logits: Any, labels: Any, params: Softmax) -> Any:
    return ops.ones(logits)


VARIANT = Variant(
    name="softmax",
    family="dense",
    params=Softmax,
    formula="sum_c t_c (lse(x) - x_c)",
    means={},
    definition=definition,
    closed=closed,
    losses=losses,
    weights=weights,
    cases=lambda: dense_cases("softmax", Softmax),
)
