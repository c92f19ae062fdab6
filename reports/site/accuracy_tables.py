"""The tables of accuracy: every recipe ranked, the worst inputs, and answers without one right bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lossvet.conformance.summary import CellSummary
from lossvet.reports.site import facts
from lossvet.reports.site.facts import Spelled, Spelling
from lossvet.reports.site.sources import Sources


def ranking(spelled: Spelled) -> dict[str, list[dict[str, Any]]]:
    """By variant: every recipe of every framework in float32, the most accurate first."""
    found = {}
    for name, own in spelled.items():
        offered = {(s.framework, s.recipe) for spellings in own.values() for s in facts.offered(spellings)}
        everyone = facts.most_accurate(s for spellings in own.values() for s in spellings)
        found[name] = [_ranked(s, (s.framework, s.recipe) in offered) for s in everyone]
    return found


def ulps(number: float | None) -> str:
    if number is None:
        return "-"
    return f"{number:.1f}" if number < 1000 else f"{number:.1e}"


def _ranked(s: Spelling, offered: bool) -> dict[str, Any]:
    """A line of the table of accuracy; `offered`: it is what the framework offers, and so in the picture."""
    return {
        "framework": s.framework,
        "recipe": s.recipe,
        "spelling": s.spelling,
        "offered": offered,
        "checks": s.judged,
        "class": s.accuracy,
        "ulp": ulps(s.ulp),
        "number": s.ulp,
        "ratio": f"{s.ratio:.2g}" if s.ratio is not None and not s.deviations else "-",
        "deviations": sorted(s.deviations),
    }


def worst(sources: Sources) -> list[dict[str, str]]:
    """The element of an unreduced loss in float32 that is farthest from golden in ulp, for each framework and loss."""
    plan, found = sources.result.plan, dict[tuple[str, str], CellSummary]()
    for c in sources.result.summary.cells:
        key = (c.cell.variant, c.cell.framework)
        offered = c.cell.recipe.startswith("native") and c.cell.dtype == "float32" and c.ulp_worst and c.ulp_worst[1]
        if offered and (key not in found or (c.ulp_loss or 0) > (found[key].ulp_loss or 0)):
            found[key] = c
    rows = []
    for c in sorted(found.values(), key=lambda c: -(c.ulp_loss or 0))[:12]:
        case, index = c.ulp_worst or ("", ())
        golden = plan.goldens[c.cell.variant][case]
        logits = golden.case.logits[index] if golden.case.cotangent.ndim == 2 else golden.case.logits[index[0]]
        values = [float(x).hex() for x in (logits.ravel() if logits.ndim else [logits])]
        rows.append(
            {
                "variant": c.cell.variant,
                "framework": c.cell.framework,
                "ulp": f"{c.ulp_loss:.1f}",
                "case": case,
                "index": str(list(index)),
                "logits": " ".join(values[:4]) + (" ..." if len(values) > 4 else ""),
                "golden": float(golden.outputs["loss/none"][index]).hex(),
            }
        )
    return rows


def weak(cells: Sequence[CellSummary]) -> list[dict[str, str]]:
    """The largest lost element of each recipe in float32, over its modes, the largest first."""
    found: dict[tuple[str, str, str], CellSummary] = {}
    for c in cells:
        key = (c.cell.variant, c.cell.framework, c.cell.recipe)
        if c.cell.dtype == "float32" and c.largest_lost and (key not in found or _lost(c) > _lost(found[key])):
            found[key] = c
    return [
        {
            "variant": c.cell.variant,
            "framework": c.cell.framework,
            "recipe": c.cell.recipe,
            "mode": c.cell.mode,
            "count": f"{c.lost:,}",
            "case": c.largest_lost[0],
            "output": c.largest_lost[1],
            "got": f"{c.largest_lost[2].got:.3g}",
            "right": f"{c.largest_lost[2].golden:.3g}",
        }
        for c in sorted(found.values(), key=_lost, reverse=True)
        if c.largest_lost
    ]


def _lost(c: CellSummary) -> float:
    return abs(c.largest_lost[2].golden) if c.largest_lost else 0.0
