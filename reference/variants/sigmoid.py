"""Binary cross-entropy from logits, unweighted: every output is an independent decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lossvet.reference import binary, composed
from lossvet.reference.cases.binary import binary_cases
from lossvet.reference.types import Rows, Variant


@dataclass(frozen=True)
class Sigmoid:
    """No parameters."""


def definition(b: Any, logits: Any, labels: Any, params: Sigmoid) -> Any:
    return b.each(lambda x, t: -t * b.log(b.sigmoid(x)) - (1 - t) * b.log(b.sigmoid(-x)), logits, labels)


def closed(a: Any, logits: Any, labels: Any, params: Sigmoid) -> Rows:
    return binary.rows(a.binary(a.exact(logits), a.exact(labels), a.exact(1.0)))


def losses(ops: Any, logits: Any, labels: Any, params: Sigmoid) -> Any:
    missed, raised = composed.binary_terms(ops, logits, labels)
    return missed + raised


VARIANT = Variant(
    name="sigmoid",
    family="binary",
    params=Sigmoid,
    formula="t softplus(-x) + (1 - t) softplus(x)",
    means={"family": "sigmoid"},
    definition=definition,
    closed=closed,
    losses=losses,
    cases=lambda: binary_cases("sigmoid", Sigmoid),
)
