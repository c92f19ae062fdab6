"""The work of a run that no worker has begun: by framework, in units that one worker does alone.

A unit is all that shares compiled code: the cases of a cell, or all cells of a mode that compiles operations one by
one. So no function is compiled by two workers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from lossvet.adapters.protocol import Cost
from lossvet.conformance.plan import Item
from lossvet.conformance.types import Cell

OPERATIONS = 300
"""How many operations a case takes with its gradients: an order of magnitude."""
WORTH = 2.0
"""A further worker is started where each would have so many times as much to do as a start takes."""


@dataclass(frozen=True)
class Question:
    """One case, as it is sent, with the outputs that are asked for."""

    case: str
    message: msgspec.Raw
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """Cases of one cell."""

    cell: Cell
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class Unit:
    """Tasks that one worker does, and the seconds they take by what their mode costs."""

    tasks: tuple[Task, ...]
    seconds: float


class Backlog:
    """Units of one framework, longest first. Several workers may take from it, each in a thread of its own."""

    def __init__(self, units: Iterable[Unit]) -> None:
        self._units = deque(sorted(units, key=lambda unit: -unit.seconds))

    def __iter__(self) -> Iterator[Task]:
        """The tasks of one unit after another, each unit taken from what is left."""
        while self._units:
            try:
                unit = self._units.popleft()
            except IndexError:  # another worker was faster
                return
            yield from unit.tasks

    @property
    def seconds(self) -> float:
        """What is left, by what modes cost."""
        return sum(unit.seconds for unit in tuple(self._units))

    def give_up(self) -> None:
        """Drop the units that no worker has begun."""
        self._units.clear()


def units(
    items: Iterable[Item],
    costs: Mapping[str, Cost],
    shape: Callable[[Item], tuple[int, ...]],
    message: Callable[[str, str], msgspec.Raw],
) -> list[Unit]:
    """The units of a framework's items. `costs` are by mode, `shape` is that of an item's logits, and `message` makes a
    case into what is sent, given its variant and its id."""
    together: dict[object, dict[Cell, list[Item]]] = {}
    for item in items:
        cell, cost = item.cell, costs[item.cell.mode]
        alone = cell if cost.function or not cost.shapes else (cell.mode, cell.dtype)
        together.setdefault(alone, {}).setdefault(cell, []).append(item)
    return [
        Unit(
            tuple(
                Task(cell, tuple(Question(i.case, message(cell.variant, i.case), i.outputs) for i in some))
                for cell, some in by_cell.items()
            ),
            sum(_seconds(costs[cell.mode], [shape(item) for item in some]) for cell, some in by_cell.items()),
        )
        for by_cell in together.values()
    ]


def _seconds(cost: Cost, shapes: list[tuple[int, ...]]) -> float:
    """What the cases of one cell take, by their shapes."""
    built = max(cost.function, cost.shapes * len(set(shapes)))
    return built + OPERATIONS * cost.operation * len(shapes)


def next_worker(
    backlogs: Mapping[str, Backlog], workers: Mapping[str, int], start: Callable[[str], float]
) -> str | None:
    """The framework that a further worker should go to: one that has none, or the one whose workers have most to do.

    None where there is nothing to do that is worth a start. `workers` are at work now, `start(framework)` is how many
    seconds a start takes.
    """
    shares = {name: backlog.seconds / max(workers.get(name, 0), 1) for name, backlog in backlogs.items()}
    worth = [name for name, share in shares.items() if share > (WORTH * start(name) if workers.get(name) else 0.0)]
    return max(worth, key=lambda name: (not workers.get(name), shares[name], name), default=None)
