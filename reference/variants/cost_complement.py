"""Each wrong class is charged its cost times -log(1 - p_j): -sum over j != y of M[y, j] log(1 - p_j).

log(1 - p_j) is the log-sum-exp of the other logits minus that of all. Written as log(1 - softmax(x)) it is infinite as
soon as p_j rounds to 1. No sample weight.

The composed recipe works on the classes and not on their pairs: p_j <= 1/2 for all classes except the argmax, so
log1p(-p_j) is accurate; and the complement of the argmax is the other classes, log(1 - p) = -softplus(x_argmax -
lse(others)).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from lossvet.reference.cases.sparse import sparse_cases
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
    """With A_jk = p_k / (1 - p_j), the softmax without the jth logit, d log(1 - p_j) / dx_k is p_j A_jk for
    k != j and -p_j for k = j: nothing here grows when p_j rounds to 1."""
    classes = logits.shape[1]
    s = a.softmax(a.exact(logits))
    log_complement, others = s.complement()
    wrong = a.all_but(labels, classes)
    costs = a.leaf(params.cost_matrix).take(labels) * wrong
    risk = costs * s.p

    @cache
    def apart() -> Any:
        """Automatic differentiation adds A_jk and p_k apart, where the closed form has their difference p_j A_jk."""
        return (costs.column() * others).sum(1) + costs.sum(1).column() * s.p

    def pullback(g: Any) -> dict[str, Any]:
        dx = s.widen(risk - (risk.column() * others).sum(1), apart)
        return {
            "logits": g.column() * dx,
            "cost_matrix": (-g.column() * log_complement * wrong).scatter(labels, classes),
        }

    def hessian(g: Any, direction: Array) -> Any:
        u = a.exact(direction)
        centred = u - (s.p * u).sum(1).column()
        without = (others * direction[:, None, :]).sum(2)
        moved = centred.column() + (direction[:, None, :] - without.column())
        product = risk * centred - (risk.column() * others * moved).sum(1)
        furthest = 2.0 * abs(direction).max(1, keepdims=True, initial=0.0)
        return g.column() * s.widen(product, lambda: furthest * apart())

    return Rows(loss=-(costs * log_complement).sum(1), pullback=pullback, hessian=hessian)


def losses(ops: Any, logits: Any, labels: Any, params: CostComplement) -> Any:
    costs = ops.where(ops.equal(ops.one_hot(labels, logits), 1.0), 0.0, ops.take(params.cost_matrix, labels))
    first = ops.argmax(ops.stop_gradient(logits))
    others = ops.where(ops.equal(ops.one_hot(first, logits), 1.0), float("-inf"), logits)
    # A first that is the true class costs nothing: where all others are -inf, zeros in their place keep that finite.
    right = ops.equal(first, labels)
    sure = ops.softplus(ops.pick(logits, first) - ops.logsumexp(ops.where(right[:, None], 0.0, others)))
    p = ops.exp(others - ops.logsumexp(logits)[:, None])
    return ops.pick(costs, first) * sure - ops.sum(costs * ops.log1p(-p), 1)


VARIANT = Variant(
    name="cost_complement",
    family="sparse",
    params=CostComplement,
    formula="-sum_{j != y} M[y, j] log(1 - p_j)",
    means={"weighting": ("cost_complement",)},
    definition=definition,
    closed=closed,
    cancels="in_gradients",
    losses=losses,
    cases=lambda: sparse_cases("cost_complement", CostComplement),
    pairs=True,
)
