"""The table of what is killed: which case kills which mutant, by what factor over the bound, per dtype."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mutants.frames import BOTH, Tested
from mutants.judged import CONTROLS, MUTANTS, Check, all_checks, heaviest, worst_ratio

FILE = Path(__file__).parent.parent / "killed.txt"
HEAD = """\
# Every mutant of tests/mutants, and the case and output that kill it with the greatest factor over the bound, among
# outputs that are ordinary numbers where there are such; inf is NaN, or a wrong shape or dtype, if nothing finite does.
# "cases" are those that kill it, of those tried; "by" says which kinds of output do. A crash kills nothing.
# Made by: python tests/kill_mutants.py --write
"""
COLUMNS = "{:<36}{:<9}{:>8}  {:>7}  {:<19}{:<45}{}\n"


@dataclass(frozen=True)
class Killed:
    """A line of the table; without a case the mutant survives."""

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


def kill(tested: Tested, dtype: str) -> Killed:
    checked = all_checks(tested, dtype)
    chosen = heaviest(checked)
    killing = [c for c in checked if c.factor > 0]
    cases = f"{len({c.case for c in killing})}/{len({c.case for c in checked})}"
    if chosen is None:
        return Killed(tested.name, dtype, 0.0, cases, "nothing", "-", "-")
    return Killed(tested.name, dtype, chosen.factor, cases, kinds(killing), chosen.case, chosen.output)


def kinds(checked: Iterable[Check]) -> str:
    """Which outputs kill: "value", "gradient", "hvp", or several of them."""
    found = {c.output.split("/")[0] for c in checked}
    return "+".join(
        word for kind, word in (("loss", "value"), ("gradient", "gradient"), ("hvp", "hvp")) if kind in found
    )


def killed() -> Iterator[Killed]:
    for tested in MUTANTS.values():
        for dtype in tested.dtypes:
            yield kill(tested, dtype)


def text(rows: Iterable[Killed]) -> str:
    """The file: each mutant's fault in a comment, what kills it below."""
    lines = [HEAD, "\n", COLUMNS.format("# name", "dtype", "factor", "cases", "by", "case", "output")]
    last = ""
    for row in rows:
        if row.name != last:
            tested = MUTANTS[row.name]
            lines.append(f"\n# {tested.variant}: {tested.words}\n")
        last = row.name
        lines.append(row.line)
    return "".join(lines)


def read(content: str) -> list[Killed]:
    """The rows of the file. Raises ValueError for a line that is none."""
    rows = []
    for line in content.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, dtype, factor, cases, by, case, output = line.split()
        rows.append(Killed(name, dtype, float(factor), cases, by, case, output))
    return rows


def summary(rows: Iterable[Killed], ratios: dict[str, float]) -> str:
    """The share killed, the closest kill and the worst ratio of a control, for each dtype that has such a ratio."""
    lines, rows = [f"{len(MUTANTS)} mutants, {len(CONTROLS)} controls\n"], list(rows)
    for dtype in ratios:
        tried = [row for row in rows if row.dtype == dtype]
        dead = [row for row in tried if row.factor > 0]
        weakest = min(dead, key=lambda row: row.factor)
        lines.append(
            f"{dtype}: {len(dead)} of {len(tried)} mutants killed ({len(dead) / len(tried):.0%}), "
            f"the closest by {weakest.factor:.1e} ({weakest.name}); "
            f"worst error of a control over its bound {ratios[dtype]:.3f}\n"
        )
    return "".join(lines)


def control_ratios() -> dict[str, float]:
    return {d: max(worst_ratio(all_checks(s, d)) for s in CONTROLS.values() if d in s.dtypes) for d in BOTH}
