"""The variants: one file each, found by listing the folder."""

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
    """The variant called `name`. Raises KeyError, listing the names, if there is none."""
    if name not in names():
        raise KeyError(f"no such variant: {name!r}; the variants are: {', '.join(names())}")
    variant: Variant = importlib.import_module(f"{__name__}.{name}").VARIANT
    return variant
