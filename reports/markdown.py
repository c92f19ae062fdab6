"""A run as Markdown: the matrix, the findings, the totals. Text from outside is escaped, so that it stays text."""

from __future__ import annotations

import re

from lossvet.conformance.run import Result
from lossvet.reports.accuracy import LEGEND
from lossvet.reports.findings import smallest
from lossvet.reports.matrix import NARROW_SAYS, NARROW_TITLE, by_bits, matrix
from lossvet.reports.terminal import plain, totals


def escape(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~&-])", r"\\\1", " ".join(plain(text).split()))


def render(result: Result) -> str:
    versions = result.versions
    names = list(result.greetings)
    titles = [escape(f"{name} {versions.get(name, '')}".strip()) for name in names]
    lines = ["# Conformance of weighted cross-entropy losses", ""]
    for bits, cells in by_bits(result.summary.cells).items():
        if bits == NARROW_TITLE:
            lines += [f"## {bits}", "", escape(NARROW_SAYS), ""]
        lines += ["| | " + " | ".join(titles) + " |", "|---" * (len(names) + 1) + "|"]
        for variant, row in matrix(cells, names).items():
            lines.append(f"| {escape(variant)} | " + " | ".join(escape(row[name].text) for name in names) + " |")
        lines.append("")
    lines += [escape(LEGEND), ""]
    for described in smallest(result.summary.findings, result.plan):
        lines.append("- " + "  \n  ".join(escape(line) for line in described.lines))
    lines += [f"- {escape(problem)}" for problem in result.problems]
    lines += ["", *(f"- {escape(line.strip())}" for line in totals(result)), "", escape(result.verdict[1])]
    return "\n".join(lines) + "\n"
