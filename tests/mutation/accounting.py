"""What a trial of mutants comes to: a line for each target, its survivors, and whether each has a reason to survive."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mutation.trial import ROOT, End

FILE = Path(__file__).with_name("survivors.toml")
LEAST = 0.9


@dataclass(frozen=True)
class Change:
    """The identity of a mutant: the lines that differ, as they were and as they are."""

    path: str
    was: str
    now: str

    def __str__(self) -> str:
        lines = [f"-{line}" for line in self.was.splitlines()] + [f"+{line}" for line in self.now.splitlines()]
        return "\n".join([self.path, *(f"    {line}" for line in lines)])


@dataclass(frozen=True)
class Tally:
    """How the mutants of one target ended, and what that took, in seconds of CPU."""

    name: str
    ends: tuple[tuple[Change, End], ...]
    seconds: float = 0.0

    def count(self, end: End) -> int:
        return sum(one == end for _, one in self.ends)

    @property
    def survivors(self) -> list[Change]:
        return [change for change, end in self.ends if end == "survived"]

    @property
    def share(self) -> float:
        """Of all, those that were killed; one that does not end in time is."""
        return 1 - self.count("survived") / len(self.ends)


def reasons(path: Path = FILE) -> Mapping[Change, str]:
    """Why a mutant survives, by mutant: it means the same, or what it changes is nothing that should be tested."""
    entries = tomllib.loads(path.read_text()).get("survivor", [])
    return {Change(e["path"], e["was"].strip(), e["now"].strip()): e["reason"] for e in entries}


def table(tallies: Iterable[Tally]) -> str:
    """A line for each target."""
    lines = [f"{'target':<12}{'mutants':>9}{'killed':>9}{'timeout':>9}{'survived':>10}{'killed %':>10}{'CPU s':>8}"]
    for t in tallies:
        counts = f"{len(t.ends):>9}{t.count('killed'):>9}{t.count('timeout'):>9}{t.count('survived'):>10}"
        lines.append(f"{t.name:<12}{counts}{100 * t.share:>10.1f}{t.seconds:>8.0f}")
    return "\n".join(lines)


def problems(tallies: Iterable[Tally], known: Mapping[Change, str]) -> list[str]:
    """In a sentence each, what is not as it has to be; empty where all is well."""
    found = []
    tried: dict[Change, End] = {}
    for tally in tallies:
        if tally.share < LEAST:
            found.append(
                f"{tally.name}: {100 * tally.share:.1f} % of the mutants are killed, expected {100 * LEAST:g} %"
            )
        found += [f"survives without a reason: {change}" for change in tally.survivors if change not in known]
        for change, end in tally.ends:  # the same change of two like lines is one entry, and one survivor is enough
            tried[change] = "survived" if "survived" in (end, tried.get(change)) else end
    for change in known:
        if tried.get(change, "survived") != "survived":
            found.append(f"has a reason to survive, and is killed: remove it from {FILE.name}: {change}")
        elif change.was.splitlines() and not _occurs(change):
            found.append(f"has a reason to survive, and its line is no more: remove it from {FILE.name}: {change}")
    return found


def _occurs(change: Change) -> bool:
    path = ROOT / change.path
    there = {line.strip() for line in path.read_text().splitlines()} if path.exists() else set()
    return all(line.strip() in there for line in change.was.splitlines())
