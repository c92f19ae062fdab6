"""Packages that a framework imports for nothing, which takes a second: hidden while it is imported."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

OPTIONAL = ("jax", "matplotlib")
"""Keras imports them where they are installed, for checkpoints and plots, and does without where they are not."""


@contextmanager
def hidden(names: tuple[str, ...] = OPTIONAL) -> Iterator[None]:
    """Within it, the import of one of these that is not imported yet raises ModuleNotFoundError."""
    absent = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]  # None says that there is no such module
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]
