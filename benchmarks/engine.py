"""A benchmark run: replicates are processes, each measures all subjects of its framework in an order of its own."""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import lossvet
from lossvet import adapters
from lossvet.benchmarks import accuracy, limit, samples, subjects, timing
from lossvet.benchmarks.bench_client import BenchClient
from lossvet.benchmarks.messages import Bandwidth, Failed, Measure, MeasureBandwidth, Reply, Sampled
from lossvet.benchmarks.samples import Header, Moved, NoSample, NotThere, Sample
from lossvet.benchmarks.subjects import Programme, Subject, Wanted
from lossvet.conformance import plan
from lossvet.conformance.journal import Journal
from lossvet.conformance.run import CannotJudge
from lossvet.reference.types import Reduction
from lossvet.workers import machine, messages
from lossvet.workers.client import Side
from lossvet.workers.machine import cores
from lossvet.workers.messages import Greeting, Hello

BUDGET_NS = 9_000_000
"""What the blocks of a subject take together in a process: the spread between processes is larger than that in one."""
PASSES = 3
"""A process goes so often through its subjects, with a share of the budget for each, so that what disturbs the machine
for some seconds is not all that is known of one. Where they are too large to be kept ready, it goes through them
once."""
REPLICATES = 6
"""As few processes as give an interval for the median at 95 %: from the least to the largest."""


@dataclass(frozen=True)
class Options:
    """What was asked for. `pythons` gives the interpreters that are not this one."""

    wanted: Wanted = field(default_factory=Wanted)
    require: tuple[str, ...] = ()
    pythons: Mapping[str, str] = field(default_factory=dict)
    replicates: int = REPLICATES
    path: Path | None = None
    seed: int = 0


class Observer(Protocol):
    """An observer of a run."""

    def say(self, text: str) -> None: ...
    def begin(self, total: int) -> None: ...
    def counted(self, what: str) -> None: ...


def run(options: Options, observer: Observer) -> Path:
    """Measure, judge what was measured, and write it all down. The file of the samples.

    Raises CannotJudge where something named is not there, plan.NothingMatches, JournalError, FileExistsError.
    """
    names = adapters.names()
    plan.known("--framework", options.wanted.frameworks, names)
    plan.known("--require", options.require, names)
    asked = [n for n in names if not options.wanted.frameworks or n in {*options.wanted.frameworks, *options.require}]
    with tempfile.TemporaryDirectory(prefix="lossvet-cache-") as cache:
        session = _Session(options, Path(cache), observer)
        greetings = {name: session.greet(name) for name in asked}
        _present(greetings, {*options.wanted.frameworks, *options.require}, options.wanted.device)
        programme = subjects.choose(greetings, options.wanted)
        path = options.path or samples.FOLDER / f"bench-{datetime.now().strftime('%Y%m%d-%H%M%S-%f')}.jsonl"
        book = Journal.create(path, header(options, greetings), again="lossvet bench")
        try:
            session.work(book, programme)
            book.append(samples.End(now()))
        finally:
            book.close()
    return path


def _present(greetings: Mapping[str, Greeting], needed: set[str], device: str) -> None:
    lacking = [g for g in greetings.values() if not isinstance(g, Hello)]
    if named := [f"{g.name} ({g.reason})" for g in lacking if g.name in needed]:
        raise CannotJudge(f"missing: {'; '.join(named)}; see: lossvet doctor")
    there = [g for g in greetings.values() if isinstance(g, Hello)]
    if not there:
        raise CannotJudge("no framework is installed; see: lossvet doctor")
    if not any(plan.devices(g, device) for g in there):
        found = ", ".join(f"{g.name}: {' '.join(g.devices)}" for g in there)
        raise CannotJudge(f"no framework sees a device {device!r}; they see: {found}")


def header(options: Options, greetings: Mapping[str, Greeting]) -> Header:
    there = {name: g for name, g in greetings.items() if isinstance(g, Hello)}
    wanted = asdict(options.wanted)
    return Header(
        schema=samples.SCHEMA,
        lossvet=lossvet.__version__,
        machine=machine.machine(),
        versions={name: g.version for name, g in there.items()},
        details={name: {**g.details, "python": messages.interpreter(g.python)} for name, g in there.items()},
        options={**wanted, "shapes": [str(s) for s in options.wanted.shapes], "replicates": options.replicates},
        started=now(),
    )


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass
class _Session:
    options: Options
    cache: Path
    observer: Observer
    random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = random.Random(self.options.seed)

    def greet(self, framework: str) -> Greeting:
        with self.client(framework, cores()[0]) as client:
            return client.greeting

    def client(self, framework: str, core: int) -> BenchClient:
        python = self.options.pythons.get(framework, sys.executable)
        return BenchClient(framework, Side(python), core, self.cache)

    def work(self, book: Journal, programme: Programme) -> None:
        for subject, reason in programme.absent.items():
            book.append(NotThere(str(subject), reason))
        rounds = self.options.replicates * sum(len(own) for own in programme.subjects.values())
        for mode, why in programme.left_out.items():
            self.observer.say(f"not timed: {mode} ({why}); request it with --mode")
        self.observer.begin(rounds + len(list(programme)))
        answers: dict[Subject, Sampled] = {}
        for replicate in range(self.options.replicates):
            frameworks = [name for name, own in programme.subjects.items() if own]
            self.random.shuffle(frameworks)
            for framework in frameworks:
                self.replicate(book, programme, framework, replicate, answers)
        for done in accuracy.judge_all(programme.reductions, answers, len(cores())):
            book.append(done)
            self.observer.counted("judged")

    def replicate(
        self,
        book: Journal,
        programme: Programme,
        framework: str,
        replicate: int,
        answers: dict[Subject, Sampled],
    ) -> None:
        """One process. The first of each framework compiles, and keeps what it compiled for those that follow."""
        own = programme.subjects[framework]
        core = cores()[replicate % len(cores())]
        with self.client(framework, core) as client:
            for device, nbytes in sorted({(s.cell.device, limit.moved(s)) for s in own}):
                match client.ask(MeasureBandwidth(nbytes, device)):
                    case Bandwidth(copy=copy, read=read):
                        clocks = {} if device == "cpu" else machine.gpus()  # while it is not idle yet
                        book.append(Moved(framework, device, replicate, nbytes, copy, read, clocks))
            for order, (subject, reply) in enumerate(self.measured(client, own, answers)):
                match reply:
                    case Sampled() as found:
                        book.append(_sample(subject, found, replicate, order, core))
                        if found.outcomes:
                            answers[subject] = found
                    case Failed(error):
                        book.append(NoSample(str(subject), replicate, error))

    def measured(
        self, client: BenchClient, own: Mapping[Subject, Reduction], answers: Mapping[Subject, Sampled]
    ) -> Iterator[tuple[Subject, Reply]]:
        """In every pass in a new order, but one workload after another, for a workload takes time to make. A subject
        that fails is not measured again."""
        groups: dict[object, list[Subject]] = {}
        for subject in own:
            groups.setdefault((subject.cell.variant, subject.shape), []).append(subject)
        order = list(groups.values())
        passes = PASSES if sum(map(limit.moved, own)) <= limit.KEPT else 1
        for left in reversed(range(passes)):
            self.random.shuffle(order)
            for group in order:
                self.random.shuffle(group)
                for subject in list(group):
                    request = Measure(
                        str(subject),
                        subjects.outputs(subject.task, own[subject]),
                        whole=not left and subject not in answers,
                        keep=left > 0,
                        budget=BUDGET_NS // passes,
                        fewest=max(1, timing.FEWEST // passes),
                    )
                    reply = client.ask(request)
                    yield subject, reply
                    if isinstance(reply, Failed):
                        group.remove(subject)
                    if not left or isinstance(reply, Failed):
                        self.observer.counted(f"{subject.cell.framework}: {subject.cell.variant} {subject.shape}")


def _sample(subject: Subject, found: Sampled, replicate: int, order: int, core: int) -> Sample:
    return Sample(str(subject), replicate, order, core, found.number, found.blocks, found.prepare, found.peak)
