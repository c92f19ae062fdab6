"""One worker process, seen from outside: started, sent messages within time limits, and ended."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

import lossvet
from lossvet.workers import frames

OUTPUT_LIMIT = 16 * 2**20
"""What a framework prints is kept up to this size, in bytes, then forgotten."""

FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM)
"""Signals that no framework sends itself: a person, or a kernel out of memory, ended the worker."""

_SLICE = 0.1

# Loads lossvet from its folder and from nowhere else: the rest of the parent's site-packages stays out of the way.
_BOOTSTRAP = """
import importlib, importlib.util, sys
folder, module, name, read_fd, write_fd = sys.argv[1:]
spec = importlib.util.spec_from_file_location("lossvet", folder + "/__init__.py", submodule_search_locations=[folder])
sys.modules["lossvet"] = package = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
importlib.import_module("lossvet.workers.serve").main(module, name, int(read_fd), int(write_fd))
"""


class Died(msgspec.Struct, frozen=True, tag=True):
    """The worker is gone. `how` names signal or exit code and its last words; `outside`: another process killed it."""

    how: str
    outside: bool = False

    def __str__(self) -> str:
        return f"its worker died: {self.how}"


class Hung(msgspec.Struct, frozen=True, tag=True):
    """No answer within `limit` seconds."""

    limit: float

    def __str__(self) -> str:
        return f"no answer within {self.limit:g} s"


class Unreadable(msgspec.Struct, frozen=True, tag=True):
    """What came from the worker is no answer."""

    error: str

    def __str__(self) -> str:
        return f"its answer could not be read: {self.error}"


class Stopped(Exception):
    """Whoever waits is being ended."""


class Process:
    """A worker in a session of its own, so that neither Ctrl-C nor a kill of its group reaches another process.

    It serves the `SERVICE` of `module` to the framework `name`. A worker that dies or hangs is a value, not an
    exception: it is what workers are for. Linux ends it with the thread that started it. Raises FileNotFoundError or
    PermissionError where `python` cannot be started.
    """

    def __init__(
        self, name: str, python: str, environment: Mapping[str, str], stopped: Callable[[], bool], module: str
    ) -> None:
        self._stopped = stopped
        self._splitter = frames.Splitter()
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the worker does
        # appended to, so that it can be emptied under the writer's hands
        flags = fcntl.fcntl(self._printed.fileno(), fcntl.F_GETFL)
        fcntl.fcntl(self._printed.fileno(), fcntl.F_SETFL, flags | os.O_APPEND)
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        folder = str(Path(lossvet.__file__).parent)
        try:
            self._child = subprocess.Popen(
                [python, "-P", "-c", _BOOTSTRAP, folder, module, name, str(theirs_in), str(theirs_out)],
                stdin=subprocess.DEVNULL,
                stdout=self._printed.fileno(),
                stderr=subprocess.STDOUT,
                pass_fds=(theirs_in, theirs_out),
                env=dict(environment),
                start_new_session=True,
            )
        except OSError:
            os.close(self._in)
            os.close(self._out)
            raise
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)

    @property
    def pid(self) -> int:
        return self._child.pid

    def send(self, frame: bytes, limit: float) -> Died | Hung | None:
        """None where the worker has taken the whole frame within `limit` seconds. Raises Stopped."""
        deadline, view = time.monotonic() + limit, memoryview(frame)
        while view:
            try:
                view = view[os.write(self._out, view) :]
            except BlockingIOError:
                if (failure := self._wait(self._out, select.POLLOUT, deadline, limit)) is not None:
                    return failure
            except BrokenPipeError:
                return self._death()
        return None

    def receive(self, limit: float) -> bytes | Died | Hung | Unreadable:
        """The next frame's body, or why there is none within `limit` seconds. Raises Stopped."""
        deadline = time.monotonic() + limit
        while True:
            try:
                body = self._splitter.next()
            except frames.FrameError as error:
                return Unreadable(str(error))
            if body is not None:
                self._forget_output()
                return body
            try:
                data = os.read(self._in, 1 << 20)
            except BlockingIOError:
                if (failure := self._wait(self._in, select.POLLIN, deadline, limit)) is not None:
                    return failure
                continue
            if not data:
                return self._death()
            self._splitter.feed(data)

    def close(self) -> None:
        """End the worker and all that it started, without ceremony: whatever it had to say has been read."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        for fd in (self._in, self._out):
            with contextlib.suppress(OSError):
                os.close(fd)
        self._printed.close()

    def _wait(self, fd: int, event: int, deadline: float, limit: float) -> Died | Hung | None:
        """Until the pipe is ready; in slices, for a dead worker's pipe stays open while a child it forked lives."""
        poll = select.poll()
        poll.register(fd, event)
        while True:
            if self._stopped():
                raise Stopped
            left = deadline - time.monotonic()
            if left <= 0:
                return Hung(limit)
            # asked before the pipe is: what was written before death is in it then
            dead = self._child.poll() is not None
            if poll.poll(0 if dead else min(left, _SLICE) * 1000):
                return None
            if dead:
                return self._death()

    def _death(self) -> Died:
        try:
            code = self._child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return Died("it closed its pipe but is still running")
        last = self._last_words()
        if code < 0:
            try:
                name = signal.Signals(-code).name
            except ValueError:
                name = f"signal {-code}"
            return Died(f"{name}{last}", outside=-code in FROM_OUTSIDE)
        return Died(f"exit code {code} before it answered{last}")

    def _last_words(self) -> str:
        """The top of the stack that faulthandler left, or else the last line printed."""
        size = os.fstat(self._printed.fileno()).st_size
        tail = os.pread(self._printed.fileno(), 65536, max(0, size - 65536)).decode(errors="replace")
        lines = [line.strip() for line in tail.splitlines() if line.strip()]
        fatal = [i for i, line in enumerate(lines) if line.startswith("Fatal Python error")]
        if not fatal:
            return "".join(f"; {line[:300]}" for line in lines[-1:])
        own = [i for i, line in enumerate(lines) if line.startswith("Current thread") and i > fatal[-1]]
        stack = [line for line in lines[own[0] if own else fatal[-1] :] if line.startswith("File ")]
        words = [lines[fatal[-1]], *stack[:1]]
        return "".join(f"; {word[:300]}" for word in words)

    def _forget_output(self) -> None:
        if os.fstat(self._printed.fileno()).st_size > OUTPUT_LIMIT:
            os.ftruncate(self._printed.fileno(), 0)
