"""Both kinds of side, opened: a loss in a worker, or a contract that stands for itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from lossvet.verify.answer import Binding
from lossvet.verify.batches import Domain
from lossvet.verify.contract import Contract
from lossvet.verify.pipeline import Undefined, evaluate
from lossvet.verify.questions import Answer, Question, Side


class ContractSide:
    """A contract that answers as a loss with this meaning would; inputs that it says nothing of are an error."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        return [self._answer(question) for question in questions]

    def _answer(self, question: Question) -> Answer:
        try:
            leaves = question.leaves if question.derivative == "gradient" else ()
            meant = evaluate(self.contract, question.inputs, leaves)
        except Undefined as error:
            return Answer(error=f"Undefined: {error}")
        return Answer(meant.value, dict(meant.gradients), "float64")


ROLES = {
    "class_weight": ("class_weight", "class_weight_terms", "predicted_weight", "weighted_logits", "weighted_labels"),
    "pos_weight": ("pos_weight", "neg_weight", "pos_weight_on_hard_labels"),
    "binary_weights": ("both_sides",),
    "cost_matrix": ("cost_realized", "cost_expected", "cost_complement"),
    "sample_weight": ("sample_weight", "after_mean"),
    "mask": ("mask",),
}
"""The roles that the ways of weighting take their weights from."""


def domain_of(contract: Contract) -> Domain:
    """What a contract can be asked: the roles that it weights by, and labels of either kind."""
    used = set(contract.weighting) if contract["weights_from"] == "argument" else set()
    roles = [role for role, names in ROLES.items() if used & set(names)]
    if contract["denominator"] == "argument":
        roles.append("count")
    if contract["denominator"] == "total_class_weight" and "class_weight" not in roles:
        roles.append("class_weight")
    return Domain(("logits", "labels", *roles), "dense")


class Origin(Protocol):
    """Where a loss comes from, and what was seen of it besides its answers."""

    @property
    def spec(self) -> str: ...
    @property
    def framework(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def differentiable(self) -> bool: ...
    @property
    def notes(self) -> tuple[str, ...]: ...


class Loss(Origin, Protocol):
    """A loss that can be identified and compared: the ways of calling it, the best first."""

    def ways(self) -> Sequence[tuple[Side, Binding]]: ...


@dataclass(frozen=True)
class Bound:
    """A loss of the caller's own process, or any other whose ways of calling are at hand."""

    spec: str
    framework: str
    version: str
    differentiable: bool
    called: tuple[tuple[Side, Binding], ...]
    notes: tuple[str, ...] = ()

    def ways(self) -> Sequence[tuple[Side, Binding]]:
        return self.called
