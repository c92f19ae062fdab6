"""Who is asked: one file a framework, and only there is the framework imported.

A file `NAME_.py` here, or an entry point NAME of the group `lossvet.adapters` in another package, is the adapter NAME;
it has a function `adapter()` that imports the framework and returns an `Adapter`.
"""

from __future__ import annotations

import importlib
import pkgutil
from importlib.metadata import entry_points

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
        raise KeyError(f"no adapter is called {name!r}; there are: {', '.join(names())}")
    for point in entry_points(group=GROUP):
        if point.name == name:
            made: Adapter = point.load()()
            return made
    module = importlib.import_module(f"{__name__}.{name}_")
    own: Adapter = module.adapter()
    return own
