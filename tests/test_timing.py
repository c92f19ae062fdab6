"""Whether the engine measures what it should: delays that are known, blocks, memory, bandwidth."""

from __future__ import annotations

import gc
import mmap
from collections.abc import Sequence
from statistics import median
from time import perf_counter_ns

import numpy as np
import pytest

from lossvet.adapters.types import Clock, Prepared
from lossvet.benchmarks import limit, memory, timing
from lossvet.benchmarks.workloads import Shape

MICROSECOND = 1_000


def delay(nanoseconds: int) -> Prepared:
    """A call that reads the clock until so much time has passed since it began."""

    def spin() -> None:
        end = perf_counter_ns() + nanoseconds
        while perf_counter_ns() < end:
            pass

    return Prepared(spin)


def alone(call: Prepared, times: int) -> float:
    """What the call takes by itself, its own reading of the clock included: the median of single calls, less that of
    the reading of the clock around it."""
    each, nothing = [], []
    for _ in range(times):
        start = perf_counter_ns()
        call.dispatch()
        each.append(perf_counter_ns() - start)
        start = perf_counter_ns()
        nothing.append(perf_counter_ns() - start)
    return median(each) - median(nothing)


def added_by_the_engine(call: Prepared, clock: Clock) -> float:
    """What the engine adds to a call, as a share of it: its least disturbed block beside the median of single calls.

    A neighbour's interruption lengthens whole blocks and hardly ever the median of single calls; it shortens neither,
    so that the least of several comparisons is what the engine itself adds.
    """
    shares = []
    for _ in range(5):
        single = alone(call, 200)
        found = timing.measure([call], clock)
        shares.append(min(found.blocks) / found.number / single - 1)
    return min(shares, key=abs)


@pytest.mark.clock
@pytest.mark.parametrize("nanoseconds", [50 * MICROSECOND, 200 * MICROSECOND, 2000 * MICROSECOND])
def test_the_engine_adds_under_one_per_cent(nanoseconds: int, capsys: pytest.CaptureFixture[str]) -> None:
    added = added_by_the_engine(delay(nanoseconds), timing.cpu_clock)
    with capsys.disabled():
        print(f"\na delay of {nanoseconds // MICROSECOND} us: the engine adds {100 * added:+.2f} %")
    assert abs(added) < 0.01


@pytest.mark.clock
def test_what_the_engine_adds_is_seen() -> None:
    """A clock that does something beside the calls is caught by the same comparison."""

    def slow(calls: Sequence[Prepared], number: int) -> int:
        return timing.cpu_clock([Prepared(lambda: (calls[0](), sum(range(200))))], number)

    assert added_by_the_engine(delay(50 * MICROSECOND), slow) > 0.01


def test_blocks_are_long_beside_the_clock_and_few_where_calls_are_long() -> None:
    short, long = timing.measure([delay(1000)], timing.cpu_clock), timing.measure([delay(30_000_000)], timing.cpu_clock)
    assert min(short.blocks) >= 0.8 * timing.BLOCK_NS
    assert timing.FEWEST < len(short.blocks) <= timing.MOST
    assert (long.number, len(long.blocks)) == (1, timing.FEWEST)


def test_a_call_that_becomes_faster_is_warmed_up() -> None:
    """Its first 50 calls take ten times as long as the others, and none of them is in a block."""
    calls = 0

    def call() -> None:
        nonlocal calls
        calls += 1
        delay(100_000 if calls <= 50 else 10_000).dispatch()

    found = timing.measure([Prepared(call)], timing.cpu_clock)
    assert median(found.blocks) / found.number < 15_000  # the largest may have been interrupted


def test_the_collector_waits_and_is_let_loose_again() -> None:
    states = []
    timing.measure([Prepared(lambda: states.append(gc.isenabled()))], timing.cpu_clock, budget_ns=10**6)
    assert not any(states)
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError):
        timing.measure([Prepared(lambda: 1 / 0)], timing.cpu_clock)
    assert gc.isenabled()


@pytest.mark.clock
@pytest.mark.parametrize("mebibytes", [8, 64])
def test_peak_memory_is_that_of_a_known_call(mebibytes: int) -> None:
    size = mebibytes * 2**20

    def call() -> object:
        temporary = np.ones(size, np.uint8)
        return temporary[: size // 2].copy()

    found = memory.peak(call, inputs=0)
    if found is None:
        pytest.skip("this platform does not tell what a process touched")
    assert abs(found - 1.5 * size) < 2 * 2**20


@pytest.mark.clock
def test_memory_that_an_allocator_keeps_is_seen() -> None:
    """A call whose buffer is there already grows nothing; what it writes is found all the same, and its inputs not."""
    kept, read = np.ones(2**24, np.uint8), np.ones(2**24, np.uint8)
    found = memory.peak(lambda: np.copyto(kept, read), inputs=read.nbytes)
    if found is None:
        pytest.skip("this platform does not tell what a process touched")
    assert kept.nbytes <= found + 2**16
    assert found <= kept.nbytes + 2 * 2**20


def test_the_limit_counts_what_has_to_move() -> None:
    at = Shape(512, 1000)
    logits = 4 * 512 * 1000
    assert limit.moved_bytes("sparse", at, "forward", "float32") == logits + 8 * 512
    assert limit.moved_bytes("sparse", at, "train", "float32") == 2 * logits + 8 * 512
    assert limit.moved_bytes("dense", at, "train", "float32") == 3 * logits
    assert limit.moved_bytes("binary", at, "forward", "float64") == 4 * logits


@pytest.mark.clock
def test_bandwidth_is_between_what_machines_have() -> None:
    for nbytes in (1, 2**20, 2**26):
        for per_byte in limit.bandwidth(nbytes):
            assert 1e9 < 1e9 / per_byte < 2e12, f"{1e9 / per_byte:.3g} bytes a second at {nbytes}"


def test_the_fixed_workload_lies_where_no_heap_can_put_it() -> None:
    """Its time would otherwise depend on what the process did before: on the subject, and so on the side."""
    places = set()
    for size in (1, 1000, 2**14, 2**20):
        before = np.ones(size)
        sums = limit.drift()()
        places.add(sums.ctypes.data % mmap.PAGESIZE)
        assert sums[-1] == len(sums)
        del before
    assert places == {0}
