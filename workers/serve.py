"""A worker: the process in which one framework, or one user's code, lives. It reads requests from a pipe, answers on
another, and ends with its parent.

The common part of all workers is here. The requests of one kind, and how it answers them, are the `SERVICE` of a
module:

    SERVICE: Service[Request, Answer] = Service(Request, Answer, opened, refused)

`opened(name)` loads what the requests need and returns the greeting and the function that answers a request by one
message or by several. The worker's own output goes to a file of the parent's (`process.Process`).
"""

from __future__ import annotations

import faulthandler
import importlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from lossvet import adapters
from lossvet.adapters import slowed
from lossvet.adapters.types import Adapter
from lossvet.workers import caches, frames, lifecycle, messages
from lossvet.workers.messages import Greeting, Unavailable

Q = TypeVar("Q")
A = TypeVar("A")

EXTENDED_BY = "LOSSVET_EXTENDED_BY"
"""The environment variable that names a module whose `added` makes one adapter of another."""


class End(Exception):
    """Raised by the answering function after the last answer that this process can give: the process ends."""


@dataclass(frozen=True)
class Service(Generic[Q, A]):
    """What a kind of worker is asked and answers, both tagged structs of msgspec or unions of them, which may
    hold arrays.

    `opened` may raise whatever an import raises: the greeting is then `Unavailable`. `refused` makes an answer that is
    too large to be sent into one that says so, given the reason.
    """

    requests: Any
    answers: Any
    """Types, which a union is not to mypy."""
    opened: Callable[[str], tuple[Greeting, Callable[[Q], Iterable[A]]]]
    refused: Callable[[A, str], A]


def service(module: str) -> Service[Any, Any]:
    """The service of a module. Raises ImportError, and AttributeError where the module names none."""
    found: Service[Any, Any] = importlib.import_module(module).SERVICE
    return found


def adapter(name: str) -> Adapter:
    """The adapter `name`, with what the environment adds to it. Raises what the framework's import raises."""
    found = adapters.load(name)
    if module := os.environ.get(EXTENDED_BY):
        found = importlib.import_module(module).added(found)
    return slowed.added(found)


def main(module: str, name: str, read_fd: int, write_fd: int) -> None:
    """Say hello, then answer requests until the pipe ends."""
    os.set_inheritable(read_fd, False)
    os.set_inheritable(write_fd, False)
    faulthandler.enable()
    lifecycle.end_with_parent(read_fd)
    caches.key()
    if core := os.environ.get(lifecycle.CORE):
        lifecycle.stay_on(int(core))
    own = os.getpid()

    def say(frame: bytes) -> None:
        if os.getpid() != own:  # a framework forked, and this is the child: it has no business on the pipe
            os._exit(0)
        frames.write(write_fd, frame)

    served = service(module)
    try:
        greeting, answers = served.opened(name)
    except Exception as error:  # whatever an import raises, it is the framework's, and means that there is none to ask
        say(frames.encode(_unavailable(name, error)))
        return
    say(frames.encode(greeting))
    splitter, requests = frames.Splitter(), frames.decoder(served.requests)
    try:
        while (body := frames.read(read_fd, splitter)) is not None:
            for answer in answers(frames.decode(body, requests)):
                say(_frame(answer, served))
    except End:
        return


def _frame(answer: A, served: Service[Any, A]) -> bytes:
    try:
        return frames.encode(answer)
    except frames.OversizedFrame as error:
        return frames.encode(served.refused(answer, str(error)))


def _unavailable(name: str, error: Exception) -> Unavailable:
    reason = messages.text(f"{type(error).__name__}: {error}")
    return Unavailable(name, reason, isinstance(error, ModuleNotFoundError))
