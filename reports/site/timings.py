"""What a benchmark says: at a glance, of one loss, of one framework; where operations beat a framework's own loss."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from lossvet.adapters.spelling import title
from lossvet.benchmarks.table import Fastest, Row, fastest
from lossvet.benchmarks.workloads import Shape
from lossvet.conformance.summary import CLASSES
from lossvet.conformance.types import Cell
from lossvet.reports import speed
from lossvet.reports.site.listing import Kind, Link, Listing, line
from lossvet.reports.site.sources import Sources
from lossvet.workers.messages import Greeting, Hello

COMPILED, EAGER = "compiled", "not compiled"


def timed(sources: Sources) -> list[Row]:
    return [row for row in sources.rows if row.time]


def largest(rows: Sequence[Row]) -> Shape:
    """The shape that is looked at first. Raises ValueError where there are no rows."""
    return max((row.subject.shape for row in rows), key=lambda s: (s.n * s.c, s))


def at_words(at: Shape) -> str:
    return f"{at.n:,} x {at.c:,}{' with ignored rows' if at.ignored else ''}"


def how(cell: Cell, greetings: Mapping[str, Greeting]) -> str:
    """Whether what is timed is machine code made for the whole loss: a mode that compiles, or a recipe that does."""
    greeting = greetings.get(cell.framework)
    if not isinstance(greeting, Hello):
        return EAGER
    cost = greeting.costs.get(cell.mode)
    native = greeting.natives.get(cell.variant, {}).get(cell.recipe)
    return COMPILED if (cost and cost.compiles) or (native and native.compiles) else EAGER


def untimed(sources: Sources) -> list[str]:
    """What was judged and not timed: frameworks, or modes of one."""
    rows, found = timed(sources), []
    modes = {(row.subject.cell.framework, row.subject.cell.mode) for row in rows}
    for name, greeting in sources.result.greetings.items():
        if isinstance(greeting, Hello):
            missing = [mode for mode in greeting.modes if (name, mode) not in modes]
            if missing:
                found.append(
                    title(name) if len(missing) == len(greeting.modes) else f"{title(name)} {', '.join(missing)}"
                )
    return found


def glance(sources: Sources) -> dict[str, Any] | None:
    """The section of the main page."""
    rows = timed(sources)
    if not rows:
        return None
    at = largest(rows)
    return {
        "at": at_words(at),
        "shape": str(at),
        "dtypes": ", ".join(sorted({row.subject.cell.dtype for row in rows})),
        "rows": len(rows),
        "agree": sum(row.verdict == "agrees" for row in rows),
        "void": sum(row.void for row in rows),
        "untimed": "; ".join(untimed(sources)),
    }


def picture(sources: Sources) -> tuple[dict[str, dict[str, tuple[float, bool]]], dict[str, float], str]:
    """By loss and framework, the time of the fastest recipe and whether it is compiled; the limits; the label."""
    rows = timed(sources)
    at = largest(rows)
    best: dict[str, dict[str, tuple[float, bool]]] = {}
    limits: dict[str, float] = {}
    for (name, framework), found in sorted(fastest(rows, at, "train").items()):
        compiled = how(found.row.subject.cell, sources.result.greetings) == COMPILED
        best.setdefault(name, {})[title(framework)] = (_microseconds(found.row), compiled)
        limits[name] = found.row.limit / 1000
    return best, limits, f"time of loss and gradient at {at_words(at)}, microseconds"


def _microseconds(row: Row) -> float:
    return row.time.median / 1000 if row.time else math.nan


def of_variant(sources: Sources, name: str) -> Listing | None:
    """Every recipe and mode of a loss at every shape, the fastest first; None where there is no time."""
    rows = [row for row in timed(sources) if row.subject.cell.variant == name and row.subject.task == "train"]
    if not rows:
        return None
    shapes = sorted({row.subject.shape for row in rows}, key=lambda s: (-s.n * s.c, s))
    lines = []
    for at in shapes:
        for row in sorted(
            (r for r in rows if r.subject.shape == at), key=lambda r: r.time.median if r.time else math.inf
        ):
            cell = row.subject.cell
            lines.append(
                line(
                    at_words(at),
                    f"{title(cell.framework)}, {cell.recipe}",
                    f"{cell.mode}, {how(cell, sources.result.greetings)}",
                    *measures(row),
                )
            )
    missing = "; ".join(untimed(sources))
    return Listing(
        "Times",
        f"Loss and gradient, {', '.join(sorted({r.subject.cell.dtype for r in rows}))}, one thread."
        + (f" Not timed: {missing}." if missing else ""),
        (("rows x classes", "short"), ("recipe", "text"), ("mode", "text"), *MEASURES),
        tuple(lines),
    )


MEASURES: tuple[tuple[str, Kind], ...] = (
    ("time", "number"), ("95% interval, %", "number"), ("memory, MiB", "number"), ("share of the limit", "number"),
    ("accuracy of the timed call", "text"),
)  # fmt: skip


def measures(row: Row) -> tuple[str, str, str, str, str]:
    """Time, interval, memory, share of the limit, and the accuracy of the timed call."""
    time = speed.duration(row.time.median) if row.time else "-"
    return time, speed.spread(row.time), speed.size(row.peak), speed.share(row.fraction), speed.accuracy([row])


def against_composed(sources: Sources, framework: str) -> Listing | None:
    """The framework's own losses against operations composed by hand, in the same mode, at the largest shape."""
    rows = timed(sources)
    lines = []
    at = largest(rows) if rows else None
    times: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        s = row.subject
        if s.shape == at and s.task == "train" and s.cell.framework == framework:
            times.setdefault((s.cell.variant, s.cell.mode), {})[s.cell.recipe] = row
    for (name, mode), own in sorted(times.items()):
        hand = own.get("composed")
        for recipe, row in own.items():
            if recipe.startswith("native") and hand and hand.time and row.time:
                lines.append(
                    line(
                        Link(name, f"variants/{name}.html"),
                        f"{recipe} ({mode})",
                        f"{speed.duration(row.time.median)}, {speed.accuracy([row])}",
                        f"{speed.duration(hand.time.median)}, {speed.accuracy([hand])}",
                        f"{hand.time.median / row.time.median:.2f}",
                    )
                )
    if not lines or at is None:
        return None
    return Listing(
        "Own losses against composed operations",
        f"In the same mode, at {at_words(at)}. Below 1, operations are faster than the framework's own function. "
        "Accuracy is that of the timed call.",
        (
            ("loss", "short"),
            ("own", "text"),
            ("time of it", "text"),
            ("composed", "text"),
            ("composed over own", "number"),
        ),
        tuple(lines),
    )


def growth(sources: Sources) -> Listing | None:
    """With which power of the number of rows and of classes times grow."""
    rows = timed(sources)
    found = speed.exponents(rows)
    if not found:
        return None
    shapes = ", ".join(str(s) for s in sorted({row.subject.shape for row in rows}))
    lines = [
        line(axis, " ".join([title(name.partition(" ")[0]), name.partition(" ")[2]]), f"{median(bs):.2f}",
             f"{min(bs):.2f} to {max(bs):.2f}")
        for (axis, name), bs in found.items()
    ]  # fmt: skip
    return Listing(
        "Growth",
        f"Time grows as size to the power b, over all losses and recipes, between {shapes}. Far below 1, the time is "
        "that of the call, not of the computation.",
        (("in", "short"), ("framework", "text"), ("median b", "number"), ("range", "number")),
        tuple(lines),
    )


def across(sources: Sources) -> Listing | None:
    """The fastest recipe of each loss in each framework, compiled and not, each with the next behind it."""
    rows = timed(sources)
    if not rows:
        return None
    at, lines = largest(rows), []
    for kind in (EAGER, COMPILED):
        own = [row for row in rows if how(row.subject.cell, sources.result.greetings) == kind]
        for (name, framework), found in sorted(fastest(own, at, "train").items()):
            cell = found.row.subject.cell
            lines.append(
                line(
                    Link(name, f"variants/{name}.html"),
                    kind,
                    f"{title(framework)}, {cell.recipe} ({cell.mode})",
                    *measures(found.row),
                    _next(found),
                )
            )
    lines.sort(key=lambda one: (one.squares[0].links[0].text, one.squares[1].text))
    return Listing(
        "Fastest recipes",
        f"For each loss in each framework, loss and gradient at {at_words(at)}, and how much longer the next recipe "
        "takes; compiled code is compared with compiled code.",
        (("loss", "short"), ("compiled", "text"), ("fastest", "text"), *MEASURES, ("next", "text")),
        tuple(lines),
    )


def _next(found: Fastest) -> str:
    """How much longer the next recipe takes, and whether that is a tie: their intervals meet."""
    if not (found.ratio and found.next and found.next.time and found.row.time):
        return "-"
    cell = found.next.subject.cell
    tie = ", a tie" if found.row.time.high >= found.next.time.low else ""
    return f"{found.ratio:.2f} x {cell.recipe} ({cell.mode}){tie}"


def faster_by_hand(rows: Sequence[Row]) -> Iterator[str]:
    """Where operations composed by hand beat a framework's own loss at equal accuracy, with intervals apart."""
    groups: dict[tuple[object, ...], dict[str, Row]] = {}
    for row in rows:
        if row.time and not row.void and row.verdict == "agrees":
            s = row.subject
            key = (s.cell.variant, s.cell.framework, s.cell.mode, s.cell.dtype, s.shape, s.task)
            groups.setdefault(key, {})[s.cell.recipe] = row
    most = max((row.subject.shape for row in rows), key=lambda s: s.n * s.c, default=None)
    for (name, framework, mode, *_), by_recipe in sorted(groups.items(), key=lambda item: str(item[0])):
        own = [row for recipe, row in by_recipe.items() if recipe.startswith("native")]
        hand = by_recipe.get("composed")
        if hand is None or hand.time is None or not own or hand.subject.shape != most:
            continue
        best = min(own, key=lambda row: row.time.median if row.time else math.inf)
        apart = best.time is not None and hand.time.high < best.time.low
        worse = (hand.ulp() or 0.0) > (best.ulp() or 0.0)
        classes = [CLASSES.index(a) for a in (best.accuracy, hand.accuracy) if a]
        worse |= len(classes) < 2 or classes[1] > classes[0]
        if apart and best.time and not worse:
            yield (
                f"In {title(str(framework))} ({mode}), {name} composed by hand is "
                f"{best.time.median / hand.time.median:.1f} times as fast as {best.subject.cell.recipe} at "
                f"{hand.subject.shape}, and not less accurate."
            )
