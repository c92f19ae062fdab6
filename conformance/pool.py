"""The workers of a run: a thread for each, which requests one case after another, and waits.

What happens is put in a queue of events, for the one thread that judges. A thread lives as long as its workers do,
since Linux ends a worker with the thread that started it.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lossvet.conformance.backlog import Backlog, Question
from lossvet.conformance.requests import Answer, Request
from lossvet.conformance.types import Cell, Crashed, TimedOut
from lossvet.workers.client import Client, Gone, Side
from lossvet.workers.messages import Greeting
from lossvet.workers.process import Died, Hung, Stopped, Unreadable

MODULE = "lossvet.conformance.worker"
Worker = Client[Request, Answer]

DEATHS_IN_A_ROW = 5
"""After so many cases without one answer, the rest of the cell is left alone, and counted as not run."""

TRIES = 3
"""How often a case is tried whose worker is killed from outside, which says nothing about the case."""

CASES_A_REQUEST = 100


class NotReplaced(Exception):
    """A worker died, and another one like it could not be started."""


@dataclass(frozen=True)
class Greeted:
    """The first words of a worker, and how many seconds it took to start."""

    framework: str
    greeting: Greeting
    seconds: float


@dataclass(frozen=True)
class Answered:
    cell: Cell
    answer: Answer
    worker: int


@dataclass(frozen=True)
class NoAnswer:
    """A case that cost a worker its life, or its patience."""

    cell: Cell
    question: Question
    verdict: Crashed | TimedOut


@dataclass(frozen=True)
class Remark:
    """What a reader of the run should hear: a worker replaced, the rest of a cell given up."""

    framework: str
    text: str


@dataclass(frozen=True)
class Ended:
    """A worker of the framework found nothing more to do, and was ended."""

    framework: str


@dataclass(frozen=True)
class Broken:
    """A supervisor failed: a fault of lossvet's own."""

    framework: str
    error: BaseException


Event = Greeted | Answered | NoAnswer | Remark | Ended | Broken


@dataclass(eq=False, repr=False)
class Lane(threading.Thread):
    """One worker, started at once, and what it takes from a framework's backlog, begun when `give` is called.

    `number` tells the workers of one framework apart. A further one is `like` the first, or does nothing.
    """

    framework: str
    number: int
    side: Side
    limit: float
    events: queue.Queue[Event]
    stop: threading.Event
    like: Greeting | None = None
    _given: queue.SimpleQueue[Backlog | None] = field(default_factory=queue.SimpleQueue)
    _serial: int = 0

    def __post_init__(self) -> None:
        super().__init__(name=f"lossvet-{self.framework}-{self.number}", daemon=True)

    def give(self, backlog: Backlog | None) -> None:
        """Begin with this backlog; with None, end the worker."""
        self._given.put(backlog)

    def run(self) -> None:
        started = time.monotonic()
        try:
            with Worker(self.framework, self.side, MODULE, stopped=self.stop.is_set, remark=self._remark) as worker:
                greeting = worker.greeting
                self.events.put(Greeted(self.framework, greeting, time.monotonic() - started))
                backlog = self._given.get()
                if backlog is None:
                    return
                if self.like in (None, greeting):
                    self._work(worker, backlog)
                else:
                    self._remark("a further worker differs from the first, and is not used")
            self.events.put(Ended(self.framework))
        except Stopped:
            pass
        except BaseException as error:
            self.events.put(Broken(self.framework, error))

    def _work(self, worker: Worker, backlog: Backlog) -> None:
        try:
            for task in backlog:
                for start in range(0, len(task.questions), CASES_A_REQUEST):
                    if not self._ask(worker, task.cell, list(task.questions[start : start + CASES_A_REQUEST])):
                        break
        except NotReplaced as error:
            backlog.give_up()
            self._remark(f"{error}; its remaining cases are not run")

    def _ask(self, worker: Worker, cell: Cell, left: list[Question]) -> bool:
        """All of these cases, whatever it costs; False where the cell is given up. Raises NotReplaced."""
        tries = in_a_row = 0
        sent = False
        while left:
            if not sent:
                worker.send(self._request(cell, left), self.limit)
            found, case = worker.receive(self.limit), left[0].case
            if isinstance(found, Answer) and (found.serial, found.case) != (self._serial, case):
                worker.end()
                found = Unreadable(f"it answered {found.case}, expected {case}")
            sent = isinstance(found, Answer)
            match found:
                case Answer():
                    left.pop(0)
                    tries = in_a_row = 0
                    self.events.put(Answered(cell, found, self.number))
                    continue
                case Gone():
                    raise NotReplaced(str(found))
                case Died(how, outside=True) if (tries := tries + 1) < TRIES:
                    self._remark(f"its worker was killed from outside ({how}) during {case}; the case is tried again")
                    continue
            self.events.put(NoAnswer(cell, left.pop(0), _verdict(found)))
            tries, in_a_row = 0, in_a_row + 1
            if in_a_row == DEATHS_IN_A_ROW and left:
                self._remark(
                    f"{in_a_row} cases in a row failed without a result; the other {len(left)} of {cell} are not run"
                )
                return False
        return True

    def _request(self, cell: Cell, questions: Sequence[Question]) -> Request:
        self._serial += 1
        return Request(
            serial=self._serial,
            recipe=cell.recipe,
            mode=cell.mode,
            dtype=cell.dtype,
            device=cell.device,
            cases=[q.message for q in questions],
            outputs=[q.outputs for q in questions],
        )

    def _remark(self, text: str) -> None:
        self.events.put(Remark(self.framework, text))


def _verdict(failure: Died | Hung | Unreadable) -> Crashed | TimedOut:
    match failure:
        case Died(how):
            return Crashed(how)
        case Hung(limit):
            return TimedOut(limit)
        case Unreadable():
            return Crashed(str(failure))


@dataclass
class Pool:
    """The lanes of a run. Use as a context manager: leaving it ends every worker."""

    pythons: Mapping[str, str]
    """The interpreter of each framework."""
    environment: Mapping[str, str]
    limit: float
    events: queue.Queue[Event] = field(default_factory=lambda: queue.Queue(maxsize=256))
    starts: dict[str, float] = field(default_factory=dict)
    """How many seconds the first worker of each framework took to start."""
    _lanes: dict[str, list[Lane]] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Pool:
        for name in self.pythons:
            self._start(name, None)
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        lanes = [lane for of_framework in self._lanes.values() for lane in of_framework]
        for lane in lanes:
            lane.give(None)
        while any(lane.is_alive() for lane in lanes):
            try:  # a lane may be waiting for room among the events
                self.events.get(timeout=0.05)
            except queue.Empty:
                continue

    def give(self, framework: str, backlog: Backlog, like: Greeting | None = None) -> None:
        """Put a worker to work: the first, which waits, or one that is started now, which has to be `like` it."""
        lane = self._lanes[framework][0] if like is None else self._start(framework, like)
        lane.give(backlog)

    def release(self, framework: str) -> None:
        """End the first worker of a framework that has nothing to do, and give its memory back."""
        self._lanes[framework][0].give(None)

    def _start(self, framework: str, like: Greeting | None) -> Lane:
        lanes = self._lanes.setdefault(framework, [])
        side = Side(self.pythons[framework], self.environment)
        lanes.append(Lane(framework, len(lanes), side, self.limit, self.events, self._stop, like))
        lanes[-1].start()
        return lanes[-1]


def greetings(pool: Pool) -> tuple[dict[str, Greeting], list[Remark]]:
    """The first words of all workers, in the order of `pythons` and not of arrival. Raises what a supervisor raised."""
    found: dict[str, Greeting] = {}
    remarks: list[Remark] = []
    while len(found) < len(pool.pythons):
        match pool.events.get():
            case Greeted(framework, greeting, seconds):
                found[framework] = greeting
                pool.starts[framework] = seconds
            case Remark() as remark:
                remarks.append(remark)
            case Broken(_, error):
                raise error
    return {name: found[name] for name in pool.pythons}, remarks
