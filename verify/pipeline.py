"""What a contract means: its loss and its gradients on a batch, stage by stage, over an arithmetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lossvet.reference.types import Array
from lossvet.verify.arithmetic import Bounded, Plain
from lossvet.verify.contract import Contract
from lossvet.verify.questions import cotangent
from lossvet.verify.stages import labels, probability, reduction, rows
from lossvet.verify.stages.batch import Batch, Undefined
from lossvet.verify.tape import Node, Tape

__all__ = ["Meaning", "Undefined", "Unreduced", "evaluate"]


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
        batch, losses = _losses(contract, tape, inputs)
        result = reduction.apply(batch, losses)
        wanted = [leaf for leaf in leaves if leaf in batch.leaves]
        if not wanted or contract["upstream"] in ("detached", "none"):
            found: list[Any] = [None] * len(wanted)
        else:
            along = np.ones(result.shape) if contract["upstream"] == "ignored" else cotangent(result.shape)
            found = tape.gradients(result, along, [batch.leaves[leaf] for leaf in wanted])
        gradients = {
            leaf: None if g is None else np.broadcast_to(a.plain(g), batch.leaves[leaf].shape)
            for leaf, g in zip(wanted, found, strict=True)
        }
        if not bounds_for:
            return Meaning(result.plain, gradients)
        errors = {leaf: a.error(g) for leaf, g in zip(wanted, found, strict=True) if g is not None}
        return Meaning(result.plain, gradients, a.error(result.value), errors)


class Unreduced:
    """The losses of rows under a contract, to be reduced in one way after another. Raises Undefined as `evaluate` does.

    `losses` have the shape [N], or [N, C] of a binary loss; nothing is added to them yet.
    """

    def __init__(self, contract: Contract, inputs: Mapping[str, Any]) -> None:
        with np.errstate(all="ignore"):
            self._batch, self._node = _losses(contract, Tape(Plain()), inputs)
        self.losses: Array = self._node.plain

    def reduced(self, contract: Contract) -> Array:
        """The result under a contract that parts from this one in nothing but its reduction."""
        with np.errstate(all="ignore"):
            return reduction.apply(replace(self._batch, contract=contract), self._node).plain


def _losses(contract: Contract, tape: Tape, inputs: Mapping[str, Any]) -> tuple[Batch, Node]:
    batch = labels.batch(contract, tape, inputs)
    probability.apply(batch)
    return batch, rows.apply(batch)
