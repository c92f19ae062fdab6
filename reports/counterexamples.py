"""A counterexample as a small table: the input by row and class, and the results of both losses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lossvet.reports.pages import columns
from lossvet.verify.answer import Counterexample
from lossvet.verify.hexes import shape

MOST_ROWS, MOST_CLASSES = 8, 12
DIGITS = (9, 6, 4)
"""As many as the width allows."""

_BY_ROW = ("sample_weight", "mask")


def table(found: Counterexample, width: int) -> list[str]:
    """The input, an empty line, both results; as wide as `width` as far as digits and classes can be dropped."""
    size = shape(found.inputs.get("logits"))
    if len(size) != 2:
        return [*_listed(found), "", *_results(found, width, None)]
    classes = min(size[1], MOST_CLASSES)
    for shown in range(classes, 0, -1):
        for digits in DIGITS if shown == classes else DIGITS[-1:]:
            lines = [*columns(_input(found, size, shown, digits)), *_scalars(found)]
            left = [*_left_out(size, shown)]
            lines = [*lines, *left, "", *_results(found, width, (size, shown, digits))]
            if max(map(len, lines)) <= width:
                return lines
    return lines


def _input(found: Counterexample, size: tuple[int, ...], shown: int, digits: int) -> Iterator[list[str]]:
    inputs: dict[str, Any] = dict(found.inputs)
    rows = min(size[0], MOST_ROWS)
    labels = inputs.get("labels")
    beside = {role: inputs[role] for role in _BY_ROW if shape(inputs.get(role)) == size[:1]}
    if shape(labels) == size[:1]:
        beside = {"label": labels, **beside}
    yield ["", *(f"class {c}" for c in range(shown)), *beside]
    for n in range(rows):
        name = "logits" if n == 0 and size[0] == 1 else f"logits {n}"
        yield [name, *_cells(inputs["logits"][n][:shown], digits), *_cells([v[n] for v in beside.values()], digits)]
    if shape(labels) == size and labels is not None:
        yield from (
            [f"labels {n}" if size[0] > 1 else "labels", *_cells(labels[n][:shown], digits)] for n in range(rows)
        )
    for role, value in inputs.items():
        if role not in ("logits", "labels", "binary_weights", *beside) and shape(value) == (size[1],):
            yield [role, *_cells(value[:shown], digits)]
        elif role == "cost_matrix" and len(shape(value)) == 2:
            yield from ([f"cost, true {k}", *_cells(row[:shown], digits)] for k, row in enumerate(value[:shown]))


def _scalars(found: Counterexample) -> list[str]:
    """What belongs to no row and no class."""
    said = []
    for role, value in found.inputs.items():
        if shape(value) == ():
            said.append(f"{role} = {number(value)}")
        elif role == "binary_weights" and isinstance(value, list):
            said.append(f"weight of label 0 = {number(value[0])}, of label 1 = {number(value[1])}")
    return [", ".join(said)] if said else []


def _left_out(size: tuple[int, ...], shown: int) -> list[str]:
    rows, classes = size[0] - MOST_ROWS, size[1] - shown
    more = [f"{rows:,} more rows"] if rows > 0 else []
    more += [f"{classes:,} more classes"] if classes > 0 else []
    return [f"({' and '.join(more)}: --format json lists all)"] if more else []


def _results(found: Counterexample, width: int, grid: tuple[tuple[int, ...], int, int] | None) -> list[str]:
    name = output(found.output)
    sides = (("old", found.source, found.source_error), ("new", found.target, found.target_error))
    shapes = {shape(value) for _, value, error in sides if value is not None and not error}
    if grid is not None and shapes == {grid[0]}:  # a number for each row and class
        size, shown, digits = grid
        rows: list[list[str]] = [[name, *(f"class {c}" for c in range(shown))]]
        for side, value, error in sides:
            if error or not isinstance(value, list):
                rows.append([f"  {_failure(side, error)}"])
                continue
            rows += [[f"  {side} {n}", *_cells(_row(value, n)[:shown], digits)] for n in range(min(size[0], MOST_ROWS))]
        return columns(rows)
    if grid is not None and shapes == {grid[0][:1]}:  # a number for each row
        rows = [[name, *(f"row {n}" for n in range(min(grid[0][0], MOST_ROWS)))]]
        for side, value, error in sides:
            cells = _cells(value[:MOST_ROWS], grid[2]) if isinstance(value, list) else [_failure(side, error)]
            rows.append([f"  {side}", *cells])
        return columns(rows)
    made = [_result(value, error, width - len(name) - 7) for _, value, error in sides]
    widest = max((len(row[0]) for row in made if len(row) > 1), default=0)
    return [
        f"{name if i == 0 else '':<{len(name)}}  {side}  {'  '.join([row[0].ljust(widest), *row[1:]]).rstrip()}"
        for i, ((side, _, _), row) in enumerate(zip(sides, made, strict=True))
    ]


def _result(value: Any, error: str, room: int) -> list[str]:
    """A number in decimal and in hex; or some words."""
    if error or value is None:
        words = " ".join(f"raises {error}".split()) if error else "has none"
        return [words if len(words) <= room else f"{words[: max(20, room) - 3]}..."]
    if isinstance(value, list):
        flat = list(_flat(value))
        more = " ..." if len(flat) > MOST_ROWS else ""
        dimensions = "".join(f"[{n}]" for n in shape(value))
        return [f"{dimensions} {' '.join(number(v) for v in flat[:MOST_ROWS])}{more}"]
    return [number(value), float(value).hex()]


def _row(value: list[Any], n: int) -> list[Any]:
    found: list[Any] = value[n]
    return found


def _failure(side: str, error: str) -> str:
    return f"{side} raises {error.split(':')[0]}" if error else f"{side} has none"


def _listed(found: Counterexample) -> list[str]:
    """An input that is no grid: an empty batch, or logits of another rank."""
    lines = []
    for role, value in found.inputs.items():
        flat = list(_flat(value))
        shown = " ".join(number(v) for v in flat[:MOST_ROWS]) + (" ..." if len(flat) > MOST_ROWS else "")
        lines.append([role, "".join(f"[{n}]" for n in shape(value)), shown or "empty"])
    return columns(lines, left=3)


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for part in value:
            yield from _flat(part)
    else:
        yield value


def _cells(values: Any, digits: int) -> list[str]:
    return [number(v, digits) for v in values]


def number(value: Any, digits: int = 9) -> str:
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def output(name: str) -> str:
    """ "loss", "gradient in logits"."""
    kind, _, leaf = name.partition("/")
    return f"{kind} in {leaf}" if leaf else kind
