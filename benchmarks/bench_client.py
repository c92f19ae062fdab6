"""A worker that measures, as the engine and the gate see it: whatever happens to it, there is a reply."""

from __future__ import annotations

from pathlib import Path

from lossvet.benchmarks import worker
from lossvet.benchmarks.messages import Failed, Reply, Request
from lossvet.workers.client import LIMIT, Client, Gone, Side
from lossvet.workers.process import Died, Hung, Unreadable


class BenchClient(Client[Request, Reply]):
    """A client of `benchmarks.worker` on one core, whose failures are replies that say why there is no sample."""

    def __init__(self, framework: str, side: Side, core: int, cache: Path | None) -> None:
        super().__init__(framework, side, worker.__name__, core=core, cache=cache)
        self.core = core

    def receive(self, limit: float = LIMIT) -> Reply:
        """The reply to what was sent. A worker whose device is lost is ended; the next request has a new one."""
        found = super().receive(limit)
        if isinstance(found, Died | Hung | Unreadable | Gone):
            return Failed(str(found))
        if worker.poisoned(found):
            self.end()
        return found

    def ask(self, request: Request, limit: float = LIMIT) -> Reply:
        """Send a request, and wait for the reply to it."""
        self.send(request, limit)
        return self.receive(limit)
