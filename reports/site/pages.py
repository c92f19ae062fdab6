"""The main page and what all pages share, as data for the templates: every sentence and number is computed here."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lossvet.adapters.spelling import title
from lossvet.conformance import functions as of_frameworks
from lossvet.conformance.records import Header
from lossvet.reference import variants
from lossvet.reports import matrix as squares
from lossvet.reports.accuracy import LEGEND
from lossvet.reports.findings import smallest
from lossvet.reports.site import known, moves, recipe_code, timings
from lossvet.reports.site.compare import Changed
from lossvet.reports.site.facts import Spelled
from lossvet.reports.site.listing import Kind, Line, Link, Listing, Square, line
from lossvet.reports.site.sources import Sources
from lossvet.workers.messages import Hello

MOST_CHANGES = 200
MOST_FASTER = 4
"""Of losses that operations beat: what the main page lists."""


def index(sources: Sources, spelled: Spelled, changes: dict[str, Any] | None) -> dict[str, Any]:
    """The main page."""
    result = sources.result
    faster = list(timings.faster_by_hand(sources.rows))
    matrices = {bits: squares.matrix(c, result.greetings) for bits, c in squares.by_bits(result.summary.cells).items()}
    return {
        "title": "Conformance, accuracy and speed of weighted cross-entropy losses",
        "new": [d.lines for d in smallest(result.summary.findings, result.plan)],
        "problems": list(result.problems),
        "known": known.by_harm(known.deviations(sources)),
        "divided": divided(spelled),
        "faster": faster[:MOST_FASTER],
        "more_faster": len(faster[MOST_FASTER:]),
        "totals": dict(result.summary.totals),
        "frameworks": frameworks(sources),
        "matrices": matrices,
        "matrix": next(iter(matrices.values()), {}),
        "narrow": {squares.NARROW_TITLE: squares.NARROW_SAYS},
        "judged": len({c.cell.variant for c in result.summary.cells}),
        "pages": {name: {c.cell.framework for c in result.summary.cells if c.cell.variant == name} for name in spelled},
        "legend": LEGEND,
        "functions": {title(f): names for f, names in by_function(sources, spelled).items()},
        "speed": timings.glance(sources),
        "changes": changes,
    }


def frameworks(sources: Sources) -> list[dict[str, str]]:
    return [
        {
            "name": name,
            "title": title(name),
            "version": g.version if isinstance(g, Hello) else "not there",
            "modes": ", ".join(g.modes) if isinstance(g, Hello) else g.reason,
            "details": "; ".join(f"{k} {v}" for k, v in sorted(g.details.items()) if v) if isinstance(g, Hello) else "",
        }
        for name, g in sources.result.greetings.items()
    ]


def by_function(sources: Sources, spelled: Spelled) -> dict[str, list[str]]:
    """By framework, the functions that its losses are, by the names that users call them."""
    found: dict[str, dict[str, None]] = {}
    for one in _spelled(sources, spelled):
        found.setdefault(one.framework, {})[one.native.spelling.partition("(")[0]] = None
    return {framework: sorted(names) for framework, names in found.items()}


def _spelled(sources: Sources, spelled: Spelled) -> Iterator[of_frameworks.Spelled]:
    """The functions of frameworks that were judged."""
    for framework, greeting in sources.result.greetings.items():
        if isinstance(greeting, Hello):
            yield from (
                one for one in of_frameworks.of(framework, greeting.natives) if one.own and one.variant in spelled
            )


def functions(sources: Sources, spelled: Spelled) -> dict[str, Listing]:
    """Every function of a framework in each of its ways to be called, with the variant that this is."""
    found: dict[str, list[Line]] = {}
    met: set[str] = set()
    own = {(s.framework, s.variant, s.recipe): s for by in spelled.values() for every in by.values() for s in every}
    for one in sorted(_spelled(sources, spelled), key=lambda one: (one.native.spelling.partition("(")[0], one.variant)):
        s = own.get((one.framework, one.variant, one.recipe))
        if s is None:
            continue
        name = one.native.spelling.partition("(")[0]
        anchor = "" if name in met else name
        met.add(name)
        divides = moves.unasked(s) or "nothing: it does not reduce"
        asked = "".join(f"; with {how} by {words}" for words, how in s.divides.items() if how)
        found.setdefault(title(one.framework), []).append(
            line(
                Square(one.native.spelling),
                Link(one.variant, f"variants/{one.variant}.html"),
                variants.load(one.variant).formula,
                f"{divides}{asked}",
                recipe_code.linked(s, "code", f"variants/{one.variant}.html") if recipe_code.code(s) else "",
                anchor=anchor,
            )
        )
    columns: tuple[tuple[str, Kind], ...] = (
        ("function", "code"), ("loss", "short"), ("formula", "code"), ("its mean divides by", "text"),
        ("code", "short"),
    )  # fmt: skip
    return {
        of: Listing(f"Functions of {of}", f"The functions of {of} that were judged, as users call them.", columns,
                    tuple(lines))
        for of, lines in found.items()
    }  # fmt: skip


def divided(spelled: Spelled) -> Listing | None:
    """The losses with weights whose default mean is another number in another framework; None where there are none."""
    found: dict[str, dict[str, list[str]]] = {}
    for name, own in spelled.items():
        by: dict[str, list[str]] = {}
        for s in (s for every in own.values() for s in every if s.recipe.startswith("native") and s.divides):
            by.setdefault(title(s.framework), []).append(moves.unasked(s))
        weighted = {"class_weight", "cost_matrix"} & variants.load(name).params.__annotations__.keys()
        if weighted and variants.load(name).family != "binary" and len({d for every in by.values() for d in every}) > 1:
            found[name] = by
    there = sorted({framework for by in found.values() for framework in by})
    lines = [
        line(
            Link(name, f"variants/{name}.html#moves"),
            *("; ".join(filter(None, dict.fromkeys(by.get(framework, [])))) for framework in there),
        )
        for name, by in found.items()
    ]
    caption = "What the mean of a framework's own loss divides by, unless a reduction is given."
    columns: list[tuple[str, Kind]] = [("loss", "short"), *((framework, "text") for framework in there)]
    return Listing("By default, the mean divides by", caption, tuple(columns), tuple(lines)) if lines else None


def changed(changes: Sequence[Changed], earlier: Header) -> dict[str, Any]:
    """What is said of the difference to an earlier run."""
    counts = Counter({"worse": 0, "better": 0, "new": 0, "gone": 0})
    for c in changes:
        counts[c.change] += c.count
    return {
        "started": earlier.started,
        "versions": earlier.versions,
        "counts": dict(counts),
        "rows": list(changes[:MOST_CHANGES]),
        "more": max(0, len(changes) - MOST_CHANGES),
    }


def method(sources: Sources, raw: Mapping[str, bytes]) -> dict[str, Any]:
    """How it was measured: versions, the machine, what was not run, and the data."""
    result = sources.result
    left_out: dict[str, list[str]] = {}
    for (framework, reason), count in sorted(result.summary.left_out.items()):
        left_out.setdefault(framework, []).append(f"{count:,} {reason}")
    return {
        "title": "Method and data",
        "frameworks": frameworks(sources),
        "lossvet": sources.contents.header.lossvet,
        "started": sources.contents.header.started,
        "level": result.plan.level,
        "left_out": {f: ", ".join(reasons) for f, reasons in left_out.items()},
        "not_run": result.summary.totals["not_run"],
        "cells": len(result.summary.cells),
        "machine": {} if sources.samples is None else dict(sources.samples.header.machine),
        "benchmark": "" if sources.samples is None else sources.samples.header.started,
        "files": [
            {"name": name, "size": f"{len(data) / 1024:,.0f} KiB", "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in raw.items()
        ],
    }
