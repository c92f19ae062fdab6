"""One side and its answers so far: what it was asked, and how well contracts explain the answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from lossvet.verify.batches import Domain
from lossvet.verify.contract import Contract
from lossvet.verify.matching import ROUGH, Asked, Fit, fit
from lossvet.verify.probes import Probe
from lossvet.verify.questions import Side


@dataclass
class Session:
    """One side under questioning: what was asked of it so far."""

    side: Side
    domain: Domain
    asked: list[Asked] = field(default_factory=list)
    precision: str = "float64"
    rough: float = ROUGH
    fits: dict[tuple[Contract, str, str], Fit] = field(default_factory=dict)

    def fit(self, contract: Contract, one: Asked) -> Fit:
        """How well the contract explains an answer, in the precision of the side."""
        key = (contract, one.probe.name, self.precision)
        if key not in self.fits:
            self.fits[key] = fit(contract, one, dtype=self.precision)
        return self.fits[key]

    def explains(self, contract: Contract, asked: Iterable[Asked]) -> bool:
        return all(self.fit(contract, one).fits for one in asked)

    def ask(self, wanted: Sequence[Probe]) -> list[Asked]:
        """Answers to probes, none of which is asked twice."""
        known = {one.probe.name: one for one in self.asked}
        new = [probe for probe in wanted if probe.name not in known]
        if new:
            answers = self.side.ask([probe.question for probe in new])
            found = [Asked(probe, answer, self.rough) for probe, answer in zip(new, answers, strict=True)]
            self.asked += found
            known |= {one.probe.name: one for one in found}
        return [known[probe.name] for probe in wanted]

    def coarsely(self, rough: float) -> None:
        """Look less closely at every answer, those that are there and those to come."""
        self.rough = rough
        self.asked = [replace(one, rough=rough) for one in self.asked]

    def informative(self) -> list[Asked]:
        return [one for one in self.asked if one.answer.answered]
