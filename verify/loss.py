"""From a function and the options about it to the ways in which it can be called."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lossvet.adapters.protocol import Primitives, mode_of
from lossvet.verify import plans, probing, signatures
from lossvet.verify.binding import Options, Plan
from lossvet.verify.init_text import parse_init
from lossvet.verify.named_labels import named_labels
from lossvet.verify.probing import Probed
from lossvet.verify.sources import SourceError
from lossvet.verify.subject import Subject

Guard = Callable[[], contextlib.AbstractContextManager[Any]]
Choose = Callable[[list[Plan]], list[Plan]]
ENOUGH, ENOUGH_COMPILED = 3, 1
"""How many good bindings are looked for: each costs a compilation where the mode compiles."""


def subjects(
    primitives: Primitives,
    function: Callable[..., Any],
    options: Options | None = None,
    name: str = "",
    guard: Guard = contextlib.nullcontext,
    choose: Choose = list,
) -> Probed:
    """The bindings of a loss that can be called, the best first: `bound[0].subject` answers questions.

    `choose` takes, of the plausible bindings, those that are to be tried, in an order of its own.

    Raises SourceError: "binding" where it cannot be bound or none of its bindings can be called, "init" for what
    `options.init` cannot be, "exit" and "memory" where that is what a call does.
    """
    options = options or Options()
    name = name or getattr(function, "__name__", type(function).__name__)
    shape = signatures.of_callable(function, name) or _of_maker(primitives, function, name, options, guard)

    def made(plan: Plan) -> Subject:
        return Subject(primitives, function, plan, options.mode, guard=guard)

    compiles = mode_of(primitives, made(Plan(name, (), "sparse")).mode).compiles
    strange = named_labels(function, parse_init(options.init))
    chosen = [replace(plan, strange_labels=strange) for plan in choose(plans.plans(shape, options))]
    probed = probing.probe(chosen, made, ENOUGH_COMPILED if compiles else ENOUGH, compiles)
    if probed.bound:
        return replace(probed, notes=(*probed.notes, *probing.square(probed.bound[0], made)))
    kind, _, words = probed.error.partition(": ")
    if kind == "SystemExit":
        raise SourceError("exit", f"calling {name} exits the interpreter ({words})")
    if kind == "MemoryError":
        raise SourceError("memory", f"calling {name} on a few rows needs more memory than it is allowed: {words}")
    if probed.error == probing.GIVES_NAN:
        raise SourceError("nan", f"{name} gives NaN for every input: there is nothing to judge")
    raise plans.unbound(shape, f"every call that its parameter names allow failed; the first raised {probed.error}")


def _of_maker(
    primitives: Primitives, function: Callable[..., Any], name: str, options: Options, guard: Guard
) -> signatures.Shape:
    """The shape of a function that makes a loss, by seeing what it makes."""
    making = signatures.Shape(name, (), signatures.makers(function))
    for plan in plans.making(making, options):
        subject = Subject(primitives, function, plan, guard=guard)
        made = subject.made(probing.sample(plan, 5, options.classes or 3))
        if callable(made) and not inspect.isclass(made):
            return signatures.of_made(function, name, made)
    raise plans.unbound(making)
