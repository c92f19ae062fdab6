"""The questions of check to a loss, wherever it runs: in a worker (`check_remote`) or in the caller's own process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from lossvet.conformance.types import Cell
from lossvet.reference.types import Reduction
from lossvet.verify.check_remote import Asked, Told
from lossvet.verify.fitting import Fitted
from lossvet.verify.messages import Way
from lossvet.verify.probing import Bound
from lossvet.verify.questions import Side
from lossvet.verify.sides import Origin
from lossvet.workers.messages import Hello


class Answering(Origin, Protocol):
    """A loss that answers the cases of a variant, one after another."""

    def imported(self) -> Hello:
        """Import it, and say what its framework can be asked. Raises SourceError."""

    def fit(self, variant: str) -> Fitted:
        """Bind it so that it can be asked as a variant. Raises SourceError."""

    def told(self, cell: Cell, recipe: str, reduction: Reduction, asked: Sequence[Asked]) -> Iterator[tuple[str, Told]]:
        """What it answers to each case, in order, until it has died or hung too often."""

    def identifiable(self) -> None:
        """Bind it as verify does, for `sides`. Raises SourceError."""

    def sides(self) -> Sequence[tuple[Way | Bound, Side]]:
        """For every way of calling it, its side."""
