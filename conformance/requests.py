"""The requests of a run to a worker, and the answers: one message for each case."""

from __future__ import annotations

import msgspec

from lossvet.workers.messages import OutcomeMessage


class Request(msgspec.Struct, frozen=True, tag=True):
    """Cases of one cell, answered one by one in this order; `outputs` holds what is asked of each."""

    serial: int
    recipe: str
    mode: str
    dtype: str
    device: str
    cases: list[msgspec.Raw]
    outputs: list[tuple[str, ...]]


class Answer(msgspec.Struct, frozen=True, tag=True):
    """Outcomes of one case by output; `compiled` counts the functions that this case made the framework compile."""

    serial: int
    case: str
    outcomes: dict[str, OutcomeMessage]
    seconds: float
    compiled: int
