"""Two runs side by side: what became better, worse, new or gone, check by check; from their journals alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from lossvet.conformance import records
from lossvet.conformance.records import Judged
from lossvet.conformance.summary import CLASSES, kind
from lossvet.conformance.types import Agrees, Verdict

Change = Literal["worse", "better", "new", "gone"]
RANK = {"agrees": 0, "uninformative": 1, "absent": 2, "deviates": 3, "errored": 4, "differs": 5}


@dataclass(frozen=True)
class Changed:
    """Checks of one cell that changed in the same way; the first of them stands for all."""

    change: Change
    cell: str
    what: str
    first: str
    count: int


def compare(before: Iterable[Judged], after: Iterable[Judged]) -> list[Changed]:
    """Worse first. A check is worse where it no longer agrees, or its accuracy class fell, or its error grew by more
    than half and by an ulp."""
    old, new = _verdicts(before), _verdicts(after)
    groups: dict[tuple[Change, str, str], list[str]] = {}
    for key in {**old, **new}:
        cell, case, output = key
        for change, what in _changes(old.get(key), new.get(key)):
            groups.setdefault((change, cell, what), []).append(f"{case} {output}")
    found = [Changed(change, cell, what, names[0], len(names)) for (change, cell, what), names in groups.items()]
    rank = {"worse": 0, "better": 1, "new": 2, "gone": 3}
    return sorted(found, key=lambda c: (rank[c.change], c.cell, c.what))


def _verdicts(judged: Iterable[Judged]) -> Mapping[tuple[str, str, str], Verdict]:
    return {(j.cell, j.case, output): records.verdict(v) for j in judged for output, v in j.verdicts.items()}


def _changes(old: Verdict | None, new: Verdict | None) -> Iterable[tuple[Change, str]]:
    if old is None and new is not None:
        yield "new", kind(new)
    elif old is not None and new is None:
        yield "gone", kind(old)
    elif old is not None and new is not None:
        was, now = kind(old), kind(new)
        if was != now:
            yield ("worse" if RANK[now] > RANK[was] else "better"), f"{was} -> {now}"
        elif isinstance(old, Agrees) and isinstance(new, Agrees):
            yield from _accuracy(old, new)


def _accuracy(old: Agrees, new: Agrees) -> Iterable[tuple[Change, str]]:
    if old.accuracy != new.accuracy:
        fell = CLASSES.index(new.accuracy) > CLASSES.index(old.accuracy)
        yield ("worse" if fell else "better"), f"{old.accuracy} -> {new.accuracy}"
    elif _grew(old.ulp_flushed, new.ulp_flushed):
        yield "worse", "larger error"
    elif _grew(new.ulp_flushed, old.ulp_flushed):
        yield "better", "smaller error"


def _grew(old: float, new: float) -> bool:
    return new > 1.5 * old and new > old + 1
