"""The gate on trial: its false alarms and its power, measured on the machine at hand with real losses.

A pool of pairs is measured once, of some losses, each under four names. On the side of base all four are the same; on
that of head, one is as in base and the others have 2, 5 and 10 % of work added: rows multiplied by themselves inside the
loss, as many as calibration asks for. Runs of the gate are then drawn from the pool: 8 pairs to screen, 20 to confirm.
"""

from __future__ import annotations

import math
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, stdev
from typing import Protocol

from lossvet.adapters import slowed
from lossvet.benchmarks import gate, pairs, subjects, workloads
from lossvet.benchmarks.client import Client, Side, cores
from lossvet.benchmarks.messages import Failed, Measure, Sampled
from lossvet.benchmarks.pairs import DRIFT, NAMES, Match, Name, Ratios, Shot
from lossvet.benchmarks.statistics import share
from lossvet.benchmarks.subjects import Subject
from lossvet.conformance.messages import Hello
from lossvet.conformance.run import CannotJudge
from lossvet.conformance.types import Cell
from lossvet.reference.types import Reduction

RUNS = 250
"""Gate runs drawn for each kind: with four losses, 1,000 comparisons."""
LOSSES = (("sparse", "512x1000"), ("class_weight", "128x1000"), ("pos_weight", "512x100"), ("smooth_terms", "256x512"))
DEFAULT = "torch"


class Observer(Protocol):
    def say(self, text: str) -> None: ...
    def begin(self, total: int) -> None: ...
    def counted(self, what: str) -> None: ...


@dataclass(frozen=True)
class Rate:
    """What the gate said of comparisons with this slowdown injected; `measured` is what it really was."""

    injected: float
    measured: float
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
    """All that a self-test found. `noise` is the standard deviation of the log ratio of a pair, by loss."""

    framework: str
    version: str
    pairs: int
    seconds: float
    noise: tuple[float, ...]
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
        words = f"{false} false alarms in {self.alarms.comparisons:,}; power at 5 %: {100 * power[0.05]:.1f} %"
        good = false == 0 and power[0.05] >= 0.95 and power[0.10] == 1
        return (0, f"the gate can be trusted here: {words}") if good else (1, f"not on this machine: {words}")


def run(frameworks: Sequence[str], count: int, observer: Observer) -> Rates:
    """Raises CannotJudge where the framework is not there, or does not answer."""
    framework, started = (frameworks or (DEFAULT,))[0], time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lossvet-selftest-") as folder:
        caches: dict[Name, Path] = {name: Path(folder) / "cache" for name in NAMES}
        observer.say("calibrating the slowdowns ...")
        environment, version, eager = _calibrated(framework, caches["head"])
        wanted: dict[Subject, Reduction] = {
            _subject(framework, eager, *loss, percent): "mean" for loss in LOSSES for percent in slowed.PERCENTS
        }
        sides: dict[Name, Side] = {
            "base": Side(sys.executable, slowed.environment({})),
            "head": Side(sys.executable, environment),
        }
        match = Match(framework, sides, wanted, caches)
        observer.begin(2 * count)
        shots = list(match.pairs(range(count), observer))
    if broken := pairs.failures(shots):
        (name, side), error = next(iter(broken.items()))
        raise CannotJudge(f"{name} on the side of {side}: {error}")
    return judge(framework, version, count, time.monotonic() - started, shots, eager)


def _subject(framework: str, mode: str, variant: str, at: str, percent: int) -> Subject:
    cell = Cell(variant, slowed.recipe(percent), framework, mode, "float32")
    return Subject(cell, workloads.shape(at), "forward")


def _calibrated(framework: str, cache: Path) -> tuple[dict[str, str], str, str]:
    """How many rows of each loss take a hundredth of its time, as the environment that says so to a worker."""
    with Client(framework, Side(sys.executable, slowed.environment({})), cores()[0], cache, lambda: False) as client:
        hello = client.greeting
        if not isinstance(hello, Hello):
            raise CannotJudge(f"{framework} is not there ({hello.reason}); see: lossvet doctor")
        eager = next(mode for mode in hello.modes if mode in hello.eager)

    def timed(rows: Mapping[str, float], variant: str, at: str, percent: int) -> float:
        asked = _subject(framework, eager, variant, at, percent)
        request = Measure(str(asked), subjects.outputs(asked.task, "mean"))
        times = []
        for core in cores() * 3:
            with Client(framework, Side(sys.executable, slowed.environment(rows)), core, cache, lambda: False) as c:
                match c.ask(request):
                    case Sampled() as found:
                        times.append(found.nanoseconds)
                    case Failed(error):
                        raise CannotJudge(f"{asked}: {error}")
        return median(times)

    rows: dict[str, float] = {}
    for variant, at in LOSSES:
        trial = 100.0  # percent of all rows, for each percent of slowdown: a slowdown large enough to be seen
        plain, more = timed({}, variant, at, 0), timed({variant: trial}, variant, at, 10)
        rows[variant] = trial * 0.10 * plain / max(more - plain, 1.0)
    return slowed.environment(rows), hello.version, eager


def judge(framework: str, version: str, count: int, seconds: float, shots: Sequence[Shot], eager: str) -> Rates:
    """Draw runs of the gate from the pool, and count what they say."""
    pool, draw = pairs.ratios(shots), random.Random(0)
    rates, void, uniform = [], 0, 0
    for percent in slowed.PERCENTS:
        names = [str(_subject(framework, eager, *loss, percent)) for loss in LOSSES]
        said: Counter[str] = Counter()
        for _ in range(RUNS):
            drawn = _drawn(draw, count, swap=percent == 0)
            void += bool(gate.drifted({DRIFT: drawn.screen(pool[DRIFT])}))
            verdicts = [_said(name, pool[name], drawn, len(names)) for name in names]
            said.update(verdicts)
            uniform += percent == 5 and verdicts == ["slower"] * len(names)
        measured = median(math.expm1(median(pool[name].logs)) for name in names)
        kinds = (said[kind] for kind in ("slower", "faster", "unchanged", "inconclusive"))
        rates.append(Rate(percent / 100, measured, RUNS * len(names), *kinds))
    noise = tuple(stdev(pool[str(_subject(framework, eager, *loss, 0))].logs) for loss in LOSSES)
    runs = RUNS * len(slowed.PERCENTS)
    return Rates(framework, version, count, seconds, noise, tuple(rates), runs, void, uniform, RUNS)


@dataclass(frozen=True)
class _Drawn:
    """The pairs of one run of the gate, and those of them whose sides are swapped."""

    first: Sequence[int]
    fresh: Sequence[int]
    swapped: frozenset[int]

    def screen(self, pool: Ratios) -> Ratios:
        return self._of(pool, self.first)

    def confirm(self, pool: Ratios) -> Ratios:
        return self._of(pool, self.fresh)

    def _of(self, pool: Ratios, chosen: Sequence[int]) -> Ratios:
        return replace(pool, logs=tuple(-pool.logs[i] if i in self.swapped else pool.logs[i] for i in chosen))


def _drawn(draw: random.Random, count: int, swap: bool) -> _Drawn:
    """8 pairs and 20 others. Of a loss against itself the sides may be swapped: that makes more of one pool."""
    chosen = draw.sample(range(count), gate.SCREEN + gate.CONFIRM)
    swapped = frozenset(pair for pair in chosen if swap and draw.random() < 0.5)
    return _Drawn(chosen[: gate.SCREEN], chosen[gate.SCREEN :], swapped)


def _said(name: str, pool: Ratios, drawn: _Drawn, subjects: int) -> str:
    first = drawn.screen(pool)
    if not gate.suspicious(first):
        return gate.screened(name, first).verdict
    return gate.confirmed(name, drawn.confirm(pool), subjects).verdict
