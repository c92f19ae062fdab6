"""How far each level of a run goes: what is asked of which mode.

Compilation is the budget, calls are nearly free. So modes whose cost does not depend on shapes run every case; the
others run the cases of a few shapes, and leave out what the table below says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lossvet.conformance.types import Cell
from lossvet.workers.messages import Hello

Level = Literal["quick", "full"]

DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class Extent:
    """How far a level goes. A mode is named "framework/mode"; it compiles unless its adapter calls it eager.

    Modes that compile run a few shapes, and are asked for the unreduced loss, its gradients and the Hessian product.
    """

    eager: Mapping[str, tuple[str, ...]]
    """Dtypes of eager modes: by mode, by framework, or "*"."""
    dtypes: Mapping[str, tuple[str, ...]]
    """Dtypes of modes that compile, by the same names."""
    shapes: Mapping[str, tuple[tuple[int, int], ...]]
    """Shapes of modes that compile, and of those in `by_shape`: by mode, by framework, or "*"."""
    own_reductions: bool
    """Whether modes that compile are asked for the reductions that a native has itself."""
    by_shape: frozenset[str] = frozenset({"jax/eager"})
    """Eager modes that run these shapes only, since a new one costs a second all the same."""
    as_compiled: frozenset[str] = frozenset()
    """Eager modes that run no more than if they compiled, but for the reductions that natives have themselves."""
    reductions_at: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    """Shapes at which a mode that compiles is asked for every reduction and its gradients all the same."""
    losses_only: frozenset[str] = frozenset()
    """Modes that are asked for the unreduced losses alone."""
    without: frozenset[str] = frozenset()
    """Modes that are left out whole, and recipes in a mode, "framework/mode/recipe"."""

    def compiles(self, hello: Hello, cell: Cell) -> bool:
        """Whether the mode runs as those that compile do."""
        return cell.mode not in hello.eager or f"{cell.framework}/{cell.mode}" in self.as_compiled

    def dtypes_of(self, hello: Hello, cell: Cell) -> tuple[str, ...]:
        table = self.dtypes if self.compiles(hello, cell) else self.eager
        return next(table[key] for key in _keys(cell) if key in table)

    def shapes_of(self, cell: Cell) -> tuple[tuple[int, int], ...]:
        return next(self.shapes[key] for key in _keys(cell) if key in self.shapes)


def _keys(cell: Cell) -> tuple[str, str, str]:
    """What a table may hold of a cell's mode, the nearest first."""
    return f"{cell.framework}/{cell.mode}", cell.framework, "*"


EXTENTS: Mapping[Level, Extent] = {
    "quick": Extent(
        eager={"tensorflow": ("float32",), "tensorflow_v1": ("float32",), "*": DTYPES},
        shapes={"jax/eager": ((3, 3),), "*": ((4, 3), (3, 3))},
        dtypes={"*": ("float32",)},
        own_reductions=False,
        # One is slow to start, and the other has the kernels of eager TensorFlow in graphs that take time to build.
        as_compiled=frozenset({"jax/eager", "tensorflow/graph", "tensorflow_v1/session"}),
        losses_only=frozenset({"jax/eager"}),
        reductions_at={"jax/jit": ((3, 3),)},
        # What users spell by themselves is compiled in full runs: the fast ones of TensorFlow are, in every mode.
        without=frozenset(
            {
                "torch/compile",
                *(f"jax/jit/{recipe}" for recipe in ("seed", "fast")),
                *(f"tensorflow/xla/{recipe}" for recipe in ("seed", "fast")),
                *(f"tensorflow/{mode}/fast" for mode in ("eager", "graph")),
            }
        ),
    ),
    "full": Extent(
        eager={"*": DTYPES},
        # torch.compile takes two seconds a function, ten times what the others take.
        shapes={"torch/compile": ((4, 3), (3, 3)), "*": ((4, 3), (3, 3), (1, 3), (4, 1), (2, 7), (16, 5))},
        dtypes={"torch/compile": ("float32",), "*": DTYPES},
        own_reductions=True,
        as_compiled=frozenset({"jax/eager"}),
        reductions_at={"jax/jit": ((3, 3),)},
    ),
}
