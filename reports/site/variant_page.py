"""The page of one loss: its recipes and their code, accuracy and time, what changes when it is moved, its cases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lossvet.adapters.spelling import title
from lossvet.conformance import apart, summary
from lossvet.conformance.summary import CellSummary
from lossvet.reference import variants
from lossvet.reference.hazards import HAZARDS
from lossvet.reports import matrix as squares
from lossvet.reports.site import accuracy_tables, moves, recipe_code, timings
from lossvet.reports.site.facts import Spelled, Spelling
from lossvet.reports.site.known import shown_deviations
from lossvet.reports.site.listing import Kind, Link, Listing, Square, line
from lossvet.reports.site.sources import Sources
from lossvet.verify.spelling.function import Spelled as Written
from lossvet.verify.spelling.function import shown

WIDTH = 100


def variant(sources: Sources, spelled: Spelled, name: str) -> dict[str, Any]:
    result, found, own = sources.result, variants.load(name), spelled[name]
    cells = [c for c in result.summary.cells if c.cell.variant == name]
    return {
        "title": name,
        "name": name,
        "formula": found.formula,
        "about": (found.losses.__globals__["__doc__"] or "").strip().split("\n\n"),
        "apart": ["\n".join(apart.text(group, WIDTH)) for group in apart.groups([name])],
        "recipes": recipes(own),
        "kinds": {s.recipe for every in own.values() for s in every},
        "codes": {title(f): list(codes(every)) for f, every in own.items()},
        "times": timings.of_variant(sources, name),
        "moves": list(moved(own)),
        "cells": {f: table([c for c in cells if c.cell.framework == f], title(f)) for f in own},
        "cases": Listing(
            "Cases", "Every input; `lossvet run --only CASE` runs one again.",
            (("case", "code"), ("shape", "short"), ("what makes it hard", "text")), tuple(cases(sources, name)),
        ),
    }  # fmt: skip


def recipes(own: Mapping[str, Sequence[Spelling]]) -> Listing:
    """Every way to write the loss that was judged, with its code a click away."""
    lines = [
        line(
            title(s.framework),
            recipe_code.linked(s, s.recipe),
            s.spelling,
            divides(s),
            ", ".join(s.without) or "-",
            accuracy_tables.said(s),
            Link(f"{s.agrees:,}", f"#{s.framework}"),
            shown_deviations(sorted(s.deviations)),
        )
        for spellings in own.values()
        for s in spellings
    ]
    return Listing(
        "Recipes",
        "Every recipe that was judged; its name links to its code. Accuracy: the worst over all cases and modes in "
        "float32. Checks cover all modes and dtypes; their number leads to the cells.",
        (("framework", "short"), ("recipe", "short"), ("how it is written", "code"), ("its mean divides by", "text"),
         ("no gradient into", "text"), ("accuracy over all cases", "text"), ("checks that agree", "text"),
         ("known deviations", "text")),
        tuple(lines),
    )  # fmt: skip


def divides(s: Spelling) -> str:
    """By what its mean divides, unasked and when asked to."""
    asked = "".join(f"; with {how} by {words}" for words, how in s.divides.items() if how)
    return f"{moves.unasked(s) or ('what you write' if s.recipe == 'composed' else 'it does not reduce')}{asked}"


def codes(own: Sequence[Spelling]) -> Iterator[dict[str, str]]:
    for s in own:
        text = recipe_code.code(s)
        if text:
            yield {"id": f"code-{s.framework}-{s.recipe}", "title": f"{title(s.framework)}, {s.recipe}", "text": text}


def moved(own: Mapping[str, Sequence[Spelling]]) -> Iterator[dict[str, Any]]:
    """For each way to write the loss, what changes in every other framework, and the code that keeps what it does."""
    by_source: dict[str, list[moves.Move]] = {}
    for move in moves.moves(own):
        by_source.setdefault(f"{move.old.framework}-{move.old.recipe}", []).append(move)
    met: dict[str, str] = {}
    for key, found in by_source.items():
        old, texts, places = found[0].old, [], dict[str, str]()
        label = f"From {title(old.framework)}, {old.recipe}"
        for f, code in moves.codes(old, list(dict.fromkeys(m.new.framework for m in found))).items():
            text = shown(code) if isinstance(code, Written) else f"# {code}"
            places[f] = met.setdefault(text, f"move-{key}-{f}")  # what two ways mean alike stands once
            if places[f] == f"move-{key}-{f}":
                texts.append({"id": places[f], "title": f"{title(f)}, {label[0].lower()}{label[1:]}", "text": text})
        lines = [
            line(
                f"{title(m.new.framework)}, {m.new.recipe}",
                "; ".join(m.changes) or "nothing that was judged",
                Link("code that preserves it", f"#{places[m.new.framework]}") if m.new.framework in places else "",
            )
            for m in found
        ]
        columns: tuple[tuple[str, Kind], ...] = (("to", "short"), ("what changes", "text"), ("code", "short"))
        table = Listing(label, "What changes from here to each of the others.", columns, tuple(lines))
        yield {"id": f"move-{key}", "title": label, "spelling": old.spelling, "table": table, "codes": texts}


def table(cells: Sequence[CellSummary], framework: str) -> Listing:
    """Every cell of the loss in a framework."""
    lines = [
        line(
            c.cell.recipe,
            " ".join([c.cell.mode, c.cell.dtype, *([c.cell.device] if c.cell.device != "cpu" else [])]),
            Square(c.verdict.replace("_", " "), tone=squares.square([c]).tone),
            counts(c),
            accuracy_tables.words(c.accuracy, c.ulp_loss),
            accuracy_tables.error(c),
            c.worst or "-",
            "; ".join(summary.notes(c)),
        )
        for c in cells
    ]
    return Listing(
        f"Cells of {framework}",
        f"Every cell of {framework}; worst: the case and output with the largest error over its bound."
        + (f" {squares.NARROW_SAYS}" if squares.NARROW_TITLE in squares.by_bits(cells) else ""),
        (("recipe", "short"), ("mode, dtype", "text"), ("verdict", "short"), ("checks", "text"), ("accuracy", "text"),
         ("error over bound", "number"), ("worst", "code"), ("notes", "text")),
        tuple(lines),
    )  # fmt: skip


WORDS = {"agrees": "agree", "deviates": "deviate", "uninformative": "uninformative", "absent": "absent"}


def counts(c: CellSummary) -> str:
    known = {WORDS[kind]: number for kind, number in c.counts.items() if kind in WORDS}
    found = {"wrong": c.counts["differs"] + c.counts["errored"], **known, "not run": c.not_run}
    return ", ".join(f"{number:,} {words}" for words, number in found.items() if number)


def cases(sources: Sources, name: str) -> Iterator[Any]:
    """Every case that was asked, with what makes it hard."""
    for golden in sources.result.plan.goldens[name].values():
        case = golden.case
        hard = "; ".join(f"{h}: {HAZARDS[h].why.split('. ')[0].rstrip('.')}" for h in case.hazards if h in HAZARDS)
        yield line(case.id, " x ".join(map(str, case.logits.shape)), hard, anchor=case.id.replace("/", "-"))
