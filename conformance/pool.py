"""Workers under supervision: a thread for each framework, which asks, waits, buries and replaces.

What happens is put in a queue of events, for the one thread that judges. A thread lives as long as its workers do,
since Linux ends a worker with the thread that started it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from lossvet.conformance.types import Cell, Crashed, TimedOut
from lossvet.workers import frames
from lossvet.workers.messages import Answer, Greeting, Request, Unavailable
from lossvet.workers.process import Died, Hung, Process, Stopped

START_LIMIT = 300.0
"""Seconds for the import of a framework."""

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
    python: str
    environment: Mapping[str, str]
    limit: float
    events: queue.Queue[Event]
    stop: threading.Event
    _tasks: queue.SimpleQueue[Sequence[Task] | None] = field(default_factory=queue.SimpleQueue)
    _process: Process | None = None
    _serial: int = 0

    def __post_init__(self) -> None:
        super().__init__(name=f"lossvet-{self.framework}", daemon=True)

    def give(self, tasks: Sequence[Task] | None) -> None:
        """Begin with these tasks; with None, end the worker."""
        self._tasks.put(tasks)

    def run(self) -> None:
        try:
            greeting = self._start()
            self.events.put(Greeted(self.framework, greeting))
            while (tasks := self._tasks.get()) is not None:
                try:
                    self._work(tasks, greeting)
                except NotReplaced as error:
                    self._remark(f"{error}; the rest of it is not run")
                self.events.put(Ended(self.framework))
        except Stopped:
            pass
        except BaseException as error:
            self.events.put(Broken(self.framework, error))
        finally:
            self._bury()

    def _work(self, tasks: Iterable[Task], greeting: Greeting) -> None:
        for task in tasks:
            for start in range(0, len(task.questions), CASES_A_REQUEST):
                if not self._ask(task.cell, list(task.questions[start : start + CASES_A_REQUEST]), greeting):
                    break

    def _ask(self, cell: Cell, left: list[Question], greeting: Greeting) -> bool:
        """All of these cases, whatever it costs; False where the cell is given up."""
        tries = in_a_row = 0
        while left:
            try:
                self._replace(greeting)
                for answer in self._answers(cell, left):
                    left.pop(0)
                    tries = in_a_row = 0
                    self.events.put(Answered(cell, answer))
                continue
            except Died as death:
                verdict: Crashed | TimedOut = Crashed(death.how)
                case = left[0].case
                tries += 1
                if death.outside and tries < TRIES:
                    self._remark(f"its worker was killed from outside ({death.how}) at {case}, which is asked again")
                    self._bury()
                    continue
            except Hung:
                verdict = TimedOut(self.limit)
            except frames.FrameError as error:
                verdict = Crashed(f"its answer could not be read: {error}")
            self._bury()
            self.events.put(Lost(cell, left.pop(0), verdict))
            tries, in_a_row = 0, in_a_row + 1
            if in_a_row == DEATHS_IN_A_ROW and left:
                self._remark(f"{in_a_row} cases in a row had no answer; the other {len(left)} of {cell} are not run")
                return False
        return True

    def _answers(self, cell: Cell, questions: Sequence[Question]) -> Iterable[Answer]:
        assert self._process is not None
        self._serial += 1
        request = Request(
            serial=self._serial,
            recipe=cell.recipe,
            mode=cell.mode,
            dtype=cell.dtype,
            device=cell.device,
            cases=[q.message for q in questions],
            outputs=[q.outputs for q in questions],
        )
        self._process.send(frames.encode(request), self.limit)
        for question in list(questions):
            answer = frames.decode(self._process.receive(self.limit), Answer)
            if (answer.serial, answer.case) != (self._serial, question.case):
                raise frames.MalformedFrame(f"it answers {answer.case} where {question.case} was asked")
            yield answer

    def _replace(self, greeting: Greeting) -> None:
        if self._process is not None:
            return
        again = self._start()
        if again != greeting:
            words = again.reason if isinstance(again, Unavailable) else f"it is {again.version} now"
            raise NotReplaced(f"its worker died and cannot be replaced: {words}")

    def _start(self) -> Greeting:
        """A worker and its first words. A start that something outside ends is tried again."""
        for attempt in range(1, TRIES + 1):
            try:
                self._process = Process(self.framework, self.python, self.environment, self.stop.is_set)
                return frames.decode(self._process.receive(START_LIMIT), Greeting)  # type: ignore[arg-type]  # a union is a type to msgspec
            except OSError as error:
                return Unavailable(self.framework, f"{self.python} cannot be started: {error.strerror}", missing=False)
            except Hung:
                self._bury()
                return Unavailable(self.framework, f"it did not start within {START_LIMIT:g} s", missing=False)
            except frames.FrameError as error:
                self._bury()
                return Unavailable(self.framework, f"its worker speaks another language: {error}", missing=False)
            except Died as death:
                self._bury()
                if not death.outside or attempt == TRIES:
                    return Unavailable(self.framework, f"its worker died at the start: {death.how}", missing=False)
                self._remark(f"its worker was killed from outside ({death.how}) at the start, and is started again")
        raise AssertionError("unreachable")

    def _bury(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None

    def _remark(self, text: str) -> None:
        self.events.put(Remark(self.framework, text))


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
            self._lanes[name] = Lane(name, python, self.environment, self.limit, self.events, self._stop)
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
