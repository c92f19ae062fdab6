"""The reductions: how the losses of a batch become one number, and what each divides their sum by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Reduction = Literal["none", "sum", "mean", "weighted_mean", "nonzero_mean"]


@dataclass(frozen=True)
class Reducing:
    """What the sum of the losses is divided by, as it follows "over"; empty where the losses are not divided.

    `by_weights`: it is made of sample weights, so that only a variant that has them has this reduction.
    """

    over: str = ""
    by_weights: bool = False


REDUCTIONS: Mapping[Reduction, Reducing] = {
    "none": Reducing(),
    "sum": Reducing(),
    "mean": Reducing("the number of losses that count"),
    "weighted_mean": Reducing("the sum of the weights", by_weights=True),
    "nonzero_mean": Reducing("the number of weights that are not 0", by_weights=True),
}
"""Rows count that are not ignored, and all elements of a binary loss."""
DIVISORS: Mapping[Reduction, str] = {name: how.over for name, how in REDUCTIONS.items() if how.over}
"""What a mean divides by, in words."""
