"""`pos_weight` whose weight per class comes from the batch itself: N / (number of positives + 1e-6).

The gradient in the labels passes through the weight as well as through the loss; the gradient in the logits does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lossvet.reference import binary, composed
from lossvet.reference.cases.binary import binary_cases
from lossvet.reference.types import Rows, Variant

EPSILON = 1e-6  # keeps a class without positives from dividing by zero


@dataclass(frozen=True)
class DynamicPosWeight:
    """No parameters: the weights are a function of the labels."""


def definition(b: Any, logits: Any, labels: Any, params: DynamicPosWeight) -> Any:
    q = [len(labels) / (sum(column) + b.decimal("1e-6")) for column in zip(*labels, strict=True)]
    return b.each(lambda x, t, q: -q * t * b.log(b.sigmoid(x)) - (1 - t) * b.log(b.sigmoid(-x)), logits, labels, q)


def closed(a: Any, logits: Any, labels: Any, params: DynamicPosWeight) -> Rows:
    n = len(labels)
    q = a.exact(float(n)) / (a.leaf(labels).sum(0) + a.leaf(a.ratio(1, 1_000_000)))
    terms = a.binary(a.exact(logits), a.exact(labels), q)
    direct = binary.rows(terms)

    def pullback(g: Any) -> dict[str, Any]:
        through_q = -(q * q) * (g * terms.dq).sum(0) / a.exact(float(n))
        gradients = direct.pullback(g)
        return {**gradients, "labels": gradients["labels"] + through_q}

    return Rows(loss=direct.loss, pullback=pullback, hessian=direct.hessian)


def losses(ops: Any, logits: Any, labels: Any, params: DynamicPosWeight) -> Any:
    q = ops.size(labels, 0) / (ops.sum(labels, 0) + EPSILON)
    missed, raised = composed.binary_terms(ops, logits, labels)
    return q * missed + raised


VARIANT = Variant(
    name="dynamic_pos_weight",
    family="binary",
    params=DynamicPosWeight,
    formula="pos_weight with q_c = N / (sum_n t_nc + 1e-6)",
    means={
        "family": "sigmoid",
        "weighting": ("pos_weight",),
        "weights_from": "batch_counts",
        "weights_formula": "positive_share",
    },
    definition=definition,
    closed=closed,
    losses=losses,
    cases=lambda: binary_cases("dynamic_pos_weight", DynamicPosWeight),
)
