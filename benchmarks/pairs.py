"""Base against head: pairs of fresh processes that measure the same subjects in turns, on each core.

On each core a process of each side is alive, and one of the four works at a time: a disturbance of the machine longer
than two samples slows both sides, a slow core is slow for both, and no process competes with another for the memory.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path
from statistics import fmean, median
from typing import Literal, Protocol

from lossvet.benchmarks import limit, subjects
from lossvet.benchmarks.bench_client import BenchClient
from lossvet.benchmarks.messages import Failed, Measure, MeasureDrift, Reply, Sampled
from lossvet.benchmarks.subjects import Subject
from lossvet.reference.types import Reduction
from lossvet.workers.client import Side
from lossvet.workers.machine import cores

Name = Literal["base", "head"]
NAMES: tuple[Name, Name] = ("base", "head")
PASSES, BUDGET_NS = 8, 6_000_000
"""A process goes through its subjects so often, with so little time for each (a multiple of 2, so that each side is as
often the first): what slows the machine for a tenth of a second then disturbs a pass of some subjects, and not all that
is known of one."""
DRIFT = "drift"
"""What stands for a subject where the fixed workload was measured."""


@dataclass(frozen=True)
class Shot:
    """One measurement of one side: in which pair, in which of its two rounds, on which core, in which order."""

    subject: str
    side: Name
    pair: int
    round: int
    core: int
    order: int
    reply: Reply


class Observer(Protocol):
    def counted(self, what: str) -> None: ...


@dataclass(frozen=True)
class Match:
    """Two sides of one framework, and what is measured of both."""

    framework: str
    sides: Mapping[Name, Side]
    subjects: Mapping[Subject, Reduction]
    caches: Mapping[Name, Path]

    def pairs(self, numbers: Sequence[int], observer: Observer, seed: int = 0) -> Iterator[Shot]:
        """The measurements of these pairs, as they are made; two rounds and so four processes for each."""
        for number in numbers:
            order = list(self.subjects)
            random.Random(f"{seed}/{number}").shuffle(order)
            keep = sum(map(limit.moved, order)) <= limit.KEPT  # else each is made anew in every pass
            one_pass: list[tuple[str, Measure | MeasureDrift]] = [(DRIFT, MeasureDrift())]
            for subject in order:
                outputs = subjects.outputs(subject.task, self.subjects[subject])
                one_pass.append((str(subject), Measure(str(subject), outputs, keep=keep, budget=BUDGET_NS)))
            # a process that waits holds its share of a GPU's memory, so that there one is alive at a time
            alone = any(subject.cell.device != "cpu" for subject in order)
            yield from (self._apart if alone else self._in_turns)(number, one_pass, observer)

    def _in_turns(
        self, pair: int, one_pass: Sequence[tuple[str, Measure | MeasureDrift]], observer: Observer
    ) -> Iterator[Shot]:
        with contextlib.ExitStack() as alive:
            clients = {  # all begin to start before the first is waited for
                (turn, name): alive.enter_context(self.client(name, core))
                for turn, core in enumerate((cores()[0], cores()[-1]))
                for name in NAMES
            }
            for client in clients.values():
                client.greeting  # noqa: B018  # waits until it has started, so that none starts while another measures
            for number in range(PASSES):
                for place, (subject, request) in enumerate(one_pass, number * len(one_pass)):
                    for turn in (0, 1):
                        for name in _order(pair + turn + number):
                            client = clients[turn, name]
                            yield Shot(subject, name, pair, turn, client.core, place, client.ask(request))
                observer.counted(f"{self.framework} pair {pair + 1}, pass {number + 1}")

    def _apart(
        self, pair: int, one_pass: Sequence[tuple[str, Measure | MeasureDrift]], observer: Observer
    ) -> Iterator[Shot]:
        for turn in (0, 1):
            for name in _order(pair + turn):
                with self.client(name, cores()[0]) as client:
                    for place, (subject, request) in enumerate([*one_pass] * PASSES):
                        yield Shot(subject, name, pair, turn, client.core, place, client.ask(request))
            for _ in range(PASSES // 2):
                observer.counted(f"{self.framework} pair {pair + 1}, round {turn + 1}")

    def client(self, name: Name, core: int) -> BenchClient:
        """A worker of that side."""
        return BenchClient(self.framework, self.sides[name], core, self.caches[name])


def _order(number: int) -> tuple[Name, ...]:
    return NAMES if number % 2 == 0 else NAMES[::-1]


@dataclass(frozen=True)
class Ratios:
    """Logarithms of head over base, one for each pair, and the medians of both sides in ns."""

    logs: tuple[float, ...]
    base: float
    head: float


def ratios(shots: Sequence[Shot]) -> Mapping[str, Ratios]:
    """By subject; a pair counts where all its four processes have a sample of it.

    Each pass of a side is held against the pass that the other made right before or after it. The median of these
    ratios is that of a round, for a machine that was slower for half of the passes was so for both sides; the median of
    either side by itself would be that of whichever state it met more often.
    """
    passes: dict[tuple[str, int], dict[int, dict[int, dict[Name, float]]]] = {}
    for shot in shots:
        if isinstance(shot.reply, Sampled):
            by_round = passes.setdefault((shot.subject, shot.pair), {0: {}, 1: {}})
            by_round[shot.round].setdefault(shot.order, {})[shot.side] = shot.reply.nanoseconds
    rounds: dict[str, list[list[dict[Name, float]]]] = {}
    for (subject, _), by_round in passes.items():
        whole = [[both for both in own.values() if len(both) == len(NAMES)] for own in by_round.values()]
        if all(whole):
            rounds.setdefault(subject, []).extend(whole)
    return {subject: _ratios(found) for subject, found in rounds.items()}


def _ratios(rounds: Sequence[Sequence[Mapping[Name, float]]]) -> Ratios:
    """Of the rounds of all pairs, two and two."""
    logs = [median(log(both["head"] / both["base"]) for both in own) for own in rounds]
    base, head = (median(median(both[name] for both in own) for own in rounds) for name in NAMES)
    return Ratios(tuple(fmean(pair) for pair in zip(logs[::2], logs[1::2], strict=True)), base, head)


def failures(shots: Sequence[Shot]) -> Mapping[tuple[str, Name], str]:
    """By subject and side, why there is no sample of it."""
    return {(s.subject, s.side): s.reply.error for s in shots if isinstance(s.reply, Failed)}


def edited(shots: Sequence[Shot]) -> frozenset[str]:
    """Subjects whose inputs are not the same on both sides."""
    seen: dict[str, set[str]] = {}
    for shot in shots:
        if isinstance(shot.reply, Sampled) and shot.reply.workload:
            seen.setdefault(shot.subject, set()).add(shot.reply.workload)
    return frozenset(subject for subject, digests in seen.items() if len(digests) > 1)
