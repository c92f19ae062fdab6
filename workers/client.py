"""One benchmark worker as the engine sees it: asked, waited for, and replaced where it died."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lossvet.benchmarks import worker
from lossvet.benchmarks.messages import Failed, Reply, Request
from lossvet.conformance.pool import START_LIMIT
from lossvet.workers import frames, process
from lossvet.workers.messages import Greeting, Hello, Unavailable
from lossvet.workers.process import Died, Hung, Process

LIMIT = 300.0
"""Seconds for one sample, compilation included."""


@dataclass(frozen=True)
class Side:
    """Where a worker comes from: an interpreter, and what its environment has beside the parent's."""

    python: str
    environment: Mapping[str, str] = field(default_factory=dict)


def cores() -> tuple[int, ...]:
    """Those that this process may use; one, whichever, where the platform does not tell."""
    return tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else (0,)


class Client:
    """A worker of one framework on one core. A context manager: leaving it ends the worker.

    Making it does not wait until the worker has started, so that several can start at once; `greeting`, what the worker
    said first, does. A worker that dies costs the request that it was at; the next has a new worker.
    """

    def __init__(self, framework: str, side: Side, core: int, cache: Path | None, stopped: Callable[[], bool]) -> None:
        self._environment = {**process.environment(cache), worker.CORE: str(core), **side.environment}
        self._framework, self._side, self._stopped = framework, side, stopped
        self.core = core
        self._process: Process | None = None
        self._greeting: Greeting | None = self._spawn()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception: object) -> None:
        self._bury()

    @property
    def greeting(self) -> Greeting:
        if self._greeting is None:
            self._greeting = self._hear()
        return self._greeting

    def send(self, request: Request) -> None:
        """Ask, without waiting. `receive` has to follow."""
        if self._process is None:
            self._greeting = self._spawn()
        if isinstance(self.greeting, Hello) and self._process is not None:
            with contextlib.suppress(Died, Hung):  # receive finds the same, and says so
                self._process.send(frames.encode(request), LIMIT)

    def receive(self) -> Reply:
        """The reply to what was sent; Failed, with the reason, where the worker has none to give."""
        if self._process is None:
            return Failed("its worker does not start again")
        try:
            reply: Reply = frames.decode(self._process.receive(LIMIT), Reply)  # type: ignore[arg-type]  # a union is a type to msgspec
        except Died as death:
            failed = Failed(f"its worker died: {death.how}")
        except Hung:
            failed = Failed(f"no answer within {LIMIT:g} s")
        except frames.FrameError as error:
            failed = Failed(f"its answer could not be read: {error}")
        else:
            if worker.poisoned(reply):
                self._bury()
            return reply
        self._bury()
        return failed

    def ask(self, request: Request) -> Reply:
        self.send(request)
        return self.receive()

    def _spawn(self) -> Unavailable | None:
        """Begin to start the worker. None, or why that is impossible."""
        module = "lossvet.benchmarks.worker"
        try:
            self._process = Process(self._framework, self._side.python, self._environment, self._stopped, module)
        except OSError as error:
            return Unavailable(self._framework, f"{self._side.python} cannot be started: {error.strerror}", False)
        return None

    def _hear(self) -> Greeting:
        assert self._process is not None, "who was spawned has a process until it has been heard"
        try:
            greeting: Greeting = frames.decode(self._process.receive(START_LIMIT), Greeting)  # type: ignore[arg-type]  # as above
        except (Died, Hung, frames.FrameError) as error:
            greeting = Unavailable(self._framework, f"its worker did not say hello: {error}", missing=False)
        if isinstance(greeting, Unavailable):
            self._bury()
        return greeting

    def _bury(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None
