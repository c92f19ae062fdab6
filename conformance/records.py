"""The records of a run, from which alone its totals follow: one for each case of each cell.

Verdicts are written as their name and their fields. JSON has no infinity and no NaN, and both occur: as "inf", "-inf"
and "nan".
"""

from __future__ import annotations

import math
from dataclasses import MISSING, astuple, fields
from typing import Any, get_args

import msgspec

from lossvet.conformance.types import Absent, Agrees, Crashed, Deviates, Differs, Errored, Lost, TimedOut, Verdict
from lossvet.workers.messages import Greeting

_VERDICTS: dict[str, type[Verdict]] = {
    kind.__name__: kind for kind in (Agrees, Differs, Deviates, Absent, Errored, Crashed, TimedOut)
}
assert set(_VERDICTS.values()) == set(get_args(Verdict))

_FIELDS = {kind: fields(kind) for kind in _VERDICTS.values()}

_ERRORS = ("ratio", "ulp", "ulp_flushed", "resolution")

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
    declared = _FIELDS[type(verdict)]
    values = [(f.name, getattr(verdict, f.name)) for f in declared]
    for f in reversed(declared):  # what is as it mostly is need not be written a hundred thousand times
        if f.default is MISSING or getattr(verdict, f.name) != f.default:
            break
        values.pop()
    return [type(verdict).__name__, *(_plain(_short(v) if name in _ERRORS else v) for name, v in values)]


def verdict(found: Compact) -> Verdict:
    """The verdict that `compact` made this of. Raises ValueError where it made it of none."""
    try:
        name, *values = found
        kind = _VERDICTS[name]
        names = [f.name for f in fields(kind)]
        if len(values) > len(names):
            raise ValueError(f"{name} has {len(names)} fields")
        return _make(kind, dict(zip(names, values, strict=False)))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{found!r} is not a verdict: {error}") from None


def _make(kind: type[Verdict], values: dict[str, Any]) -> Verdict:
    if kind is Deviates:
        values["differs"] = verdict(values["differs"])
    if values.get("lost") is not None:
        count, index, got, golden = values["lost"]
        values["lost"] = Lost(count, tuple(index), float(got), float(golden))
    for name in ("ratio", "ulp", "ulp_flushed", "resolution", "got", "golden", "limit"):
        if isinstance(values.get(name), str):
            values[name] = float(values[name])
    for name in ("index", "notes"):
        if name in values:
            values[name] = tuple(values[name])
    return kind(**values)


def _short(value: float) -> float:
    return float(f"{value:.6g}")


def _plain(value: Any) -> Any:
    if isinstance(value, Differs):
        return compact(value)
    if isinstance(value, Lost):
        return [_plain(part) for part in astuple(value)]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
