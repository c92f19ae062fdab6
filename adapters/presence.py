"""How a framework is recognised in a user's process, and how lossvet avoids affecting its losses there.

Nothing here imports a framework: only what the user has already imported is inspected.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import ModuleType
from typing import Any


def _accepts(things: Sequence[Any], raised: str) -> str:
    return ""


def _leaves_alone(module: Any, stack: ExitStack) -> None:
    return None


@dataclass(frozen=True)
class Presence:
    """A constant PRESENCE of this type stands in an adapter's file, or in that of its primitives.

    Without one, a framework is the package that has the adapter's name.
    """

    module: str
    """The module that is in sys.modules where the framework has been imported."""
    packages: tuple[str, ...]
    """Top-level packages whose functions compute with it, its own among them."""
    aliases: tuple[str, ...] = ()
    """What annotations call it, as in `np.ndarray`."""
    extra: str = ""
    """The optional dependency of lossvet that installs it."""
    alone: str = ""
    """Why its losses need a process of their own; empty where any process that imported it will do."""
    refusal: Callable[[Sequence[Any], str], str] = _accepts
    """Why a loss cannot be called in this process, or "". It is given the loss and what its code names, and what the
    loss raised, if it did."""
    undisturbed: Callable[[Any, ExitStack], None] = _leaves_alone
    """Puts on the stack what restores the framework's random state, and lifts settings that raise or warn."""

    @property
    def imported(self) -> Any:
        """The module, or None where it has not been imported."""
        return sys.modules.get(self.module)


def package(thing: Any) -> str:
    """The top-level package that a module, class, function or object computes with; empty where it has none.

    That is its own, but for Keras: what it gives and takes are tensors of its backend.
    """
    name = thing.__name__ if isinstance(thing, ModuleType) else getattr(thing, "__module__", None)
    own = name.partition(".")[0] if isinstance(name, str) else ""
    keras = sys.modules.get("keras") if own == "keras" else None
    return own if keras is None else str(keras.backend.backend())
