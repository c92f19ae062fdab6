"""The options of a gate, and all that it finds: conformance, accuracy and speed in one verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from lossvet.benchmarks.decide import Finding
from lossvet.benchmarks.gate_meaning import Meaning
from lossvet.benchmarks.pairs import Name
from lossvet.benchmarks.ratchet import Worse
from lossvet.benchmarks.subjects import Wanted
from lossvet.benchmarks.user_loss import UserLoss
from lossvet.workers.client import Side


@dataclass(frozen=True)
class Options:
    """What was asked for. `accuracy` is the file of reviewed baselines; without it base's own run is the baseline.

    Of a loss, `folders` are the sides that are checkouts, `accepts` and `contract` what may change in its meaning, and
    `all` goes on where meaning or accuracy is red already.
    """

    sides: Mapping[Name, Side]
    wanted: Wanted
    loss: UserLoss | None = None
    accuracy: Path | None = None
    folders: Mapping[Name, Path] = field(default_factory=dict)
    accepts: tuple[str, ...] = ()
    contract: str = ""
    all: bool = False


class Observer(Protocol):
    def say(self, text: str) -> None: ...
    def begin(self, total: int) -> None: ...
    def counted(self, what: str) -> None: ...


@dataclass(frozen=True)
class Difference:
    """A check that is wrong in head and was not in base, in words; `known` where it was."""

    cell: str
    words: str
    known: bool
    output: str = ""
    """What is wrong in some case; empty where `words` are about no case."""


@dataclass(frozen=True)
class Report:
    """All that the gate found. `versions` are by framework and side; `judged` counts the checks made on head."""

    versions: Mapping[str, Mapping[Name, str]]
    findings: tuple[Finding, ...]
    differences: tuple[Difference, ...]
    worse: tuple[Worse, ...]
    void: str = ""
    judged: int = 0
    path: Path | None = None
    proposed: Path | None = None
    unjudged: tuple[str, ...] = ()
    """Why head or base could not be judged, where it could not."""
    meaning: Meaning | None = None
    """What a loss of the user's own means on both sides; None without one."""
    stopped: str = ""
    """What ended the gate before it had asked everything: "meaning" or "accuracy"."""

    @property
    def red(self) -> list[str]:
        """What makes the gate red, in words for its last line."""
        counts = {
            "slower": sum(f.verdict == "slower" for f in self.findings),
            "gone or failing in head": sum(f.blame == "head" for f in self.findings),
            "wrong in head only": sum(not d.known for d in self.differences),
            "less accurate": sum(w.kind != "new" for w in self.worse),
        }
        meaning = [self.meaning.words] if self.meaning is not None and self.meaning.colour == "red" else []
        return [*meaning, *(f"{count} {words}" for words, count in counts.items() if count)]

    @property
    def open(self) -> list[str]:
        """What keeps the gate from judging."""
        counts = {
            "inconclusive": sum(f.verdict == "inconclusive" for f in self.findings),
            "without a base": sum(f.verdict == "missing" and f.blame != "head" for f in self.findings),
            "without an accuracy baseline": sum(w.kind == "new" for w in self.worse),
        }
        words = [f"{count} {what}" for what, count in counts.items() if count]
        words += [f"void: {self.void}"] if self.void else []
        words += [] if self.findings or self.stopped else ["no comparison was made"]
        meaning = [self.meaning.words] if self.meaning is not None and self.meaning.colour == "open" else []
        return [*meaning, *words, *self.unjudged]

    @property
    def verdict(self) -> tuple[int, str]:
        """The exit code and the sentence for it."""
        if self.red:
            return 1, f"red: {', '.join(self.red)}"
        if self.open:
            return 3, f"cannot judge: {', '.join(self.open)}"
        faster = sum(f.verdict == "faster" for f in self.findings)
        more = f", {faster} of them faster" if faster else ""
        meaning = f"{self.meaning.words}; " if self.meaning is not None else ""
        return 0, f"green: {meaning}{len(self.findings)} benchmarks no slower{more}, {self.judged:,} checks no worse"
