"""The cost of every wrong class, weighed by how surely it was not chosen: -sum over j other than y of M[y, j] log(1 - p_j).

log(1 - p_j) is the log-sum-exp of the other logits less that of all. Spelled as log(1 - softmax(x)) it overflows as
soon as p_j rounds to 1. No sample weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lossvet.reference.cases.sparse import cost_matrices, sparse_cases
from lossvet.reference.types import Array, Rows, Variant


@dataclass(frozen=True)
class CostComplement:
    cost_matrix: Array
    """Cost of deciding for a class, shape [C, C]: row the true class, column the predicted one."""
    ignore_index: int = -100
    """Rows with this label have no loss, no gradient, weight 0, and do not count."""
    sample_weight: Array | None = None
    """Factor of each row's loss and of its weight, shape [N]."""


def definition(b: Any, logits: Any, labels: Any, params: CostComplement) -> Any:
    def row(x: Any, y: int) -> Any:
        costs = params.cost_matrix[y]
        return -sum(m * b.log(1 - p) for j, (m, p) in enumerate(zip(costs, b.softmax(x), strict=True)) if j != y)

    return [row(x, y) for x, y in zip(logits, labels, strict=True)], None


def closed(a: Any, logits: Any, labels: Any, params: CostComplement) -> Rows:
    classes = logits.shape[1]
    wrong = a.exact(1.0) - a.one_hot(labels, classes)
    s = a.softmax(a.exact(logits))
    costs = a.leaf(params.cost_matrix).take(labels) * wrong
    log_others, odds = s.complement()
    r = costs * odds
    total = r.sum(1).column()

    def pullback(g: Any) -> dict[str, Any]:
        # A spelling by automatic differentiation adds p_k / (1 - p_j) and p_k by class, and not their difference.
        dx = s.widen(r - s.p * total, s.p * (costs * (1.0 + odds)).sum(1).column(), r)
        matrix = (-g.column() * log_others * wrong).scatter(labels, classes)
        return {"logits": g.column() * dx, "cost_matrix": matrix}

    def hessian(g: Any, u: Array) -> Any:
        centred = u - (s.p * u).sum(1).column()
        dr = r * (1.0 + odds) * centred
        product = dr - s.p * centred * total - s.p * dr.sum(1).column()
        spread = s.p * (costs * (1.0 + odds)).sum(1).column() + r
        return g.column() * s.widen(product, 2.0 * abs(u).max(1, keepdims=True) * spread, r)

    return Rows(loss=-(costs * log_others).sum(1), pullback=pullback, hessian=hessian)


def losses(ops: Any, logits: Any, labels: Any, params: CostComplement) -> Any:
    others = ops.logsumexp(ops.where(ops.eye(logits), float("-inf"), logits[:, None, :]))
    log_complement = others - ops.logsumexp(logits)[:, None]
    costs = ops.take(params.cost_matrix, labels)
    wrong = ops.equal(ops.one_hot(labels, logits), 0.0)
    return -ops.sum(ops.where(wrong, costs * log_complement, 0.0), 1)


VARIANT = Variant(
    name="cost_complement",
    family="sparse",
    params=CostComplement,
    formula="-sum_{j != y} M[y, j] log(1 - p_j)",
    definition=definition,
    closed=closed,
    losses=losses,
    cases=lambda: sparse_cases("cost_complement", lambda shape, common: CostComplement(cost_matrices(shape), **common)),
)
