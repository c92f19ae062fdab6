"""The gate tested: its false alarms and its power, measured on the machine at hand with real losses.

A pool of pairs of some losses is measured once, each loss under four names. On the side of base all four are the same;
on the side of head one is as in base and the others have 2, 5 and 10 % more rows. Runs of the gate are then drawn from
the pool: 8 pairs screen, 20 confirm, and 20 more if these are inconclusive.
"""

from __future__ import annotations

import math
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median, stdev
from typing import Protocol

from lossvet import adapters
from lossvet.adapters import slowed
from lossvet.benchmarks import decide, pairs, subjects, workloads
from lossvet.benchmarks.asv_subjects import greet
from lossvet.benchmarks.bench_client import BenchClient
from lossvet.benchmarks.pairs import DRIFT, NAMES, Match, Name, Ratios, Shot
from lossvet.benchmarks.statistics import share
from lossvet.benchmarks.subjects import Subject
from lossvet.conformance.run import CannotJudge
from lossvet.conformance.types import Cell
from lossvet.reference.types import Reduction
from lossvet.workers.client import Side
from lossvet.workers.machine import cores
from lossvet.workers.messages import Greeting, Hello, Unavailable

RUNS = 250
"""Gate runs drawn for each kind: with four losses, 1,000 comparisons."""
LOSSES = (
    ("sparse", "440x1000"),
    ("class_weight", "440x1000"),
    ("pos_weight", "330x2000"),
    ("smooth_terms", "1320x512"),
)
"""So large that what a call takes without any rows is a small part of each; rows of which 1 / 1.1 and 1.02, 1.05 and
1.1 times as many are whole; and no buffer that is below 2 MiB, where pages are others, on one side alone."""
PERCENTS = (0, 2, 5, 10)


class Observer(Protocol):
    def say(self, text: str) -> None: ...
    def begin(self, total: int) -> None: ...
    def counted(self, what: str) -> None: ...


@dataclass(frozen=True)
class Rate:
    """What the gate said of comparisons with this slowdown injected; `measured` is what it was, loss by loss."""

    injected: float
    measured: tuple[float, ...]
    comparisons: int
    slower: int
    faster: int
    unchanged: int
    inconclusive: int

    @property
    def interval(self) -> tuple[float, float]:
        """Of the share that was called slower, at 95 %."""
        return share(self.slower, self.comparisons)


@dataclass(frozen=True)
class Rates:
    """All that a self-test found. `noise` is by loss the standard deviation of the log ratio of a pair."""

    framework: str
    version: str
    pairs: int
    seconds: float
    noise: Mapping[str, float]
    rates: tuple[Rate, ...]
    runs: int
    void: int
    uniform: int
    uniform_runs: int

    @property
    def alarms(self) -> Rate:
        return self.rates[0]

    @property
    def verdict(self) -> tuple[int, str]:
        power = {rate.injected: rate.slower / rate.comparisons for rate in self.rates}
        false = self.alarms.slower + self.alarms.faster
        words = (
            f"{false} false alarms in {self.alarms.comparisons:,}; power at 5 %: {100 * power[0.05]:.1f} %; "
            f"{self.void} of {self.runs:,} runs void"
        )
        good = false == 0 and power[0.05] >= 0.95 and power[0.10] == 1 and 20 * self.void <= self.runs
        return (
            (0, f"the gate can be trusted on this machine: {words}")
            if good
            else (1, f"the gate cannot be trusted on this machine: {words}")
        )


def run(frameworks: Sequence[str], count: int, observer: Observer) -> Rates:
    """Raises CannotJudge where the framework is not there, or does not answer."""
    started = time.monotonic()
    framework = frameworks[0] if frameworks else quickest(greet(adapters.names()).values())
    with tempfile.TemporaryDirectory(prefix="lossvet-selftest-") as folder:
        caches: dict[Name, Path] = {name: Path(folder) / "cache" for name in NAMES}
        sides = {name: Side(sys.executable, slowed.environment(_shares(name))) for name in NAMES}
        with BenchClient(framework, sides["head"], cores()[0], caches["head"]) as client:
            hello = client.greeting
        if isinstance(hello, Unavailable):
            raise CannotJudge(f"{framework} is missing ({hello.reason}); see: lossvet doctor")
        match = Match(framework, sides, _subjects(hello), caches)
        observer.begin(pairs.PASSES * count)
        shots = list(match.pairs(range(count), observer))
    if broken := pairs.failures(shots):
        (name, side), error = next(iter(broken.items()))
        raise CannotJudge(f"{name} on the side of {side}: {error}")
    return judge(hello, count, time.monotonic() - started, shots)


def quickest(greetings: Iterable[Greeting]) -> str:
    """The framework whose first mode adds least to what a loss takes, and of several the one with most losses.

    Raises CannotJudge where there is none.
    """

    def key(hello: Hello) -> tuple[float, float, float, int]:
        cost = hello.costs[hello.modes[0]]
        return cost.function, cost.shapes, cost.operation, -len(hello.natives)

    there = [greeting for greeting in greetings if isinstance(greeting, Hello)]
    if not there:
        raise CannotJudge("no framework is installed; see: lossvet doctor")
    return min(there, key=key).name


def _shares(side: Name) -> dict[str, dict[int, float]]:
    """By loss and per cent, of which share of the rows it is computed."""
    base = 1 / (1 + max(PERCENTS) / 100)
    return {variant: {p: base * (1 + p / 100 * (side == "head")) for p in PERCENTS} for variant, _ in LOSSES}


def _subjects(hello: Hello) -> dict[Subject, Reduction]:
    """Every loss under its four names, with the reduction that it has under all of them."""
    return {
        _subject(hello, *loss, percent): subjects.reduction(hello.natives[loss[0]][slowed.recipe(0)])
        for loss in LOSSES
        for percent in PERCENTS
    }


def _subject(hello: Hello, variant: str, at: str, percent: int) -> Subject:
    """In the framework's first mode, which runs what is written."""
    cell = Cell(variant, slowed.recipe(percent), hello.name, hello.modes[0], "float32")
    return Subject(cell, workloads.shape(at), "forward")


def judge(hello: Hello, count: int, seconds: float, shots: Sequence[Shot]) -> Rates:
    """Draw runs of the gate from the pool, and count what they say."""
    pool, draw = pairs.ratios(shots), random.Random(0)
    rates, void, uniform = [], 0, 0
    for percent in PERCENTS:
        names = [str(_subject(hello, *loss, percent)) for loss in LOSSES]
        said: Counter[str] = Counter()
        for _ in range(RUNS):
            drawn = _drawn(draw, count, swap=percent == 0)
            void += bool(decide.drifted({DRIFT: drawn.screen(pool[DRIFT])}))
            verdicts = [_said(name, pool[name], drawn, len(names)) for name in names]
            said.update(verdicts)
            uniform += percent == 5 and verdicts == ["slower"] * len(names)
        measured = tuple(math.expm1(median(pool[name].logs)) for name in names)
        kinds = (said[kind] for kind in ("slower", "faster", "unchanged", "inconclusive"))
        rates.append(Rate(percent / 100, measured, RUNS * len(names), *kinds))
    noise = {loss[0]: stdev(pool[str(_subject(hello, *loss, 0))].logs) for loss in LOSSES}
    runs = RUNS * len(PERCENTS)
    return Rates(hello.name, hello.version, count, seconds, noise, tuple(rates), runs, void, uniform, RUNS)


@dataclass(frozen=True)
class _Drawn:
    """The pairs of one run of the gate, and those of them whose sides are swapped."""

    first: Sequence[int]
    fresh: Sequence[int]
    swapped: frozenset[int]

    def screen(self, pool: Ratios) -> Ratios:
        return self._of(pool, self.first)

    def confirm(self, pool: Ratios, look: int) -> Ratios:
        return self._of(pool, self.fresh[: (look + 1) * decide.CONFIRM])

    def _of(self, pool: Ratios, chosen: Sequence[int]) -> Ratios:
        return replace(pool, logs=tuple(-pool.logs[i] if i in self.swapped else pool.logs[i] for i in chosen))


def _drawn(draw: random.Random, count: int, swap: bool) -> _Drawn:
    """8 pairs and 40 others. Of a loss against itself the sides may be swapped: that makes more of one pool."""
    chosen = draw.sample(range(count), decide.SCREEN + decide.LOOKS * decide.CONFIRM)
    swapped = frozenset(pair for pair in chosen if swap and draw.random() < 0.5)
    return _Drawn(chosen[: decide.SCREEN], chosen[decide.SCREEN :], swapped)


def _said(name: str, pool: Ratios, drawn: _Drawn, subjects: int) -> str:
    first = drawn.screen(pool)
    if not decide.suspicious(first):
        return decide.screened(name, first).verdict
    looks = (decide.confirmed(name, drawn.confirm(pool, look), subjects).verdict for look in range(decide.LOOKS))
    return next((verdict for verdict in looks if verdict != "inconclusive"), "inconclusive")
