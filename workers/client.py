"""The client side of one worker: it sends requests, waits for answers, and replaces a worker that died."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Self, TypeVar

import msgspec

from lossvet.workers import caches, frames, lifecycle, messages
from lossvet.workers.messages import Greeting, Unavailable
from lossvet.workers.process import Died, Hung, Process, Unreadable
from lossvet.workers.serve import service

START_LIMIT = 300.0
"""Seconds for the import of a framework."""
LIMIT = 300.0
"""Seconds for an answer where nothing else is said, compilation included."""
STARTS = 3
"""How often a worker is started whose start is ended from outside, which says nothing of its framework."""

Q = TypeVar("Q")
A = TypeVar("A")


class Gone(msgspec.Struct, frozen=True, tag=True):
    """The worker died, and another one like it could not be started."""

    why: str

    def __str__(self) -> str:
        return f"its worker died and could not be replaced: {self.why}"


Failure = Died | Hung | Unreadable | Gone
"""Why there is no answer. `str` says it in a sentence."""


@dataclass(frozen=True)
class Side:
    """Where a worker comes from: an interpreter, and what its environment has beside the parent's."""

    python: str
    environment: Mapping[str, str] = field(default_factory=dict)


class Client(Generic[Q, A]):
    """A worker of one framework that serves the `SERVICE` of `module`. A context manager: leaving it ends the worker.

    Making it does not wait until the worker has started, so that several can start at once; `greeting`, what the worker
    said first, does. A worker that dies, hangs or cannot be understood costs the answer that was waited for, which is
    then a `Failure`; the next request has a new worker, if that is like the first. On Linux a worker ends with the
    thread that made its client, or that sent the request for which it was replaced.

    `core` is where it stays, `cache` where compiled code is kept. `stopped` is asked while something is waited for:
    once it says so, `process.Stopped` is raised. `remark` hears what a reader of the run should know.
    """

    def __init__(
        self,
        framework: str,
        side: Side,
        module: str,
        *,
        core: int | None = None,
        cache: Path | None = None,
        stopped: Callable[[], bool] = lambda: False,
        remark: Callable[[str], None] = lambda text: None,
    ) -> None:
        pinned = {} if core is None else {lifecycle.CORE: str(core)}
        self._environment = {**caches.environment(cache), **pinned, **side.environment}
        self._framework, self._side, self._module = framework, side, module
        self._stopped, self._remark = stopped, remark
        self._answers = frames.decoder(service(module).answers)
        self._process: Process | None = None
        self._failure: Failure | None = None
        self._greeting: Greeting | None = self._spawn()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.end()

    @property
    def greeting(self) -> Greeting:
        if self._greeting is None:
            self._greeting = self._hear()
        return self._greeting

    @property
    def alive(self) -> bool:
        """Whether there is a worker that can go on with what it was sent."""
        return self._process is not None and self._failure is None

    def send(self, request: Q, limit: float = LIMIT) -> None:
        """Ask, without waiting for an answer. `receive` has to follow, once for each answer that the request has.

        Raises OversizedFrame for a request that is too large.
        """
        frame = frames.encode(request)
        self._failure = self._replace()
        if self._process is not None:
            self._failure = self._process.send(frame, limit)

    def receive(self, limit: float = LIMIT) -> A | Failure:
        """The next answer to what was sent, or why there is none within `limit` seconds."""
        if self._failure is None:
            assert self._process is not None, "no request was sent to it"
            found = self._process.receive(limit)
            if isinstance(found, bytes):
                try:
                    answer: A = frames.decode(found, self._answers)
                    return answer
                except frames.FrameError as error:
                    found = Unreadable(str(error))
            self._failure = found
        self.end()
        return self._failure

    def ask(self, request: Q, limit: float = LIMIT) -> A | Failure:
        """Send a request that has one answer, and wait for it."""
        self.send(request, limit)
        return self.receive(limit)

    def end(self) -> None:
        """End the worker, if there is one; the next request has a new one."""
        if self._process is not None:
            self._process.close()
            self._process = None

    def _replace(self) -> Gone | None:
        """See to it that there is a worker like the first. Why that cannot be, if so."""
        first = self.greeting
        if isinstance(first, Unavailable):
            return Gone(first.reason)
        if self._process is not None:
            return None
        again = self._spawn() or self._hear()
        if again == first:
            return None
        self.end()
        return Gone(again.reason if isinstance(again, Unavailable) else f"it is {again.version} now")

    def _spawn(self) -> Unavailable | None:
        """Begin to start the worker. None, or why that is impossible."""
        try:
            self._process = Process(self._framework, self._side.python, self._environment, self._stopped, self._module)
        except OSError as error:
            return Unavailable(self._framework, f"{self._side.python} cannot be started: {error.strerror}", False)
        return None

    def _hear(self) -> Greeting:
        """The first words of the worker that was spawned. A start that something outside ends is tried again."""
        for start in range(1, STARTS + 1):
            assert self._process is not None, "a worker that was spawned has a process until it has been heard"
            match self._process.receive(START_LIMIT):
                case bytes() as body:
                    try:
                        greeting = frames.decode(body, messages.GREETINGS)
                    except frames.FrameError as error:
                        reason = f"its worker uses another protocol: {error}"
                    else:
                        if isinstance(greeting, Unavailable):
                            self.end()
                        return greeting
                case Died(how, outside=True) if start < STARTS:
                    self._remark(f"its worker was killed from outside ({how}) at the start; it is started again")
                    self.end()
                    if (failed := self._spawn()) is not None:
                        return failed
                    continue
                case Died(how):
                    reason = f"its worker died at the start: {how}"
                case Hung(limit):
                    reason = f"it did not start within {limit:g} s"
                case Unreadable(error):
                    reason = f"its worker uses another protocol: {error}"
            self.end()
            return Unavailable(self._framework, reason, missing=False)
        raise AssertionError("unreachable")
