"""Cross-entropy against integer labels, each row multiplied by the cost of the decision that was made, M[y, argmax x].

No gradient passes through the decision. A row that is decided rightly at cost 0 trains nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lossvet.reference import softmax
from lossvet.reference.cases.sparse import sparse_cases
from lossvet.reference.types import Array, Rows, Variant


@dataclass(frozen=True)
class CostRealized:
    cost_matrix: Array
    """Cost of deciding for a class, shape [C, C]: row the true class, column the predicted one."""
    ignore_index: int = -100
    """Rows with this label have no loss, no gradient, weight 0, and do not count."""
    sample_weight: Array | None = None
    """Factor of each row's loss and of its weight, shape [N]."""


def definition(b: Any, logits: Any, labels: Any, params: CostRealized) -> Any:
    costs = [params.cost_matrix[y][b.argmax(x)] for x, y in zip(logits, labels, strict=True)]
    return [-m * b.log(b.softmax(x)[y]) for m, x, y in zip(costs, logits, labels, strict=True)], costs


def closed(a: Any, logits: Any, labels: Any, params: CostRealized) -> Rows:
    classes = logits.shape[1]
    s, onehot = a.softmax(a.exact(logits)), a.one_hot(labels, classes)
    choice = a.one_hot(logits.argmax(1), classes)
    cross_entropy, weight = s.class_sum(onehot), (a.leaf(params.cost_matrix).take(labels) * choice).sum(1)

    def pullback(g: Any) -> dict[str, Any]:
        return {
            "logits": (g * weight).column() * softmax.logits_gradient(s, onehot),
            "cost_matrix": lambda: ((g * cross_entropy).column() * choice).scatter(labels, classes),
        }

    def weight_pullback(g: Any) -> dict[str, Any]:
        return {"cost_matrix": lambda: (g.column() * choice).scatter(labels, classes)}

    def hessian(g: Any, direction: Array) -> Any:
        return (g * weight).column() * softmax.hessian_product(s, onehot, direction)

    return Rows(weight * cross_entropy, pullback, weight, weight_pullback, hessian)


def losses(ops: Any, logits: Any, labels: Any, params: CostRealized) -> Any:
    return -weights(ops, logits, labels, params) * ops.pick(ops.log_softmax(logits), labels)


def weights(ops: Any, logits: Any, labels: Any, params: CostRealized) -> Any:
    return ops.pick(ops.take(params.cost_matrix, labels), ops.argmax(ops.stop_gradient(logits)))


VARIANT = Variant(
    name="cost_realized",
    family="sparse",
    params=CostRealized,
    formula="M[y, argmax(x)] (lse(x) - x_y)",
    means={"weighting": ("cost_realized",)},
    definition=definition,
    closed=closed,
    cancels="in_gradients",
    losses=losses,
    weights=weights,
    cases=lambda: sparse_cases("cost_realized", CostRealized),
)
