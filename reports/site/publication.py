"""The table to publish: every recipe and mode in a line, as HTML, Markdown and CSV; by whom, and how to cite it."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lossvet.adapters.spelling import title
from lossvet.benchmarks.engine import REPLICATES
from lossvet.benchmarks.table import Row
from lossvet.conformance.summary import CellSummary
from lossvet.reference.dtypes import DTYPES
from lossvet.reports.markdown import escape
from lossvet.reports.site import accuracy_tables, tables, timings
from lossvet.reports.site.listing import Line, Listing, Square, line
from lossvet.reports.site.sources import Sources
from lossvet.workers.messages import Hello

NOT_GIVEN = "not given"
TITLE = "Conformance, accuracy and speed of weighted cross-entropy losses"
COLUMNS = {
    "variant": "the loss",
    "framework": "",
    "version": "of the framework",
    "recipe": "how it is written: native is the framework's own function",
    "mode": "how the framework runs it",
    "compiled": "whether the whole loss is compiled to machine code",
    "dtype": "",
    "accuracy over all cases": "class of the worst output: relative, shift-invariant or absolute",
    "ulp over all cases": "largest error in ulp among losses of relative accuracy",
    "error over bound": "largest error of any output over its bound, known deviations apart",
    "checks that agree": "how many are within the bound",
    "known deviations": "their ids, as on the page deviations.html",
    "N": "rows of the timed call",
    "C": "its classes",
    "time, ns": "loss and gradient: median of the processes, nanoseconds",
    "time low, ns": "lower end of its 95 % interval; empty where there are too few processes for one",
    "time high, ns": "upper end",
    "memory, bytes": "in addition to the inputs",
    "share of the limit": "the shortest time that the memory of the machine allows, over the median",
    "accuracy of the timed call": "class of its worst output, and the error of the loss in ulp",
    "anchor": "of the row, as in table.html#anchor; it stays the same from run to run",
}
"""What each column of the CSV and the Markdown means."""


@dataclass(frozen=True)
class Publication:
    """The publisher, empty where none is given; everything else comes from the run."""

    author: str = ""

    def cited(self, sources: Sources) -> dict[str, str]:
        header = sources.contents.header
        versions = ", ".join(f"{title(n)} {v}" for n, v in sources.result.versions.items())
        date = header.started[:10]
        return {
            "author": self.author or f"{NOT_GIVEN}; lossvet report --author NAME sets it",
            "version": f"lossvet {header.lossvet}",
            "date": date,
            "frameworks": versions,
            "licence": importlib.metadata.metadata("lossvet")["License-Expression"] or NOT_GIVEN,
            "cite": f"{self.author and f'{self.author}: '}{TITLE}. lossvet {header.lossvet}, {date}. {versions}.",
        }


def anchor(cell: Any) -> str:
    """The name of a row, for good: of what is measured, and of nothing that changes from run to run."""
    return "-".join((cell.variant, cell.framework, cell.recipe, cell.mode, cell.dtype, cell.device))


def dtypes(sources: Sources) -> tuple[str, ...]:
    """Those that were timed; where none was, the first that was run: a row stands for a recipe in a mode."""
    timed = {row.subject.cell.dtype for row in timings.timed(sources)}
    run = {c.cell.dtype for c in sources.result.summary.cells}
    return tuple(d for d in DTYPES if d in timed) or tuple(d for d in DTYPES if d in run)[:1]


def _rows(sources: Sources) -> list[tuple[CellSummary, Row | None]]:
    """Every cell in the `dtypes` of the table, with its time at the largest shape."""
    timed = timings.timed(sources)
    at = timings.largest(timed) if timed else None
    times = {str(r.subject.cell): r for r in timed if r.subject.shape == at and r.subject.task == "train"}
    own = dtypes(sources)
    cells = [c for c in sources.result.summary.cells if c.cell.dtype in own]
    return [(c, times.get(str(c.cell))) for c in sorted(cells, key=lambda c: c.cell)]


def page(sources: Sources, publication: Publication) -> dict[str, Any]:
    timed = timings.timed(sources)
    by_loss: dict[str, list[tuple[CellSummary, Row | None]]] = {}
    for c, row in _rows(sources):
        by_loss.setdefault(c.cell.variant, []).append((c, row))
    return {
        "title": "The table",
        "cited": publication.cited(sources),
        "at": timings.at_words(timings.largest(timed)) if timed else "",
        "untimed": "; ".join(timings.untimed(sources)) if timed else "",
        "processes": REPLICATES,
        "dtypes": ", ".join(dtypes(sources)),
        "tables": {name: listing(name, rows, sources) for name, rows in by_loss.items()},
    }


def listing(name: str, rows: Sequence[tuple[CellSummary, Row | None]], sources: Sources) -> Listing:
    """The rows of a loss."""
    lines: list[Line] = []
    for c, row in rows:
        cell = c.cell
        measured = timings.measures(row) if row else ("not timed", "", "", "", "")
        lines.append(
            line(
                f"{title(cell.framework)}, {cell.recipe}, {cell.mode}",
                "yes" if timings.how(cell, sources.result.greetings) == timings.COMPILED else "no",
                accuracy_tables.words(c.accuracy, c.ulp_loss) if c.accuracy else c.verdict.replace("_", " "),
                accuracy_tables.error(c),
                Square(f"{len(c.deviations)}", tone="known") if c.deviations else "",
                *measured,
                anchor=anchor(cell),
            )
        )
    return Listing(
        f"The rows of {name}",
        "",
        (("framework, recipe, mode", "short"), ("compiled", "short"), ("accuracy over all cases", "text"),
         ("error over bound", "number"), ("known deviations", "number"), *timings.MEASURES),
        tuple(lines),
    )  # fmt: skip


def values(sources: Sources) -> list[list[Any]]:
    """The lines of the CSV and the Markdown: numbers as numbers, empty where there is none."""
    found = []
    for c, row in _rows(sources):
        cell, greeting = c.cell, sources.result.greetings[c.cell.framework]
        time = row.time if row else None
        found.append([
            cell.variant, title(cell.framework), greeting.version if isinstance(greeting, Hello) else "", cell.recipe,
            cell.mode, timings.how(cell, sources.result.greetings) == timings.COMPILED, cell.dtype, c.accuracy or "",
            c.ulp_loss, c.ratio, c.counts["agrees"], " ".join(sorted(c.deviations)),
            row.subject.shape.n if row else None, row.subject.shape.c if row else None,
            time.median if time else None, _number(time.low if time else None), _number(time.high if time else None),
            row.peak if row else None, _number(row.fraction if row else None),
            accuracy_tables.words(row.accuracy, row.ulp()) if row else "", anchor(cell),
        ])  # fmt: skip
    return found


def _number(value: float | None) -> float | None:
    return value if value is not None and value == value else None


def as_csv(sources: Sources) -> str:
    return tables.csv_of(values(sources), list(COLUMNS))


def as_markdown(sources: Sources, publication: Publication) -> str:
    lines = [f"# {TITLE}", ""]
    lines += [f"- {name}: {escape(text)}" for name, text in publication.cited(sources).items()]
    lines += ["", f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    lines += [f"| {' | '.join(map(_shown, row))} |" for row in values(sources)]
    return "\n".join(lines) + "\n"


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else escape(str(value))
