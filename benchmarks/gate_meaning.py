"""The meaning of a gate's loss in base and in head: whether it is the same, and whether it is what was stated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lossvet.benchmarks.pairs import Name
from lossvet.verify.answer import Comparison, Identified
from lossvet.verify.contract import Contract
from lossvet.verify.differences import written
from lossvet.verify.facets import facets
from lossvet.verify.own_recipe import OwnRecipe

Colour = Literal["green", "red", "open"]


@dataclass(frozen=True)
class Meaning:
    """How the two sides compare, and what that makes of the gate.

    `judged` says whether the recipes are a variant that the loss is, or only one whose inputs it takes; `unsaid` why
    equal meanings are not what was claimed, or why the contract file is none of this loss.
    """

    comparison: Comparison
    claimed: str = ""
    called: str = ""
    """What head is: "sparse_class_weight/mean", or its contract in short."""
    recipes: Mapping[Name, OwnRecipe] = field(default_factory=dict)
    judged: bool = False
    unsaid: str = ""

    @property
    def changed(self) -> bool:
        """Whether the meaning is another one in head, accepted or not."""
        return self.comparison.verdict in ("different", "same_gradient", "unexplained")

    @property
    def colour(self) -> Colour:
        found = self.comparison
        if found.verdict == "equal_on_probes":
            return "open" if self.unsaid else "green"
        if found.exit_code == 1:
            return "red"
        return "open" if found.exit_code == 3 or self.unsaid else "green"

    @property
    def words(self) -> str:
        """What is wrong, or open, in one sentence; else what was found."""
        found = self.comparison
        if self.colour == "red":
            return f"the meaning has changed: {changes(found)}"
        if found.verdict == "cannot_judge":
            return f"its meaning cannot be judged: {found.reason}"
        if found.verdict == "unexplained" and found.verdict not in found.accepted:
            return "no difference in meaning was found, but its meaning is not known on both sides"
        if self.unsaid:
            return self.unsaid
        if found.verdict == "equal_on_probes":
            return f"equal_on_probes: the same on {found.tried:,} probes, but described by no contract"
        if self.changed:
            return f"the meaning has changed, as accepted: {changes(found)}"
        return f"the meaning is the same on {found.tried:,} probes: {self.called}"


def changes(found: Comparison) -> str:
    """ "denominator: weights -> batch", what is accepted left out where something is not."""
    own = [d for d in found.differences if not d.edge]
    left = [d for d in own if not d.accepted] or own
    if left:
        return ", ".join(f"{d.facet}: {d.source} -> {d.target}" for d in left)
    parts = f", {found.parts_at}" if found.parts_at else ""
    return f"the results differ, and no facet explains why{parts}"


def short(found: Identified) -> str:
    """The contract of a side in a few words."""
    if found.contract is None:
        return "nothing close to any contract"
    nearest = "nearest to " if found.status == "unexplained" else ""
    return f"{nearest}{in_short(found.contract)}"


def in_short(contract: Contract) -> str:
    """Its departures, and the denominator whatever it is: "weighting: class_weight, denominator: batch"."""
    names = dict.fromkeys((*_facets(contract), "denominator"))
    return ", ".join(f"{name}: {written(contract, name)}" for name in names)


def _facets(contract: Contract) -> list[str]:
    return [name for name in contract if name in facets() and not facets()[name].edge]
