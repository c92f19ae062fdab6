"""The options of a run, and their form in its journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import msgspec

from lossvet.conformance.plan import Selection


@dataclass(frozen=True)
class Options:
    """What was asked for, apart from how it is shown. `pythons` gives the interpreters that are not this one."""

    selection: Selection = field(default_factory=Selection)
    require: tuple[str, ...] = ()
    pythons: Mapping[str, str] = field(default_factory=dict)
    limit: float = 120.0
    cold: bool = False
    resume: bool = False
    confirmed: bool = False
    """Whether a known deviation in a version where it was not confirmed is a problem."""
    journal: Path | None = None
    jobs: int | None = None
    """How many workers are at work at a time; None for as many as the machine has cores and memory for."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What the workers' environment has beside that of this process."""


def stored(options: Options) -> dict[str, object]:
    """The options that decide what is asked, as the journal keeps them."""
    return {**asdict(options.selection), "require": options.require, "pythons": dict(options.pythons)}


def restored(options: dict[str, object]) -> Options:
    """The options that a journal kept."""
    kept = dict(options)
    require, pythons = kept.pop("require"), kept.pop("pythons")
    return Options(
        msgspec.convert(kept, Selection),
        msgspec.convert(require, tuple[str, ...]),
        msgspec.convert(pythons, dict[str, str]),
    )
