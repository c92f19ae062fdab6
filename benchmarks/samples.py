"""The raw samples of a run, a line each, with checksums: every table is computed from them and from nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from lossvet.benchmarks.messages import Sampled
from lossvet.conformance import journal
from lossvet.conformance.journal import JournalError
from lossvet.conformance.records import Compact

SCHEMA = 2
FOLDER = journal.FOLDER


class Header(msgspec.Struct, frozen=True, tag="header", tag_field="kind"):
    """The machine, the versions and what was asked for; `details` are by framework."""

    schema: int
    lossvet: str
    machine: dict[str, str]
    versions: dict[str, str]
    details: dict[str, dict[str, str]]
    options: dict[str, Any]
    started: str


class Sample(msgspec.Struct, frozen=True, tag="sample", tag_field="kind"):
    """One pass over one subject in one process. `order` is the place in which the process measured it, `blocks` are
    nanoseconds of `number` calls each, `prepare` nanoseconds until the first answer, `peak` bytes above the inputs."""

    subject: str
    replicate: int
    order: int
    core: int
    number: int
    blocks: tuple[int, ...]
    prepare: int
    peak: int | None
    side: str = ""
    """"base" or "head", where a gate measured it."""

    @property
    def nanoseconds(self) -> float:
        return Sampled(self.number, self.blocks).nanoseconds


class Moved(msgspec.Struct, frozen=True, tag="bandwidth", tag_field="kind"):
    """Nanoseconds for a byte at a working set of so many bytes, copied and only read, in one process."""

    framework: str
    device: str
    replicate: int
    nbytes: int
    copy: float
    read: float
    clocks: dict[str, str] = {}
    """What a GPU says of itself at this moment."""


class NoSample(msgspec.Struct, frozen=True, tag="lost", tag_field="kind"):
    """A subject without a sample in this replicate, and why."""

    subject: str
    replicate: int
    error: str


class NotThere(msgspec.Struct, frozen=True, tag="absent", tag_field="kind"):
    """A subject that there is not, and why."""

    subject: str
    reason: str


class Accuracy(msgspec.Struct, frozen=True, tag="accuracy", tag_field="kind"):
    """The verdicts on what the timed call of a subject computed, by output; `judged` says on how much of it."""

    subject: str
    reduction: str
    judged: str
    verdicts: dict[str, Compact]


class End(msgspec.Struct, frozen=True, tag="end", tag_field="kind"):
    """The last line of a finished run."""

    ended: str


Record = Header | Sample | Moved | NoSample | NotThere | Accuracy | End


@dataclass(frozen=True)
class Samples:
    """What a file of samples holds, in the order in which it was written."""

    header: Header
    records: tuple[Record, ...]
    finished: bool

    def times(self) -> dict[str, list[float]]:
        """By subject, the nanoseconds of a call in each process, which are the median of its passes."""
        passes: dict[str, dict[int, list[float]]] = {}
        for sample in self.of(Sample):
            passes.setdefault(sample.subject, {}).setdefault(sample.replicate, []).append(sample.nanoseconds)
        return {subject: [median(own) for own in by.values()] for subject, by in passes.items()}

    def of(self, kind: type[Any]) -> Iterator[Any]:
        return (record for record in self.records if isinstance(record, kind))


def read(path: Path) -> Samples:
    """Raises JournalError for a file that is no such, naming the damaged line; OSError where it cannot be read."""
    numbered = tuple(journal.records(path, Record, SCHEMA))
    header, *rest = numbered or (None,)
    if not isinstance(header, Header):
        raise JournalError(f"{path}:1: expected the header of a benchmark")
    if header.schema != SCHEMA:
        raise JournalError(f"{path} has schema {header.schema}; this version of lossvet reads schema {SCHEMA}")
    return Samples(header, tuple(rest), bool(rest) and isinstance(rest[-1], End))
