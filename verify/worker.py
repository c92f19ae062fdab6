"""The worker of one side of verify: it loads a user loss, binds it, and runs it on the inputs of each question."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import ModuleType
from typing import Any

from lossvet import adapters
from lossvet.adapters import global_state
from lossvet.adapters.protocol import Primitives
from lossvet.verify import loading, loss, recipes
from lossvet.verify.manners import Forks, Late, confine, limited
from lossvet.verify.messages import (
    Answered,
    Ask,
    Bind,
    Found,
    Load,
    Loaded,
    Refused,
    Reply,
    Request,
    Way,
    answered,
    question,
)
from lossvet.verify.probing import Bound
from lossvet.verify.questions import Answer
from lossvet.verify.sources import FileSource, ModuleSource, RecipeSource, SourceError, parse
from lossvet.workers import machine, messages
from lossvet.workers.messages import Greeting
from lossvet.workers.serve import Service


class Side:
    """The loss of this worker."""

    def __init__(self, primitives: Primitives) -> None:
        self.primitives = primitives
        self.forks = Forks()
        self.function: Callable[..., Any] | None = None
        self.name = ""
        self.bound: tuple[Bound, ...] = ()

    def answers(self, request: Request) -> Iterator[Reply]:
        """One reply to Load and Bind, one for each question to Ask."""
        match request:
            case Load():
                yield self._load(request)
            case Bind():
                yield self._bind(request)
            case Ask(which, questions, limit):
                for one in questions:
                    yield self._ask(which, one, limit)

    def _load(self, request: Load) -> Loaded | Refused:
        own, source = os.getpid(), parse(request.spec)
        assert isinstance(source, FileSource | ModuleSource | RecipeSource), "others need no worker"
        before = global_state.snapshot()
        confine(request.memory)
        try:
            self.function = (
                recipes.function(source) if isinstance(source, RecipeSource) else loading.load(source, request.folder)
            )
        except SourceError as error:
            return Refused(error.kind, error.sentence)
        finally:
            if os.getpid() != own:
                os._exit(0)
        self.name = source.name
        changed = global_state.changes(before, global_state.snapshot())
        notes = [f"importing it changes {_listed(changed)}"] if changed else []
        notes += ["importing it forks a process"] if self.forks.count else []
        return Loaded(tuple(notes), _file(source))

    def _bind(self, request: Bind) -> Found | Refused:
        assert self.function is not None, "it is loaded first"
        before, forks = global_state.snapshot(), self.forks.count
        guard = partial(limited, request.limit)
        try:
            probed = loss.subjects(self.primitives, self.function, request.options, self.name, guard)
        except SourceError as error:
            return Refused(error.kind, error.sentence)
        except Late:
            sentence = f"{self.name} did not return within {request.limit:g} s when it was called on a few rows"
            return Refused("hang", sentence)
        self.bound = probed.bound
        changed = global_state.changes(before, global_state.snapshot())
        notes = [*probed.notes, *([f"calling it changes {_listed(changed)}"] if changed else [])]
        notes += ["calling it forks a process"] if self.forks.count > forks else []
        ways = tuple(Way(b.binding, b.idle, b.partly) for b in self.bound)
        return Found(ways, tuple(notes), any(mode.second_order for mode in self.primitives.modes))

    def _ask(self, which: int, asked: Any, limit: float) -> Answered:
        subject = self.bound[which].subject
        subject.guard = partial(limited, limit)
        try:
            (answer,) = subject.ask([question(asked)])
        except Late as late:
            return answered(Answer(error=f"Late: {late}"), late=True)
        return answered(answer)


def _file(source: object) -> str:
    """Where the module that was loaded lies; empty for what is no module."""
    if isinstance(source, FileSource):
        return source.path
    module = sys.modules.get(source.module) if isinstance(source, ModuleSource) else None
    return str(getattr(module, "__file__", None) or "")


def _listed(changes: list[str]) -> str:
    return ", ".join(changes[:4]) + (f" and {len(changes) - 4} more" if len(changes) > 4 else "")


def version(primitives: Primitives) -> str:
    """That of the module over which the primitives are."""
    modules = [value for value in vars(primitives).values() if isinstance(value, ModuleType)]
    found = modules[0] if modules else sys.modules[primitives.name]
    return str(found.__version__)


def opened(name: str) -> tuple[Greeting, Callable[[Request], Iterable[Reply]]]:
    """Import the framework, and nothing of the loss yet."""
    primitives = adapters.primitives(name, isolated=True)
    side = Side(primitives)
    return messages.bare(primitives.name, version(primitives), machine.python()), side.answers


def refused(reply: Reply, reason: str) -> Reply:
    """For an answer that is too large to be sent."""
    return answered(Answer(error=f"OversizedFrame: {reason}"))


SERVICE: Service[Request, Reply] = Service(Request, Reply, opened, refused)
