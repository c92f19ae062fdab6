"""The records of a run, from which alone its totals follow: one for each case of each cell.

Verdicts are written as their name and their fields. JSON has no infinity and no NaN, and both occur: as "inf", "-inf"
and "nan".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import astuple, fields
from typing import Any, get_args

import msgspec

from lossvet.conformance.types import Absent, Agrees, Crashed, Deviates, Differs, Errored, Lost, TimedOut, Verdict
from lossvet.workers.messages import Greeting

_VERDICTS: dict[str, type[Verdict]] = {
    kind.__name__: kind for kind in (Agrees, Differs, Deviates, Absent, Errored, Crashed, TimedOut)
}
assert set(_VERDICTS.values()) == set(get_args(Verdict))

_NAMES = {kind: tuple(f.name for f in fields(kind)) for kind in _VERDICTS.values()}
_DEFAULTS = {kind: tuple(f.default for f in fields(kind)) for kind in _VERDICTS.values()}

Compact = list[Any]


class Header(msgspec.Struct, frozen=True, tag="header", tag_field="kind"):
    """What the run was to do: `options` are as they were given. By framework: its version, and what it said first,
    from which a report makes the plan again.

    `standard` is the digest of what is judged and what it is held to: a report needs the same. `digest` is that of all
    that verdicts depend on, our own source and the frameworks included: only the same run can be resumed.
    """

    schema: int
    digest: str
    standard: str
    lossvet: str
    versions: dict[str, str]
    options: dict[str, Any]
    started: str
    greetings: dict[str, Greeting]


class Judged(msgspec.Struct, frozen=True, tag="judged", tag_field="kind"):
    """One case of one cell: its verdicts by output, how long it took and how many functions it made compile."""

    cell: str
    case: str
    seconds: float
    compiled: int
    verdicts: dict[str, Compact]


class Finished(msgspec.Struct, frozen=True, tag="finished", tag_field="kind"):
    """The last line of a finished run."""

    ended: str


Record = Header | Judged | Finished


def compact(verdict: Verdict) -> Compact:
    """Exact numbers stay exact; the size of an error needs no more than six digits."""
    kind = type(verdict)
    names, defaults = _NAMES[kind], _DEFAULTS[kind]
    values = [getattr(verdict, name) for name in names]
    # defaults at the end are left out: a run has a hundred thousand verdicts
    while values and values[-1] == defaults[len(values) - 1]:
        values.pop()
    return [kind.__name__, *[_WRITE[name](v) if name in _WRITE else v for name, v in zip(names, values, strict=False)]]


def verdict(found: Compact) -> Verdict:
    """The verdict that `compact` made this of. Raises ValueError where it made it of none."""
    try:
        name, *values = found
        kind = _VERDICTS[name]
        names = _NAMES[kind]
        if len(values) > len(names):
            raise ValueError(f"{name} has {len(names)} fields")
        return kind(*(_READ[n](v) if n in _READ else v for n, v in zip(names, values, strict=False)))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{found!r} is not a verdict: {error}") from None


def _read_lost(found: Any) -> Lost | None:
    if found is None:
        return None
    count, index, got, golden = found
    return Lost(count, tuple(index), float(got), float(golden))


def _number(found: Any) -> Any:
    return float(found) if isinstance(found, str) else found


_READ: Mapping[str, Callable[[Any], Any]] = {
    "differs": verdict,
    "lost": _read_lost,
    **dict.fromkeys(("index", "notes"), tuple),
    **dict.fromkeys(("ratio", "ulp", "ulp_flushed", "resolution", "got", "golden", "limit"), _number),
}
"""By field, how it is read where JSON has another type for it."""


def _short(value: float) -> Any:
    return _plain(float(f"{value:.6g}"))


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


_WRITE: Mapping[str, Callable[[Any], Any]] = {
    "differs": compact,
    "lost": lambda lost: lost and [_plain(part) for part in astuple(lost)],
    **dict.fromkeys(("index", "notes"), list),
    **dict.fromkeys(("ratio", "ulp", "ulp_flushed", "resolution"), _short),
    **dict.fromkeys(("got", "golden", "limit"), _plain),
}
"""By field, how it is written where JSON has another type for it."""
