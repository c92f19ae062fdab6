"""A loss in a worker of its own that computes the cases of a variant, one after another, even if the worker dies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from lossvet.adapters.types import Outcome, Raised
from lossvet.conformance import requests
from lossvet.conformance.types import Cell, Crashed, TimedOut
from lossvet.reference.types import Reduction
from lossvet.verify.check_worker import Fit, Judge
from lossvet.verify.fitting import Fitted
from lossvet.verify.remote import FAILURES, GRACE, Remote, ending
from lossvet.verify.sources import SourceError
from lossvet.workers import messages
from lossvet.workers.process import Died, Hung


@dataclass(frozen=True)
class Asked:
    """One case as it is sent, with the outputs that are asked for."""

    case: str
    message: msgspec.Raw
    outputs: tuple[str, ...]


Told = Mapping[str, Outcome] | Crashed | TimedOut


class CheckRemote(Remote):
    """The loss of a specification, as one more recipe of its framework."""

    module: ClassVar[str] = "lossvet.verify.check_worker"
    variant = ""

    def fit(self, variant: str) -> Fitted:
        """Bind the loss that was imported so that it can be asked as a variant. Raises SourceError."""
        self.variant = variant
        fitted = self._asked(Fit(variant, self.options, self.limit), self._binding_limit, f"calling {self.name}")
        assert isinstance(fitted, Fitted), "Fit is answered by Fitted or Refused"
        self.notes = tuple(dict.fromkeys((*self.notes, *fitted.notes)))
        return fitted

    def told(self, cell: Cell, recipe: str, reduction: Reduction, asked: Sequence[Asked]) -> Iterator[tuple[str, Told]]:
        """What it answers to each case, in order, until it has died or hung too often."""
        left, failures = list(asked), 0
        while left and failures < FAILURES:
            request = requests.Request(
                serial=0,
                recipe=recipe,
                mode=cell.mode,
                dtype=cell.dtype,
                device=cell.device,
                cases=[one.message for one in left],
                outputs=[one.outputs for one in left],
            )
            self._client.send(Judge(request, reduction, self.limit))
            while left:
                found = self._one(left[0].case)
                case = left.pop(0).case
                yield case, found
                if isinstance(found, TimedOut | Crashed):
                    failures += 1
                    if not self._client.alive or failures >= FAILURES:
                        break
            if left and failures < FAILURES and not self._refitted():
                return
        if left:
            self._client.end()

    def identifiable(self) -> None:
        """Bind it as verify does, for `sides`. Raises SourceError."""
        if not self._client.alive:
            self.imported()
        self.bind()

    def _one(self, case: str) -> Told:
        reply = self._client.receive(self.limit + GRACE)
        match reply:
            case requests.Answer(outcomes=outcomes):
                assert reply.case == case, f"it answered {reply.case}, expected {case}"
                told = {name: messages.outcome(message) for name, message in outcomes.items()}
                late = all(isinstance(o, Raised) and o.error == "Late" for o in told.values())
                return TimedOut(self.limit) if late else told
            case Died(how):
                return Crashed(ending(how))
            case Hung():
                return TimedOut(self.limit)
            case other:
                return Crashed(str(other))

    def _refitted(self) -> bool:
        """See to it that a new worker has the loss."""
        try:
            self.imported()
            self.fit(self.variant)
        except SourceError:
            return False
        return True
