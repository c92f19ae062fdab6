"""The table to publish: every recipe and mode in a line, as HTML, Markdown and CSV; by whom, and how to cite it."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from typing import Any

from lossvet.adapters.spelling import title
from lossvet.benchmarks.table import Row
from lossvet.conformance.summary import CellSummary
from lossvet.reports.markdown import escape
from lossvet.reports.site import accuracy_tables, tables, timings
from lossvet.reports.site.listing import Line, Link, Listing, Square, line
from lossvet.reports.site.sources import Sources
from lossvet.workers.messages import Hello

NOT_GIVEN = "not given"
TITLE = "Conformance, accuracy and speed of weighted cross-entropy losses"
COLUMNS = ("variant", "framework", "version", "recipe", "mode", "compiled", "dtype", "accuracy over all cases",
           "ulp over all cases", "error over bound", "checks that agree", "known deviations", "N", "C", "time, ns",
           "low", "high", "memory, bytes", "share of the limit", "accuracy of the timed call", "anchor")  # fmt: skip


@dataclass(frozen=True)
class Publication:
    """The publisher; everything else comes from the run."""

    author: str = NOT_GIVEN

    def cited(self, sources: Sources) -> dict[str, str]:
        header = sources.contents.header
        versions = ", ".join(f"{title(n)} {v}" for n, v in sources.result.versions.items())
        date = header.started[:10]
        return {
            "author": self.author,
            "version": f"lossvet {header.lossvet}",
            "date": date,
            "frameworks": versions,
            "licence": importlib.metadata.metadata("lossvet")["License-Expression"] or NOT_GIVEN,
            "cite": f"{self.author}: {TITLE}. lossvet {header.lossvet}, {date}. {versions}.",
        }


def anchor(cell: Any) -> str:
    """The name of a row, for good: of what is measured, and of nothing that changes from run to run."""
    return "-".join((cell.variant, cell.framework, cell.recipe, cell.mode, cell.dtype, cell.device))


def _rows(sources: Sources) -> list[tuple[CellSummary, Row | None]]:
    """Every cell in the dtypes that were timed, all of them where none was, with its time at the largest shape."""
    timed = timings.timed(sources)
    at = timings.largest(timed) if timed else None
    times = {str(r.subject.cell): r for r in timed if r.subject.shape == at and r.subject.task == "train"}
    dtypes = {row.subject.cell.dtype for row in timed}
    cells = [c for c in sources.result.summary.cells if not dtypes or c.cell.dtype in dtypes]
    return [(c, times.get(str(c.cell))) for c in sorted(cells, key=lambda c: c.cell)]


def page(sources: Sources, publication: Publication) -> dict[str, Any]:
    timed = timings.timed(sources)
    return {
        "title": "The table",
        "cited": publication.cited(sources),
        "at": timings.at_words(timings.largest(timed)) if timed else "",
        "untimed": "; ".join(timings.untimed(sources)) if timed else "",
        "table": listing(sources),
    }


def listing(sources: Sources) -> Listing:
    lines: list[Line] = []
    for c, row in _rows(sources):
        cell = c.cell
        measured = timings.measures(row) if row else ("not timed", "", "", "", "")
        known = " ".join(sorted(c.deviations))
        lines.append(
            line(
                Square("", (Link(cell.variant, f"variants/{cell.variant}.html"),)),
                title(cell.framework),
                f"{cell.recipe}, {cell.mode}",
                "yes" if timings.how(cell, sources.result.greetings) == timings.COMPILED else "no",
                accuracy_tables.words(c.accuracy, c.ulp_loss),
                accuracy_tables.error(c),
                Square(f"{len(c.deviations)}", tone="known") if known else "",
                *measured,
                anchor=anchor(cell),
            )
        )
    return Listing(
        "The table",
        "Accuracy over all cases: the class of the worst result, and the largest error of the loss. Error: the largest "
        "of all outputs over its bound. Known: kinds of known deviations.",
        (("loss", "short"), ("framework", "short"), ("recipe, mode", "text"), ("compiled", "short"),
         ("accuracy over all cases", "text"), ("error over bound", "number"), ("known", "number"), *timings.MEASURES),
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
    return tables.csv_of(values(sources), COLUMNS)


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
