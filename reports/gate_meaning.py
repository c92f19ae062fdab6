"""The part of a gate's report about the meaning of a loss, in every format: the first part."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

from lossvet.benchmarks.gate_meaning import Meaning
from lossvet.reports import verify_json
from lossvet.reports.counterexamples import table
from lossvet.reports.pages import Page
from lossvet.reports.terminal import plain
from lossvet.reports.verify_github import command
from lossvet.reports.verify_words import accept, binding_lines, title
from lossvet.verify.answer import Difference

COLOURS = {"green": "", "red": "red: ", "open": "cannot judge: "}
LEVELS = {"green": "notice", "red": "error", "open": "warning"}


def text(meaning: Meaning, width: int) -> list[str]:
    """The sentence; each change with its smallest input and what accepts it; how both sides are called."""
    out, found = Page(width), meaning.comparison
    out.labelled("meaning", f"{COLOURS[meaning.colour]}{meaning.words}", indent=0)
    for difference in _told(meaning):
        out.gap()
        out.say(title(difference), indent=3)
        for line in _lines(difference):
            out.say(line, indent=5)
    if found.counterexample is not None:
        out.gap()
        out.say("The smallest input found on which they differ", indent=3)
        out.raw(table(found.counterexample, width - 5), indent=5)
    out.gap()
    for name, side in (("base", found.source), ("head", found.target)):
        lines = binding_lines(side.binding) if side.binding is not None else ["its binding is not known"]
        for i, line in enumerate(lines):
            out.labelled(name if i == 0 else "", line, indent=0)
    for warning in dict.fromkeys(found.warnings):
        out.labelled("warning", warning, indent=0)
    return out.text().rstrip("\n").splitlines()


def _told(meaning: Meaning) -> list[Difference]:
    """Edges are no change of meaning, and what is accepted is in the sentence."""
    return [d for d in meaning.comparison.differences if not d.edge and not d.accepted]


def _lines(difference: Difference) -> list[str]:
    found = [difference.says, difference.training, f"To match base: {difference.change}" if difference.change else ""]
    return [*filter(None, found), f"To accept it: {accept(difference)}"]


def github(meaning: Meaning) -> list[str]:
    lines = [command(LEVELS[meaning.colour], "lossvet: meaning", meaning.words)]
    level = "error" if meaning.colour == "red" else "notice"
    lines += [command(level, f"lossvet: {title(d)}", " ".join(_lines(d))) for d in _told(meaning)]
    return lines


def markdown(meaning: Meaning) -> list[str]:
    """Paragraphs; whoever writes them escapes them."""
    return [
        f"{COLOURS[meaning.colour]}{meaning.words}",
        *(f"{title(d)}. {' '.join(_lines(d))}" for d in _told(meaning)),
    ]


def junit(meaning: Meaning, root: ET.Element) -> None:
    """A suite with one case: red fails, and what cannot be judged is an error."""
    suite = ET.SubElement(root, "testsuite", name="meaning", tests="1")
    case = ET.SubElement(suite, "testcase", classname="meaning", name=plain(meaning.comparison.target.spec))
    kinds = {"red": "failure", "open": "error"}
    if meaning.colour in kinds:
        problem = ET.SubElement(case, kinds[meaning.colour], message=plain(meaning.words))
        problem.text = plain("\n".join(f"{title(d)}. {' '.join(_lines(d))}" for d in _told(meaning)))
    for kind in ("failure", "error"):
        suite.set(f"{kind}s", str(len(suite.findall(f"testcase/{kind}"))))


def document(meaning: Meaning) -> dict[str, Any]:
    """The comparison as verify has it, with what it makes of the gate."""
    return {
        "colour": meaning.colour,
        "words": meaning.words,
        "claimed": meaning.claimed,
        "called": meaning.called,
        "judged_as": {
            name: f"{recipe.variant}/{recipe.reduction}" for name, recipe in meaning.recipes.items() if meaning.judged
        },
        "comparison": verify_json.document(meaning.comparison),
    }
