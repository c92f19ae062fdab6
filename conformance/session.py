"""The work of a run: frameworks begun, answers judged, written and counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from lossvet.conformance import records
from lossvet.conformance.journal import Journal
from lossvet.conformance.judging import Judging
from lossvet.conformance.plan import Item, Plan
from lossvet.conformance.pool import Answered, Broken, Ended, Lost, Pool, Question, Remark, Task
from lossvet.conformance.records import Judged
from lossvet.conformance.types import Absent, Verdict
from lossvet.workers import messages
from lossvet.workers.messages import Greeting, Hello

AT_ONCE = 2


class Observer(Protocol):
    """Who watches a run."""

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
    made: int = 0

    def work(self) -> None:
        waiting = self._start_order()
        busy = 0
        self._say_absent()
        while waiting or busy:
            while waiting and busy < AT_ONCE:
                framework = waiting.pop(0)
                self.workers.give(framework, self._tasks(self.plan.items[framework]))
                busy += 1
            match self.workers.events.get():
                case Answered(cell, answer):
                    outcomes = {name: messages.outcome(m) for name, m in answer.outcomes.items()}
                    verdicts = self.judging.judge(cell, answer.case, outcomes)
                    self._count(str(cell), answer.case, verdicts, answer.seconds, answer.compiled)
                case Lost(cell, question, verdict):
                    self.observer.remark(cell.framework, f"{question.case} in {cell}: {verdict}")
                    self._count(str(cell), question.case, dict.fromkeys(question.outputs, verdict))
                case Remark(framework, text):
                    self.observer.remark(framework, text)
                case Ended(framework):
                    self.workers.release(framework)
                    busy -= 1
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

    def _start_order(self) -> list[str]:
        """Frameworks with something left to do, the one with the most functions to compile first: it takes longest."""
        left = {item.cell.framework for item in self.plan if not self._done(item)}
        for framework in self.plan.items.keys() - left:
            self.workers.release(framework)
        return sorted(left, key=lambda name: (-self._functions(name), name))

    def _functions(self, framework: str) -> int:
        """How many functions are compiled, one for each cell and shape of a mode that compiles."""
        hello = self.greetings[framework]
        costs = hello.costs if isinstance(hello, Hello) else {}
        return len(
            {
                (item.cell, self.plan.goldens[item.cell.variant][item.case].case.logits.shape)
                for item in self.plan.items[framework]
                if costs[item.cell.mode].compiles and not item.absent
            }
        )

    def _say_absent(self) -> None:
        for item in self.plan:
            if item.absent and not self._done(item):
                self._count(str(item.cell), item.case, dict.fromkeys(item.outputs, Absent(item.absent)))

    def _done(self, item: Item) -> bool:
        return (str(item.cell), item.case) in self.judged

    def _tasks(self, items: Iterable[Item]) -> list[Task]:
        by_cell: dict[object, list[Item]] = {}
        for item in items:
            if not self._done(item):
                by_cell.setdefault(item.cell, []).append(item)
        return [
            Task(
                some[0].cell,
                tuple(Question(i.case, self.judging.message(i.cell.variant, i.case), i.outputs) for i in some),
            )
            for some in by_cell.values()
        ]
