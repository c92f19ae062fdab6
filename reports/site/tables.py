"""The data of a site as CSV, and what its columns mean."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lossvet.benchmarks.table import Row
from lossvet.conformance import summary
from lossvet.conformance.run import Result
from lossvet.conformance.summary import CellSummary
from lossvet.reports import speed

CELLS: Mapping[str, tuple[str, Callable[[CellSummary], Any]]] = {
    "variant": ("the loss", lambda c: c.cell.variant),
    "recipe": ("how it is written: native is the framework's own function", lambda c: c.cell.recipe),
    "framework": ("", lambda c: c.cell.framework),
    "mode": ("how the framework runs it", lambda c: c.cell.mode),
    "dtype": ("", lambda c: c.cell.dtype),
    "device": ("", lambda c: c.cell.device),
    "verdict": ("the worst of its checks", lambda c: c.verdict),
    "checks": ("how many were judged", lambda c: c.checks),
    "agrees": ("within the bound", lambda c: c.counts["agrees"]),
    "deviates": ("wrong as conformance/deviations.toml says", lambda c: c.counts["deviates"]),
    "differs": ("outside the bound", lambda c: c.counts["differs"]),
    "errored": ("raised, crashed or timed out", lambda c: c.counts["errored"]),
    "absent": ("there is nothing to judge", lambda c: c.counts["absent"]),
    "not_run": ("planned but not done", lambda c: c.not_run),
    "class": ("accuracy of the worst output: relative, shift-invariant or absolute", lambda c: c.accuracy or ""),
    "ulp_loss": ("largest error in ulp among losses of relative accuracy", lambda c: c.ulp_loss),
    "error_over_bound": ("largest error over the bound, known deviations apart", lambda c: c.ratio),
    "worst": ("case and output of that error", lambda c: c.worst),
    "notes": ("", lambda c: "; ".join(summary.notes(c))),
}
TIMES: Mapping[str, str] = {
    "subject": "variant/recipe/framework/mode/dtype/device/NxC/task",
    "variant": "the loss",
    "recipe": "how it is written",
    "framework": "",
    "mode": "how the framework runs it",
    "dtype": "",
    "device": "",
    "n": "rows",
    "c": "classes",
    "ignored": "whether a quarter of the rows is ignored",
    "task": "forward: the loss; train: loss and gradient",
    "median_ns": "median of the processes, nanoseconds",
    "low_ns": "lower end of its 95 % interval",
    "high_ns": "upper end",
    "processes": "how many",
    "limit_ns": "the shortest time that the memory of the machine allows",
    "fraction_of_limit": "limit over median",
    "void": "whether it beat the limit, so something was not measured",
    "peak_bytes": "memory in addition to the inputs",
    "compile_ns": "until the first result, compilation included",
    "verdict": "of the judge, on the result of the timed call",
    "class": "accuracy class",
    "ulp_loss": "error of the loss in ulp",
    "ulp_gradient": "largest error of its gradient in ulp",
    "why": "why there is no time",
}


def cells(result: Result) -> str:
    return csv_of([[read(cell) for _, read in CELLS.values()] for cell in result.summary.cells], list(CELLS))


def times(rows: Sequence[Row]) -> str:
    return csv_of([[found[name] for name in TIMES] for found in map(speed.json_row, rows)], list(TIMES))


def columns(of_table: Mapping[str, str]) -> str:
    """What the files hold, as text; `of_table` are the columns of table.csv with their meanings."""
    parts = ["cells.csv: a line for each cell: a recipe in a mode, a dtype and on a device", ""]
    parts += [f"  {name:18}{meaning}".rstrip() for name, (meaning, _) in CELLS.items()]
    parts += ["", "times.csv: a line for each benchmark", ""]
    parts += [f"  {name:18}{meaning}".rstrip() for name, meaning in TIMES.items()]
    parts += ["", "table.csv: a line for each recipe in a mode, as on the page table.html", ""]
    parts += [f"  {name:30}{meaning}".rstrip() for name, meaning in of_table.items()]
    parts += ["", "An empty field: there is no such number. inf: a result is NaN or infinite where golden is finite."]
    parts += [
        "",
        "conformance.jsonl.xz, benchmark.jsonl.xz: the raw records of the measurement, one per line,",
        'with its CRC-32: {"crc":"xxxxxxxx","record":{...}}. The pages, the pictures and both tables are made of',
        "these two files alone; `lossvet report --check FOLDER` makes them anew and compares every byte.",
    ]
    return "\n".join(parts) + "\n"


def csv_of(rows: Sequence[Sequence[Any]], names: Sequence[str]) -> str:
    found = io.StringIO()
    writer = csv.writer(found, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_field(value) for value in row] for row in rows)
    return found.getvalue()


def _field(value: Any) -> str:
    """One line of text; an apostrophe before what a spreadsheet would take for a formula."""
    if value is None:
        return ""
    if isinstance(value, int | float):
        return repr(value)
    text = " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
