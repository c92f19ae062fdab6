"""The matrix, variant by framework: the text of each square, independent of how it is drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from lossvet.conformance.summary import CLASSES, CellSummary, Kind
from lossvet.reference.dtypes import NARROW
from lossvet.reports.accuracy import words

Tone = Literal["good", "known", "bad", "none"]


@dataclass(frozen=True)
class Square:
    text: str
    tone: Tone


WIDE_TITLE, NARROW_TITLE = "32 and 64 bits", f"16 bits: {' and '.join(NARROW)}"
NARROW_SAYS = (
    "16 bits speak of numerics, and float32 of meaning: the bound of bfloat16 is an eighth of the logits, and passes "
    "many a wrong denominator. Their cases are small, and their results in range."
)


def by_bits(cells: Iterable[CellSummary]) -> dict[str, list[CellSummary]]:
    """The cells under a title for their dtypes; a title without cells is not there."""
    found: dict[str, list[CellSummary]] = {WIDE_TITLE: [], NARROW_TITLE: []}
    for cell in cells:
        found[NARROW_TITLE if cell.cell.dtype in NARROW else WIDE_TITLE].append(cell)
    return {title: own for title, own in found.items() if own}


def matrix(cells: Iterable[CellSummary], frameworks: Iterable[str]) -> dict[str, dict[str, Square]]:
    """By variant and framework. A framework that was not there has a square too: it says "not run"."""
    by_square: dict[tuple[str, str], list[CellSummary]] = {}
    for cell in cells:
        by_square.setdefault((cell.cell.variant, cell.cell.framework), []).append(cell)
    names = sorted({variant for variant, _ in by_square})
    chosen = list(frameworks)
    return {name: {f: square(by_square.get((name, f), [])) for f in chosen} for name in names}


def square(cells: list[CellSummary]) -> Square:
    """Accuracy, error, and how many known deviations: "relative 3.6 ulp", "shift-inv. 19 ulp, 2 known", "FAILS".

    One failing check is not outweighed by any number of others.
    """
    counts: Counter[Kind] = sum((cell.counts for cell in cells), Counter[Kind]())
    if counts["differs"] or counts["errored"]:
        return Square("FAILS", "bad")
    part = "part " if any(cell.not_run for cell in cells) and counts else ""
    known = {name for cell in cells for name in cell.deviations}
    worst = max((cell.accuracy for cell in cells if cell.accuracy), key=CLASSES.index, default=None)
    ulps = [cell.ulp_loss for cell in cells if cell.ulp_loss is not None]
    said = [words(worst, max(ulps, default=None))] if worst else []
    said += [f"{len(known)} known"] if known else []
    if not said:
        return Square("absent" if counts["absent"] else "not run", "none")
    return Square(part + ", ".join(said), "none" if part else "known" if known else "good")
