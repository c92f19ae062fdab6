"""The page of one framework: its version and settings, its recipes in every loss, what is wrong or weak, its speed."""

from __future__ import annotations

from typing import Any

from lossvet.adapters import spelling
from lossvet.adapters.spelling import title
from lossvet.reports.site import accuracy_tables, recipe_code, rosetta, timings
from lossvet.reports.site.facts import Spelled
from lossvet.reports.site.known import deviations, shown_deviations
from lossvet.reports.site.listing import Link, Listing, line
from lossvet.reports.site.pages import frameworks, functions
from lossvet.reports.site.sources import Sources
from lossvet.reports.site.variant_page import divides


def framework(sources: Sources, spelled: Spelled, name: str) -> dict[str, Any]:
    (known,) = [f for f in frameworks(sources) if f["name"] == name]
    return {
        "title": f"{title(name)} {known['version']}",
        "name": name,
        "own": title(name),
        "known": known,
        "functions": functions(sources, spelled).get(title(name)),
        "recipes": recipes(spelled, name),
        "deviations": [d for d in deviations(sources) if name in d["frameworks"]],
        "weak": accuracy_tables.weak(sources.result.summary.cells, name),
        "worst": accuracy_tables.worst(sources, name),
        "against": timings.against_composed(sources, name),
        "reductions": rosetta.reductions(name) if name in spelling.composed() else "",
    }


def recipes(spelled: Spelled, name: str) -> Listing:
    """Every recipe of the framework, loss by loss."""
    lines = [
        line(
            Link(variant, f"variants/{variant}.html"),
            recipe_code.linked(s, s.recipe, f"variants/{variant}.html"),
            divides(s),
            accuracy_tables.said(s),
            "-" if s.ratio is None else f"{s.ratio:.2g}",
            f"{s.agrees:,}",
            shown_deviations(sorted(s.deviations)),
        )
        for variant, own in spelled.items()
        for s in own.get(name, ())
    ]
    return Listing(
        "Recipes",
        "Every recipe, with its code; accuracy is the worst over all cases and modes in float32, the error the "
        "largest of all outputs over its bound, known deviations apart.",
        (("loss", "short"), ("recipe", "short"), ("its mean divides by", "text"), ("accuracy over all cases", "text"),
         ("error over bound", "number"), ("checks that agree", "number"), ("known deviations", "text")),
        tuple(lines),
    )  # fmt: skip
