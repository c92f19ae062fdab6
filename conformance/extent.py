"""How far each level of a run goes in a mode: a policy over the cost of the mode.

Calls are nearly free; the cost is what a mode builds before the first call. So a mode that builds nothing runs every
case; a mode that does runs the cases of a few shapes, and fewer outputs the more they cost.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from lossvet.adapters.protocol import Cost
from lossvet.reference.dtypes import NARROW, WIDE
from lossvet.workers.messages import Hello, NativeSpec

Level = Literal["quick", "full"]
Reach = Literal["every", "own", "unreduced", "loss"]
"""Which outputs: every one; those of the reduction none, and of those that a native has itself; those of none alone,
unless a native has no such reduction; the unreduced loss, without a derivative."""

FLOAT32 = WIDE[:1]
SQUARE = (3, 3)
SHAPES = ((4, 3), SQUARE, (1, 3), (4, 1), (2, 7), (16, 5), (1, 50_000))
"""The shapes [N, C] of what is built for each; the first two stand for all where few are built."""

SLOW = 3.0
"""Seconds from which a function costs more than a quick run has for it."""
BRISK = 3e-5
"""Seconds for an operation up to which a quick run has time for both dtypes."""

SPELLED = ("common", "fast")
"""Recipes that users write out of operations."""


@dataclass(frozen=True)
class Extent:
    """How far a level goes in one mode."""

    dtypes: tuple[str, ...] = WIDE
    shapes: tuple[tuple[int, int], ...] = ()
    """Those whose cases are run; empty for all there are."""
    reach: Reach = "every"
    every_at: tuple[tuple[int, int], ...] = ()
    """Shapes at which every output is asked for all the same."""
    spelled: bool = True
    """Whether recipes that users write out are run."""
    compiled: bool = True
    """Whether recipes are run that are compiled wherever they are called from."""

    def runs(self, recipe: str, native: NativeSpec | None) -> bool:
        compiled = native is not None and native.compiles
        return (self.spelled or recipe not in SPELLED) and (self.compiled or not compiled)


def extents(level: Level, hello: Hello, named: Collection[str] = ()) -> Mapping[str, Extent | None]:
    """By mode of a framework; None for a mode that the level leaves out whole.

    16 bits are run where they are `named`, as far as the level goes in float32.
    """
    narrow = tuple(dtype for dtype in NARROW if dtype in named)

    def of(cost: Cost, every_at: tuple[tuple[int, int], ...]) -> Extent | None:
        found = {"quick": _quick, "full": _full}[level](cost, every_at)
        return replace(found, dtypes=(*found.dtypes, *narrow)) if found and narrow else found

    # Where every mode pays for shapes, none runs all cases: the first that compiles whole functions shows the
    # derivatives of every reduction, at one shape.
    whole = next((mode for mode, cost in hello.costs.items() if cost.compiles), None)
    shown = whole if all(cost.shapes for cost in hello.costs.values()) else None
    return {mode: of(cost, (SQUARE,) if mode == shown else ()) for mode, cost in hello.costs.items()}


def _quick(cost: Cost, every_at: tuple[tuple[int, int], ...]) -> Extent | None:
    if cost.function >= SLOW:
        return None
    if cost.compiles:
        return Extent(FLOAT32, SHAPES[:2], "unreduced", every_at, spelled=False, compiled=False)
    if cost.function:  # the kernels are those of an eager mode, in graphs that take time to build
        return Extent(FLOAT32, SHAPES[:2], "own", compiled=False)
    if cost.shapes:  # every operation of every derivative is compiled
        return Extent(FLOAT32, (SQUARE,), "loss", compiled=False)
    return Extent(WIDE if cost.operation <= BRISK else FLOAT32, compiled=False)


def _full(cost: Cost, every_at: tuple[tuple[int, int], ...]) -> Extent:
    if not cost.shapes:
        return Extent()
    if cost.function >= SLOW:
        return Extent(FLOAT32, SHAPES[:2], "own", every_at)
    return Extent(WIDE, SHAPES, "own", every_at)
