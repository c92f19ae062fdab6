"""The frameworks: one file each, and only there is the framework imported.

A file `NAME_.py` here, or an entry point NAME of the group `lossvet.adapters` in another package, is the adapter NAME;
it has a function `adapter()` that imports the framework and returns an `Adapter`. It may also have
`primitives(isolated)`, for functions that are not recipes; if NAME is not an adapter, `NAME_primitives.py` has only
that.
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
    """All adapters, whether or not their framework is installed: those of this folder, then those of other packages."""
    own = sorted(m.name.removesuffix("_") for m in pkgutil.iter_modules(__path__) if m.name.endswith("_"))
    others = sorted(point.name for point in entry_points(group=GROUP) if point.name not in own)
    return (*own, *others)


def load(name: str) -> Adapter:
    """Import the framework called `name` and return its adapter.

    Raises KeyError if there is no such adapter, ImportError if its framework is not installed.
    """
    if name not in names():
        raise KeyError(f"no such adapter: {name!r}; the adapters are: {', '.join(names())}")
    for point in entry_points(group=GROUP):
        if point.name == name:
            made: Adapter = point.load()()
            return made
    module = importlib.import_module(f"{__name__}.{name}_")
    own: Adapter = module.adapter()
    return own


def primitives(name: str, isolated: bool = False) -> Primitives:
    """The primitives of an adapter, or of NumPy: for any function of the framework's tensors, without recipes.

    Threads, flags, environment and JAX's float64 are not changed unless the process is `isolated`, that is lossvet's
    own and set up as `load` does. "tensorflow_v1" switches the process to TF1 behaviour in either case, and raises
    RuntimeError if TensorFlow has already run an operation eagerly; so does "tensorflow" after such a switch.

    Raises KeyError if there is no such adapter or it has no primitives, ImportError if its framework is missing.
    """
    for place in _places(name):
        make = getattr(importlib.import_module(place), "primitives", None)
        if make is not None:
            made: Primitives = make(isolated)
            return made
    raise KeyError(f"no such primitives: {name!r}; expected an adapter ({', '.join(names())}) or numpy")


@functools.cache
def presence_of(name: str) -> Presence:
    """How to recognise an adapter's framework, or NumPy, in a process of the user's. The framework is not imported."""
    for place in _places(name):
        found: Presence | None = getattr(importlib.import_module(place), "PRESENCE", None)
        if found is not None:
            return found
    return Presence(name, (name,))


def _places(name: str) -> list[str]:
    """The modules that may hold primitives of this name, in the order of the search."""
    if not name.isidentifier():
        return []
    own = [f"{__name__}.{name}_", f"{__name__}.{name}_primitives"]
    others = [point.module for point in entry_points(group=GROUP) if point.name == name]
    return [*(place for place in own if find_spec(place) is not None), *others]
