"""The tables of accuracy: the accuracy of a recipe, the worst inputs, and results without one correct bit."""

from __future__ import annotations

from collections.abc import Sequence

from lossvet.adapters.spelling import title
from lossvet.conformance.summary import CellSummary
from lossvet.conformance.types import AccuracyClass
from lossvet.reports.accuracy import MOST_ULP
from lossvet.reports.site import facts
from lossvet.reports.site.facts import Spelled, Spelling
from lossvet.reports.site.listing import Link, Listing, line
from lossvet.reports.site.sources import Sources

MOST_WORST = 12


def words(accuracy: AccuracyClass | None, ulp: float | None) -> str:
    """Class and error of the loss: "relative, 3.6 ulp"."""
    if accuracy is None:
        return "-"
    return f"{accuracy}, {ulps(ulp)}" if ulp is not None else accuracy


def said(s: Spelling) -> str:
    """The accuracy of a recipe over all cases, in float32."""
    return words(s.accuracy, s.ulp)


def error(c: CellSummary) -> str:
    """The largest error over its bound, known deviations apart."""
    return "-" if c.ratio is None else f"{c.ratio:.2g}"


def ulps(number: float | None) -> str:
    """ "3.6 ulp"; what is no measure of accuracy is said in words."""
    if number is None:
        return "-"
    return f"{number:.1f} ulp" if number < MOST_ULP else "with digits lost"


def offered(spelled: Spelled) -> dict[str, dict[str, float]]:
    """By loss and framework, the largest error in ulp of what the framework offers, where it is a measure."""
    return {
        name: {
            title(framework): max(numbers)
            for framework, own in by.items()
            if (numbers := [s.ulp for s in facts.offered(own) if s.ulp is not None and s.ulp < MOST_ULP])
        }
        for name, by in spelled.items()
    }


def worst(sources: Sources, framework: str) -> Listing:
    """The elements of unreduced losses of a framework in float32 that are farthest from golden in ulp, one a loss."""
    plan, found = sources.result.plan, dict[str, CellSummary]()
    for c in sources.result.summary.cells:
        own = c.cell.framework == framework and c.cell.recipe.startswith("native") and c.cell.dtype == "float32"
        if own and c.ulp_worst and c.ulp_worst[1]:
            before = found.get(c.cell.variant)
            if before is None or (c.ulp_loss or 0) > (before.ulp_loss or 0):
                found[c.cell.variant] = c
    lines = []
    for c in sorted(found.values(), key=lambda c: -(c.ulp_loss or 0))[:MOST_WORST]:
        case, index = c.ulp_worst or ("", ())
        golden = plan.goldens[c.cell.variant][case]
        logits = golden.case.logits[index] if golden.case.cotangent.ndim == 2 else golden.case.logits[index[0]]
        values = [float(x).hex() for x in (logits.ravel() if logits.ndim else [logits])]
        lines.append(
            line(
                Link(c.cell.variant, f"variants/{c.cell.variant}.html"),
                ulps(c.ulp_loss),
                case,
                str(list(index)),
                " ".join(values[:4]) + (" ..." if len(values) > 4 else ""),
                float(golden.outputs["loss/none"][index]).hex(),
            )
        )
    return Listing(
        "Worst inputs",
        "The elements of its own losses with relative accuracy that are farthest from golden, in float32.",
        (("loss", "short"), ("error", "short"), ("case", "code"), ("element", "short"), ("logits", "code"),
         ("golden", "code")),
        tuple(lines),
    )  # fmt: skip


def weak(cells: Sequence[CellSummary], framework: str) -> Listing:
    """The largest lost element of each recipe of a framework in float32, over its modes, the largest first."""
    found: dict[tuple[str, str], CellSummary] = {}
    for c in cells:
        key = (c.cell.variant, c.cell.recipe)
        own = c.cell.framework == framework and c.cell.dtype == "float32" and c.largest_lost
        if own and (key not in found or _lost(c) > _lost(found[key])):
            found[key] = c
    lines = [
        line(
            Link(c.cell.variant, f"variants/{c.cell.variant}.html"),
            f"{c.cell.recipe} ({c.cell.mode})",
            f"{c.lost:,}",
            f"{c.largest_lost[1]} of {c.largest_lost[0]}",
            f"{c.largest_lost[2].got:.3g}",
            f"{c.largest_lost[2].golden:.3g}",
        )
        for c in sorted(found.values(), key=_lost, reverse=True)
        if c.largest_lost
    ]
    return Listing(
        "Results without one correct bit",
        "The largest lost element of each recipe in float32, in decreasing order, and the number of checks with one.",
        (("loss", "short"), ("recipe", "text"), ("checks", "number"), ("output", "code"), ("result", "number"),
         ("golden", "number")),
        tuple(lines),
    )  # fmt: skip


def _lost(c: CellSummary) -> float:
    return abs(c.largest_lost[2].golden) if c.largest_lost else 0.0
