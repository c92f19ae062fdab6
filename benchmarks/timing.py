"""One sample: how long a prepared call takes, as blocks of calls in integer nanoseconds, on a CPU or on a GPU."""

from __future__ import annotations

import gc
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter_ns

from lossvet.adapters.types import Clock, Prepared

BLOCK_NS = 500_000
"""A block is at least this long: reading the clock, some 50 ns, is then a ten-thousandth of it."""
BUDGET_NS = 25_000_000
"""What the blocks of a sample may take together, where three of them fit."""
FEWEST, MOST = 3, 15
SETTLED = 1.02
"""Warm: a block within this factor of the best before it, and `WARM_UP_NS` spent."""
WARM_UP_NS = 10_000_000


@dataclass(frozen=True)
class Timing:
    """`blocks` holds the nanoseconds of each block of `number` calls, in the order in which they were made."""

    number: int
    blocks: tuple[int, ...]


def cpu_clock(calls: Sequence[Prepared], number: int) -> int:
    """Each call waits for its answer. The loop itself adds some 100 ns to a call."""
    (call,) = calls
    repeat = itertools.repeat(None, number)
    start = perf_counter_ns()
    for _ in repeat:
        call()
    return perf_counter_ns() - start


def measure(calls: Sequence[Prepared], clock: Clock, budget_ns: int = BUDGET_NS, fewest: int = FEWEST) -> Timing:
    """Warm up until it is stable, then time blocks. The garbage collector waits meanwhile."""
    gc.collect()
    gc.disable()
    try:
        number = _warm(calls, clock, budget_ns)
        blocks: list[int] = []
        while len(blocks) < fewest or (len(blocks) < MOST and sum(blocks) < budget_ns):
            blocks.append(clock(calls, number))
        return Timing(number, tuple(blocks))
    finally:
        gc.enable()


def _warm(calls: Sequence[Prepared], clock: Clock, budget_ns: int) -> int:
    """How many calls a block takes, once calls no longer become faster, or a budget has been spent on that."""
    spent, best, number = 0, math.inf, 1
    while True:
        elapsed = clock(calls, number)
        spent += elapsed
        each = elapsed / number
        long_enough = elapsed >= BLOCK_NS
        settled = spent >= min(WARM_UP_NS, budget_ns) and each >= best / SETTLED
        if long_enough and (settled or spent >= max(WARM_UP_NS, budget_ns)):
            return number
        if long_enough:
            best = min(best, each)
        else:
            number = max(number + 1, math.ceil(1.2 * BLOCK_NS / max(each, 1.0)))
