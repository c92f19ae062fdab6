"""From designs to cases: a design is a row of a table, in text, and becomes a case of every variant that it fits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from itertools import cycle, islice
from typing import Any

import numpy as np

from lossvet.reference.cases.draw import draw
from lossvet.reference.types import Array, Case, Family, Undefined

SETTINGS = {"label_smoothing": 0.125, "ignore_index": -100}
"""Params that are no arrays, with the values that compiled modes are built for."""

WEIGHTS = {
    "class_weight": (0.5, 3.0, 1.25, 6.0, 0.125, 2.0, 0.75),
    "pos_weight": (3.0, 0.5, 1.25, 8.0, 0.25, 1.75, 5.0),
    "cost_matrix": (0.125, 4.0, 1.0, 16.0, 0.25, 2.5, 0.5, 9.0, 0.75, 3.0, 6.0),
}
"""Unequal everywhere, and for every C neither their sum nor their mean is 1."""

COTANGENT = (1.0, -0.5, 2.0, 0.75, -1.25, 1.5, 0.25, -3.0, 0.625, -1.75, 1.125)
DIRECTION = (1.0, -2.0, 0.5, 0.75, 3.0, -1.25, -0.25, 1.5, -0.625, 2.5, -1.0, 0.125, 1.75)


@dataclass(frozen=True, eq=False)
class Design:
    """One input in words: rows of numbers, separated by semicolons; names of hazards, separated by spaces.

    It makes a case of every variant whose params have all that is `given`; not of those it `skip`s, and of none but
    those in `only`, where it names any. Params that are not given are unequal, and random where `bits` is more than 8;
    the direction, where it is not given, is unequal too.
    """

    name: str
    logits: str | Array
    labels: str | Array
    hazards: str = ""
    note: str = ""
    given: Mapping[str, str | float] = field(default_factory=dict)
    bits: int = 8
    undefined: Undefined = ""
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    direction: str = ""

    def fits(self, variant: str, params: type) -> bool:
        """Whether the variant, with its type of params, has a case of this design."""
        named = not self.only or variant in self.only
        return named and variant not in self.skip and {f.name for f in fields(params)} >= set(self.given)


def build(variant: str, family: Family, params: type, designs: Iterable[Design]) -> tuple[Case, ...]:
    """The variant's cases: one of each design that fits, in the order of the table."""
    return tuple(_case(variant, family, params, design) for design in designs if design.fits(variant, params))


def grid(text: str) -> Array:
    """A matrix from text: "1 0.5*2; -inf -2^-20*2" is [[1, 0.5, 0.5], [-inf, -(2 ** -20), -(2 ** -20)]]."""
    return np.array([[number for word in row.split() for number in _numbers(word)] for row in text.split(";")])


def one_hot(labels: str, classes: int) -> Array:
    """Dense labels [N, C] from the classes of the rows, in text."""
    rows: Array = np.eye(classes)[[int(label) for label in labels.split()]]
    return rows


def weights(name: str, classes: int) -> Array:
    """The weights called `name` of so many classes: [C], and [C, C] for a cost matrix."""
    shape = (classes, classes) if name == "cost_matrix" else (classes,)
    return _cycled(WEIGHTS[name], shape)


def _case(variant: str, family: Family, params: type, design: Design) -> Case:
    name = f"{variant}/{design.name}"
    logits = grid(design.logits) if isinstance(design.logits, str) else design.logits
    n, classes = logits.shape
    loss_shape = (n, classes) if family == "binary" else (n,)
    exact = design.bits == 8
    return Case(
        id=name,
        bits=design.bits,
        logits=logits,
        labels=_labels(family, design.labels),
        params=params(**{f.name: _param(name, f.name, design, classes) for f in fields(params)}),
        cotangent=_cycled(COTANGENT, loss_shape) if exact else draw(f"{name}/cotangent", loss_shape, design.bits),
        direction=grid(design.direction) if design.direction else _cycled(DIRECTION, logits.shape),
        hazards=tuple(design.hazards.split()),
        undefined=design.undefined,
        note=design.note,
    )


def _numbers(word: str) -> list[float]:
    number, _, times = word.partition("*")
    return [_number(number)] * int(times or 1)


def _number(word: str) -> float:
    sign, power, exponent = word.partition("2^")
    return float(f"{sign}1") * 2.0 ** int(exponent) if power else float(word)


def _labels(family: Family, labels: str | Array) -> Any:
    if not isinstance(labels, str):
        return labels
    return np.array(labels.split(), dtype=np.int64) if family == "sparse" else grid(labels)


def _param(case: str, name: str, design: Design, classes: int) -> Any:
    """One param: as given, else the setting that compiled modes have, else weights."""
    value = design.given.get(name, SETTINGS.get(name))
    if name in SETTINGS:
        return value
    if isinstance(value, str):
        matrix = grid(value)
        return matrix if name == "cost_matrix" else matrix[0]
    if value is not None:
        return np.array(value)
    if name == "sample_weight":
        return None
    default = weights(name, classes)
    return default if design.bits == 8 else draw(f"{case}/{name}", default.shape, design.bits, signed=False)


def _cycled(values: tuple[float, ...], shape: tuple[int, ...]) -> Array:
    """An array of this shape with the values in order, again and again."""
    return np.array(list(islice(cycle(values), int(np.prod(shape)))), dtype=np.float64).reshape(shape)
