"""A side of a comparison: a loss that was identified, or a contract, with the inputs that it accepts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from lossvet.verify import batches, edges
from lossvet.verify.answer import Identified
from lossvet.verify.batches import Domain
from lossvet.verify.bound import Best, domain, identify_bound
from lossvet.verify.contract import Contract
from lossvet.verify.questions import Answer, Question, Side
from lossvet.verify.sides import ContractSide, Loss, domain_of


@dataclass(frozen=True)
class Known:
    """A side that has been identified: how it is asked, and what that showed."""

    side: Side
    domain: Domain
    identified: Identified
    dtype: str = ""
    """In which it is compared, where that is not its own."""
    fuller: Known | None = None
    """The same loss with more arguments, which no contract explains."""


@dataclass(frozen=True)
class WithUnits:
    """A side that takes other weights than the other one: in what both are asked they are 1, and change nothing."""

    side: Side
    domain: Domain

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        return self.side.ask([self._filled(question) for question in questions])

    def _filled(self, question: Question) -> Question:
        units = batches.unit(self.domain, *question.inputs["logits"].shape)
        missing = {role: unit for role, unit in units.items() if role not in question.inputs}
        return msgspec.structs.replace(question, inputs={**question.inputs, **missing}) if missing else question


def of_loss(loss: Loss, dtype: str = "") -> Known:
    """A loss, identified in its own dtype; `dtype` is that in which it is to be compared, where that is another one."""
    ways = list(loss.ways())
    best = identify_bound(
        ways, spec=loss.spec, framework=loss.framework, version=loss.version, differentiable=loss.differentiable
    )

    def of_best(best: Best) -> Known:
        found = best.identified
        notes = tuple(dict.fromkeys((*loss.notes, *found.warnings)))
        side_effects = edges.side_effects(notes)
        contracts = tuple(contract.with_(side_effects=side_effects) for contract in found.candidates)
        found = msgspec.structs.replace(found, warnings=notes, candidates=contracts)
        side, binding = ways[best.which]
        fuller = None if best.fuller is None else of_best(best.fuller)
        return Known(side, domain(binding, loss.differentiable), found, dtype, fuller)

    return of_best(best)


def as_full_as(one: Known, other: Known) -> Known:
    """With the arguments that no contract explains, where the other loss takes such too."""
    if one.fuller is None:
        return one
    more = set(one.fuller.domain.weights()) - set(one.domain.weights())
    return one.fuller if more & set(other.domain.weights()) else one


def of_contract(contract: Contract, spec: str) -> Known:
    """A contract, which is what it says."""
    found = Identified(spec, "contract", "", "confirmed", (contract,), None)
    return Known(ContractSide(contract), domain_of(contract), found)


def without_gradient(one: Known) -> bool:
    """Whether a loss that could have a gradient has none at all."""
    found = one.identified.contract
    return found is not None and found["upstream"] in ("none", "detached")
