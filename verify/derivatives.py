"""What a side does with derivatives beside the gradients that its contract explains: refusals, second derivatives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lossvet.reference.types import Array
from lossvet.verify import batches, probes
from lossvet.verify.contract import Contract, Setting
from lossvet.verify.pipeline import Undefined, evaluate
from lossvet.verify.probes import Probe
from lossvet.verify.questions import Answer, direction

if TYPE_CHECKING:
    from lossvet.verify.session import Session

STEP = 2.0**-17
"""Of a central difference of gradients: its error is about STEP^2 and u / STEP, both near 1e-10."""
CLOSE = 1e-5
WEIGHTS = ("class_weight", "pos_weight", "binary_weights", "cost_matrix", "sample_weight")


def observed(session: Session, contract: Contract) -> dict[str, Setting]:
    """The facets of gradients as the side's refusals show them: where it says that there is none, it is not stopped."""
    found: dict[str, Setting] = {}
    for facet, leaves in (("gradient_labels", ("labels",)), ("gradient_weights", WEIGHTS)):
        if contract[facet] == "stopped" and _refused(session, leaves):
            found[facet] = "not_differentiable"
    if contract["upstream"] != "exact" or contract["gradient_logits"] != "exact":
        return found
    if _always_refused(session):
        found["upstream"] = "none"
    elif _once_only(session, contract):
        found["upstream"] = "once_only"
    return found


def _always_refused(session: Session) -> bool:
    """Whether no backward pass ever gave a gradient in the logits, each that was asked for having raised."""
    answers = [one.answer for one in session.informative()]
    refused = [answer for answer in answers if "logits" in answer.refused]
    return bool(refused) and all(answer.gradients.get("logits") is None for answer in answers)


def _refused(session: Session, leaves: tuple[str, ...]) -> bool:
    answers = [one.answer for one in session.informative()]
    return any(leaf in answer.refused for answer in answers for leaf in leaves)


def _once_only(session: Session, contract: Contract) -> bool:
    """Whether a second derivative is refused, or is not that of the loss, though there is a first one."""
    if not session.domain.differentiable or session.precision != "float64":
        return False
    probe = probes.weighted(session.domain)[0]
    (asked,) = session.ask([Probe("second derivatives", batches.ask(session.domain, probe.question.inputs, "hessian"))])
    if "hessian" in asked.answer.refused:
        return True
    got, meant = asked.answer.gradients.get("logits"), _along(contract, asked.answer, probe)
    if meant is None or not asked.answer.answered or "logits" not in asked.answer.gradients:
        return False
    if got is None:
        return bool(np.abs(meant).max(initial=0.0) > CLOSE)
    return not np.allclose(got, meant, rtol=CLOSE, atol=CLOSE * float(np.abs(meant).max(initial=0.0)) + 1e-9)


def _along(contract: Contract, answer: Answer, probe: Probe) -> Array | None:
    """The product of the Hessian and the direction, as a difference of the contract's gradients."""
    x = probe.question.inputs["logits"]
    step = STEP * direction(x.shape)
    try:
        gradients = [
            evaluate(contract, {**probe.question.inputs, "logits": x + sign * step}, ("logits",)).gradients["logits"]
            for sign in (1.0, -1.0)
        ]
    except Undefined:
        return None
    if gradients[0] is None or gradients[1] is None:
        return None
    found: Array = (gradients[0] - gradients[1]) / (2 * STEP)
    return found
