"""What stands on the pages, as data for the templates: every sentence and number that is computed, computed here."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lossvet.adapters import spelling
from lossvet.conformance import deviations as known
from lossvet.conformance import summary
from lossvet.conformance.deviations import Deviation
from lossvet.conformance.explain import CLASSES
from lossvet.conformance.records import Header
from lossvet.conformance.summary import CellSummary
from lossvet.conformance.types import Deviates
from lossvet.reference import variants
from lossvet.reference.hazards import HAZARDS
from lossvet.reports import matrix as squares
from lossvet.reports.accuracy import LEGEND
from lossvet.reports.findings import smallest
from lossvet.reports.site import accuracy_tables, facts, moves, rosetta, timings
from lossvet.reports.site.compare import Changed
from lossvet.reports.site.facts import Spelled, Spelling
from lossvet.reports.site.sources import Sources
from lossvet.verify import upgrade_table
from lossvet.workers.messages import Hello

TITLES = {name: spelling.title(name) for name in spelling.composed()}
MOST_CHANGES = 200


"""What `facts.spellings` finds, once for all pages."""


def index(
    sources: Sources, spelled: Spelled, changes: dict[str, Any] | None, raw: Mapping[str, bytes]
) -> dict[str, Any]:
    """The main page; `raw` are the files that lie beside it."""
    result = sources.result
    known = deviations(sources)
    return {
        "title": "Conformance, accuracy and speed of weighted cross-entropy losses",
        "new": [d.lines for d in smallest(result.summary.findings, result.plan)],
        "problems": list(result.problems),
        "known": known,
        "divided": divided(spelled),
        "faster": list(timings.faster_by_hand(sources.rows)),
        "totals": dict(result.summary.totals),
        "frameworks": frameworks(sources),
        "matrix": squares.matrix(result.summary, result.greetings),
        "deviating": {
            name: {f: ", ".join(s.recipe for s in spellings if s.deviations) for f, spellings in own.items()}
            for name, own in spelled.items()
        },
        "pages": {name: {c.cell.framework for c in result.summary.cells if c.cell.variant == name} for name in spelled},
        "legend": LEGEND,
        "accuracy": accuracy_tables.ranking(spelled),
        "worst": accuracy_tables.worst(sources),
        "weak": accuracy_tables.weak(result.summary.cells),
        "classes": CLASSES,
        "speed": timings.timings(sources),
        "rosetta": {v: {f: lines(own.get(f, [])) for f in result.greetings} for v, own in spelled.items()},
        "reductions": {TITLES[f]: rosetta.reductions(f) for f in TITLES if f in result.greetings},
        "upgraded": upgrade_table.read(),
        "formulas": {name: variants.load(name).formula for name in spelled},
        "changes": changes,
        "method": method(sources, raw),
    }


def variant(sources: Sources, spelled: Spelled, name: str) -> dict[str, Any]:
    """The page of one loss: its spellings, what tells them apart, its cells and its cases."""
    result, found = sources.result, variants.load(name)
    own = spelled[name]
    cells = [c for c in result.summary.cells if c.cell.variant == name]
    return {
        "title": name,
        "name": name,
        "formula": found.formula,
        "about": (found.losses.__globals__["__doc__"] or "").strip().split("\n\n"),
        "family": found.family,
        "codes": {
            f: {"title": spelling.title(f), "code": rosetta.code(name, f), "agrees": composed(own[f])}
            for f in spelling.composed()
            if f in own
        },
        "moves": [
            {
                "old": f"{spelling.title(m.old.framework)} {m.old.recipe}",
                "new": f"{spelling.title(m.new.framework)} {m.new.recipe}",
                "changes": m.changes,
            }
            for m in moves.moves(own)
        ],
        "recipes": {s.recipe for spellings in own.values() for s in spellings},
        "facts": [fact(s) for spellings in own.values() for s in spellings],
        "cells": {f: [cell(c) for c in cells if c.cell.framework == f] for f in own},
        "cases": list(cases(sources, name)),
    }


def frameworks(sources: Sources) -> list[dict[str, str]]:
    return [
        {
            "name": name,
            "title": spelling.title(name),
            "version": g.version if isinstance(g, Hello) else "not there",
            "modes": ", ".join(g.modes) if isinstance(g, Hello) else g.reason,
            "details": "; ".join(f"{k} {v}" for k, v in sorted(g.details.items()) if v) if isinstance(g, Hello) else "",
        }
        for name, g in sources.result.greetings.items()
    ]


def deviations(sources: Sources) -> list[dict[str, Any]]:
    """The entries of the ledger that this run met, those with the most checks first."""
    counts: Counter[str] = Counter()
    where: dict[str, dict[str, Counter[str]]] = {}
    for cell, _, _, verdict in sources.result.summary.seen:
        if isinstance(verdict, Deviates) and not verdict.stray:
            counts[verdict.deviation] += 1
            where.setdefault(verdict.deviation, {}).setdefault(cell.framework, Counter())[cell.variant] += 1
    entries = {d.id: d for d in known.read()}
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


def divided(spelled: Spelled) -> list[dict[str, Any]]:
    """The losses with weights whose mean, when no other is asked for, is another number in another framework; those
    with one answer together."""
    found: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for name, own in spelled.items():
        natives = [s for spellings in own.values() for s in spellings if s.recipe.startswith("native") and s.divides]
        by = tuple(dict.fromkeys((moves.unasked(s), spelling.title(s.framework)) for s in natives))
        weighted = {"class_weight", "cost_matrix"} & variants.load(name).params.__annotations__.keys()
        if weighted and variants.load(name).family != "binary" and len({division for division, _ in by}) > 1:
            found.setdefault(by, []).append(name)
    return [
        {"losses": names, "words": ", ".join(f"in {framework} by {division}" for division, framework in by)}
        for by, names in found.items()
    ]


def lines(own: Sequence[Spelling]) -> list[dict[str, Any]]:
    """What stands in a square of the Rosetta table: the framework's own functions, else that it has to be composed."""
    return [fact(s) for s in facts.offered(own)]


def composed(own: Sequence[Spelling]) -> int:
    return next((s.agrees for s in own if s.recipe == "composed"), 0)


def fact(s: Spelling) -> dict[str, Any]:
    return {
        "framework": s.framework,
        "recipe": s.recipe,
        "spelling": s.spelling,
        "divides": moves.unasked(s) or ("whatever you write" if s.recipe == "composed" else "does not reduce"),
        "asked": {words: asked for words, asked in s.divides.items() if asked},
        "without": ", ".join(s.without) or "-",
        "sample_weight": s.sample_weight,
        "ignore_index": s.ignore_index,
        "deviations": sorted(s.deviations),
        "agrees": s.agrees,
        "class": s.accuracy or "-",
        "ulp": accuracy_tables.ulps(s.ulp),
    }


def cell(c: CellSummary) -> dict[str, Any]:
    return {
        "recipe": c.cell.recipe,
        "mode": c.cell.mode,
        "dtype": c.cell.dtype,
        "device": c.cell.device,
        "verdict": c.verdict.replace("_", " "),
        "tone": squares.square([c]).tone,
        "counts": {name: c.counts[name] for name in summary.KINDS},
        "not_run": c.not_run,
        "class": c.accuracy or "-",
        "ulp": accuracy_tables.ulps(c.ulp_loss),
        "ratio": "-" if c.ratio is None else f"{c.ratio:.2g}",
        "worst": c.worst or "-",
        "notes": summary.notes(c),
    }


def cases(sources: Sources, name: str) -> Iterator[dict[str, Any]]:
    """Every case that was asked, with what makes it hard."""
    for golden in sources.result.plan.goldens[name].values():
        case = golden.case
        yield {
            "id": case.id,
            "shape": " x ".join(map(str, case.logits.shape)),
            "hazards": [
                {"name": h, "why": HAZARDS[h].why.split(". ")[0].rstrip(".")} for h in case.hazards if h in HAZARDS
            ],
        }


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
    result = sources.result
    left_out: dict[str, list[str]] = {}
    for (framework, reason), count in sorted(result.summary.left_out.items()):
        left_out.setdefault(framework, []).append(f"{count:,} {reason}")
    return {
        "lossvet": sources.contents.header.lossvet,
        "started": sources.contents.header.started,
        "level": result.plan.level,
        "left_out": {f: ", ".join(reasons) for f, reasons in left_out.items()},
        "cells": len(result.summary.cells),
        "files": [
            {"name": name, "size": f"{len(data) / 1024:,.0f} KiB", "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in raw.items()
        ],
    }
