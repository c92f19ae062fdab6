"""The gate's decisions: from the log ratios of pairs to a verdict, in two stages with known error rates.

Screening takes few pairs of every subject. A subject that shows a difference there, or could hide one, is measured
afresh with more pairs, and once more if these are inconclusive; only these decide, at a level divided among all
subjects. Nothing here measures anything.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lossvet.benchmarks import pairs
from lossvet.benchmarks.pairs import DRIFT, Ratios
from lossvet.benchmarks.statistics import Interval, interval, signed_rank

Verdict = Literal["unchanged", "slower", "faster", "inconclusive", "void", "missing"]

SCREEN, CONFIRM = 8, 20
"""Pairs of each stage, the second at least. 20 do for a level divided among 131 subjects and two looks with a bit to
spare: 2 / 2^20 < 0.001 / 524."""
LOOKS = 2
"""A subject that is inconclusive after the pairs of the second stage gets as many again, and is judged by all of them;
each look has an equal part of the level."""
SCREEN_LEVEL, CONFIRM_LEVEL = 0.05, 0.001
SCREEN_CHANGE, CONFIRM_CHANGE = math.log(1.01), math.log(1.02)
MARGIN = math.log(1.05)
"""A change that must not be missed. If the interval reaches further, a subject is inconclusive, never unchanged."""
DRIFT_CHANGE = math.log(1.01)
IGNORED_NS = 1000.0
"""Differences below a microsecond are no news; it is ten times what reading the clock takes."""


@dataclass(frozen=True)
class Finding:
    """What is said of one subject. `change` is head over base, less 1; the times are medians in ns."""

    subject: str
    verdict: Verdict
    change: Interval | None = None
    p: float = math.nan
    pairs: int = 0
    base: float = math.nan
    head: float = math.nan
    why: str = ""
    blame: Literal["", "head", "base"] = ""
    """Whose fault it is that a subject is missing."""


def confirming(subjects: int) -> int:
    """How many pairs confirm, of so many subjects: the fewest, from 20 on, whose least p reaches the divided level."""
    return max(CONFIRM, math.ceil(math.log2(2 * LOOKS * subjects / CONFIRM_LEVEL)) + 1)


def suspicious(ratios: Ratios) -> bool:
    """Whether screening leaves it open: a difference shows, or a forbidden one is not excluded."""
    logs = ratios.logs
    found = interval(logs)
    shows = signed_rank(logs) < SCREEN_LEVEL and abs(found.median) > SCREEN_CHANGE
    return (shows and _matters(found.median, ratios)) or not _within(found, ratios)


def screened(subject: str, ratios: Ratios) -> Finding:
    """The verdict on who is not suspicious."""
    return _finding(subject, ratios, "unchanged")


def confirmed(subject: str, ratios: Ratios, subjects: int) -> Finding:
    """The verdict of the fresh pairs, at one of the looks, on one of so many subjects."""
    logs = ratios.logs
    found, p = interval(logs), signed_rank(logs)
    shows = p < CONFIRM_LEVEL / LOOKS / subjects and abs(found.median) > CONFIRM_CHANGE
    if shows and _matters(found.median, ratios):
        verdict: Verdict = "slower" if found.median > 0 else "faster"
    else:
        verdict = "unchanged" if _within(found, ratios) else "inconclusive"
    return _finding(subject, ratios, verdict)


def drifted(ratios: Mapping[str, Ratios]) -> str:
    """Why the run is void: the fixed workload was not equally fast on both sides. Empty where it was."""
    if DRIFT not in ratios:
        return "the fixed workload was not measured"
    logs = ratios[DRIFT].logs
    found = interval(logs)
    if abs(found.median) > DRIFT_CHANGE and signed_rank(logs) < SCREEN_LEVEL:
        change = 100 * math.expm1(found.median)
        return f"the fixed workload took {change:+.1f} % on the side of head: the machine favoured one side"
    return ""


def missing(shots: Sequence[pairs.Shot], wanted: Sequence[str], measured: Mapping[str, Ratios]) -> dict[str, Finding]:
    """By subject: those that have no comparison, and why. None of them may pass."""
    failed, edited = pairs.failures(shots), pairs.edited(shots)
    found = {}
    for subject in wanted:
        if subject in edited:
            found[subject] = Finding(subject, "missing", why="its inputs differ between the sides", blame="head")
        elif {(subject, "head"), (subject, "base")} <= failed.keys():
            why = f"on both sides: {failed[subject, 'head']}"
            found[subject] = Finding(subject, "missing", why=why, blame="base")
        elif (subject, "head") in failed:
            found[subject] = Finding(subject, "missing", why=f"head: {failed[subject, 'head']}", blame="head")
        elif (subject, "base") in failed:
            found[subject] = Finding(subject, "missing", why=f"base: {failed[subject, 'base']}", blame="base")
        elif subject not in measured:
            found[subject] = Finding(subject, "missing", why="no complete pair of it was measured", blame="base")
    return found


def _matters(change: float, ratios: Ratios) -> bool:
    return abs(math.expm1(change)) * ratios.base >= IGNORED_NS


def _within(found: Interval, ratios: Ratios) -> bool:
    """Whether what the interval leaves open is no news: within the margin, or below a microsecond."""
    return all(abs(end) < MARGIN or not (math.isnan(end) or _matters(end, ratios)) for end in (found.low, found.high))


def _finding(subject: str, ratios: Ratios, verdict: Verdict) -> Finding:
    found = interval(ratios.logs)
    change = Interval(*(math.expm1(x) for x in (found.median, found.low, found.high)))
    return Finding(subject, verdict, change, signed_rank(ratios.logs), len(ratios.logs), ratios.base, ratios.head)
