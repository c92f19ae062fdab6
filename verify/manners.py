"""Limits on what user code may do while it runs, in a worker of its own: time, memory, children."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

GIB = 2**30


class Late(BaseException):
    """A call took longer than it may. No Exception: code that catches those would go on."""


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raises Late in the middle of what takes longer than so many seconds; 0 for no limit.

    It interrupts Python alone: what hangs in compiled code has to be ended from outside. A child that comes back from
    here, because the code forked, ends without a word.
    """
    pid = os.getpid()

    def late(number: int, frame: Any) -> None:
        raise Late(f"no answer within {seconds:g} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)  # again and again: a bare except would swallow it once
    try:
        yield
    finally:
        if os.getpid() != pid:
            os._exit(0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def confine(gib: float) -> None:
    """Let this process use so much more memory than now, in GiB: beyond it an allocation fails, as where there is none.

    What counts is private memory that can be written (RLIMIT_DATA). Where the system does not tell how much that is
    now, nothing is limited.
    """
    status = Path("/proc/self/status")
    if not gib or not status.exists():
        return
    used = next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmData:"))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = used + int(gib * GIB)
    resource.setrlimit(resource.RLIMIT_DATA, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


class Forks:
    """Counts the children that this process makes by fork."""

    def __init__(self) -> None:
        self.count = 0
        os.register_at_fork(after_in_parent=self._one_more)

    def _one_more(self) -> None:
        self.count += 1
