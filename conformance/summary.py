"""The totals and the cells of a run: a fold over its records, and over nothing else.

So a run that was interrupted and resumed has the totals of one that was not.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal, get_args

from lossvet.conformance import records
from lossvet.conformance.plan import Plan
from lossvet.conformance.records import Judged
from lossvet.conformance.types import (
    Absent,
    AccuracyClass,
    Agrees,
    Cell,
    Crashed,
    Deviates,
    Differs,
    Errored,
    Lost,
    TimedOut,
    Verdict,
)

SCHEMA = 2
CLASSES: tuple[AccuracyClass, ...] = get_args(AccuracyClass)

Kind = Literal["agrees", "uninformative", "deviates", "differs", "absent", "errored"]
KINDS: tuple[Kind, ...] = ("differs", "errored", "deviates", "agrees", "uninformative", "absent")
"""Worst first: the verdict of a cell is the first that one of its checks has."""


@dataclass(frozen=True)
class Finding:
    """A check that did not agree, and is not what the ledger knows."""

    cell: Cell
    case: str
    output: str
    verdict: Differs | Deviates | Errored | Crashed | TimedOut


@dataclass
class CellSummary:
    """What is said of one cell. `planned` counts the checks asked for; those without a record are not run."""

    cell: Cell
    planned: int = 0
    counts: Counter[Kind] = field(default_factory=Counter)
    accuracy: AccuracyClass | None = None
    ulp: float | None = None
    """Largest error in ulp among the checks that agree."""
    ulp_flushed: float | None = None
    """The same, all numbers below the smallest normal counting as one step from zero."""
    ulp_loss: float | None = None
    """The same among unreduced losses of relative accuracy: elsewhere an error is many ulp by nature."""
    ulp_worst: tuple[str, tuple[int, ...]] | None = None
    """Case and element of `ulp_loss`."""
    ratio: float | None = None
    """Largest error over its bound, where it is not a known deviation."""
    worst: str = ""
    """Case and output of that error."""
    deviations: Counter[str] = field(default_factory=Counter)
    """Checks by known deviation."""
    lost: int = 0
    """Checks that agree and have lost elements."""
    largest_lost: tuple[str, str, Lost] | None = None
    """Case, output and elements of the check whose largest lost element is the largest."""
    resolutions: list[float] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)

    @property
    def checks(self) -> int:
        """Those that were judged: where there is nothing to judge, nothing was checked."""
        return sum(self.counts.values()) - self.counts["absent"]

    @property
    def not_run(self) -> int:
        return self.planned - sum(self.counts.values())

    @property
    def verdict(self) -> str:
        return next((kind for kind in KINDS if self.counts[kind]), "not_run")

    @property
    def resolution(self) -> float | None:
        return median(self.resolutions) if self.resolutions else None

    def add(self, case: str, output: str, verdict: Verdict) -> None:
        self.counts[kind(verdict)] += 1
        match verdict:
            case Agrees():
                self.accuracy = max(filter(None, (self.accuracy, verdict.accuracy)), key=CLASSES.index)
                self.ulp = max(self.ulp or 0.0, verdict.ulp)
                self.ulp_flushed = max(self.ulp_flushed or 0.0, verdict.ulp_flushed)
                if verdict.uninformative:
                    self.notes[verdict.uninformative] += 1
                if verdict.lost is not None:
                    self._lose(verdict.lost, case, output)
                relative = verdict.accuracy == "relative" and output == "loss/none"
                if relative and (self.ulp_loss is None or verdict.ulp_flushed > self.ulp_loss):
                    self.ulp_loss, self.ulp_worst = verdict.ulp_flushed, (case, verdict.index)
                if math.isfinite(verdict.resolution):
                    self.resolutions.append(verdict.resolution)
                self.notes.update(verdict.notes)
                self._ratio(verdict.ratio, case, output)
            case Differs():
                self.notes.update(verdict.notes)
                self._ratio(verdict.ratio, case, output)
            case Deviates():
                self.notes[f"deviation {verdict.deviation}"] += 1
                self.deviations[verdict.deviation] += 1
                if verdict.stray:
                    self.notes[f"stray: {verdict.stray}"] += 1
                    self._ratio(verdict.differs.ratio, case, output)
            case Absent():
                self.notes[verdict.reason] += 1
            case Errored():
                self.notes[f"raised {verdict.error} at {case}"] += 1
                self.worst = self.worst or f"{case} {output}"
            case Crashed():
                self.notes[f"crashed at {case}: {verdict.how}"] += 1
                self.worst = f"{case} {output}"
            case TimedOut():
                self.notes[f"no answer within {verdict.limit:g} s at {case}"] += 1
                self.worst = f"{case} {output}"

    def _lose(self, lost: Lost, case: str, output: str) -> None:
        self.lost += 1
        if self.largest_lost is None or abs(lost.golden) > abs(self.largest_lost[2].golden):
            self.largest_lost = (case, output, lost)

    def _ratio(self, ratio: float, case: str, output: str) -> None:
        if self.ratio is None or not ratio <= self.ratio:
            self.ratio, self.worst = ratio, f"{case} {output}"


@dataclass(frozen=True)
class Summary:
    cells: tuple[CellSummary, ...]
    totals: Mapping[str, int]
    findings: tuple[Finding, ...]
    left_out: Mapping[tuple[str, str], int]
    compiled: int
    seen: tuple[tuple[Cell, str, str, Verdict], ...] = field(repr=False)


def kind(verdict: Verdict) -> Kind:
    """What a verdict counts as. A deviation that is not as the ledger says counts as a difference."""
    match verdict:
        case Agrees(uninformative=why):
            return "uninformative" if why else "agrees"
        case Deviates(stray=stray):
            return "differs" if stray else "deviates"
        case Differs():
            return "differs"
        case Absent():
            return "absent"
        case Errored() | Crashed() | TimedOut():
            return "errored"


def fold(plan: Plan, judged: Iterable[Judged]) -> Summary:
    """Count. Raises ValueError for a record of something that was not planned."""
    cells: dict[Cell, CellSummary] = {}
    for item in plan:
        cells.setdefault(item.cell, CellSummary(item.cell)).planned += len(item.outputs)
    findings: list[Finding] = []
    seen: list[tuple[Cell, str, str, Verdict]] = []
    compiled = 0
    # in the order of the plan, not of arrival: what a cell calls its worst case must not depend on a race
    by_key = {(record.cell, record.case): record for record in judged}
    for item in plan:
        record = by_key.pop((str(item.cell), item.case), None)
        if record is None:
            continue
        compiled += record.compiled
        for output, written in record.verdicts.items():
            verdict = records.verdict(written)
            cells[item.cell].add(item.case, output, verdict)
            seen.append((item.cell, item.case, output, verdict))
            if kind(verdict) in ("differs", "errored") and not isinstance(verdict, Agrees | Absent):
                findings.append(Finding(item.cell, item.case, output, verdict))
    if by_key:
        cell, case = next(iter(by_key))
        raise ValueError(f"the journal has a record of {case} in {cell}, which is not in the plan")
    counts: Counter[str] = Counter()
    for summary in cells.values():
        counts.update(summary.counts)
    totals = {
        "checks": sum(summary.checks for summary in cells.values()),
        **{name: counts[name] for name in ("agrees", "uninformative", "deviates", "differs", "absent", "errored")},
        "lost": sum(summary.lost for summary in cells.values()),
        "not_run": sum(plan.left_out.values()) + sum(summary.not_run for summary in cells.values()),
    }
    return Summary(tuple(cells.values()), totals, tuple(findings), plan.left_out, compiled, tuple(seen))


def document(summary: Summary, versions: Mapping[str, str]) -> dict[str, Any]:
    """The run as JSON. Numbers that JSON lacks are strings ("inf"), those that there are not are null."""
    return {
        "schema": SCHEMA,
        "totals": dict(summary.totals),
        "cells": [
            {
                "variant": s.cell.variant,
                "recipe": s.cell.recipe,
                "framework": s.cell.framework,
                "version": versions.get(s.cell.framework),
                "mode": s.cell.mode,
                "dtype": s.cell.dtype,
                "device": s.cell.device,
                "verdict": s.verdict,
                "checks": s.checks,
                "uninformative": s.counts["uninformative"],
                "lost": s.lost,
                "largest_lost": _lost(s),
                "worst_ulp": _json(s.ulp),
                "worst_ulp_flushed": _json(s.ulp_flushed),
                "worst_error_over_bound": _json(s.ratio),
                "class": s.accuracy,
                "resolution": _json(s.resolution),
                "worst_case": s.worst or None,
                "notes": notes(s),
            }
            for s in summary.cells
        ],
    }


def _lost(summary: CellSummary) -> dict[str, Any] | None:
    if summary.largest_lost is None:
        return None
    case, output, lost = summary.largest_lost
    return {"case": case, "output": output, "index": lost.index, "got": lost.got, "golden": lost.golden}


def notes(summary: CellSummary) -> list[str]:
    counted = [text if count == 1 else f"{text} ({count} times)" for text, count in sorted(summary.notes.items())]
    return counted + ([f"{summary.not_run} checks not run"] if summary.not_run else [])


def _json(value: float | None) -> float | str | None:
    return value if value is None or math.isfinite(value) else str(value)
