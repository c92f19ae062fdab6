"""NumPy again, misbehaving at one case in the way that the environment names: NAUGHTY="WAY CASE", or "slow SECONDS"."""

from __future__ import annotations

import ctypes
import dataclasses
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy_adapter

from lossvet.adapters.types import Adapter, Measured, Outcome, Prepared, Recipe
from lossvet.reference.types import Case

BIG = 40 * 2**20
"""More characters than are kept of what a worker prints."""


def adapter() -> Adapter:
    sound = numpy_adapter.adapter()
    way, _, victim = os.environ.get("NAUGHTY", "").partition(" ")
    if way == "no_start":
        raise RuntimeError("this framework is broken")
    if way == "not_there":
        raise ModuleNotFoundError("No module named 'naughty'")

    def prepare(recipe: Recipe, case: Case, *where: Any) -> Prepared:
        outputs: tuple[str, ...] = where[-1]
        if way == "slow":
            time.sleep(float(victim))
        if case.id != victim:
            return sound.prepare(recipe, case, *where)
        if way in MEASURED:
            return Prepared(lambda: {output: MEASURED[way]() for output in outputs})
        WAYS[way]()
        return sound.prepare(recipe, case, *where)

    def read(answers: dict[str, Any]) -> dict[str, Outcome]:
        given = sound.read({k: v for k, v in answers.items() if not isinstance(v, Measured)})
        return {**given, **{k: v for k, v in answers.items() if isinstance(v, Measured)}}

    return dataclasses.replace(sound, name="naughty", prepare=prepare, read=read)


def segfault() -> None:
    ctypes.string_at(0)


def kill_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hang() -> None:
    time.sleep(3600)


def exit_zero() -> None:
    print("good-bye", flush=True)
    os._exit(0)


def exit_politely() -> None:
    sys.exit(0)


def print_much() -> None:
    os.write(1, b"\x00\x01\x02\x03 this is no frame\n")
    for _ in range(BIG // 2**20):
        os.write(1, b"x" * 2**20)
    print("and more", flush=True)


def raise_it() -> None:
    raise ValueError("\x1b[31m[bold]no\x00 \ud800")


def fork_and_die() -> None:
    """The child keeps the pipes open long after the worker is gone."""
    if os.fork() == 0:
        time.sleep(3600)
    os._exit(7)


def fork_and_return() -> None:
    """The child comes back, as a second worker that nobody asked for."""
    os.fork()


WAYS: dict[str, Callable[[], None]] = {
    f.__name__: f
    for f in (
        segfault,
        kill_itself,
        hang,
        exit_zero,
        exit_politely,
        print_much,
        raise_it,
        fork_and_die,
        fork_and_return,
    )
}
MEASURED: dict[str, Callable[[], Measured]] = {
    "objects": lambda: Measured(np.array([object()])),
    "large": lambda: Measured(np.zeros(2**20, np.float32)),
    "too_large": lambda: Measured(np.zeros(2**21, np.float32)),
    "half": lambda: Measured(np.zeros((4, 3), np.float16)),
}
