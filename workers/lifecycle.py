"""The lifecycle of a worker process: it ends with its parent, and stays on its core."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import threading

CORE = "LOSSVET_CORE"
"""The environment variable that says on which core to stay."""

_PR_SET_PDEATHSIG = 1


def end_with_parent(fd: int) -> None:
    """Linux kills this process with its parent, even in a call that never returns; elsewhere `fd`, a pipe from the
    parent, is watched."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

    def watch() -> None:
        poll = select.poll()
        poll.register(fd, 0)
        while True:
            if any(event & (select.POLLHUP | select.POLLNVAL) for _, event in poll.poll()):
                if os.getpgrp() == os.getpid():
                    os.killpg(os.getpid(), signal.SIGKILL)  # what the framework forked goes too
                os._exit(1)

    threading.Thread(target=watch, daemon=True, name="lossvet-parent-watch").start()


def stay_on(core: int) -> None:
    """Keep this process to a core, where the platform can. To be called before a framework counts its cores."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
