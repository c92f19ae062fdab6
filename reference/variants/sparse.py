"""Cross-entropy of a softmax against integer labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lossvet.reference import softmax
from lossvet.reference.cases.sparse import sparse_cases
from lossvet.reference.types import Array, Rows, Variant


@dataclass(frozen=True)
class Sparse:
    ignore_index: int = -100
    """Rows with this label have no loss, no gradient, weight 0, and do not count."""
    sample_weight: Array | None = None
    """Factor of each row's loss and of its weight, shape [N]."""


def definition(b: Any, logits: Any, labels: Any, params: Sparse) -> Any:
    return [-b.log(b.softmax(x)[y]) for x, y in zip(logits, labels, strict=True)], [1 for _ in labels]


def closed(a: Any, logits: Any, labels: Any, params: Sparse) -> Rows:
    s, onehot = a.softmax(a.exact(logits)), a.one_hot(labels, logits.shape[1])

    def pullback(g: Any) -> dict[str, Any]:
        return {"logits": g.column() * softmax.logits_gradient(s, onehot)}

    def hessian(g: Any, direction: Array) -> Any:
        return g.column() * softmax.hessian_product(s, onehot, direction)

    return Rows(loss=s.class_sum(onehot), weight=a.ones(len(labels)), pullback=pullback, hessian=hessian)


def losses(ops: Any, logits: Any, labels: Any, params: Sparse) -> Any:
    return -ops.pick(ops.log_softmax(logits), labels)


def weights(ops: Any, logits: Any, labels: Any, params: Sparse) -> Any:
    return ops.ones(logits)


VARIANT = Variant(
    name="sparse",
    family="sparse",
    params=Sparse,
    formula="lse(x) - x_y",
    means={},
    definition=definition,
    closed=closed,
    losses=losses,
    weights=weights,
    cases=lambda: sparse_cases("sparse", Sparse),
)
