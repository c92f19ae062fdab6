"""Known deviations that a run met, as data for the templates: what each is, where it shows, and how it harms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from lossvet.conformance import deviations as ledger
from lossvet.conformance.deviations import Deviation
from lossvet.conformance.types import Deviates
from lossvet.reports.site.listing import Link, Square, links
from lossvet.reports.site.sources import Sources

HARMS: Mapping[str, frozenset[str]] = {
    "Wrong loss or gradient": frozenset({
        "kink_at_zero", "kink_at_zero_from_the_right", "classes_in_one_sum", "labels_that_sum_to_1", "weights_rescaled",
        "zero",
    }),
    "NaN or infinite": frozenset({"nan", "not_finite", "infinite", "minus_infinite"}),
    "Labels out of range, empty batches, missing gradients": frozenset({"label_wrapped", "label_clamped", "whole"}),
}  # fmt: skip
"""What `Deviation.shows`, by the harm that it does; the worst first, because a finite wrong number goes unnoticed."""


def by_harm(found: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Of `deviations`, those that do each harm; a harm that none does is left out."""
    groups = {harm: [d for d in found if d["shows"] in shows] for harm, shows in HARMS.items()}
    return {harm: own for harm, own in groups.items() if own}


def deviations(sources: Sources) -> list[dict[str, Any]]:
    """The entries of the ledger that this run met, those with the most checks first."""
    counts: Counter[str] = Counter()
    where: dict[str, dict[str, Counter[str]]] = {}
    for cell, _, _, verdict in sources.result.summary.seen:
        if isinstance(verdict, Deviates) and not verdict.stray:
            counts[verdict.deviation] += 1
            where.setdefault(verdict.deviation, {}).setdefault(cell.framework, Counter())[cell.variant] += 1
    entries = {d.id: d for d in ledger.read()}
    return [_deviation(entries[name], count, where[name]) for name, count in counts.most_common()]


def _deviation(entry: Deviation, count: int, where: Mapping[str, Counter[str]]) -> dict[str, Any]:
    reason = " ".join(entry.reason.split())
    return {
        "id": entry.id,
        "title": entry.title,
        "headline": reason.split(". ")[0].rstrip(".") + ".",
        "reason": reason,
        "example": entry.example.strip("\n"),
        "link": entry.link,
        "shows": entry.shows,
        "count": count,
        "frameworks": sorted(where),
        "where": {f: dict(sorted(own.items())) for f, own in sorted(where.items())},
        "observed": [
            {"case": o.case, "output": o.output, "index": list(o.index), "hex": o.value, "decimal": decimal(o.value)}
            for o in entry.observed
        ],
    }


def decimal(value: str) -> str:
    try:
        return f"{float.fromhex(value):.9g}"
    except ValueError:  # "raises NAME", "shape [0]"
        return value


def shown_deviations(found: Sequence[str]) -> Square:
    """Known deviations by their ids, as links."""
    return links([Link(name.replace("_", " "), f"deviations.html#{name}") for name in found], "")
