"""The variants: one file each, listed from the folder and nowhere else."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from lossvet.reference.types import Variant


def names() -> tuple[str, ...]:
    """The variants' names, in alphabetical order: the stems of the files beside this one."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


@cache
def load(name: str) -> Variant:
    """The variant called `name`. Raises KeyError, with the names there are, where there is none."""
    if name not in names():
        raise KeyError(f"there is no variant called {name!r}; there are: {', '.join(names())}")
    variant: Variant = importlib.import_module(f"{__name__}.{name}").VARIANT
    return variant
