"""The matrix, variant by framework: what the text of a square is, whatever it is then painted with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from lossvet.conformance.summary import CLASSES, CellSummary, Summary

Tone = Literal["good", "known", "bad", "none"]

LEGEND = (
    "ok: every error is within its bound. R, S, W: accuracy class of the worst output (R relative, S free of a common "
    "shift of the logits, W at the scale of the inputs). u: largest error in ulp among the losses of class R."
)


@dataclass(frozen=True)
class Square:
    text: str
    tone: Tone


def matrix(summary: Summary, frameworks: Iterable[str]) -> dict[str, dict[str, Square]]:
    """By variant and framework. A framework that was not there has a square too: it says "not run"."""
    by_square: dict[tuple[str, str], list[CellSummary]] = {}
    for cell in summary.cells:
        by_square.setdefault((cell.cell.variant, cell.cell.framework), []).append(cell)
    names = sorted({cell.cell.variant for cell in summary.cells})
    chosen = list(frameworks)
    return {name: {f: square(by_square.get((name, f), [])) for f in chosen} for name in names}


def square(cells: list[CellSummary]) -> Square:
    """Worst first: one difference is not outweighed by any number of agreements."""
    differs, errored, deviates, agrees, absent = (
        sum(cell.counts[kind] for cell in cells) for kind in ("differs", "errored", "deviates", "agrees", "absent")
    )
    if differs:
        return Square(f"{differs:,} differ{'s' if differs == 1 else ''}", "bad")
    if errored:
        return Square(f"{errored:,} error{'' if errored == 1 else 's'}", "bad")
    if deviates:
        return Square(f"{deviates:,} deviation{'' if deviates == 1 else 's'}", "known")
    if agrees:
        part = "part " if any(cell.not_run for cell in cells) else ""
        return Square(f"{part}ok {_accuracy(cells)}", "none" if part else "good")
    return Square("absent" if absent else "not run", "none")


def _accuracy(cells: list[CellSummary]) -> str:
    worst = max((cell.accuracy for cell in cells if cell.accuracy), key=CLASSES.index)
    ulp = max((cell.ulp_loss for cell in cells if cell.ulp_loss is not None), default=None)
    # Millions of ulp are a result that was flushed to zero, or lost what the bound allows: no measure of accuracy.
    return worst if ulp is None or ulp >= 1000 else f"{worst} {ulp:.1f}u"
