"""What travels through the stages: one batch, on a tape, under one contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lossvet.reference.types import Array
from lossvet.verify.contract import Contract
from lossvet.verify.tape import Node, Tape


class Undefined(Exception):
    """The contract does not say what this input means: a label that is no class, a role that is not there."""


@dataclass
class Batch:
    """`x` [N, C] is what the loss takes as logits, `t` [N, C] the labels that the terms are weighted by, smoothed where
    the contract smooths; `given` the labels before that. `kept` [N] is 1.0 for rows that count, and `classes` [N] the
    class of each row (of soft labels, the most likely one)."""

    contract: Contract
    tape: Tape
    leaves: Mapping[str, Node]
    x: Node
    t: Node
    given: Node
    kept: Array
    classes: Any
    sparse: bool
    mapped: Node | None = None
    """What a softmax or sigmoid is taken of [N, C]: the logits, scaled, capped or shifted by a margin."""
    p: Node | None = None
    """Probabilities [N, C], once they are known."""
    q: Node | None = None
    """1 - p, without cancelling where p is known by its logarithm."""
    log_p: Node | None = None
    """What stands for log p [N, C]; of a sigmoid, for label 1."""
    log_q: Node | None = None
    """Of a sigmoid, what stands for log(1 - p) [N, C]."""
    row_weight: Node | None = None
    """[N] or [N, C]: what a weighted mean divides by the sum of."""

    @property
    def binary(self) -> bool:
        return self.contract["family"] == "sigmoid"

    def role(self, name: str) -> Node:
        """An input by role. Raises Undefined where the batch has none."""
        if name not in self.leaves:
            raise Undefined(f"the contract needs {name}, which this batch does not have")
        return self.leaves[name]

    def ones(self) -> Node:
        """1 for each row, or for each element of a binary loss."""
        return self.tape.lift(np.ones(self.x.shape if self.binary else self.x.shape[:1]))
