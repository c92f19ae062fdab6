"""The answer of verify as Markdown, for a step summary or a pull request. Text from outside is escaped."""

from __future__ import annotations

from lossvet.reports.counterexamples import table
from lossvet.reports.markdown import escape
from lossvet.reports.terminal import plain
from lossvet.reports.variant_words import variant_of
from lossvet.reports.verify_words import direct, effect_lines, ending, evidence, headline, remarks, rows, to_match
from lossvet.verify.answer import Comparison, Difference, Identified
from lossvet.verify.contract_words import otherwise, told

WIDTH = 100


def render(found: Comparison) -> str:
    lines = [f"## lossvet verify: {escape(ending(found))}", "", escape(headline(found)), ""]
    if found.differences:
        lines += ["| | facet | old | new | |", "|---|---|---|---|---|"]
        lines += [_row(i, d) for i, d in enumerate(found.differences, 1)]
        lines.append("")
    for number, difference in enumerate(found.differences, 1):
        lines += _paragraphs(number, difference, found)
    if found.counterexample is not None and not any(d.counterexample for d in found.differences):
        lines += ["The smallest input found on which they differ:", "", *_block(table(found.counterexample, WIDTH)), ""]
    lines += [f"{escape(found.parts_at)}", ""] if found.parts_at else []
    lines += [f"On the given batch: {escape('; '.join(effect_lines(found.effect)))}", ""] if found.effect else []
    listed = rows(found.source.contract, found.target.contract)
    if listed:
        lines += ["| contract | old | new |", "|---|---|---|"]
        lines += [f"| {' | '.join(map(escape, row))} |" for row in listed]
        lines += ["", f"Otherwise {otherwise(f for f, *_ in listed)}.", ""]
    for name, side in (("old", found.source), ("new", found.target)):
        lines.append(_side(name, side))
    lines += [f"- {escape(direct(found))}"]
    lines += [f"- warning: {escape(w)}" for w in (*found.source.warnings, *found.target.warnings, *found.warnings)]
    lines += [f"- not checked: {escape('; '.join(found.not_checked))}"] if found.not_checked else []
    lines += [f"- accepted: {escape('; '.join(found.accepted))}"] if found.accepted else []
    lines += [f"- replay: `{found.replay}`"] if found.replay else []
    return "\n".join(lines) + "\n"


def render_identified(found: Identified) -> str:
    lines = [f"## lossvet identify: {escape(found.status.replace('_', ' '))}", "", _side("loss", found), ""]
    for contract in found.candidates:
        lines += ["| facet | value | |", "|---|---|---|"]
        lines += [f"| {escape(t.facet)} | {escape(t.value)} | {escape(t.sentence)} |" for t in told(contract)]
        lines += ["", f"Otherwise {otherwise(contract)}.", ""]
    lines += [f"- variant: {code('; '.join(variant_of(found)))}"] if variant_of(found) else []
    lines += [f"- {escape(words)}" for words in (found.reason, found.needed, *found.learnt) if words]
    lines += [f"- warning: {escape(words)}" for words in found.warnings]
    lines += [f"- not checked: {escape('; '.join(found.not_checked))}"] if found.not_checked else []
    return "\n".join(lines) + "\n"


def _row(number: int, difference: Difference) -> str:
    cells = (difference.facet, difference.source, difference.target, ", ".join(remarks(difference)))
    return f"| {number} | {' | '.join(map(escape, cells))} |"


def _paragraphs(number: int, difference: Difference, found: Comparison) -> list[str]:
    lines = [f"{number}\\. **{escape(difference.facet)}.** {code(difference.says)}", ""]
    if difference.counterexample is not None and not difference.accepted:
        lines += [*_block(table(difference.counterexample, WIDTH)), ""]
    for label, words in (("In training", difference.training), (to_match(found).capitalize(), difference.change)):
        lines += [f"{label}: {code(words)}", ""] if words and not difference.accepted else []
    return lines


def code(words: str) -> str:
    """Escaped, but for what stands between backticks."""
    parts = " ".join(plain(words).split()).split("`")
    if len(parts) % 2 == 0:
        return escape(words)
    return "".join(f"`{part}`" if i % 2 else _kept(part) for i, part in enumerate(parts))


def _kept(part: str) -> str:
    """Escaped, with the space at either end, which `escape` takes away."""
    return f"{' ' if part[:1] == ' ' else ''}{escape(part)}{' ' if part[1:] and part[-1] == ' ' else ''}"


def _block(lines: list[str]) -> list[str]:
    """Indented by four: nothing in it can end the block."""
    return [f"    {plain(line)}".rstrip() for line in lines]


def _side(name: str, side: Identified) -> str:
    made = " ".join(w for w in (side.framework, side.version) if w)
    call = f", called as {escape(side.binding.call)}" if side.binding else ""
    status = side.status.replace("_", " ")
    rests = f": {evidence(side)}" if side.tried else f": {side.reason}" if side.reason else ""
    return f"- {name}: {escape(side.spec)} ({escape(made)}){call}; {escape(status + rests)}"
