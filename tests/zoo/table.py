"""The table of convictions: which case convicts which guilty one, by what factor over the bound, per dtype."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from zoo.dock import BOTH, Suspect
from zoo.trial import GUILTY, HONEST, Charge, heaviest, try_all, worst_ratio

FILE = Path(__file__).parent.parent / "convictions.txt"
HEAD = """\
# Every guilty one of tests/zoo, and the case and output that convict it with the greatest factor over the bound, among
# outputs that are ordinary numbers where there are such; inf is NaN, or a wrong shape or dtype, if nothing finite does.
# "cases" are those that convict of those tried; "by" says which kinds of output do. A crash is no conviction.
# Made by: python tests/convict.py --write
"""
COLUMNS = "{:<36}{:<9}{:>8}  {:>7}  {:<19}{:<45}{}\n"


@dataclass(frozen=True)
class Conviction:
    """A line of the table; without a case it is an acquittal."""

    name: str
    dtype: str
    factor: float
    cases: str
    by: str
    case: str
    output: str

    @property
    def line(self) -> str:
        factor = f"{self.factor:.1e}" if 0 < self.factor < float("inf") else f"{self.factor:g}"
        return COLUMNS.format(self.name, self.dtype, factor, self.cases, self.by, self.case, self.output)


def convict(suspect: Suspect, dtype: str) -> Conviction:
    charges = try_all(suspect, dtype)
    chosen = heaviest(charges)
    guilty = [c for c in charges if c.factor > 0]
    cases = f"{len({c.case for c in guilty})}/{len({c.case for c in charges})}"
    if chosen is None:
        return Conviction(suspect.name, dtype, 0.0, cases, "nothing", "-", "-")
    return Conviction(suspect.name, dtype, chosen.factor, cases, kinds(guilty), chosen.case, chosen.output)


def kinds(charges: Iterable[Charge]) -> str:
    """Which outputs convict: "value", "gradient", "hvp", or several of them."""
    found = {c.output.split("/")[0] for c in charges}
    return "+".join(
        word for kind, word in (("loss", "value"), ("gradient", "gradient"), ("hvp", "hvp")) if kind in found
    )


def convictions() -> Iterator[Conviction]:
    for suspect in GUILTY.values():
        for dtype in suspect.dtypes:
            yield convict(suspect, dtype)


def text(rows: Iterable[Conviction]) -> str:
    """The file: each guilty one's fault in a comment, its convictions below."""
    lines = [HEAD, "\n", COLUMNS.format("# name", "dtype", "factor", "cases", "by", "case", "output")]
    last = ""
    for row in rows:
        if row.name != last:
            suspect = GUILTY[row.name]
            lines.append(f"\n# {suspect.variant}: {suspect.words}\n")
        last = row.name
        lines.append(row.line)
    return "".join(lines)


def read(content: str) -> list[Conviction]:
    """The rows of the file. Raises ValueError for a line that is none."""
    rows = []
    for line in content.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, dtype, factor, cases, by, case, output = line.split()
        rows.append(Conviction(name, dtype, float(factor), cases, by, case, output))
    return rows


def summary(rows: Iterable[Conviction], ratios: dict[str, float]) -> str:
    """The share convicted, the weakest conviction and the worst honest ratio, per dtype."""
    lines, rows = [f"{len(GUILTY)} guilty, {len(HONEST)} honest\n"], list(rows)
    for dtype in BOTH:
        tried = [row for row in rows if row.dtype == dtype]
        convicted = [row for row in tried if row.factor > 0]
        weakest = min(convicted, key=lambda row: row.factor)
        lines.append(
            f"{dtype}: {len(convicted)} of {len(tried)} guilty convicted ({len(convicted) / len(tried):.0%}), "
            f"weakest by {weakest.factor:.1e} ({weakest.name}); worst honest error over bound {ratios[dtype]:.3f}\n"
        )
    return "".join(lines)


def honest_ratios() -> dict[str, float]:
    return {d: max(worst_ratio(try_all(s, d)) for s in HONEST.values() if d in s.dtypes) for d in BOTH}
