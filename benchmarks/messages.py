"""The messages between the engine and a benchmark worker. Workloads are made on both sides, and only named here."""

from __future__ import annotations

import msgspec

from lossvet.benchmarks.timing import BUDGET_NS, FEWEST
from lossvet.workers.messages import OutcomeMessage


class Measure(msgspec.Struct, frozen=True, tag=True):
    """Time this subject. `whole` asks for what the timed call computed, and for its peak memory, as well; `keep` keeps
    the call for when it is asked for again, and without it the call is let go."""

    subject: str
    outputs: tuple[str, ...]
    whole: bool = False
    keep: bool = False
    budget: int = BUDGET_NS
    """Nanoseconds that its blocks may take together."""
    fewest: int = FEWEST
    """Blocks, even where these take longer."""


class MeasureBandwidth(msgspec.Struct, frozen=True, tag=True):
    """How fast the device moves so many bytes, again and again."""

    nbytes: int
    device: str


class MeasureDrift(msgspec.Struct, frozen=True, tag=True):
    """Time the fixed workload that has nothing to do with any subject."""


Request = Measure | MeasureBandwidth | MeasureDrift


class Sampled(msgspec.Struct, frozen=True, tag=True):
    """Nanoseconds of blocks of `number` calls; of preparing, compilation and the first call included; peak bytes."""

    number: int
    blocks: tuple[int, ...]
    prepare: int = 0
    peak: int | None = None
    workload: str = ""
    outcomes: dict[str, OutcomeMessage] = {}

    @property
    def nanoseconds(self) -> float:
        """Of one call: the median of the blocks."""
        ordered = sorted(self.blocks)
        middle = len(ordered) // 2
        return (ordered[middle] + ordered[~middle]) / 2 / self.number


class Bandwidth(msgspec.Struct, frozen=True, tag=True):
    """Nanoseconds for a byte, copied and only read."""

    nbytes: int
    device: str
    copy: float
    read: float


class Failed(msgspec.Struct, frozen=True, tag=True):
    """There is no sample, and why."""

    error: str


Reply = Sampled | Bandwidth | Failed
