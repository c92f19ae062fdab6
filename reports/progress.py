"""How a run is watched: a bar on a terminal, a plain line every few seconds elsewhere. All of it on stderr."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.text import Text

from lossvet.conformance.plan import Plan
from lossvet.reports.terminal import plain
from lossvet.workers.messages import Greeting

EVERY = 5.0
"""Seconds between plain lines."""


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")


class Watcher:
    """An observer of a run (see `conformance.session.Observer`); a context manager, so that the bar is put away."""

    def __init__(self, err: Console, begun: Callable[[Mapping[str, Greeting]], None]) -> None:
        self._err = err
        self._begun = begun
        self._bar = _bar(err) if err.is_terminal else None
        self._total = self._done = self._before = 0
        self._start = self._last = time.monotonic()

    def __enter__(self) -> Watcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif self._done > self._before:
            self._line()

    def starting(self, frameworks: Sequence[str]) -> None:
        self._err.print(Text(plain(f"starting {', '.join(frameworks)} ...")))

    def begin(self, greetings: Mapping[str, Greeting], plan: Plan, done: int) -> None:
        self._begun(greetings)
        self._total, self._done, self._before = plan.checks, done, done
        self._start = self._last = time.monotonic()
        if done:
            self._err.print(Text(f"resumed: {done:,} of {plan.checks:,} checks were made earlier"))
        if self._bar is not None:
            self._bar.add_task("checks", total=plan.checks, completed=done)
            self._bar.start()

    def counted(self, checks: int) -> None:
        self._done += checks
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[0], checks)
        elif time.monotonic() - self._last >= EVERY:
            self._line()

    def remark(self, framework: str, text: str) -> None:
        self._err.print(Text(plain(f"{framework}: {text}")), soft_wrap=True)

    def _line(self) -> None:
        self._last = time.monotonic()
        elapsed = self._last - self._start
        rate = (self._done - self._before) / elapsed if elapsed else 0.0
        left = f", {(self._total - self._done) / rate:.0f} s left" if rate and self._done < self._total else ""
        self._err.print(Text(f"{self._done:,} of {self._total:,} checks, {rate:,.0f}/s{left}"))


class Timing:
    """An observer of a benchmark run (see `benchmarks.engine.Observer`), and of a gate's pairs; a context manager."""

    def __init__(self, err: Console) -> None:
        self._err = err
        self._bar: Progress | None = None
        self._total = self._done = 0
        self._start = self._last = time.monotonic()

    def __enter__(self) -> Timing:
        self.say("starting the frameworks ...")
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def say(self, text: str) -> None:
        self._err.print(Text(plain(text)), soft_wrap=True)

    def begin(self, total: int) -> None:
        """So many steps lie ahead, from now on."""
        self.__exit__()
        self._total, self._done = total, 0
        self._start = self._last = time.monotonic()
        self._bar = _bar(self._err) if self._err.is_terminal else None
        if self._bar is not None:
            self._bar.add_task("", total=total)
            self._bar.start()

    def counted(self, what: str) -> None:
        self._done += 1
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[0])
        elif time.monotonic() - self._last >= 2 * EVERY or self._done == self._total:
            self._last = time.monotonic()
            left = (self._last - self._start) / self._done * (self._total - self._done)
            self.say(f"{self._done:,} of {self._total:,}, {what}, {left:.0f} s left")


def _bar(err: Console) -> Progress:
    return Progress(BarColumn(None), MofNCompleteColumn(), _Rate(), TimeRemainingColumn(), console=err, transient=True)
