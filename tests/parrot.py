"""A service that asks no adapter, as the one of a room that loads code of its own: it does what it is told."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from lossvet.workers import machine, messages, serve
from lossvet.workers.messages import Greeting


class Count(msgspec.Struct, frozen=True, tag=True):
    """Answer so many times."""

    times: int


class Do(msgspec.Struct, frozen=True, tag=True):
    """Misbehave so, then answer."""

    what: str


class Double(msgspec.Struct, frozen=True, tag=True):
    """Answer with twice these numbers."""

    array: NDArray[np.float64]


class Doubled(msgspec.Struct, frozen=True, tag=True):
    array: NDArray[np.float64] | None


class Said(msgspec.Struct, frozen=True, tag=True):
    number: int
    pid: int
    cores: tuple[int, ...]
    blob: bytes = b""


class Refused(msgspec.Struct, frozen=True, tag=True):
    reason: str


Request = Count | Do | Double
Answer = Said | Doubled | Refused


def opened(name: str) -> tuple[Greeting, Callable[[Request], Iterable[Answer]]]:
    """The name says how it starts; a name that is a file is a worker that is another one each time."""
    if name == "absent":
        raise ModuleNotFoundError("No module named 'parrot'")
    if name == "broken":
        raise RuntimeError("it does not fly")
    if name == "forks":
        os.fork()
    version = "1"
    if os.path.exists(name):
        with open(name, "a") as file:
            file.write(".")
            version = str(file.tell())
    return messages.bare(name, version, machine.python()), answers


def answers(request: Request) -> Iterator[Answer]:
    match request:
        case Count(times):
            for number in range(times):
                yield said(number)
        case Double(array):
            yield Doubled(2 * array if array.size else None)
        case Do("large"):
            yield said(0, bytes(65 * 2**20))
        case Do("nonsense"):
            os.write(int(sys.argv[-1]), b"\xff\xff\xff\xff")
            yield said(0)
        case Do("stranger"):
            yield messages.Unavailable("a message", "of another service")  # type: ignore[misc]  # that is the fault
        case Do("end"):
            yield said(0)
            raise serve.End
        case Do(what):
            FAULTS[what]()
            yield said(0)


def said(number: int, blob: bytes = b"") -> Said:
    return Said(number, os.getpid(), machine.cores(), blob)


def raise_it() -> None:
    raise ValueError("an exception that nobody caught")


def print_it() -> None:
    os.write(1, b"\0\1\2\3 this is no frame\n")
    print("and more", flush=True)


def fork_and_die() -> None:
    """The child keeps the pipes open long after the worker is gone."""
    if os.fork() == 0:
        time.sleep(30)
    os._exit(7)


FAULTS: dict[str, Callable[[], object]] = {
    "crash": lambda: ctypes.string_at(0),
    "exit": lambda: os._exit(0),
    "raise": raise_it,
    "hang": lambda: time.sleep(3600),
    "print": print_it,
    "fork": os.fork,
    "fork and die": fork_and_die,
}

SERVICE: serve.Service[Request, Answer] = serve.Service(Request, Answer, opened, lambda answer, reason: Refused(reason))
