"""Finding a number that a departure has: where a residual changes its sign."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np

from lossvet.verify.contract import Contract
from lossvet.verify.matching import Asked
from lossvet.verify.pipeline import Undefined, evaluate
from lossvet.verify.space import Number

POINTS = 10
"""Between two neighbours of so many points, a residual is taken to change its sign once at most."""


def grid(number: Number) -> list[float]:
    spaced = np.geomspace if number.logarithmic else np.linspace
    return [float(v) for v in spaced(number.low, number.high, POINTS)]


def numbers(contract: Contract, number: Number, asked: Asked) -> Iterator[float]:
    """Values of the number for which the contract explains one result, or its sum where it has several elements."""
    got = asked.answer.value
    if got is None or not np.isfinite(got).all():
        return

    def residual(value: float) -> float:
        try:
            with np.errstate(all="ignore"):
                meant = evaluate(contract.with_({number.name: value}), asked.probe.question.inputs).value
        except Undefined:
            return np.nan
        return float(meant.sum() - got.sum())

    scale = abs(float(got.sum())) + 1e-3
    usual = [v for v in number.usual if abs(residual(v)) <= 1e-9 * scale]
    yield from usual
    if usual:
        return
    points = [(v, residual(v)) for v in grid(number)]
    for (low, before), (high, after) in pairwise(points):
        if np.isfinite(before) and np.isfinite(after) and before * after < 0:
            yield root(residual, low, high, before, after, 4e-16)


def root(
    function: Callable[[float], float], low: float, high: float, at_low: float, at_high: float, precision: float
) -> float:
    """Where the function is 0 between two ends at which its signs differ, by the Illinois method."""
    for _ in range(60):
        middle = (low * at_high - high * at_low) / (at_high - at_low)
        if middle in (low, high):
            break
        at_middle = function(middle)
        if not np.isfinite(at_middle) or at_middle == 0:
            return middle
        if at_middle * at_high < 0:
            low, at_low = high, at_high
        else:
            at_low /= 2
        moved = abs(high - middle)
        high, at_high = middle, at_middle
        if moved < precision * abs(high):
            break
    return high


def round_off(value: float) -> float:
    """A number that was solved for, as it was probably written: the nearest one of four digits where that is close."""
    near = float(f"{value:.3e}")
    return near if abs(near - value) <= 1e-6 * abs(value) else value
