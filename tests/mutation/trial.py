"""Trying mutants: the tests of a target in a forked process each, the quickest test first, up to the first that fails.

Where a mutant is inside functions, they get its code in a process in which pytest has already collected the tests. What
survives that, and what an import runs, is tried in a process that imports lossvet anew, with the mutant in the place of
its module. No file is written.
"""

from __future__ import annotations

import importlib
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any, Literal, TypeVar

import pytest

from mutation import patching

ROOT = Path(__file__).parents[2]
GIBIBYTE = 2**30
MEMORY = 12 * GIBIBYTE
OPTIONS = ("-x", "-q", "-s", "--assert=plain", "-p", "no:cacheprovider", "-m", "not slow and not sweep and not clock")

End = Literal["killed", "survived", "timeout"]
T = TypeVar("T")
Child = Callable[[], int]
"""What a forked process does; it ends with the status that is returned."""


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

    @property
    def file(self) -> str:
        """Where the module is imported from."""
        return str(ROOT / "src" / "lossvet" / self.path)

    def changed(self) -> Mapping[patching.Place, CodeType] | None:
        """The functions that it changes; None where it has to be imported."""
        try:
            return patching.changed((ROOT / self.path).read_text(), self.text)
        except SyntaxError:
            return None


@dataclass(frozen=True)
class Tests:
    """The tests of a target. `seconds` of CPU is what they take without a mutant, `durations` what each takes."""

    files: tuple[str, ...]
    seconds: float = 0.0
    durations: dict[str, float] = field(default_factory=dict)

    def run(self, *plugins: object) -> int:
        """The status of pytest."""
        return int(pytest.main([*OPTIONS, *self.files], plugins=[self, *plugins]))

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: self.durations.get(item.nodeid, 0.0))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.durations[report.nodeid] = self.durations.get(report.nodeid, 0.0) + report.duration


def prepare(preload: Iterable[str]) -> None:
    """Import what every trial needs. Raises Broken where something of lossvet comes with it."""
    sys.path.insert(0, str(ROOT / "src"))
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # they take longer than most trials
    for name in preload:
        importlib.import_module(name)
    if "lossvet" in sys.modules:
        raise Broken("lossvet was imported before the fork, so that no mutant of it would be")


def baseline(files: Sequence[str]) -> Tests:
    """The tests in these files, with what they take without a mutant. Raises Broken where they do not pass."""
    tests = Tests(tuple(files))
    reading, writing = os.pipe()

    def timed() -> int:
        status = tests.run()
        with os.fdopen(writing, "w") as out:
            out.writelines(f"{seconds} {name}\n" for name, seconds in tests.durations.items())
        return status

    pid = _forked(timed)
    os.close(writing)
    with os.fdopen(reading) as lines:
        durations = {name: float(seconds) for seconds, name in (line.rstrip("\n").split(" ", 1) for line in lines)}
    _, status, used = os.wait4(pid, 0)
    if status != 0:
        raise Broken(f"without a mutant, pytest {' '.join(files)} ends with {os.waitstatus_to_exitcode(status)}")
    return Tests(tests.files, used.ru_utime + used.ru_stime, durations)


def tried(sources: Iterable[tuple[T, Source]], tests: Tests, limit: float, jobs: int) -> Iterator[tuple[T, End]]:
    """How each mutant ended, as they end, with so many at work; `limit` is the CPU time of each, in seconds.

    Raises Broken where the tests that are collected already fail without a mutant.
    """
    found = list(sources)
    inside = {i: codes for i, (_, source) in enumerate(found) if (codes := source.changed())}
    anew = [i for i in range(len(found)) if i not in inside]
    loop = _Loop({i: (found[i][1].file, codes) for i, codes in inside.items()}, limit, jobs)
    for i, end in loop.ends(tests):
        if end == "survived":
            anew.append(i)
        else:
            yield found[i][0], end
    for i, end in _ended(((i, _standing_in(found[i][1], tests)) for i in anew), limit, jobs):
        yield found[i][0], end


@dataclass(frozen=True)
class _Loop:
    """In place of pytest's loop over its tests: one for each mutant, in a process that is forked."""

    mutants: Mapping[int, tuple[str, Mapping[patching.Place, CodeType]]]
    limit: float
    jobs: int
    pipe: tuple[int, int] = field(default_factory=os.pipe)

    def ends(self, tests: Tests) -> Iterator[tuple[int, End]]:
        reading, writing = self.pipe
        pid = _forked(lambda: tests.run(self))
        os.close(writing)
        with os.fdopen(reading) as lines:
            for line in lines:
                name, end = line.split()
                if (int(name), end) == (CONTROL, "killed"):
                    raise Broken(f"without a mutant, {' '.join(tests.files)} fail once they are collected")
                if int(name) != CONTROL:
                    yield int(name), end  # type: ignore[misc]  # it was an End when it was written
        _, status = os.waitpid(pid, 0)
        if status != 0:
            raise Broken(f"pytest ended with {os.waitstatus_to_exitcode(status)} after it had collected the tests")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        functions = {path: patching.loaded(path) for path in {path for path, _ in self.mutants.values()}}

        def child(path: str, codes: Mapping[patching.Place, CodeType]) -> Child:
            def run() -> int:
                patching.put(codes, functions.get(path, {}))
                return _passed_in_turn(session)

            return run

        trials = [(CONTROL, child("", {})), *((i, child(*mutant)) for i, mutant in self.mutants.items())]
        with os.fdopen(self.pipe[1], "w", buffering=1) as out:
            out.writelines(f"{i} {end}\n" for i, end in _ended(trials, self.limit, self.jobs))
        return True


CONTROL = -1
"""The trial of no mutant."""


def _passed_in_turn(session: pytest.Session) -> int:
    for item, following in zip(session.items, [*session.items[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return 1
    return 0


def _standing_in(source: Source, tests: Tests) -> Child:
    def run() -> int:
        _stand_in(source)
        return tests.run()

    return run


def _ended(children: Iterable[tuple[T, Child]], limit: float, jobs: int) -> Iterator[tuple[T, End]]:
    """How each forked process ended, as they end, with so many at work."""
    running: dict[int, T] = {}
    for key, child in children:
        if len(running) == jobs:
            yield _one_ended(running)
        running[_forked(child, limit)] = key
    while running:
        yield _one_ended(running)


def _one_ended(running: dict[int, T]) -> tuple[T, End]:
    pid, status, _ = os.wait4(-1, 0)
    code = os.waitstatus_to_exitcode(status)
    end: End = "survived" if code == 0 else "timeout" if code == -signal.SIGXCPU else "killed"
    return running.pop(pid), end


def _forked(child: Child, limit: float | None = None) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_CPU, (int(limit) + 1, int(limit) + 60))
        os.chdir(ROOT)
        code = child()
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
