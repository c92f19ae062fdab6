"""Variants that are taken for one another: what each one is, in a line, and a row on which they differ."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lossvet.reference import evaluate, variants

X = [2.0, 0.0, -1.0]
W = {"class_weight": [0.5, 2.0, 4.0]}
SMOOTHED = {**W, "label_smoothing": 0.125}
COSTS = {"cost_matrix": [[0.0, 1.0, 4.0], [2.0, 0.0, 1.0], [8.0, 1.0, 0.0]]}


@dataclass(frozen=True)
class Row:
    """One row, with an integer label where the variant takes integers and this dense one elsewhere."""

    label: int
    dense: tuple[float, ...]
    words: str


@dataclass(frozen=True)
class Apart:
    """`lines` are the variants with what each is; on `rows` they are evaluated."""

    lines: Mapping[str, str]
    params: Mapping[str, Any]
    rows: tuple[Row, ...]


GROUPS = (
    Apart(
        {
            "class_weight": "labels [N, C]; a row's loss is multiplied by one number, w . t",
            "class_weight_terms": "labels [N, C]; each class's term of the loss has its own weight",
            "sparse_class_weight": "labels [N] of integers; a row's loss is multiplied by w[y]",
        },
        W,
        (
            Row(0, (0.5, 0.5, 0.0), "the label [0.5, 0.5, 0]"),
            Row(0, (1.0, 0.0, 0.0), "the label [1, 0, 0], or the integer 0"),
        ),
    ),
    Apart(
        {
            "smooth_after": "the weight is that of the true class, the loss that of the smoothed label",
            "smooth_sample": "the weight is averaged over the smoothed label too",
            "smooth_terms": "each class's term of the smoothed label has its own weight",
        },
        SMOOTHED,
        (Row(0, (), "the label 0, smoothed by 0.125"),),
    ),
    Apart(
        {
            "cost_realized": "the cost of what was predicted, M[y, argmax x], multiplies the loss",
            "cost_expected": "the cost expected under the softmax, sum_j p_j M[y, j]; no logarithm",
            "cost_complement": "each wrong class's -log(1 - p_j), multiplied by its cost",
        },
        COSTS,
        (Row(1, (), "the label 1"),),
    ),
    Apart(
        {
            "pos_weight": "the weight of positives is given",
            "dynamic_pos_weight": "the weight of positives is rows over positives, counted in the batch",
        },
        {"pos_weight": 3.0},
        (Row(0, (1.0, 0.0, 0.0), "the label [1, 0, 0] alone in its batch"),),
    ),
)


def groups(names: Iterable[str]) -> list[Apart]:
    """The variants that these are taken for."""
    given = set(names)
    return [own for own in GROUPS if given & own.lines.keys()]


def text(own: Apart, width: int) -> Iterator[str]:
    """Which of them is mine: a line for each, and a row on which they part."""
    wide = max(map(len, own.lines)) + 2
    for name, line in own.lines.items():
        yield from textwrap.wrap(f"{name:{wide}}{line}", width, subsequent_indent=" " * wide)
    given = ", ".join(f"{name} {value}" for name, value in own.params.items())
    yield ""
    yield from textwrap.wrap(f"of logits {X}, {given}:", width)
    for row in own.rows:
        values = ", ".join(f"{name} {_loss(name, own.params, row)}" for name in _taking(own, row))
        yield from textwrap.wrap(f"  {row.words}: {values}", width, subsequent_indent="    ")


def _taking(own: Apart, row: Row) -> list[str]:
    """Those that take the row: integers say nothing of a soft label."""
    hard = not row.dense or sorted(row.dense)[-1] == 1
    return [name for name in own.lines if hard or variants.load(name).family != "sparse"]


def _loss(name: str, params: Mapping[str, Any], row: Row) -> str:
    """Of the row alone; summed over its classes, where it has a loss of each."""
    found = variants.load(name)
    own = {key: value for key, value in params.items() if key in found.params.__annotations__}
    labels = [row.label] if found.family == "sparse" else [list(row.dense)]
    return f"{float(evaluate(name, [X], labels, reduction='sum', **own).loss):.4f}"
