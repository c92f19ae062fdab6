"""The answer of check for people, and as JSON."""

from __future__ import annotations

import msgspec

from lossvet.reports.pages import Page, counted
from lossvet.reports.verify_json import sendable, side
from lossvet.reports.verify_words import binding_lines, values
from lossvet.verify.checked import Checked
from lossvet.verify.words import DEFAULT


def page(found: Checked, width: int) -> Page:
    out = Page(width)
    style = {0: "bold green", 1: "bold red"}.get(found.exit_code, "bold yellow")
    out.say(f"{_headline(found)}.", hanging=4, style=style)
    for number, difference in enumerate(found.differences, 1):
        out.gap()
        first, *rest = difference.lines
        out.say(f"{number}. {first}", hanging=3, style="bold")
        for line in rest:
            out.say(line, indent=3)
    if found.identified is not None and found.identified.contract is not None:
        out.gap()
        out.say("What it is instead", style="bold")
        for facet, value in values(found.identified.contract):
            out.labelled(facet, value, column=20)
        out.say(f"otherwise {DEFAULT}", indent=3)
    out.gap()
    out.labelled("checks", _counts(found), indent=0)
    if found.accuracy:
        out.labelled("accuracy", found.accuracy, indent=0)
    if found.binding is not None:
        for i, line in enumerate(binding_lines(found.binding)):
            out.labelled("called as" if i == 0 else "", line, indent=0)
    for warning in found.warnings:
        out.labelled("warning", warning, indent=0, style="yellow")
    for i, words in enumerate(found.not_checked):
        out.labelled("not checked" if i == 0 else "", words, indent=0)
    return out


def _headline(found: Checked) -> str:
    what = f"{found.variant} with reduction {found.reduction}" if found.reduction else found.variant
    match found.exit_code:
        case 0:
            return f"conforms: {found.spec} is {what}"
        case 1:
            return f"differs: {found.spec} is not {what}"
    return f"cannot judge {found.spec}: {found.reason.rstrip('.') or 'not one check was made'}"


def _counts(found: Checked) -> str:
    parts = [f"{found.agrees:,} of {counted(found.checks, 'check')} agree", f"{found.differs:,} differ"]
    parts += [f"{found.deviates:,} differ as a known deviation says"] if found.deviates else []
    parts += [f"{found.uninformative:,} say nothing"] if found.uninformative else []
    return ", ".join(parts)


def ending(found: Checked) -> str:
    if found.exit_code == 3:
        return f"cannot judge: {found.reason or 'not one check was made'}"
    return _counts(found)


def document(found: Checked) -> str:
    fields = msgspec.structs.asdict(found)
    identified = None if found.identified is None else side(found.identified)
    done = {"schema": 1, "exit": found.exit_code, **msgspec.to_builtins({**fields, "identified": None})}
    whole = sendable({**done, "identified": identified})
    return msgspec.json.format(msgspec.json.encode(whole), indent=1).decode() + "\n"
