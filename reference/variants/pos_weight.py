"""Binary cross-entropy whose positive term is multiplied by pos_weight: trades precision for recall.

At x = 0 the derivative is (1 - t) / 2 - q t / 2, and is smooth there as everywhere. The published stable
form, (1 - t) x + l (log1p(exp(-|x|)) + max(-x, 0)) with l = 1 + (q - 1) t, has the right value there and, by
automatic differentiation, the wrong derivative. The composed recipe therefore uses softplus.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lossvet.reference import binary, composed
from lossvet.reference.cases.binary import binary_cases
from lossvet.reference.types import Array, Rows, Variant


@dataclass(frozen=True)
class PosWeight:
    pos_weight: Array
    """Factor of the positive term, shape [] or [C]; not negative."""


def definition(b: Any, logits: Any, labels: Any, params: PosWeight) -> Any:
    q = params.pos_weight
    return b.each(lambda x, t, q: -q * t * b.log(b.sigmoid(x)) - (1 - t) * b.log(b.sigmoid(-x)), logits, labels, q)


def closed(a: Any, logits: Any, labels: Any, params: PosWeight) -> Rows:
    weights = params.pos_weight
    terms = a.binary(a.exact(logits), a.exact(labels), a.leaf(weights))
    return binary.rows(terms, pos_weight_shape=weights.shape)


def losses(ops: Any, logits: Any, labels: Any, params: PosWeight) -> Any:
    missed, raised = composed.binary_terms(ops, logits, labels)
    return params.pos_weight * missed + raised


VARIANT = Variant(
    name="pos_weight",
    family="binary",
    params=PosWeight,
    formula="q t softplus(-x) + (1 - t) softplus(x)",
    means={"family": "sigmoid", "weighting": ("pos_weight",)},
    definition=definition,
    closed=closed,
    losses=losses,
    cases=lambda: binary_cases("pos_weight", PosWeight),
)
