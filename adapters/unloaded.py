"""The losses of an adapter without its framework: their calls cannot be called, but their descriptions can be read."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from typing import Any

from lossvet import adapters
from lossvet.adapters.types import Native


class Unloaded:
    """Stands for a framework that is not imported: whatever is looked up in it, called, or derived is another of it."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Unloaded:
        if name.startswith("__"):  # what Python asks of everything
            raise AttributeError(name)
        return Unloaded()

    def __call__(self, *arguments: Any, **keywords: Any) -> Unloaded:
        return Unloaded()


@cache
def natives(framework: str) -> Mapping[str, Mapping[str, Native]] | None:
    """By variant and recipe, what `adapters.load(framework).native` has; None for an adapter of another package, and
    for one whose module has no function `natives(...)` of the modules that it uses."""
    place = f"{adapters.__name__}.{framework}_"
    make = getattr(importlib.import_module(place), "natives", None) if find_spec(place) is not None else None
    if make is None:
        return None
    found: Mapping[str, Mapping[str, Native]] = make(*(Unloaded() for _ in inspect.signature(make).parameters))
    return found
