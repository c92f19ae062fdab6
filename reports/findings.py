"""A finding in a few lines: what is wrong, at which input, why that input is hard, and how to run just that again."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from lossvet.conformance.extent import Level
from lossvet.conformance.plan import Plan
from lossvet.conformance.summary import Finding
from lossvet.conformance.types import Cell, Crashed, Deviates, Differs, Errored, TimedOut
from lossvet.reference.hazards import HAZARDS
from lossvet.reference.output import parse
from lossvet.reference.types import Case

LONGEST_ROW = 8
MOST_LOGITS = 12
"""Logits that are all shown, where the result depends on all of them."""


@dataclass(frozen=True)
class Described:
    """`what`, `where`, `why` (empty where the case has no hazard) and `again` are a line each."""

    finding: Finding
    also: int
    what: str
    where: str
    why: str
    again: str

    @property
    def lines(self) -> list[str]:
        return [line for line in (self.what, self.where, self.why, f"again: {self.again}") if line]


def smallest(findings: Iterable[Finding], plan: Plan) -> list[Described]:
    """One finding for each way in which a variant is wrong in a framework: the one with the smallest input."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for f in findings:
        of = parse(f.output)
        key = (f.cell.framework, f.cell.variant, type(f.verdict).__name__, of.kind, of.leaf)
        groups.setdefault(key, []).append(f)

    def size(finding: Finding) -> tuple[int, str]:
        case = plan.goldens[finding.cell.variant][finding.case].case
        return case.logits.size, str(finding.cell)

    return [describe(min(group, key=size), plan, len(group) - 1) for group in groups.values()]


def describe(finding: Finding, plan: Plan, also: int = 0) -> Described:
    case = plan.goldens[finding.cell.variant][finding.case].case
    cell = finding.cell
    more = f"   ({also:,} more like it)" if also else ""
    return Described(
        finding=finding,
        also=also,
        what=f"{cell.framework} {finding.case} {cell.recipe} {cell.mode} {cell.dtype}: {_wrong(finding)}{more}",
        where=_where(case, finding),
        why=_why(case),
        again=command(cell, finding.case, plan.level),
    )


def _why(case: Case) -> str:
    """Why the input is hard: what the case says of itself, else its first hazard."""
    hazards = [HAZARDS[name] for name in case.hazards if name in HAZARDS]
    if hazards and case.note:
        return f"hazard{'s' if len(hazards) > 1 else ''} {', '.join(h.name for h in hazards)}: {case.note}"
    return "; ".join(f"hazard {h.name}: {h.why.split('. ')[0].rstrip('.')}" for h in hazards[:1])


def command(cell: Cell, case: str, level: Level) -> str:
    """What runs this case in this framework and dtype again, and little else, at the level that found it."""
    words = ["lossvet", "run", "--only", case, "--framework", cell.framework, "--dtype", cell.dtype]
    device = [] if cell.device == "cpu" else ["--device", cell.device]
    return shlex.join([*words, *device, *(["--full"] if level == "full" else [])])


def _wrong(finding: Finding) -> str:
    match finding.verdict:
        case Differs() as differs:
            return _difference(finding.output, differs)
        case Deviates(deviation=deviation, differs=differs, stray=stray):
            return f"{_difference(finding.output, differs)}; not as deviation {deviation} says: {stray}"
        case Errored(error, message):
            return f"{finding.output} raised {error}: {' '.join(message.split())[:200]}"
        case Crashed(how):
            return f"the worker died: {how}"
        case TimedOut(limit):
            return f"no answer within {limit:g} s"


def _difference(output: str, differs: Differs) -> str:
    if differs.got is None or differs.golden is None:
        return f"{output} {differs.why}"
    at = f"[{', '.join(map(str, differs.index))}]" if differs.index else ""
    off = f"off by {differs.ratio:.2g} times the bound" if np.isfinite(differs.ratio) else differs.why
    return f"{output}{at} is {differs.got:.9g}, golden {differs.golden:.9g} ({'; '.join((off, *differs.notes))})"


def _where(case: Case, finding: Finding) -> str:
    """The part of the input that the element depends on, where the output is by row; else all of it, if it is short."""
    verdict = finding.verdict
    differs = verdict.differs if isinstance(verdict, Deviates) else verdict
    index = differs.index if isinstance(differs, Differs) else ()
    by_row = finding.output in ("loss/none", "hvp") or finding.output.endswith(("/logits", "/labels"))
    settings = [f"{name} {value}" for name, value in _params(case, index if by_row else ()) if value]
    if index and finding.output in ("hvp", "gradient/none/logits", "gradient/none/labels"):
        settings.append(f"cotangent {case.cotangent[index[: case.cotangent.ndim]]:.9g}")
    if by_row and index:
        if case.cotangent.ndim == 2:
            return f"logits{list(index)} = {case.logits[index]:.9g}   label {case.labels[index]:.9g}   " + "   ".join(
                settings
            )
        row = index[0]
        return f"logits[{row}] = {_row(case.logits[row])}   label {_row(case.labels[row])}   " + "   ".join(settings)
    inner = f" = {_row(case.logits)}" if case.logits.size <= MOST_LOGITS else _not_finite(case)
    labels = [f"labels {_row(case.labels)}"] if case.labels.size <= LONGEST_ROW else []
    return "   ".join([f"logits {list(case.logits.shape)}{inner}", *labels, *settings])


def _not_finite(case: Case) -> str:
    """The rows that hold an infinity or NaN, which no wrong result should be shown without."""
    rows = np.flatnonzero(~np.isfinite(case.logits).all(axis=1))[:LONGEST_ROW]
    return "".join(f", [{n}] = {_row(case.logits[n])}" for n in rows)


def _params(case: Case, index: tuple[int, ...]) -> Iterable[tuple[str, str]]:
    for f in fields(case.params):
        value: Any = getattr(case.params, f.name)
        if value is None or (f.name == "ignore_index" and not (case.labels == value).any()):
            continue
        if f.name == "sample_weight" and index:
            value = value[index[0]]
        yield f.name, _row(value)


def _row(values: Any) -> str:
    flat = np.asarray(values)
    if flat.ndim == 2:
        return "; ".join(_row(row) for row in flat)
    shown = [f"{x:.9g}" for x in flat.ravel()[:LONGEST_ROW]]
    return " ".join([*shown, *(["..."] if flat.size > LONGEST_ROW else [])])
