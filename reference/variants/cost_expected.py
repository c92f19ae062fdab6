"""The expected cost of a decision drawn from the softmax: sum_j p_j M[y, j]. No logarithm, no sample weight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lossvet.reference.cases.sparse import sparse_cases
from lossvet.reference.types import Array, Rows, Variant


@dataclass(frozen=True)
class CostExpected:
    cost_matrix: Array
    """Cost of deciding for a class, shape [C, C]: row the true class, column the predicted one."""
    ignore_index: int = -100
    """Rows with this label have no loss, no gradient, weight 0, and do not count."""
    sample_weight: Array | None = None
    """Factor of each row's loss and of its weight, shape [N]."""


def definition(b: Any, logits: Any, labels: Any, params: CostExpected) -> Any:
    return [b.dot(params.cost_matrix[y], b.softmax(x)) for x, y in zip(logits, labels, strict=True)], None


def closed(a: Any, logits: Any, labels: Any, params: CostExpected) -> Rows:
    s, costs = a.softmax(a.exact(logits)), a.leaf(params.cost_matrix).take(labels)
    expected = (s.p * costs).sum(1)
    excess = costs - expected.column()

    def pullback(g: Any) -> dict[str, Any]:
        return {
            "logits": g.column() * s.p * excess,
            "cost_matrix": lambda: (g.column() * s.p).scatter(labels, logits.shape[1]),
        }

    def hessian(g: Any, direction: Array) -> Any:
        u = direction - (s.p * direction).sum(1).column()
        first = s.p * u * excess
        second = s.p * (s.p * excess * direction).sum(1).column()
        return g.column() * (first - second)

    return Rows(loss=expected, pullback=pullback, hessian=hessian)


def losses(ops: Any, logits: Any, labels: Any, params: CostExpected) -> Any:
    return ops.sum(ops.softmax(logits) * ops.take(params.cost_matrix, labels), 1)


VARIANT = Variant(
    name="cost_expected",
    family="sparse",
    params=CostExpected,
    formula="sum_j p_j M[y, j]",
    means={"weighting": ("cost_expected",)},
    definition=definition,
    closed=closed,
    cancels="in_gradients",
    losses=losses,
    cases=lambda: sparse_cases("cost_expected", CostExpected),
)
