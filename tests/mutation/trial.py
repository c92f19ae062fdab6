"""Trying mutants: the tests of a target in a forked process each, in which one module has another source.

What is imported before the fork is imported once: pytest, NumPy, a framework; nothing of lossvet. No file is written.
"""

from __future__ import annotations

import importlib
import os
import resource
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any, Literal, TypeVar

import pytest

ROOT = Path(__file__).parents[2]
GIBIBYTE = 2**30
MEMORY = 12 * GIBIBYTE
OPTIONS = ("-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "-m", "not slow and not sweep and not clock")

End = Literal["killed", "survived", "timeout"]
T = TypeVar("T")


class Broken(Exception):
    """Tests that say nothing of a mutant: they fail without one, or there are none."""


@dataclass(frozen=True)
class Source:
    """A file of the project, relative to its root, and the text that stands in for it."""

    path: str
    text: str

    @property
    def module(self) -> str:
        return ".".join(("lossvet", *Path(self.path).with_suffix("").parts))


def prepare(preload: Iterable[str]) -> None:
    """Import what every trial needs. Raises Broken where something of lossvet comes with it."""
    sys.path.insert(0, str(ROOT / "src"))
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # they take longer than most trials
    for name in preload:
        importlib.import_module(name)
    if "lossvet" in sys.modules:
        raise Broken("lossvet was imported before the fork, so that no mutant of it would be")


def baseline(tests: Sequence[str]) -> float:
    """CPU seconds of the tests without a mutant. Raises Broken where they do not pass."""
    pid = _forked(None, tests, None)
    _, status, used = os.wait4(pid, 0)
    if status != 0:
        raise Broken(f"without a mutant, pytest {' '.join(tests)} ends with {os.waitstatus_to_exitcode(status)}")
    return used.ru_utime + used.ru_stime


def tried(
    sources: Iterable[tuple[T, Source]], tests: Sequence[str], seconds: float, jobs: int
) -> Iterator[tuple[T, End]]:
    """How each mutant ended, as they end, with so many at work; `seconds` of CPU are the limit of each."""
    running: dict[int, T] = {}
    for key, source in sources:
        if len(running) == jobs:
            yield _ended(running)
        running[_forked(source, tests, seconds)] = key
    while running:
        yield _ended(running)


def _ended(running: dict[int, T]) -> tuple[T, End]:
    pid, status, _ = os.wait4(-1, 0)
    code = os.waitstatus_to_exitcode(status)
    end: End = "survived" if code == 0 else "timeout" if code == -signal.SIGXCPU else "killed"
    return running.pop(pid), end


def _forked(source: Source | None, tests: Sequence[str], seconds: float | None) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        if seconds is not None:
            resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 60))
        if source is not None:
            _stand_in(source)
        os.chdir(ROOT)
        code = int(pytest.main([*OPTIONS, *tests]))
    finally:
        os._exit(code)


def _stand_in(source: Source) -> None:
    """From now on, the module is imported from this text."""
    original = SourceFileLoader.get_code

    def get_code(self: SourceFileLoader, name: str) -> CodeType | None:
        if name == source.module:
            code: Any = compile(source.text, self.get_filename(name), "exec", dont_inherit=True)
            return code
        return original(self, name)

    SourceFileLoader.get_code = get_code  # type: ignore[method-assign]  # in this process, which ends with the trial
