"""What a few results reveal about a loss before any contract is tried: which families it cannot belong to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lossvet.reference.types import Array
from lossvet.verify import probes
from lossvet.verify.contract import Contract
from lossvet.verify.matching import ROUGH
from lossvet.verify.session import Session
from lossvet.verify.space import Departure

EXACT, SEEN = 1e-6, 0.05
"""Relative to the results: below the one, a difference is rounding; above the other, it is none, in 16 bits either."""


@dataclass(frozen=True)
class Leads:
    """None stands for what answers do not show.

    `shift`: whether the result stays when a constant is added to a row of logits, as of a softmax. `separable`: whether
    two logits of a row change the result independently of each other, as of sigmoids.
    """

    shift: bool | None = None
    separable: bool | None = None

    def allow(self, base: Contract, chosen: tuple[Departure, ...] = ()) -> bool:
        """Whether a loss of this kind, with these departures, can show what was seen."""
        of_logits = base["family"] == "softmax" and base["input"] == "logits"
        if self.shift is not None and self.shift != (of_logits and all(d.keeps_shift for d in chosen)):
            return False
        if self.separable is None:
            return True
        if self.separable:
            return not of_logits or any({"axis", "arguments"} & d.facets for d in chosen)
        return base["family"] != "sigmoid"

    def words(self) -> list[str]:
        """What was seen, as a page tells it."""
        if self.shift is None:
            return []
        does = "does not change" if self.shift else "changes"
        return [f"The result {does} when a constant is added to a row of logits."]


def seen(session: Session) -> Leads:
    """Ask, and say what the answers show."""
    if session.domain.one_column:
        return Leads()
    return Leads(_shift(session), _separable(session))


def _results(session: Session, wanted: list[probes.Probe]) -> list[Array] | None:
    found = [one.answer.value for one in session.ask(wanted)]
    if any(value is None or np.isnan(value).any() for value in found):
        return None
    return [np.asarray(value) for value in found]


def _shift(session: Session) -> bool | None:
    results = _results(session, probes.shifted(session.domain))
    if results is None:
        return None
    plain, moved = results
    exact = session.rough if session.rough > ROUGH else EXACT
    with np.errstate(all="ignore"):
        return bool(np.allclose(plain, moved, rtol=exact, atol=1e-9, equal_nan=True))


def _separable(session: Session) -> bool | None:
    results = _results(session, probes.two_moved(session.domain))
    if results is None:
        return None
    with np.errstate(all="ignore"):
        plain, one, other, both = (float(result.sum()) for result in results)
        scale = max(abs(plain), abs(one), abs(other), abs(both))
        rest = abs(both - one - other + plain)
    if not np.isfinite(rest) or scale == 0:
        return None
    if rest <= EXACT * scale:
        return True
    return False if rest > SEEN * scale else None
