"""The workers of a run: a thread for each framework, which asks for one case after another, and waits.

What happens is put in a queue of events, for the one thread that judges. A thread lives as long as its workers do,
since Linux ends a worker with the thread that started it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

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
"""How often a case is asked whose worker is killed from outside, which says nothing of the case."""

CASES_A_REQUEST = 100


class NotReplaced(Exception):
    """A worker died, and another one like it could not be started."""


@dataclass(frozen=True)
class Question:
    """One case, as it is sent, with the outputs that are asked for."""

    case: str
    message: msgspec.Raw
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """Cases of one cell."""

    cell: Cell
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class Greeted:
    framework: str
    greeting: Greeting


@dataclass(frozen=True)
class Answered:
    cell: Cell
    answer: Answer


@dataclass(frozen=True)
class Lost:
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
    """The framework's tasks are done, or given up."""

    framework: str


@dataclass(frozen=True)
class Broken:
    """A supervisor failed: a fault of lossvet's own."""

    framework: str
    error: BaseException


Event = Greeted | Answered | Lost | Remark | Ended | Broken


@dataclass(eq=False, repr=False)
class Lane(threading.Thread):
    """One framework: its worker, started at once, and its tasks, begun when `give` is called."""

    framework: str
    side: Side
    limit: float
    events: queue.Queue[Event]
    stop: threading.Event
    _tasks: queue.SimpleQueue[Sequence[Task] | None] = field(default_factory=queue.SimpleQueue)
    _serial: int = 0

    def __post_init__(self) -> None:
        super().__init__(name=f"lossvet-{self.framework}", daemon=True)

    def give(self, tasks: Sequence[Task] | None) -> None:
        """Begin with these tasks; with None, end the worker."""
        self._tasks.put(tasks)

    def run(self) -> None:
        try:
            with Worker(self.framework, self.side, MODULE, stopped=self.stop.is_set, remark=self._remark) as worker:
                self.events.put(Greeted(self.framework, worker.greeting))
                while (tasks := self._tasks.get()) is not None:
                    try:
                        self._work(worker, tasks)
                    except NotReplaced as error:
                        self._remark(f"{error}; the rest of it is not run")
                    self.events.put(Ended(self.framework))
        except Stopped:
            pass
        except BaseException as error:
            self.events.put(Broken(self.framework, error))

    def _work(self, worker: Worker, tasks: Iterable[Task]) -> None:
        for task in tasks:
            for start in range(0, len(task.questions), CASES_A_REQUEST):
                if not self._ask(worker, task.cell, list(task.questions[start : start + CASES_A_REQUEST])):
                    break

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
                found = Unreadable(f"it answers {found.case} where {case} was asked")
            sent = isinstance(found, Answer)
            match found:
                case Answer():
                    left.pop(0)
                    tries = in_a_row = 0
                    self.events.put(Answered(cell, found))
                    continue
                case Gone():
                    raise NotReplaced(str(found))
                case Died(how, outside=True) if (tries := tries + 1) < TRIES:
                    self._remark(f"its worker was killed from outside ({how}) at {case}, which is asked again")
                    continue
            self.events.put(Lost(cell, left.pop(0), _verdict(found)))
            tries, in_a_row = 0, in_a_row + 1
            if in_a_row == DEATHS_IN_A_ROW and left:
                self._remark(f"{in_a_row} cases in a row had no answer; the other {len(left)} of {cell} are not run")
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
    _lanes: dict[str, Lane] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Pool:
        for name, python in self.pythons.items():
            side = Side(python, self.environment)
            self._lanes[name] = Lane(name, side, self.limit, self.events, self._stop)
            self._lanes[name].start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        for lane in self._lanes.values():
            lane.give(None)
        while any(lane.is_alive() for lane in self._lanes.values()):
            try:  # a lane may be waiting for room among the events
                self.events.get(timeout=0.05)
            except queue.Empty:
                continue

    def give(self, framework: str, tasks: Sequence[Task]) -> None:
        self._lanes[framework].give(tasks)

    def release(self, framework: str) -> None:
        """End the worker of a framework that has nothing more to do, and give its memory back."""
        self._lanes[framework].give(None)


def greetings(pool: Pool) -> tuple[dict[str, Greeting], list[Remark]]:
    """The first words of all workers, in the order of `pythons` and not of arrival. Raises what a supervisor raised."""
    found: dict[str, Greeting] = {}
    remarks: list[Remark] = []
    while len(found) < len(pool.pythons):
        match pool.events.get():
            case Greeted(framework, greeting):
                found[framework] = greeting
            case Remark() as remark:
                remarks.append(remark)
            case Broken(_, error):
                raise error
    return {name: found[name] for name in pool.pythons}, remarks
