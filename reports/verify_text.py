"""The answer of verify and of identify for people: what differs, what that does, how to match old, what is open."""

from __future__ import annotations

from lossvet.reports.counterexamples import table
from lossvet.reports.pages import Page, columns
from lossvet.reports.variant_words import variant_of
from lossvet.reports.verify_words import (
    SIDES,
    accept,
    binding_lines,
    direct,
    effect_lines,
    evidence,
    evidence_of_both,
    explained,
    headline,
    remarks,
    rows,
    sentence,
    title,
    to_match,
)
from lossvet.verify.answer import Comparison, Difference, Identified
from lossvet.verify.contract import Contract
from lossvet.verify.contract_words import DEFAULT, otherwise, told

WIDTH = 100
"""Where the output is no terminal."""

FACET = 20
"""The width of the column of facets in a contract."""

_STYLE = {
    "same": "bold green",
    "different": "bold red",
    "same_gradient": "bold yellow",
    "equal_on_probes": "bold yellow",
    "unexplained": "bold yellow",
    "cannot_judge": "bold yellow",
}


def text(found: Comparison) -> str:
    return page(found, WIDTH).text()


def page(found: Comparison, width: int) -> Page:
    out = Page(width)
    out.say(headline(found), hanging=4, style=_STYLE[found.verdict] if found.exit_code else "bold green")
    out.gap()
    _contracts(out, found)
    for number, difference in enumerate(found.differences, 1):
        out.gap()
        _difference(out, number, difference, found)
    _without_facet(out, found)
    if found.effect is not None:
        out.gap()
        out.say("On the given batch", style="bold")
        for line in effect_lines(found.effect):
            out.say(f"{line}.", indent=3)
    out.gap()
    _sides(out, found)
    _closing(out, (*found.source.warnings, *found.target.warnings, *found.warnings), found.not_checked)
    if found.accepted:
        out.labelled("accepted", "; ".join(found.accepted), indent=0)
    if found.replay:
        out.labelled("replay", found.replay, indent=0)
    return out


def _contracts(out: Page, found: Comparison) -> None:
    """Both contracts side by side; one column where they are equal."""
    sides = (found.source, found.target)
    if not any(side.candidates for side in sides):
        return
    numbers = {d.facet: str(i) for i, d in enumerate(found.differences, 1)}
    listed = rows(found.source.contract, found.target.contract)
    names = [f"{name}{_hedge(side)}" for name, side in zip(SIDES, sides, strict=True)]
    body = [["", *names, ""], *([f, a, b, f"<- {numbers[f]}" if f in numbers else ""] for f, a, b in listed)]
    if all(a == b for _, a, b in listed):
        both = "both" if not _hedge(found.source) + _hedge(found.target) else f"both{_hedge(found.target)}"
        body = [["", both], *([facet, a] for facet, a, _ in listed)]
    made = columns(body if listed else [], left=4)
    if made and max(map(len, made)) + 3 > out.width:
        for facet, a, b in listed:
            out.labelled(facet, a if a == b else f"{a} in old, {b} in new", column=FACET)
    else:
        out.raw(made, indent=3)
    rest = f"everything else as by default: {otherwise(f for f, *_ in listed)}" if listed else f"both are {DEFAULT}"
    out.say(rest, indent=3)


def _hedge(side: Identified) -> str:
    if side.status == "ambiguous":
        return f" (1 of {len(side.candidates)} readings)"
    return " (nearest)" if side.status == "unexplained" and side.candidates else ""


def _difference(out: Page, number: int, difference: Difference, found: Comparison) -> None:
    said = f" ({', '.join(remarks(difference))})" if remarks(difference) else ""
    style = "dim" if difference.accepted else "bold"
    out.say(f"{number}. {title(difference)}{said}", hanging=3, style=style)
    if difference.says:
        out.say(difference.says, indent=3)
    if difference.accepted:
        return
    if difference.counterexample is not None:
        out.gap()
        out.raw(table(difference.counterexample, out.width - 3), indent=3)
        out.gap()
    if difference.training:
        out.labelled("in training", difference.training)
    if difference.change:
        out.labelled(to_match(found), difference.change)
    if not difference.edge:
        out.labelled("to accept it", accept(difference))
    first = next(i for i, d in enumerate(found.differences, 1) if not d.accepted)
    out.labelled("evidence", evidence_of_both(found) if number == first else f"as for {first}")
    if not difference.confirmed:
        out.labelled("not confirmed", "a side has more than one reading; this is the difference between the simplest")
    if difference.edge:
        out.labelled("edge case", "reported, but not a difference in meaning unless --strict-edges is given")


def _without_facet(out: Page, found: Comparison) -> None:
    """The input on which sides part that no difference explains, and as far as it can be seen where."""
    shown = [d.counterexample for d in found.differences]
    if found.counterexample is not None and (not any(shown) or found.verdict == "unexplained"):
        out.gap()
        out.say("The smallest input found on which they differ", style="bold")
        out.gap()
        out.raw(table(found.counterexample, out.width - 3), indent=3)
    if found.parts_at:
        out.gap()
        out.labelled("they part at", found.parts_at)
    if found.reason and found.verdict != "cannot_judge":
        out.gap()
        out.say(sentence(found.reason), indent=3)


def _sides(out: Page, found: Comparison) -> None:
    told_above = any(not d.accepted for d in found.differences)
    for name, side in zip(SIDES, (found.source, found.target), strict=True):
        out.gap()
        out.labelled(name, side.spec, indent=0, style="bold")
        made = " ".join(w for w in (side.framework, side.version) if w)
        status = side.status.replace("_", " ")
        if side.tried and not told_above:
            status = f"{status}: {explained(side)}"
        out.labelled("", f"{made}; {status}" if made else status, indent=0)
        if side.reason and side.reason != found.reason:
            out.labelled("", sentence(side.reason), indent=0)
        _binding(out, side)
    out.gap()
    out.labelled("both", direct(found), indent=0)


def _binding(out: Page, side: Identified) -> None:
    if side.binding is not None:
        for i, line in enumerate(binding_lines(side.binding)):
            out.labelled("called as" if i == 0 else "", line, indent=0)


def _closing(out: Page, warnings: tuple[str, ...], not_checked: tuple[str, ...]) -> None:
    for warning in dict.fromkeys(warnings):
        out.labelled("warning", warning, indent=0, style="yellow")
    for i, words in enumerate(dict.fromkeys(not_checked)):
        out.labelled("not checked" if i == 0 else "", words, indent=0)


def identified_text(found: Identified) -> str:
    return identified_page(found, WIDTH).text()


def identified_page(found: Identified, width: int) -> Page:
    """One side: its contract in words, and on what that rests."""
    out = Page(width)
    style = {"confirmed": "bold green", "cannot_judge": "bold red"}.get(found.status, "bold yellow")
    status = found.status.replace("_", " ")
    made = " ".join(w for w in (found.framework, found.version) if w)
    out.say(f"{status}: {found.spec}{f' ({made})' if made else ''}", hanging=4, style=style)
    if found.reason:
        out.say(sentence(found.reason), indent=3)
    for number, contract in enumerate(found.candidates, 1):
        out.gap()
        if found.status == "unexplained":
            out.say("The nearest contract, which does not explain it:", indent=3)
        elif len(found.candidates) > 1:
            out.say(f"Reading {number} of {len(found.candidates)}", indent=3)
        _contract(out, contract)
    out.gap()
    for i, words in enumerate(variant_of(found)):
        out.labelled("variant" if i == 0 else "", words, indent=0)
    if found.needed:
        out.labelled("would tell", found.needed, indent=0)
    _binding(out, found)
    if found.tried:
        out.labelled("evidence", evidence(found), indent=0)
    for i, seen in enumerate(found.learnt):
        out.labelled("was seen" if i == 0 else "", seen, indent=0)
    _closing(out, found.warnings, found.not_checked)
    return out


def _contract(out: Page, contract: Contract) -> None:
    """A sentence for each departure, beside its facet."""
    before = ""
    for t in told(contract):
        words = f"{t.sentence} (edge case)" if t.edge else t.sentence
        out.labelled("" if t.facet == before else t.facet, words, column=FACET)
        before = t.facet
    out.labelled(
        "otherwise" if before else "",
        f"{'As by default: ' if before else 'The loss is '}{otherwise(contract)}.",
        column=FACET if before else 0,
    )
