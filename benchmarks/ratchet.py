"""The accuracy ratchet: the accuracy of each cell on the fixed cases is in a reviewed file, and must not become worse.

A line is "CELL CLASS ULP": the accuracy class of its worst output, and the largest error of its unreduced losses of
relative accuracy, in ulp ("-" where there is none). Lines hold for the platform in the heading above them, "[PROFILE]".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lossvet.conformance.summary import CLASSES, CellSummary
from lossvet.conformance.types import AccuracyClass

GROWN, ULP = 1.5, 1.0
"""An error has grown where it is more than half as large again, and by more than an ulp."""


class BaselineError(Exception):
    """A file of baselines that cannot be used. The message has file, line and what was expected."""


@dataclass(frozen=True)
class Reached:
    """What a cell reaches."""

    accuracy: AccuracyClass
    ulp: float | None

    def __str__(self) -> str:
        return f"{self.accuracy} {'-' if self.ulp is None else f'{self.ulp:.3g}'}"


@dataclass(frozen=True)
class Worse:
    """A cell that is not what its baseline says. `kind`: "worse", "gone" (no longer judged) or "new" (no baseline)."""

    cell: str
    kind: Literal["worse", "gone", "new"]
    words: str


def reached(cells: Iterable[CellSummary]) -> dict[str, Reached]:
    """By cell, of those that have a verdict on accuracy."""
    return {str(c.cell): Reached(c.accuracy, c.ulp_loss) for c in cells if c.accuracy is not None}


def compare(before: Mapping[str, Reached], now: Mapping[str, Reached]) -> list[Worse]:
    """Cells that became less accurate, are no longer judged, or have no baseline."""
    found = []
    for cell in sorted({*before, *now}):
        if cell not in now:
            found.append(Worse(cell, "gone", f"was {before[cell]}, but is no longer judged"))
        elif cell not in before:
            found.append(Worse(cell, "new", f"is {now[cell]}, but has no baseline; add the line: {cell} {now[cell]}"))
        elif words := _worse(before[cell], now[cell]):
            found.append(Worse(cell, "worse", f"{words}; to accept this, change its line to: {cell} {now[cell]}"))
    return found


def _worse(before: Reached, now: Reached) -> str:
    if CLASSES.index(now.accuracy) > CLASSES.index(before.accuracy):
        return f"its accuracy falls from {before.accuracy} to {now.accuracy}"
    if before.ulp is not None and now.ulp is None:
        return "none of its unreduced losses is of relative accuracy any more"
    if before.ulp is not None and now.ulp is not None and now.ulp > max(GROWN * before.ulp, before.ulp + ULP):
        return f"its largest error grows from {before.ulp:.3g} to {now.ulp:.3g} ulp"
    return ""


def write(found: Mapping[str, Reached], platform_profile: str) -> str:
    """The text of a file for one platform."""
    return "\n".join([f"[{platform_profile}]", *(f"{cell} {found[cell]}" for cell in sorted(found))]) + "\n"


def read(path: Path, platform_profile: str) -> dict[str, Reached]:
    """The baselines of this platform. Raises BaselineError, with all mistakes at once, and OSError."""
    found: dict[str, dict[str, Reached]] = {}
    mistakes: list[str] = []
    section = ""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        if text.startswith("[") and text.endswith("]"):
            section = text[1:-1]
            found.setdefault(section, {})
            continue
        try:
            cell, kind, ulp = text.split()
            own = found[section]
            if cell in own or cell.count("/") != 5:
                raise ValueError
            own[cell] = Reached(_class(kind), None if ulp == "-" else _error(ulp))
        except (ValueError, KeyError):
            mistakes.append(f"{path}:{number}: expected a new 'CELL CLASS ULP' below a '[PLATFORM]', found {text!r}")
    if mistakes:
        raise BaselineError("\n".join(mistakes))
    if platform_profile not in found:
        raise BaselineError(
            f"{path} has no baselines for [{platform_profile}]; it has: {', '.join(found) or 'none'}. A gate without "
            "--accuracy writes them to .lossvet/accuracy.txt: review them, and add them to the file"
        )
    return found[platform_profile]


def _class(text: str) -> AccuracyClass:
    """Raises ValueError where it is none."""
    return CLASSES[CLASSES.index(text)]


def _error(text: str) -> float:
    """Raises ValueError where it is none: with NaN, no error would ever be worse."""
    if not (found := float(text)) >= 0:
        raise ValueError
    return found
