"""The answer of check for people."""

from __future__ import annotations

from lossvet.reports import checked_words as words
from lossvet.reports.accuracy import LEGEND
from lossvet.reports.pages import Page, columns, counted
from lossvet.reports.variant_words import matches
from lossvet.reports.verify_words import binding_lines, values
from lossvet.verify.checked import Checked
from lossvet.verify.contract_words import otherwise
from lossvet.verify.facets import facets

MOST = 4
"""Differences that are shown, each of another kind."""


def text(found: Checked, width: int = 100) -> str:
    return page(found, width).text()


def page(found: Checked, width: int) -> Page:
    out = Page(width)
    if found.binding is not None:
        out.labelled("framework", f"{found.framework} {found.version}, {found.mode}", indent=0)
        for i, line in enumerate(binding_lines(found.binding)):
            out.labelled("called as" if i == 0 else "", line, indent=0)
    if found.native:
        out.labelled("", f"it is the recipe {found.native} of {found.framework}", indent=0)
    for warning in found.warnings:
        out.labelled("warning", warning, indent=0, style="yellow")
    _instead(out, found)
    out.gap()
    _table(out, found)
    _differences(out, found)
    out.gap()
    for i, line in enumerate(words.not_checked(found)):
        out.labelled("not checked" if i == 0 else "", line, indent=0)
    out.gap()
    style = {0: "bold green", 1: "bold red"}.get(found.exit_code, "bold yellow")
    out.say(f"{words.headline(found)}.", hanging=4, style=style)
    return out


def _table(out: Page, found: Checked) -> None:
    rows = [
        (
            row.output,
            row.dtype,
            words.verdict(row),
            counted(row.checks, "check") if row.checks else "",
            f"{row.absent:,} absent" if row.absent and row.checks else "",
        )
        for row in found.outputs
    ]
    styles = [
        "bold red" if r.differs else "yellow" if r.deviates else "green" if r.agrees else "dim" for r in found.outputs
    ]
    for line, style in zip(columns(rows, left=3), styles, strict=True):
        out.raw([line], style=style)
    if any(row.accuracy for row in found.outputs):
        out.say(LEGEND, style="dim")


def _differences(out: Page, found: Checked) -> None:
    described = words.differences(found)
    for number, difference in enumerate(described[:MOST], 1):
        out.gap()
        first, *rest = words.lines(difference, found)
        out.say(f"{number}. {first}", hanging=3, style="bold")
        for line in rest:
            out.say(line, indent=3, hanging=5)
    if len(described) > MOST:
        out.gap()
        out.say(f"and {len(described) - MOST} more kinds of difference: --format json lists them all")


def _instead(out: Page, found: Checked) -> None:
    instead = found.identified
    if instead is None:
        return
    out.gap()
    if matches(instead, found.variant, found.reduction):
        out.say(f"It has the meaning of {words.what(found)}, but not on the cases below", style="bold")
        return
    if instead.contract is None or instead.status not in ("confirmed", "ambiguous"):
        nearest = "" if instead.contract is None else "; the nearest known meaning:"
        reason = f" ({instead.reason.rstrip('.')})" if instead.reason else ""
        out.say(f"What it is instead is not known{reason}{nearest}", style="bold")
    else:
        unsure = "" if instead.status == "confirmed" else ", or something indistinguishable from it"
        out.say(f"What it is instead{unsure}", style="bold")
    if instead.contract is not None:
        claimed = words.contract(found)
        wanted = {} if claimed is None else dict(values(claimed))
        for facet, value in values(instead.contract):
            other = wanted.pop(facet, facets()[facet].default)
            told = value if value == other or facets()[facet].edge else f"{value}, not {other}"
            out.labelled(facet, told, column=20)
        for facet, value in wanted.items():
            out.labelled(facet, f"{facets()[facet].default}, not {value}", column=20)
        out.say(f"everything else as by default: {otherwise(instead.contract)}", indent=3)
