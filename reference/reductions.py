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
    note: str = ""


REDUCTIONS: Mapping[Reduction, Reducing] = {
    "none": Reducing(
        note="The losses, not reduced. Its gradient is that of sum(cotangent * loss), the cotangent stored in the case."
    ),
    "sum": Reducing(note="The sum of the losses."),
    "mean": Reducing("the number of losses that count", note="Kept rows count, and all elements of a binary loss."),
    "weighted_mean": Reducing("the sum of the weights", by_weights=True),
    "nonzero_mean": Reducing("the number of weights that are not 0", by_weights=True),
}
