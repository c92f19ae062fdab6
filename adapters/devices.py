"""How calls on a GPU are timed: what the frameworks share of it. Each adapter says which of two clocks is its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from time import perf_counter_ns
from typing import Any

from lossvet.adapters.types import Prepared

UNKNOWN_CACHE = 128 * 2**20
"""Bytes of last-level cache to assume where a framework does not tell: more than any GPU of today has."""


def queue_clock(calls: Sequence[Prepared], number: int) -> int:
    """Without events: nothing is under way before the clock is read, calls are queued, and the last is waited for."""
    for call in calls:
        call()
    turns = list(islice(cycle(calls), number))
    start = perf_counter_ns()
    for call in turns:
        answers = call.dispatch()
    turns[-1].wait(answers)
    return perf_counter_ns() - start


@dataclass(frozen=True)
class EventClock:
    """With events on the stream of `torch.cuda`: calls are queued between two of them, and waited for once."""

    cuda: Any

    def __call__(self, calls: Sequence[Prepared], number: int) -> int:
        start, end = self.cuda.Event(enable_timing=True), self.cuda.Event(enable_timing=True)
        turns = list(islice(cycle(calls), number))
        self.cuda.synchronize()
        start.record()
        for call in turns:
            call.dispatch()
        end.record()
        self.cuda.synchronize()
        milliseconds: float = start.elapsed_time(end)
        return round(milliseconds * 1e6)
