"""The table of a run: a row for each subject, computed from the raw samples alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from lossvet.benchmarks import limit
from lossvet.benchmarks.samples import Accuracy, Moved, NoSample, NotThere, Sample, Samples
from lossvet.benchmarks.statistics import Interval, interval
from lossvet.benchmarks.subjects import Subject, Task, subject
from lossvet.benchmarks.workloads import Shape
from lossvet.conformance import records
from lossvet.conformance.summary import CLASSES
from lossvet.conformance.types import AccuracyClass, Agrees, Differs, Verdict


@dataclass(frozen=True)
class Row:
    """One subject.

    `time` is the interval of the median of its processes, in ns; None where there is no sample, and `why` says why not.
    `limit` is the least time that the memory of this machine allows, in ns, measured in the same run, and `fraction`
    what share of its time that is. `void`: it beat the limit by more than 10 %, so that something was not measured.
    `peak` is in bytes above the inputs; `compile` in ns until the first answer, of the process that compiled.
    """

    subject: Subject
    time: Interval | None
    replicates: int
    limit: float
    peak: float | None
    compile: float
    verdicts: Mapping[str, Verdict]
    reduction: str = ""
    judged: str = ""
    why: str = ""
    lost: bool = False
    """Whether it should have had a sample in every process, and had not."""

    @property
    def fraction(self) -> float:
        return self.limit / self.time.median if self.time else math.nan

    @property
    def void(self) -> bool:
        return self.fraction > limit.VOID

    @property
    def verdict(self) -> str:
        """Worst first: differs, agrees, or not judged."""
        if any(not isinstance(v, Agrees) and isinstance(v, Differs) for v in self.verdicts.values()):
            return "differs"
        return "agrees" if any(isinstance(v, Agrees) for v in self.verdicts.values()) else "not judged"

    @property
    def accuracy(self) -> AccuracyClass | None:
        """The class of the worst output."""
        classes = [v.accuracy for v in self.verdicts.values() if isinstance(v, Agrees)]
        return max(classes, key=CLASSES.index) if classes else None

    def ulp(self, kind: str = "loss") -> float | None:
        """Largest error, in ulp, of the loss or of its gradient."""
        return next((v.ulp for n, v in self.verdicts.items() if n.startswith(kind) and isinstance(v, Agrees)), None)

    @property
    def ratio(self) -> float | None:
        """Largest error over the bound."""
        found = [v.ratio for v in self.verdicts.values() if isinstance(v, Agrees | Differs)]
        return max(found) if found else None


def table(samples: Samples) -> tuple[Row, ...]:
    """Every subject that was asked for, those without a sample among them, in the order of their names."""
    times = samples.times()
    made: dict[str, list[Sample]] = {}
    for sample in samples.of(Sample):
        made.setdefault(sample.subject, []).append(sample)
    accuracy: dict[str, Accuracy] = {a.subject: a for a in samples.of(Accuracy)}
    lost: dict[str, str] = {x.subject: x.error for x in samples.of(NoSample)}
    absent: dict[str, str] = {x.subject: x.reason for x in samples.of(NotThere)}
    bandwidth = _bandwidth(samples.of(Moved))
    rows = []
    for name in sorted({*times, *lost, *absent}):
        found, own, asked = times.get(name, []), made.get(name, []), subject(name)
        judged = accuracy.get(name)
        per_byte = bandwidth.get((asked.cell.device, limit.moved(asked)), math.nan)
        peaks = [s.peak for s in own if s.peak is not None]
        rows.append(
            Row(
                subject=asked,
                time=interval(found) if found else None,
                replicates=len(found),
                limit=limit.moved(asked) * per_byte,
                peak=median(peaks) if peaks else None,
                compile=max((s.prepare for s in own), default=math.nan),
                verdicts={} if judged is None else {n: records.verdict(v) for n, v in judged.verdicts.items()},
                reduction="" if judged is None else judged.reduction,
                judged="" if judged is None else judged.judged,
                why=lost.get(name, "") or absent.get(name, ""),
                lost=name in lost,
            )
        )
    return tuple(sorted(rows, key=lambda row: row.subject))


def _bandwidth(moved: Iterable[Moved]) -> dict[tuple[str, int], float]:
    """By device and working set, nanoseconds for a byte: the better of copy and read, the median of the processes of a
    framework, and the least of these: what one framework can move, the device can."""
    found: dict[tuple[str, int], dict[str, list[float]]] = {}
    for m in moved:
        found.setdefault((m.device, m.nbytes), {}).setdefault(m.framework, []).append(min(m.copy, m.read))
    return {key: min(map(median, by.values())) for key, by in found.items()}


@dataclass(frozen=True)
class Fastest:
    """Which recipe of a variant is the fastest in a framework, over its modes, and by how much."""

    row: Row
    next: Row | None
    """The fastest of the other recipes."""

    @property
    def ratio(self) -> float | None:
        """How much longer the next one takes."""
        if self.next is None or self.next.time is None or self.row.time is None:
            return None
        return self.next.time.median / self.row.time.median


def fastest(rows: Sequence[Row], at: Shape, task: Task) -> dict[tuple[str, str], Fastest]:
    """By variant and framework, among the rows that are not void and do not differ."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        good = row.time is not None and not row.void and row.verdict != "differs"
        if good and (row.subject.shape, row.subject.task) == (at, task):
            groups.setdefault((row.subject.cell.variant, row.subject.cell.framework), []).append(row)
    found = {}
    for key, group in groups.items():
        best = min(group, key=_median)
        others = [row for row in group if row.subject.cell.recipe != best.subject.cell.recipe]
        found[key] = Fastest(best, min(others, key=_median) if others else None)
    return found


def _median(row: Row) -> float:
    return row.time.median if row.time else math.inf


@dataclass(frozen=True)
class Growth:
    """How the time of a cell grows: the exponent b of time ~ size^b between two shapes that differ in N or C alone."""

    axis: str
    small: Row
    large: Row

    @property
    def exponent(self) -> float:
        sizes = [getattr(row.subject.shape, self.axis.lower()) for row in (self.small, self.large)]
        return math.log(_median(self.large) / _median(self.small)) / math.log(sizes[1] / sizes[0])


def growth(rows: Sequence[Row]) -> tuple[Growth, ...]:
    """Between neighbouring shapes of every cell and task."""
    groups: dict[object, list[Row]] = {}
    for row in rows:
        if row.time is not None:
            s = row.subject
            groups.setdefault(("N", s.cell, s.task, s.shape.c, s.shape.ignored), []).append(row)
            groups.setdefault(("C", s.cell, s.task, s.shape.n, s.shape.ignored), []).append(row)
    found = []
    for key, group in groups.items():
        axis = key[0] if isinstance(key, tuple) else ""
        ordered = sorted(group, key=lambda row: (row.subject.shape.n, row.subject.shape.c))
        found += [Growth(str(axis), a, b) for a, b in itertools.pairwise(ordered)]
    return tuple(found)
