"""A replayed counterexample for people: what was recorded, what both losses answer now."""

from __future__ import annotations

import msgspec

from lossvet.reports.counterexamples import table
from lossvet.reports.pages import Page
from lossvet.verify.replay import Replayed


def page(key: str, found: Replayed, width: int) -> Page:
    """The input with both answers of now; those recorded below where they are others."""
    out = Page(width)
    old, new = found.recorded.source, found.recorded.target
    if found.recorded.options.base:
        old = f"{old} at {found.recorded.options.base}"
    out.say(
        f"{key}: {old} and {new}: {ending(found)}.", hanging=4, style="bold green" if found.as_recorded else "bold red"
    )
    out.gap()
    out.raw(table(found.now, out.width - 3), indent=3)
    if not found.as_recorded:
        out.gap()
        out.say("As recorded", style="bold")
        out.gap()
        recorded = msgspec.structs.replace(found.recorded.counterexample)
        lines = table(recorded, out.width - 3)
        out.raw(lines[lines.index("") + 1 :], indent=3)
    return out


def ending(found: Replayed) -> str:
    if found.as_recorded:
        return "both results are as recorded"
    if not (found.source_as_recorded or found.target_as_recorded):
        return "neither result is as recorded"
    return f"the {'new' if found.source_as_recorded else 'old'} result differs from the recorded one"
