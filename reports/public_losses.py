"""Losses of public repositories, fed to `identify` unchanged: the recorded rows, and the page generated from them.

The rows are in `docs/public_losses.csv`, one a loss; `python -m lossvet.reports.public_losses docs` writes what follows
from them into `docs/public_losses.md`. Nothing here runs a loss: the verdicts were recorded once, with the versions
that the page names.
"""

from __future__ import annotations

import csv
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from lossvet.reports.pages import counted

VERDICTS = ("confirmed", "ambiguous", "unexplained", "cannot judge", "not bound", "gave up", "left out", "not fed")
"""The best first. "gave up": no answer within the time limit. "left out": it was read, but not fed yet.
"not fed": its file does not run here unchanged."""
IDENTIFIED = ("confirmed", "ambiguous")
CHECKS = ("agrees", "in part", "differs", "")
"""How the meaning compares with a record made by reading the source and computing the loss a second time in NumPy.
"in part": everything reported agrees, but nothing is reported about ignored rows or about soft labels."""
KINDS = {
    "value": "the value, or its formula, is not the one that is named or cited",
    "option": "an option does not do what it says, or does nothing",
    "gradient": "the value is right, the gradient is that of another loss",
    "input": "an argument called logits is taken for probabilities, or for log-probabilities",
    "state": "what it returns depends on earlier calls",
    "broken": "a branch cannot work as it is written",
    "naming": "a name that may mislead, which is a matter of taste",
}
"""How the computation differs from the claim."""
TASTE = "naming"
PAGE, ROWS = "public_losses.md", "public_losses.csv"


class Row(msgspec.Struct, frozen=True):
    """A loss: where it is, how it was called, what the identifier reported, and what its name or docstring claims.

    `made_with` holds constructor arguments that were given by hand; `call` the binding; `meaning` the departures of the
    contract from a plain mean softmax cross-entropy, or the reason where there is none. `claimed`, `computed` and
    `kind` are empty where the two are the same.
    """

    repository: str
    commit: str
    path: str
    name: str
    framework: str
    made_with: str
    call: str
    verdict: str
    meaning: str
    checked: str
    claimed: str
    computed: str
    kind: str

    def faults(self) -> list[str]:
        """What is wrong with the row itself, in words."""
        found = [] if re.fullmatch(r"[0-9a-f]{40}", self.commit) else [f"commit {self.commit!r} is not a full hash"]
        found += [] if self.verdict in VERDICTS else [f"verdict {self.verdict!r} is not one of {', '.join(VERDICTS)}"]
        found += [] if self.checked in CHECKS else [f"checked {self.checked!r} is not one of {', '.join(CHECKS)}"]
        if self.checked and self.verdict not in IDENTIFIED:
            found.append(f"checked, but {self.verdict}: only a meaning that was identified can be checked")
        given = (bool(self.claimed), bool(self.computed), self.kind in KINDS)
        if any(given) and not all(given):
            found.append("claimed, computed and kind must be given together")
        return [f"{self.repository} {self.name}: {fault}" for fault in found]


def read(path: Path) -> list[Row]:
    """The recorded rows. Raises ValueError where a row is faulty, naming every fault."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [Row(**fields) for fields in csv.DictReader(file)]
    faults = [fault for row in rows for fault in row.faults()]
    if faults:
        raise ValueError("; ".join(faults))
    return rows


def counts(rows: Sequence[Row]) -> str:
    """The figures, as a list in Markdown."""
    fed = [r for r in rows if r.verdict not in ("left out", "not fed")]
    bound = [r for r in fed if r.verdict != "not bound"]
    alone = [r for r in bound if not r.made_with]
    found = [r for r in fed if r.verdict in IDENTIFIED]
    checked = [r for r in found if r.checked]
    parting = [r for r in rows if r.kind and r.kind != TASTE]
    verdicts = Counter(r.verdict for r in rows)
    how = Counter(r.checked for r in checked)
    by_framework = Counter(r.framework for r in fed)
    other = ", ".join(f"{verdict} {n}" for verdict, n in _others(fed))
    lines = [
        f"{counted(len(rows), 'function')} from {len({r.repository for r in rows})} repositories were read. "
        f"Not fed, since they do not run here unchanged: {verdicts['not fed']}. Not fed yet: {verdicts['left out']}.",
        f"{len(fed)} were fed: {', '.join(f'{f} {n}' for f, n in by_framework.most_common())}; by "
        f"{len({r.repository.partition('/')[0] for r in fed})} authors.",
        f"{len(bound)} were bound: {len(alone)} without help, {len(bound) - len(alone)} with arguments of the "
        "constructor given by hand.",
        f"{len(found)} were identified: {sum(r.verdict == 'confirmed' for r in found)} confirmed, "
        f"{sum(r.verdict == 'ambiguous' for r in found)} ambiguous. The others: {other or 'none'}.",
        f"{len(checked)} of the identified were checked by hand: {how['agrees']} agree, {how['in part']} in part, "
        f"{how['differs']} differ.",
        f"{len(parting)} of {len(rows)} claim something other than what they compute, in their name or documentation. "
        f"Names that are a matter of taste are counted separately: {sum(r.kind == TASTE for r in rows)}.",
    ]
    return "\n".join(f"- {line}" for line in lines)


def _others(fed: Iterable[Row]) -> list[tuple[str, int]]:
    of = Counter(r.verdict for r in fed)
    return [(verdict, of[verdict]) for verdict in VERDICTS if of[verdict] and verdict not in IDENTIFIED]


def kinds(rows: Sequence[Row]) -> str:
    """How many differ from their claim, by kind, as a table in Markdown."""
    of = Counter(r.kind for r in rows if r.kind)
    lines = [f"| {kind} | {of[kind]} | {words} |" for kind, words in KINDS.items() if of[kind]]
    return "\n".join(["| kind | losses | what it means |", "|---|---|---|", *lines])


def table(rows: Sequence[Row]) -> str:
    """A line a loss, in Markdown."""
    lines = ["| loss | called as | verdict | checked by hand |", "|---|---|---|---|"]
    for r in rows:
        where = f"{r.repository}@{r.commit[:12]}, {r.path}::{r.name} ({r.framework})"
        call = f"`{_cell(r.call)}`" if r.call else ""
        verdict = f"**{r.verdict}**" + (f": {_cell(r.meaning)}" if r.meaning else "")
        lines.append(f"| {_cell(where)} | {call} | {verdict} | {_checked(r)} |")
    return "\n".join(lines)


def _checked(row: Row) -> str:
    return f"yes, {row.checked}" if row.checked else "no"


def claims(rows: Sequence[Row]) -> str:
    """Those that claim something other than what they compute, one line each, in Markdown."""
    lines = ["| loss | claimed | computed | kind |", "|---|---|---|---|"]
    lines += [
        f"| {_cell(f'{r.repository}, {r.path}::{r.name}')} | {_cell(r.claimed)} | {_cell(r.computed)} | {r.kind} |"
        for r in rows
        if r.kind
    ]
    return "\n".join(lines)


def _cell(words: str) -> str:
    return words.replace("|", "\\|").replace("\n", " ")


PARTS = {"counts": counts, "kinds": kinds, "table": table, "claims": claims}
"""The text of the page between `<!-- NAME -->` and `<!-- end of NAME -->`."""


def page(text: str, rows: Sequence[Row]) -> str:
    """The page with everything that follows from the rows written anew. Raises ValueError if a marker is missing."""
    for name, part in PARTS.items():
        place = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.S)
        if not place.search(text):
            raise ValueError(f"the page has no <!-- {name} --> ... <!-- end of {name} -->; add both where {name} go")
        made = part(rows)
        text = place.sub(lambda m, made=made: f"{m[1]}{made}\n{m[2]}", text)  # type: ignore[misc]
    return text


def main(folder: str) -> None:
    path = Path(folder) / PAGE
    path.write_text(page(path.read_text(encoding="utf-8"), read(Path(folder) / ROWS)), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
