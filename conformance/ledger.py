"""The ledger of known deviations: what differs, where, by which value, and why. Strict both ways, check by check.

An entry covers only the elements that it names, which must have the values that it states; every other element is
judged as usual. Each check that it names has to show the deviation: a check that agrees instead fails the run, and so
does one with another value than was observed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from functools import cache

import numpy as np

from lossvet.adapters.types import Measured, Outcome
from lossvet.conformance import deviant, deviations
from lossvet.conformance.deviations import Deviation, Where
from lossvet.conformance.documented import Outcome as Documented
from lossvet.conformance.judge import judge
from lossvet.conformance.types import Absent, Agrees, Cell, Crashed, Deviates, Differs, Errored, TimedOut, Verdict
from lossvet.reference import variants
from lossvet.reference.bounds import Bound, bounds
from lossvet.reference.dtypes import DTYPES
from lossvet.reference.types import Case
from lossvet.reference.vectors import Golden
from lossvet.workers.messages import Greeting, Hello

HEALED = "no longer shows"


class Ledger:
    """The entries of one file, and what they make of verdicts.

    `packages` are by framework the versions of what it computes with, itself among them: where one of them is outside
    the versions of an entry, what shows that entry is unconfirmed, and what agrees has healed.
    """

    def __init__(self, entries: tuple[Deviation, ...], packages: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self.deviations = entries
        self._packages = packages or {}
        self._of_cells: dict[Cell, tuple[tuple[Deviation, Where], ...]] = {}

    def weigh(
        self,
        cell: Cell,
        golden: Golden,
        bound: Bound,
        output: str,
        outcome: Outcome,
        verdict: Verdict,
        expected: Documented,
    ) -> Verdict:
        """The verdict, as a Deviates where an entry names this check: `stray` where it is not as the entry says.

        `expected` is what is documented where golden is undefined.
        """
        if isinstance(verdict, Absent | Crashed | TimedOut | Deviates):
            return verdict
        naming = [
            (d, w)
            for d, w in self._of_cell(cell)
            if w.names_check(golden.case.id, output) and _shows_in(d, w, cell, golden, bound, output, expected)
        ]
        if not naming:
            return verdict
        d, where = naming[0]
        outside = d.outside(self._packages.get(cell.framework, {}))
        if len({d.id for d, _ in naming}) > 1:
            names = " and ".join(sorted({d.id for d, _ in naming}))
            return Deviates(d.id, _differs(verdict), f"{names} both cover this check: narrow one of them")
        if isinstance(verdict, Agrees):
            if outside:
                return replace(verdict, notes=(*verdict.notes, f"{d.id}, in {outside}, {HEALED}"))
            return Deviates(d.id, _differs(verdict), "it agrees: narrow the entry, or remove it")
        if not _explains(d, where, cell, golden, bound, output, outcome):
            return verdict
        return Deviates(d.id, _differs(verdict), _stray(d, cell, golden, bound, output, outcome), outside)

    def _of_cell(self, cell: Cell) -> tuple[tuple[Deviation, Where], ...]:
        """The places of entries that name checks of this cell, found once for all its checks."""
        if cell not in self._of_cells:
            self._of_cells[cell] = tuple((d, w) for d in self.deviations for w in d.where if w.names_cell(cell))
        return self._of_cells[cell]


def read(greetings: Iterable[Greeting] = ()) -> Ledger:
    """The project's own ledger, for the versions that frameworks greeted with. Raises LedgerError."""
    there = (greeting for greeting in greetings if isinstance(greeting, Hello))
    return Ledger(deviations.read(), {g.name: {g.name: g.version, **g.details} for g in there})


def stale(seen: Iterable[tuple[Cell, str, str, Verdict]]) -> list[str]:
    """One sentence for each entry that does not match what was judged."""
    return list(
        dict.fromkeys(
            f"{verdict.deviation}: {verdict.stray} ({cell}, {case}, {output})"
            for cell, case, output, verdict in seen
            if isinstance(verdict, Deviates) and verdict.stray
        )
    )


def unconfirmed(seen: Iterable[tuple[Cell, str, str, Verdict]]) -> list[str]:
    """One sentence for each entry that shows, or no longer does, in versions where it was not confirmed."""
    found: Counter[tuple[str, str]] = Counter()
    for _, _, _, verdict in seen:
        match verdict:
            case Deviates(deviation=name, unconfirmed=where) if where:
                found[f"{name} is unconfirmed in {where}", "confirm the entry, and widen its versions"] += 1
            case Agrees(notes=notes):
                found.update((note, "narrow its versions, or remove it") for note in notes if note.endswith(HEALED))
    return [f"{what} ({count:,} checks): {remedy}" for (what, remedy), count in sorted(found.items())]


def _differs(verdict: Verdict) -> Differs:
    match verdict:
        case Differs():
            return verdict
        case Errored(error, message):
            return Differs(f"raises {error}: {message}")
        case _:
            return Differs("is within the bound", ratio=0.0)


def _shows_in(
    d: Deviation, where: Where, cell: Cell, golden: Golden, bound: Bound, output: str, expected: Documented
) -> bool:
    """Whether an answer as the entry says would be wrong here: some element is named, and its value is not golden's,
    or is a number where golden is undefined and none is documented."""
    true = golden.outputs[output]
    if d.shows == deviant.WHOLE:
        return True
    mask = where.mask(golden.case, output, true.shape, cell.dtype)
    if d.shows in deviant.KINDS or not mask.any():
        return bool(mask.any())
    values = deviant.MODELS[d.shows].values(golden.case, output)
    if expected in ("nan", "refused", "raises") and (mask & np.isnan(true) & np.isfinite(values)).any():
        return True
    wrong = np.where(mask, values, true)
    return not isinstance(
        judge(Measured(wrong.astype(DTYPES[cell.dtype].numpy)), true, bound, cell.dtype, "any"), Agrees
    )


def _explains(
    d: Deviation, where: Where, cell: Cell, golden: Golden, bound: Bound, output: str, outcome: Outcome
) -> bool:
    """Whether every element is right, or named and what the entry says that it is; or the whole is as observed."""
    true = golden.outputs[output]
    if not isinstance(outcome, Measured) or outcome.value.shape != true.shape:
        return d.shows == deviant.WHOLE and any(o.value == _whole(outcome) for o in d.observed)
    if d.shows == deviant.WHOLE:
        return False
    mask = where.mask(golden.case, output, true.shape, cell.dtype)
    if d.shows in deviant.KINDS:
        if not deviant.KINDS[d.shows](outcome.value[mask]).all():
            return False
        known = np.where(mask, np.nan, true)
    else:
        known = np.where(mask, deviant.MODELS[d.shows].values(golden.case, output), true)
        bound = _widest(bound, _bounds_like(d.shows, cell.variant, golden.case, cell.dtype)[output])
    return isinstance(judge(outcome, known, bound, cell.dtype, "any"), Agrees)


@cache
def _bounds_like(shows: str, variant: str, case: Case, dtype: str) -> Mapping[str, Bound]:
    return bounds(variants.load(variant), deviant.MODELS[shows].like(case), (dtype,))[dtype]


def _widest(a: Bound, b: Bound) -> Bound:
    return Bound(**{f.name: np.maximum(getattr(a, f.name), getattr(b, f.name)) for f in fields(Bound)})


def _whole(outcome: Outcome) -> str:
    """What an entry calls an answer that cannot be judged by element."""
    return f"shape {list(outcome.value.shape)}" if isinstance(outcome, Measured) else f"raises {outcome.error}"  # type: ignore[union-attr]  # Missing is Absent, and never weighed


def _stray(d: Deviation, cell: Cell, golden: Golden, bound: Bound, output: str, outcome: Outcome) -> str:
    """What is not as observed, where this very output is one that was observed; else nothing."""
    if d.shows in deviant.MODELS:
        bound = _widest(bound, _bounds_like(d.shows, cell.variant, golden.case, cell.dtype)[output])
    for o in d.observed:
        if (o.case, o.output) != (golden.case.id, output):
            continue
        if not isinstance(outcome, Measured) or outcome.value.shape != golden.outputs[output].shape:
            if o.value != _whole(outcome):
                return f"{_whole(outcome)}, but the ledger has {o.value!r}"
            continue
        if o.value.startswith(("raises ", "shape ")):
            return f"is a result, but the ledger has {o.value!r}"
        got, value = outcome.value[o.index], float.fromhex(o.value)
        here = Bound(**{f.name: np.asarray(getattr(bound, f.name)[o.index]) for f in fields(Bound)})
        if not isinstance(judge(Measured(np.asarray(got)), np.asarray(value), here, cell.dtype), Agrees):
            return f"element {list(o.index)} is {float(got):.9g}, but the ledger has {value:.9g}"
    return ""
