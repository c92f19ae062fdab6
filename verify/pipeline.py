"""What a contract means: its loss and its gradients on a batch, stage by stage, over an arithmetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lossvet.reference.types import Array
from lossvet.verify.arithmetic import Bounded, Plain
from lossvet.verify.contract import Contract
from lossvet.verify.questions import cotangent
from lossvet.verify.stages import labels, probability, reduction, rows
from lossvet.verify.stages.batch import Undefined
from lossvet.verify.tape import Tape

__all__ = ["Meaning", "Undefined", "evaluate"]


@dataclass(frozen=True)
class Meaning:
    """The result of shape [], [N] or [N, C], and the gradients of sum(cotangent * result) by role, None where there is
    none; beside each, where bounds were asked for, how far a sound answer may be from it."""

    value: Array
    gradients: Mapping[str, Array | None]
    bound: Array | None = None
    gradient_bounds: Mapping[str, Array] | None = None


def evaluate(
    contract: Contract, inputs: Mapping[str, Any], leaves: Sequence[str] = (), bounds_for: str = ""
) -> Meaning:
    """The meaning of a contract on inputs by role (`questions.ROLES`), with gradients in `leaves`.

    With `bounds_for` a dtype, bounds are those of sound code in it. Raises Undefined where the contract says nothing of
    such inputs.
    """
    a: Any = Bounded(bounds_for) if bounds_for else Plain()
    tape = Tape(a)
    with np.errstate(all="ignore"):
        batch = labels.batch(contract, tape, inputs)
        probability.apply(batch)
        result = reduction.apply(batch, rows.apply(batch))
        along = cotangent(result.shape)
        if contract["upstream"] == "ignored":
            along = np.ones(result.shape)
        wanted = [leaf for leaf in leaves if leaf in batch.leaves]
        if not wanted or contract["upstream"] in ("detached", "none"):
            found: list[Any] = [None] * len(wanted)
        else:
            found = tape.gradients(result, along, [batch.leaves[leaf] for leaf in wanted])
        gradients = {
            leaf: None if g is None else np.broadcast_to(a.plain(g), batch.leaves[leaf].shape)
            for leaf, g in zip(wanted, found, strict=True)
        }
        if not bounds_for:
            return Meaning(result.plain, gradients)
        errors = {leaf: a.error(g) for leaf, g in zip(wanted, found, strict=True) if g is not None}
        return Meaning(result.plain, gradients, a.error(result.value), errors)
