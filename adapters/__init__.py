"""Who is asked: one file a framework, and only there is the framework imported.

A file `NAME_.py` here, or an entry point NAME of the group `lossvet.adapters` in another package, is the adapter NAME;
it has a function `adapter()` that imports the framework and returns an `Adapter`. It may have `primitives(isolated)`
too, which serves functions that are no recipes; `NAME_primitives.py` has only that where NAME is no adapter.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from importlib.metadata import entry_points
from importlib.util import find_spec

from lossvet.adapters.presence import Presence
from lossvet.adapters.protocol import Primitives
from lossvet.adapters.types import Adapter

GROUP = "lossvet.adapters"


def names() -> tuple[str, ...]:
    """Every adapter there is, whether or not its framework is installed: those of this folder, then those of others."""
    own = sorted(m.name.removesuffix("_") for m in pkgutil.iter_modules(__path__) if m.name.endswith("_"))
    others = sorted(point.name for point in entry_points(group=GROUP) if point.name not in own)
    return (*own, *others)


def load(name: str) -> Adapter:
    """Import the framework called `name` and return its adapter.

    Raises KeyError where there is no such adapter, ImportError where its framework is not installed.
    """
    if name not in names():
        raise KeyError(f"there is no adapter called {name!r}; there are: {', '.join(names())}")
    for point in entry_points(group=GROUP):
        if point.name == name:
            made: Adapter = point.load()()
            return made
    module = importlib.import_module(f"{__name__}.{name}_")
    own: Adapter = module.adapter()
    return own


def primitives(name: str, isolated: bool = False) -> Primitives:
    """The primitives of an adapter, or of NumPy: for any function of the framework's tensors, without recipes.

    Threads, flags, environment and JAX's float64 stay as they are, unless the process is said to be `isolated`: one of
    our own, set up as `load` does. "tensorflow_v1" switches the process to TF1 behaviour in either case, and raises
    RuntimeError where TensorFlow has already run an operation eagerly; so does "tensorflow" after such a switch.

    Raises KeyError where there is no such adapter or it has no primitives, ImportError where its framework is missing.
    """
    for place in _places(name):
        make = getattr(importlib.import_module(place), "primitives", None)
        if make is not None:
            made: Primitives = make(isolated)
            return made
    raise KeyError(
        f"there are no primitives called {name!r}; adapters: {', '.join(names())}, and numpy has them without one"
    )


@functools.cache
def presence_of(name: str) -> Presence:
    """How an adapter's framework, or NumPy, is recognised in a process of others. The framework is not imported."""
    for place in _places(name):
        found: Presence | None = getattr(importlib.import_module(place), "PRESENCE", None)
        if found is not None:
            return found
    return Presence(name, (name,))


def _places(name: str) -> list[str]:
    """The modules in which primitives of this name may be, in the order in which they are looked through."""
    if not name.isidentifier():
        return []
    own = [f"{__name__}.{name}_", f"{__name__}.{name}_primitives"]
    others = [point.module for point in entry_points(group=GROUP) if point.name == name]
    return [*(place for place in own if find_spec(place) is not None), *others]
