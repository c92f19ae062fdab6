"""The work of a run: frameworks started, results judged, written and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from lossvet.conformance import records
from lossvet.conformance.backlog import Backlog, next_worker, units
from lossvet.conformance.journal import Journal
from lossvet.conformance.judging import Judging
from lossvet.conformance.plan import Item, Plan
from lossvet.conformance.pool import Answered, Broken, Ended, NoAnswer, Pool, Remark
from lossvet.conformance.records import Judged
from lossvet.conformance.types import Absent, Verdict
from lossvet.workers import messages
from lossvet.workers.messages import Greeting, Hello


class Observer(Protocol):
    """An observer of a run."""

    def starting(self, frameworks: Sequence[str]) -> None: ...
    def begin(self, greetings: Mapping[str, Greeting], plan: Plan, done: int) -> None: ...
    def counted(self, checks: int) -> None: ...
    def remark(self, framework: str, text: str) -> None: ...


@dataclass
class Session:
    """The work itself: the one place where a verdict becomes a record, and a record is counted."""

    plan: Plan
    greetings: Mapping[str, Greeting]
    workers: Pool
    book: Journal
    judging: Judging
    observer: Observer
    judged: dict[tuple[str, str], Judged]
    jobs: int
    """How many workers are at work at a time."""
    made: int = 0
    answered: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Cases by framework and number of the worker."""
    begun: set[str] = field(default_factory=set)
    """Frameworks whose first worker is at work, or was."""

    def work(self) -> None:
        backlogs = self._backlogs()
        busy: Counter[str] = Counter()
        self._say_absent()
        while True:
            while busy.total() < self.jobs and (name := next_worker(backlogs, busy, self.workers.starts.__getitem__)):
                again = name in self.begun
                self.workers.give(name, backlogs[name], self.greetings[name] if again else None)
                self.begun.add(name)
                busy[name] += 1
            if not busy.total():
                return
            match self.workers.events.get():
                case Answered(cell, answer, worker):
                    self.answered[cell.framework, worker] += 1
                    outcomes = {name: messages.outcome(m) for name, m in answer.outcomes.items()}
                    verdicts = self.judging.judge(cell, answer.case, outcomes)
                    self._count(str(cell), answer.case, verdicts, answer.seconds, answer.compiled)
                case NoAnswer(cell, question, verdict):
                    self.observer.remark(cell.framework, f"{question.case} in {cell}: {verdict}")
                    self._count(str(cell), question.case, dict.fromkeys(question.outputs, verdict))
                case Remark(framework, text):
                    self.observer.remark(framework, text)
                case Ended(framework):
                    busy[framework] -= 1
                case Broken(_, error):
                    raise error

    def _count(
        self, cell: str, case: str, verdicts: Mapping[str, Verdict], seconds: float = 0.0, compiled: int = 0
    ) -> None:
        """Written first, counted then: what is counted is never lost."""
        written = {output: records.compact(verdict) for output, verdict in verdicts.items()}
        record = Judged(cell, case, round(seconds, 6), compiled, written)
        self.book.append(record)
        self.judged[cell, case] = record
        self.made += len(verdicts)
        self.observer.counted(len(verdicts))

    def _say_absent(self) -> None:
        for item in self.plan:
            if item.absent and not self._done(item):
                self._count(str(item.cell), item.case, dict.fromkeys(item.outputs, Absent(item.absent)))

    def _done(self, item: Item) -> bool:
        return (str(item.cell), item.case) in self.judged

    def _backlogs(self) -> dict[str, Backlog]:
        """What is left to do, by framework; the worker of one that has nothing is ended."""
        backlogs = {}
        for name, items in self.plan.items.items():
            hello, left = self.greetings[name], [item for item in items if not item.absent and not self._done(item)]
            if left and isinstance(hello, Hello):
                backlogs[name] = Backlog(units(left, hello.costs, self._shape, self.judging.message))
            else:
                self.workers.release(name)
        return backlogs

    def _shape(self, item: Item) -> tuple[int, ...]:
        return self.plan.goldens[item.cell.variant][item.case].case.logits.shape
