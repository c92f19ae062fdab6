"""The section on speed: the fastest recipes, the framework's own loss against composed operations, growth."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from lossvet.adapters.spelling import title
from lossvet.benchmarks.table import Fastest, Row, fastest
from lossvet.conformance.summary import CLASSES
from lossvet.reports import speed
from lossvet.reports.site.sources import Sources


def timings(sources: Sources) -> dict[str, Any] | None:
    """The section on speed: the fastest, above all at the largest shape; native against composed, growth."""
    if sources.samples is None:
        return None
    rows = [row for row in sources.rows if row.time]
    if not rows:
        return None
    at = max((row.subject.shape for row in rows), key=lambda s: (s.n * s.c, s))
    best = fastest(rows, at, "train")
    others = {str(s): fastest(rows, s, "train") for s in sorted({row.subject.shape for row in rows}) if s != at}
    return {
        "at": f"{at.n:,} x {at.c:,}{' with rows left out' if at.ignored else ''}",
        "dtypes": ", ".join(sorted({row.subject.cell.dtype for row in rows})),
        "shapes": ", ".join(str(s) for s in sorted({row.subject.shape for row in rows})),
        "shape": str(at),
        "others": list(others),
        "fastest": [
            {**_fastest(name, f, found), "others": [_short(at_other.get((name, f))) for at_other in others.values()]}
            for (name, f), found in sorted(best.items())
        ],
        "native": list(_native(rows, at)),
        "growth": list(_growth(rows)),
        "machine": sources.samples.header.machine,
        "started": sources.samples.header.started,
        "rows": len(rows),
        "agree": sum(row.verdict == "agrees" for row in rows),
        "void": sum(row.void for row in rows),
        "by_recipe": _by_recipe(best),
    }


def _fastest(name: str, framework: str, found: Fastest) -> dict[str, str]:
    row, cell = found.row, found.row.subject.cell
    return {
        "variant": name,
        "framework": framework,
        "recipe": cell.recipe,
        "mode": cell.mode,
        "time": speed.duration(row.time.median) if row.time else "-",
        "interval": speed.spread(row.time),
        "limit": speed.share(row.fraction),
        "peak": speed.size(row.peak),
        "accuracy": speed.accuracy([row]),
        "next": _next(found),
    }


def _short(found: Fastest | None) -> str:
    """Which is the fastest at a size that is not in the foreground, in which mode, and its time."""
    if found is None or found.row.time is None:
        return "-"
    cell, tie = found.row.subject.cell, ", a tie" if _tie(found) else ""
    return f"{cell.recipe} ({cell.mode}) {speed.duration(found.row.time.median)}{tie}"


def _tie(found: Fastest) -> bool:
    """Whether the intervals of the fastest and the next meet."""
    return bool(found.next and found.next.time and found.row.time and found.row.time.high >= found.next.time.low)


def _next(found: Fastest) -> str:
    """How much longer the next recipe takes, and whether that is a tie."""
    if not (found.ratio and found.next and found.next.time and found.row.time):
        return "-"
    cell = found.next.subject.cell
    tie = ", a tie" if _tie(found) else ""
    return f"{found.ratio:.2f} x {cell.recipe} ({cell.mode}){tie}"


def _by_recipe(best: Mapping[tuple[str, str], Fastest]) -> list[dict[str, str]]:
    """In each framework, which recipe is the fastest, and for how many losses."""
    counts: dict[str, Counter[str]] = {}
    ties: Counter[str] = Counter()
    for (_, framework), found in best.items():
        counts.setdefault(framework, Counter())[found.row.subject.cell.recipe] += 1
        ties[framework] += _tie(found)
    return [
        {
            "framework": f,
            "words": ", ".join(f"{recipe} for {n} of {sum(own.values())} losses" for recipe, n in own.most_common())
            + (f"; {ties[f]} of these tie with the next" if ties[f] else ""),
        }
        for f, own in sorted(counts.items())
    ]


def _native(rows: Sequence[Row], at: object) -> Iterator[dict[str, str]]:
    """The framework's own loss against operations composed by hand, in the same mode."""
    times: dict[tuple[str, str, str], dict[str, Row]] = {}
    for row in rows:
        s = row.subject
        if s.shape == at and s.task == "train":
            times.setdefault((s.cell.variant, s.cell.framework, s.cell.mode), {})[s.cell.recipe] = row
    for (name, framework, mode), own in sorted(times.items()):
        hand = own.get("composed")
        for recipe, row in own.items():
            if recipe.startswith("native") and hand and hand.time and row.time:
                yield {
                    "variant": name,
                    "framework": f"{framework} {mode}",
                    "recipe": recipe,
                    "native": f"{speed.duration(row.time.median)}, {speed.accuracy([row])}",
                    "composed": f"{speed.duration(hand.time.median)}, {speed.accuracy([hand])}",
                    "ratio": f"{hand.time.median / row.time.median:.2f}",
                }


def _growth(rows: Sequence[Row]) -> Iterator[dict[str, str]]:
    for (axis, name), bs in speed.exponents(rows).items():
        yield {
            "axis": axis,
            "framework": name,
            "median": f"{median(bs):.2f}",
            "range": f"{min(bs):.2f} to {max(bs):.2f}",
        }


def faster_by_hand(rows: Sequence[Row]) -> Iterator[str]:
    """Where operations composed by hand beat a framework's own loss at equal accuracy, with intervals apart."""
    groups: dict[tuple[object, ...], dict[str, Row]] = {}
    for row in rows:
        if row.time and not row.void and row.verdict == "agrees":
            s = row.subject
            key = (s.cell.variant, s.cell.framework, s.cell.mode, s.cell.dtype, s.shape, s.task)
            groups.setdefault(key, {})[s.cell.recipe] = row
    largest = max((row.subject.shape for row in rows), key=lambda s: s.n * s.c, default=None)
    for (name, framework, mode, *_), by_recipe in sorted(groups.items(), key=lambda item: str(item[0])):
        own = [row for recipe, row in by_recipe.items() if recipe.startswith("native")]
        hand = by_recipe.get("composed")
        if hand is None or hand.time is None or not own or hand.subject.shape != largest:
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
