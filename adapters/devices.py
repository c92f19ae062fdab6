"""How calls on a GPU are timed: the part that frameworks share. Each adapter chooses one of two clocks.

A GPU works long after the call has returned. A clock therefore starts when the device is idle, dispatches many calls,
waits once, and reports the device's time for all of them, the first launch included. Where dispatching takes longer
than computing, the clock reports that, as users would see it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from time import perf_counter_ns
from typing import Any

from lossvet.adapters.types import Clock, Device, Prepared

UNKNOWN_CACHE = 256 * 2**20
"""Bytes of last-level cache to assume where a framework does not tell: as much as any GPU of today has."""
MOST_PLACES = 300
"""A block of 0.6 ms has no more calls than this, since a launch alone takes 2 us."""


@dataclass(frozen=True)
class QueueClock:
    """By the host's clock. `synchronize` waits until the device has nothing to do; the last call is waited for."""

    synchronize: Callable[[], object]

    def __call__(self, calls: Sequence[Prepared], number: int) -> int:
        turns = list(islice(cycle(calls), number))
        self.synchronize()
        start = perf_counter_ns()
        for call in turns:
            answers = call.dispatch()
        turns[-1].wait(answers)
        return perf_counter_ns() - start


@dataclass(frozen=True)
class EventClock:
    """By the device's own clock: two events on the stream of `torch.cuda`, and the calls between them."""

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


class ColdClock:
    """The clock of a device whose cache is emptied before every block; `last` is what its last timed call answered.

    A block finds no input in the cache where it has a place of its own for each of its calls, or `places` of them.
    """

    def __init__(self, device: Device) -> None:
        self._clock: Clock = device.clock
        self._flush = device.copy(2 * device.cache)
        self.last: Any = None

    def __call__(self, calls: Sequence[Prepared], number: int) -> int:
        *turns, final = islice(cycle(calls), number)
        self.last = None
        self._flush()
        return self._clock([*turns, replace(final, dispatch=lambda: self._keep(final.dispatch()))], number)

    def _keep(self, answers: Any) -> Any:
        self.last = answers
        return answers


def places(device: Device, nbytes: int) -> int:
    """In how many places inputs of so many bytes have to lie, so that the first has left the cache after the last."""
    return min(1 + -(-device.cache // nbytes), MOST_PLACES)
