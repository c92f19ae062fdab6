"""The table of a benchmark run in text: every row, then what follows from them."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from rich.console import Console
from rich.text import Text

from lossvet.benchmarks.samples import Samples
from lossvet.benchmarks.statistics import Interval
from lossvet.benchmarks.table import Fastest, Row, fastest, growth
from lossvet.benchmarks.workloads import Shape
from lossvet.conformance.summary import CLASSES
from lossvet.conformance.types import Agrees, Differs
from lossvet.reports.accuracy import words
from lossvet.reports.terminal import plain

LEGEND = (
    "forward: the reduced loss, no gradient recorded; train: loss and gradient in the logits. Medians of processes; "
    "95 %: the interval of that median in per cent of it. limit: what the memory of this machine allows, measured in "
    "the same run, as a share of the time. MiB: peak memory above the inputs. All three are of train if it was timed. "
    "accuracy: of the worst output of the very same call, and the error of the loss in ulp."
)


NAME = 26
"""Columns for a name, so that the rest fits in 80; a longer one has a line of its own."""
RESOLUTION = 2 * 2**20
"""Bytes of peak memory below which nothing is said: an interpreter touches as much by itself."""


def duration(nanoseconds: float) -> str:
    """Three significant digits: "1.23 ms"."""
    if not math.isfinite(nanoseconds):
        return "-"
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if nanoseconds >= 0.9995 * size:
            return f"{_three(nanoseconds / size)} {unit}"
    return f"{_three(nanoseconds)} ns"


def _three(value: float) -> str:
    return f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f}" if value > 0 else "0"


def spread(time: Interval | None) -> str:
    """The interval around the median in per cent: "-1 +4"."""
    if time is None or math.isnan(time.low):
        return "-"
    return f"{100 * (time.low / time.median - 1):+.0f} {100 * (time.high / time.median - 1):+.0f}"


def size(nbytes: float | None) -> str:
    """In MiB."""
    if nbytes is None:
        return "-"
    if nbytes < RESOLUTION:
        return f"<{RESOLUTION // 2**20}"
    return f"{nbytes / 2**20:.1f}" if nbytes < 100 * 2**20 else f"{nbytes / 2**20:.0f}"


def share(fraction: float) -> str:
    """Of the limit, in per cent."""
    if not math.isfinite(fraction):
        return "-"
    if fraction < 0.0005:
        return "<0.1%"  # what is measured is not 0
    return f"{100 * fraction:.0f}%" if fraction >= 0.1 else f"{100 * fraction:.1f}%"


def accuracy(rows: Sequence[Row]) -> str:
    """What is said of the accuracy of the calls of a line of the table."""
    if any(row.void for row in rows):
        return "void"
    if any(row.verdict == "differs" for row in rows):
        return "DIFFERS"
    classes = [row.accuracy for row in rows if row.accuracy]
    ulp = max((u for row in rows if (u := row.ulp()) is not None), default=None)
    if not classes:
        return "not judged"
    return words(max(classes, key=CLASSES.index), ulp)


def report(out: Console, rows: Sequence[Row]) -> None:
    """These rows, in the order of variants and shapes; in each block the fastest first."""
    blocks: dict[tuple[str, Shape, str, str], dict[str, dict[str, Row]]] = {}
    for row in rows:
        s = row.subject
        block = blocks.setdefault((s.cell.variant, s.shape, s.cell.dtype, s.cell.device), {})
        block.setdefault(f"{s.cell.framework} {s.cell.mode} {s.cell.recipe}", {})[s.task] = row
    for (variant, at, dtype, device), lines in blocks.items():
        known = [row for line in lines.values() for row in line.values()]
        out.print()
        out.print(Text(plain(f"{variant}   {at.n:,} x {at.c:,}{' ignored' * at.ignored}   {dtype}   {device}"), "bold"))
        out.print(Text(f" {'':{NAME}}{'forward':>8}{'train':>8}{'95 %':>8}{'limit':>6}{'MiB':>6} accuracy", "dim"))
        for name, line in sorted(lines.items(), key=lambda item: _time(item[1])):
            if any(row.time for row in line.values()):
                if len(name) > NAME:
                    out.print(Text(plain(f" {name}")))
                out.print(Text(plain(_line(name if len(name) <= NAME else "", line))), soft_wrap=True)
        gone = {row.why for row in known if row.time is None}
        for why in sorted(gone):
            names = sorted({f"{r.subject.cell.framework} {r.subject.cell.mode} {r.subject.cell.recipe}"
                            for r in known if r.time is None and r.why == why})  # fmt: skip
            out.print(Text(plain(f"  no time: {', '.join(names)}: {why}"), "dim"))
    out.print()
    out.print(Text(LEGEND, "dim"))
    for text in conclusions(rows):
        out.print(Text(plain(text)))


def _time(line: dict[str, Row]) -> float:
    row = line.get("train") or line["forward"]
    return row.time.median if row.time else math.inf


def _line(name: str, line: dict[str, Row]) -> str:
    last = line.get("train") or line["forward"]
    times = [duration(line[t].time.median) if t in line and line[t].time else "-" for t in ("forward", "train")]  # type: ignore[union-attr]  # asked in the same expression
    return (
        f" {name:{NAME}}{times[0]:>8}{times[1]:>8}{spread(last.time):>8}{share(last.fraction):>6}{size(last.peak):>6}"
        f" {accuracy(list(line.values()))}"
    )


def conclusions(rows: Sequence[Row]) -> Iterator[str]:
    """Which recipe is fastest, how times grow, and what was not measured."""
    shapes = sorted({row.subject.shape for row in rows}, key=lambda s: (s.n * s.c, s))
    best = fastest(rows, shapes[-1], "train") if shapes else {}
    if best:
        yield ""
        yield f"fastest at {shapes[-1]}, loss and gradient; how much longer the next recipe takes:"
        for variant, group in itertools.groupby(sorted(best.items()), key=lambda item: item[0][0]):
            yield f"  {variant}"
            yield from (f"    {_best(framework, found)}" for (_, framework), found in group)
    found_exponents = exponents(rows)
    for axis in ("N", "C"):
        by_name = {name: bs for (own, name), bs in found_exponents.items() if own == axis}
        if by_name:
            yield f"growth with {axis}: time ~ {axis}^b, median and range of b over all recipes and variants"
        for name, bs in by_name.items():
            yield f"  {name:24} b = {median(bs):.2f}   {min(bs):.2f} to {max(bs):.2f}"
    timed = [row for row in rows if row.time]
    verdicts = Counter(row.verdict for row in timed)
    yield (
        f"{len(timed):,} rows timed: {verdicts['agrees']:,} agree, {verdicts['differs']:,} differ, "
        f"{verdicts['not judged']:,} not judged; {sum(row.void for row in timed):,} void; "
        f"{len(rows) - len(timed):,} without a time"
    )


def exponents(rows: Sequence[Row]) -> dict[tuple[str, str], list[float]]:
    """By axis, and by framework and mode: the exponents with which the time of loss and gradient grows."""
    found: dict[tuple[str, str], list[float]] = {}
    for g in growth(rows):
        if g.large.subject.task == "train":
            cell = g.large.subject.cell
            found.setdefault((g.axis, f"{cell.framework} {cell.mode}"), []).append(g.exponent)
    return dict(sorted(found.items()))


def _best(framework: str, found: Fastest) -> str:
    cell = found.row.subject.cell
    time = duration(found.row.time.median) if found.row.time else "-"
    longer = ""
    if found.ratio and found.next:
        longer = f"{found.ratio:.2f} x {found.next.subject.cell.recipe} {found.next.subject.cell.mode}"
    return f"{framework:14}{f'{cell.recipe} {cell.mode}':22}{time:>8}  {longer}".rstrip()


def document(samples: Samples, rows: Sequence[Row]) -> dict[str, Any]:
    """The table as JSON: nanoseconds, bytes; null where there is no number."""
    return {
        "schema": samples.header.schema,
        "machine": samples.header.machine,
        "versions": samples.header.versions,
        "options": samples.header.options,
        "rows": [json_row(row) for row in rows],
    }


def json_row(row: Row) -> dict[str, Any]:
    def number(value: float | None) -> float | None:
        return value if value is not None and math.isfinite(value) else None

    cell = row.subject.cell
    return {
        "subject": str(row.subject),
        "variant": cell.variant,
        "recipe": cell.recipe,
        "framework": cell.framework,
        "mode": cell.mode,
        "dtype": cell.dtype,
        "device": cell.device,
        "n": row.subject.shape.n,
        "c": row.subject.shape.c,
        "ignored": row.subject.shape.ignored,
        "task": row.subject.task,
        "reduction": row.reduction or None,
        "median_ns": number(row.time.median if row.time else None),
        "low_ns": number(row.time.low if row.time else None),
        "high_ns": number(row.time.high if row.time else None),
        "processes": row.replicates,
        "limit_ns": number(row.limit),
        "fraction_of_limit": number(row.fraction),
        "void": row.void,
        "peak_bytes": number(row.peak),
        "compile_ns": number(row.compile),
        "verdict": row.verdict,
        "class": row.accuracy,
        "ulp_loss": number(row.ulp("loss")),
        "ulp_gradient": number(row.ulp("gradient")),
        "error_over_bound": {n: number(v.ratio) for n, v in row.verdicts.items() if isinstance(v, Agrees | Differs)},
        "judged": row.judged or None,
        "why": row.why or None,
    }
