"""The framework of a function, inferred from its module, annotations and code, among those already imported."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from lossvet import adapters
from lossvet.adapters.presence import Presence, package
from lossvet.testing.reached import reached
from lossvet.verify.sources import frameworks

OWN_PROCESS = (
    "`lossvet verify` gives each side a process of its own; for a test, store what it means with `lossvet identify "
    "LOSS --write NAME.contract.toml`, and use assert_contract on the loss that replaces it"
)


def present() -> dict[str, Presence]:
    """The frameworks whose losses can be called in a process of others, NumPy last; imported or not."""
    found = {
        name: adapters.presence_of(name) for name in sorted(frameworks(), key=lambda name: (name == "numpy", name))
    }
    return {name: presence for name, presence in found.items() if not presence.alone}


def candidates(function: Callable[..., Any], stated: str = "") -> tuple[str, ...]:
    """The frameworks that the function may be of, the likeliest first; `stated`, or one alone where nothing else fits.

    Raises ValueError for a framework that there is not, for one that needs a process of its own, and where none of
    those that the function names can call it here.
    """
    if stated:
        _usable(stated)
        return (stated,)
    imported = [name for name, presence in present().items() if presence.imported is not None]
    named = [name for name in dict.fromkeys(_evidence(function)) if name in imported]
    refused = {name: why for name in named if (why := refusal(function, name))}
    if refused and refused.keys() == set(named):
        raise ValueError(next(iter(refused.values())))
    strong = [name for name in named if name != "numpy"]
    if len(strong) == 1:
        return (strong[0],)
    return tuple(dict.fromkeys((*named, *imported)))


def refusal(function: Callable[..., Any], framework: str, raised: str = "") -> str:
    """Why this process cannot call the function in a framework that is imported, or "".

    `raised` is what the function raised, if it did.
    """
    presence = adapters.presence_of(framework)
    if presence.imported is None:
        return ""
    why = presence.refusal((function, type(function), *reached(function, (*_by_package(), "builtins"))), raised)
    name = getattr(function, "__name__", type(function).__name__)
    return f"{name} {why}: {OWN_PROCESS}" if why else ""


def _usable(stated: str) -> None:
    """Raises ValueError for a framework that there is not, or whose losses need a process of their own."""
    known = present()
    if stated in known:
        return
    if stated in frameworks():
        raise ValueError(f"{adapters.presence_of(stated).alone}: {OWN_PROCESS}")
    raise ValueError(f"no such framework: {stated!r}; the frameworks are: {', '.join(sorted(known))}")


def _evidence(function: Callable[..., Any]) -> Iterator[str]:
    """The frameworks that it names, the surest first: where it is defined, annotations, what its code names."""
    packages, aliases = _by_package(), {alias: name for name, p in present().items() for alias in p.aliases}
    for thing in (function, *getattr(type(function), "__mro__", ())):
        yield from packages.get(package(thing), ())
    for annotation in _annotations(function):
        if not isinstance(annotation, str):
            yield from packages.get(package(annotation), ())
            continue
        root = annotation.partition(".")[0]
        yield from packages.get(root, (aliases[root],) if root in aliases else ())
    for thing in reached(function, (*packages, "builtins")):
        yield from packages.get(package(thing), ())


def _by_package() -> dict[str, tuple[str, ...]]:
    """By top-level package, the frameworks that functions of it may compute with."""
    found: dict[str, tuple[str, ...]] = {}
    for name, presence in present().items():
        for of in presence.packages:
            found[of] = (*found.get(of, ()), name)
    return found


def _annotations(function: Callable[..., Any]) -> Iterable[Any]:
    try:
        return [p.annotation for p in inspect.signature(function).parameters.values()]
    except (TypeError, ValueError):
        return []
