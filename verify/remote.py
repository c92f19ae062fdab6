"""A loss in a worker of its own, under its own interpreter if asked, as a side of verify.

Errors are reported in sentences: a loss that cannot be run is a `SourceError`; a later error is part of an answer.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from lossvet.verify import messages
from lossvet.verify.answer import Binding
from lossvet.verify.binding import Options
from lossvet.verify.messages import Answered, Ask, Bind, Found, Load, Loaded, Refused, Way
from lossvet.verify.questions import Answer, Question
from lossvet.verify.sources import FileSource, ModuleSource, RecipeSource, SourceError, parse
from lossvet.workers import client
from lossvet.workers.client import Client, Gone
from lossvet.workers.messages import Hello, Unavailable
from lossvet.workers.process import Died, Hung, Unreadable

LIMIT = 10.0
"""Seconds for a question, unless the caller says otherwise."""
IMPORT_LIMIT = 30.0
"""Seconds for the import of the loss, and of what it imports, unless the caller says otherwise."""
GRACE = 5.0
"""Seconds beyond a limit after which a worker that did not interrupt itself is ended."""
MEMORY = 8.0
"""GiB that a loss may use beyond what its framework uses."""
FAILURES = 2
"""Questions that may kill the worker, or go beyond the limit; what is asked after so many has no answer."""


@dataclass
class Remote:
    """The loss of a specification. A context manager: leaving it ends the worker.

    Making it starts the worker and does not wait, so that two sides start at once; `load` waits, and everything else
    needs it. Raises SourceError (kind "spec") for what is no function of a framework.
    """

    spec: str
    options: Options = field(default_factory=Options)
    python: str = sys.executable
    folder: str = "."
    limit: float = LIMIT
    import_limit: float = IMPORT_LIMIT
    memory: float = MEMORY
    cache: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    """What the worker's environment has beside ours."""
    stopped: Callable[[], bool] = lambda: False
    """Asked while something is waited for: once it says so, `process.Stopped` is raised."""
    module: ClassVar[str] = "lossvet.verify.worker"
    """Whose service the worker is."""

    def __post_init__(self) -> None:
        self.folder = str(Path(self.folder).resolve())
        self._begin(self.spec, self.options)
        self.framework = self.source.framework
        self.version = self.interpreter = ""
        self.file = ""
        where = client.Side(self.python, self.environment)
        self._client: Client[Any, Any] = Client(
            self.framework, where, self.module, cache=self.cache, stopped=self.stopped
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.end()

    def end(self) -> None:
        self._client.end()

    def another(self, spec: str, options: Options) -> Remote:
        """Turn to another loss of the same framework, in the same worker; `load` follows, and what was known of the
        loss before is gone. What that one changed in its process stays changed. Raises as making a Remote does."""
        before = self.framework
        self._begin(spec, options)
        if self.source.framework != before:
            raise SourceError("spec", f"{spec} is a loss of {self.source.framework}; this worker runs {before}")
        return self

    def _begin(self, spec: str, options: Options) -> None:
        source = parse(spec)
        if not isinstance(source, FileSource | ModuleSource | RecipeSource):
            raise SourceError("spec", f"{spec} is not a function of a framework: it needs no worker")
        self.spec, self.options, self.source, self.name = spec, options, source, source.name
        self.notes: tuple[str, ...] = ()
        self.ways: tuple[Way, ...] = ()
        self.differentiable = True
        self._failures = 0
        self._loaded = self._lost = False

    def load(self) -> Self:
        """Import and bind the loss. Raises SourceError, with the sentence that says why that cannot be."""
        self.imported()
        self.bind()
        return self

    def imported(self) -> Hello:
        """Import the loss, and nothing more. Raises SourceError."""
        greeting = self._client.greeting
        if isinstance(greeting, Unavailable):
            of = f"for {self.python}" if self.python != sys.executable else "here"
            what = "is not installed" if greeting.missing else "does not start"
            raise SourceError("framework", f"{self.framework} {what} {of}: {greeting.reason}")
        self.version, self.interpreter = greeting.version, greeting.python
        loaded = self._asked(Load(self.spec, self.folder, self.memory), self.import_limit, f"importing {self._where}")
        assert isinstance(loaded, Loaded), "Load is answered by Loaded or Refused"
        self.notes, self.file = loaded.notes, loaded.file
        return greeting

    def bind(self) -> None:
        """Bind the loss that was imported. Raises SourceError."""
        found = self._asked(Bind(self.options, self.limit), self._binding_limit, f"calling {self.name}")
        assert isinstance(found, Found), "Bind is answered by Found or Refused"
        self.ways, self.differentiable = found.ways, found.differentiable
        self.notes = tuple(dict.fromkeys((*self.notes, *found.notes)))
        self._loaded = True

    @property
    def bindings(self) -> tuple[Binding, ...]:
        """The ways in which it can be called, the best first."""
        return tuple(way.binding for way in self.ways)

    def sides(self) -> list[tuple[Way, RemoteSide]]:
        """For every way of calling it, its side; all of them in one worker."""
        return [(way, RemoteSide(self, which)) for which, way in enumerate(self.ways)]

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """The answers of the best binding."""
        return self.answers(0, questions)

    def answers(self, which: int, questions: Sequence[Question]) -> list[Answer]:
        """The answers of one of the bindings. A worker that dies or hangs costs the question, and is replaced."""
        assert self._loaded, "load it first"
        found: list[Answer] = []
        while len(found) < len(questions):
            if self._failures >= FAILURES:
                words = f"NotAsked: {FAILURES} earlier requests ended the worker or took longer than {self.limit:g} s"
                return found + [Answer(error=words)] * (len(questions) - len(found))
            if self._lost and not self._again():
                self._failures = FAILURES
                continue
            found += self._stretch(which, questions[len(found) :])
        return found

    def _stretch(self, which: int, questions: Sequence[Question]) -> list[Answer]:
        """The answers up to the first that ends the worker, that one included."""
        self._client.send(Ask(which, tuple(map(messages.asked, questions)), self.limit))
        found = []
        for _ in questions:
            reply = self._client.receive(self.limit + GRACE)
            match reply:
                case Answered(late=late):
                    self._failures += late
                    found.append(messages.answer(reply))
                    if self._failures < FAILURES:
                        continue
                    self._client.end()  # it would go on with the rest
                    return found
                case Died(how):
                    error = f"Died: {ending(how)}"
                case Hung():
                    error = f"Late: no answer within {self.limit:g} s"
                case other:
                    error = f"Died: {other}"
            self._failures += 1
            self._lost = True
            return [*found, Answer(error=error)]
        return found

    def _again(self) -> bool:
        """See to it that a new worker has the loss."""
        try:
            self._asked(Load(self.spec, self.folder, self.memory), self.import_limit, "")
            self._asked(Bind(self.options, self.limit), self._binding_limit, "")
        except SourceError:
            return False
        self._lost = False
        return True

    @property
    def _where(self) -> str:
        match self.source:
            case FileSource(path=path):
                return path
            case ModuleSource(module=module):
                return module
            case _:
                return str(self.source)

    @property
    def _binding_limit(self) -> float:
        return 12 * self.limit

    def _asked(self, request: Any, limit: float, doing: str) -> Any:
        """The reply. Raises SourceError where it is a refusal, or where there is none."""
        match self._client.ask(request, limit + GRACE):
            case Refused(kind, sentence):
                raise SourceError(kind, sentence)
            case Died(how):
                left = re.match(r"exit code (\d+)", how)
                if left:
                    raise SourceError("exit", f"{doing} ends the process at once (exit code {left[1]})")
                raise SourceError("died", f"{doing} kills the process: {ending(how)}")
            case Hung():
                raise SourceError("hang", f"{doing} takes longer than {limit:g} s")
            case Gone(why):
                raise SourceError("died", f"its worker could not be started again: {why}")
            case Unreadable() as other:
                raise SourceError("died", f"{doing} gives a result that cannot be read: {other}")
            case reply:
                return reply


@dataclass(frozen=True)
class RemoteSide:
    """One way of calling a loss in a worker."""

    remote: Remote
    which: int

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        return self.remote.answers(self.which, questions)


def ending(how: str) -> str:
    """How a process ended, for people: "it exits with code 3", "SIGSEGV; ..."."""
    left = re.match(r"exit code (\d+)", how)
    return f"it ends the process (exit code {left[1]})" if left else how
