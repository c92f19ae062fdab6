"""Accuracy as it is written in a square of a table, wherever it stands."""

from __future__ import annotations

from lossvet.conformance.types import AccuracyClass

LEGEND = (
    "relative, shift-inv., absolute: the worst error is small compared to the result, to the spread of the logits, or "
    "to the logits themselves. ulp: the largest error of a loss, in units in the last place."
)
MOST_ULP = 1000.0
"""More is a result that was flushed to zero, or that lost its digits: no measure of accuracy."""


def words(accuracy: AccuracyClass, ulp: float | None = None) -> str:
    """Such as "relative 3.6 ulp", "shift-inv. 19 ulp", "absolute"."""
    name = accuracy.replace("invariant", "inv.")
    if ulp is None or ulp >= MOST_ULP:
        return name
    return f"{name} {ulp:.1f} ulp" if ulp < 9.95 else f"{name} {ulp:.0f} ulp"
