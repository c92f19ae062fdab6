"""A function of the caller's own process as a side of verify: named, bound, identified."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lossvet import adapters
from lossvet.adapters import global_state
from lossvet.adapters.protocol import Primitives
from lossvet.reference.types import Variant
from lossvet.testing import frameworks
from lossvet.verify import binding, fitting, loss, probing
from lossvet.verify.known import Known, of_loss
from lossvet.verify.options import bindings
from lossvet.verify.probing import Probed
from lossvet.verify.sides import Bound
from lossvet.verify.sources import SourceError

Function = Callable[..., Any]


@dataclass(frozen=True)
class Options:
    """What the caller says of one side; empty where nothing was said. `framework` is a name, "torch" and the like."""

    bind: Mapping[str, str] = field(default_factory=dict)
    init: str = ""
    mode: str = ""
    framework: str = ""
    labels: str = ""
    classes: int = 0

    def binding(self) -> binding.Options:
        """Raises ValueError, in the words of the command line, for a role that there is not and the like."""
        if self.labels not in ("", "dense", "sparse"):
            raise ValueError(f"labels={self.labels!r}: expected dense or sparse")
        bound = bindings([f"{role}={parameter}" for role, parameter in self.bind.items()], "--bind")
        return binding.Options(bound, self.labels, self.classes, self.init, self.mode)


@dataclass(frozen=True)
class Found:
    """The framework of a function, its primitives, and the ways of calling it."""

    function: Function
    name: str
    primitives: Primitives
    probed: Probed
    notes: tuple[str, ...]

    @property
    def spec(self) -> str:
        return spec(self.function, self.primitives.name)

    @property
    def version(self) -> str:
        return str(getattr(adapters.presence_of(self.primitives.name).imported, "__version__", ""))

    @property
    def differentiable(self) -> bool:
        return any(mode.second_order for mode in self.primitives.modes)

    def best(self, variant: Variant) -> probing.Bound:
        """Of the ways of calling it, the one in which logits and labels matter, and which takes most of a variant."""
        return min(self.probed.bound, key=lambda b: (_dead(b), -fitting.taken(b.subject.plan, variant)))


def found(function: Any, options: Options, choose: loss.Choose = list) -> Found:
    """Bind a function in the first framework that it can be called in; `choose` is handed to `loss.subjects`.

    Raises ValueError where it is nothing to ask here, SourceError where it cannot be called as a loss.
    """
    if not callable(function):
        what = f"{function!r} is a {type(function).__name__}"
        raise ValueError(f"{what}; expected a function, a class or a callable object")
    said, called = options.binding(), with_signature(function)
    name = name_of(function)
    refused: list[ValueError | SourceError] = []
    names = frameworks.candidates(function, options.framework)
    if not names:
        raise ValueError(f"no imported framework can call {name}; name one with framework=, which imports it")
    for framework in names:
        if why := frameworks.refusal(function, framework):
            refused.insert(0, ValueError(why))
            continue
        before = global_state.snapshot()
        try:
            primitives = adapters.primitives(framework)
            probed = loss.subjects(primitives, called, said, name, choose=choose)
        except RuntimeError as error:  # the process was switched to TF1 behaviour
            raise ValueError(f"{name}: {error}; {frameworks.OWN_PROCESS}") from None
        except SourceError as error:
            why = frameworks.refusal(function, framework, str(error))
            refused.append(ValueError(why) if why else error)
            continue
        changed = [c for c in global_state.changes(before, global_state.snapshot()) if not c.startswith("the env")]
        notes = (*probed.notes, *([f"calling it changes {', '.join(changed[:4])}"] if changed else []))
        return Found(function, name, primitives, probed, notes)
    raise next((error for error in refused if isinstance(error, ValueError)), refused[0])


def suited(function: Function, options: Options, variant: Variant) -> Found:
    """Bind a function so that it can be asked as a variant. Raises as `found` does."""
    try:
        return found(function, options, lambda plans: fitting.suited(plans, variant))
    except SourceError as refused:
        if refused.kind != "binding":
            raise
    raise fitting.unsuited(found(function, options).probed.bound[0].binding.call, variant)


def _dead(bound: probing.Bound) -> int:
    """How many of logits and labels have no influence."""
    return len({"logits", "labels"} & set(bound.idle))


def known(function: Function, options: Options) -> Known:
    """The function, identified. Raises as `found` does."""
    one = found(function, options)
    called = tuple((bound.subject, bound.binding) for bound in one.probed.bound)
    return of_loss(Bound(one.spec, one.primitives.name, one.version, one.differentiable, called, one.notes))


def with_signature(function: Function) -> Function:
    """The function, or for an object whose `__call__` takes anything, one with the signature of what that hands on to.

    A torch.nn.Module is called with *args and hands them on to its `forward`, which has the names.
    """
    if inspect.isclass(function) or inspect.isroutine(function) or isinstance(function, functools.partial):
        return function
    parameters = _parameters(function)
    if any(p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        return function
    for method in (getattr(function, name, None) for name in ("forward", "call")):
        if callable(method) and _parameters(method):
            return _Signed(function, inspect.signature(method))
    return function


class _Signed:
    """Something that is called, with the signature of another."""

    def __init__(self, function: Function, signature: inspect.Signature) -> None:
        self.function = function
        self.__signature__ = signature

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self.function(*arguments, **named)


def _parameters(function: Any) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def name_of(function: Function) -> str:
    """As a reader calls it: the function's own name, the class of an object, what a partial is of."""
    if isinstance(function, functools.partial):
        return name_of(function.func)
    name = getattr(function, "__name__", type(function).__name__)
    return name if name.isidentifier() else "loss"


def spec(function: Function, framework: str) -> str:
    """As the command line would name it: by file where that lies below the current directory, else by module."""
    target: Any = function
    while isinstance(target, functools.partial):
        target = target.func
    if not (inspect.isroutine(target) or inspect.isclass(target)):
        target = type(target) if getattr(target, "__wrapped__", None) is None else target.__wrapped__
    name = getattr(target, "__qualname__", name_of(function)).replace("<locals>.", "")
    module = getattr(target, "__module__", None) or "builtins"
    try:
        path = Path(inspect.getsourcefile(target) or "").resolve().relative_to(Path.cwd())
    except (TypeError, ValueError, OSError):
        return f"{framework}:{module}:{name}"
    installed = "site-packages" in path.parts or path.suffix != ".py"
    return f"{framework}:{module}:{name}" if installed else f"{framework}:{path.as_posix()}::{name}"
