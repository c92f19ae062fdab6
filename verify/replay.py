"""What a comparison needs to be run again on its counterexample, as a small JSON file: .lossvet/replay/KEY.json."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from lossvet.verify import smallest
from lossvet.verify.answer import Binding, Comparison, Counterexample
from lossvet.verify.hexes import arrays, decoded, decoded_inputs, encoded, encoded_inputs
from lossvet.verify.options import Options, SideOptions
from lossvet.verify.questions import Answer, Question, Side

FOLDER = Path(".lossvet/replay")
SCHEMA = 1
DIGITS = 6


class ReplayError(ValueError):
    """No such replay, or its file is damaged; the message says what to do."""


class Recorded(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One stored counterexample. Floats are hex strings; `dtype` is that in which both sides were asked."""

    source: str
    target: str
    output: str
    inputs: dict[str, Any]
    source_value: Any = None
    target_value: Any = None
    source_error: str = ""
    target_error: str = ""
    dtype: str = "float64"
    options: Options = Options()
    schema: int = SCHEMA

    @property
    def counterexample(self) -> Counterexample:
        return Counterexample(
            inputs=decoded_inputs(self.inputs),
            output=self.output,
            source=decoded(self.source_value),
            target=decoded(self.target_value),
            source_error=self.source_error,
            target_error=self.target_error,
        )


@dataclass(frozen=True)
class Replayed:
    """What both sides answer now, and whether that is as recorded, bit for bit."""

    recorded: Recorded
    now: Counterexample
    source_as_recorded: bool
    target_as_recorded: bool

    @property
    def as_recorded(self) -> bool:
        return self.source_as_recorded and self.target_as_recorded


def recorded(
    comparison: Comparison, options: Options, specs: tuple[str, str] | None = None, dtype: str = "float64"
) -> Recorded | None:
    """None where the sides part on no input that is known. The caller's batch is not stored.

    `specs` are those of both sides as they were given, where they differ from what is shown.
    """
    first = next((d.counterexample for d in comparison.differences if d.counterexample is not None), None)
    found = comparison.counterexample or first
    if found is None:
        return None
    options = msgspec.structs.replace(bound(comparison, options), batch=None)
    source, target = specs or (comparison.source.spec, comparison.target.spec)
    return Recorded(
        source=source,
        target=target,
        output=found.output,
        inputs=encoded_inputs(found.inputs),
        source_value=encoded(found.source),
        target_value=encoded(found.target),
        source_error=found.source_error,
        target_error=found.target_error,
        dtype=dtype,
        options=options,
    )


def bound(comparison: Comparison, options: Options) -> Options:
    """The options with the bindings that were found, so that both sides are called in the same way again."""
    return msgspec.structs.replace(
        options,
        source=_bound(options.source, comparison.source.binding),
        target=_bound(options.target, comparison.target.binding),
    )


def _bound(side: SideOptions, binding: Binding | None) -> SideOptions:
    if binding is None:
        return side
    roles = {role: name for role, name in binding.roles.items() if binding.how.get(role) != "init"}
    return msgspec.structs.replace(side, bind={**roles, **side.bind})


def key(record: Recorded) -> str:
    """The first hex digits of the hash of the content: the same comparison has the same key wherever it is made."""
    return hashlib.sha256(_content(record)).hexdigest()[:DIGITS]


def store(record: Recorded, folder: Path = FOLDER) -> str:
    """Write it and return its key. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    name = key(record)
    path = folder / f"{name}.json"
    temporary = path.with_suffix(".part")
    temporary.write_bytes(msgspec.json.format(_content(record), indent=1) + b"\n")
    temporary.replace(path)
    return name


def read(name: str, folder: Path = FOLDER) -> Recorded:
    """Raises ReplayError where there is none of that key, or its content is not that of the key; OSError."""
    if len(name) != DIGITS or set(name) - set("0123456789abcdef"):
        raise ReplayError(f"{name!r} is not the key of a replay; expected {DIGITS} hex digits, as in 3f9a1c")
    path = folder / f"{name}.json"
    if not path.exists():
        keys = [k for k, _ in stored(folder)]
        near = difflib.get_close_matches(name, keys, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(keys)}" if keys else "there are none"
        raise ReplayError(f"no replay {name} in {folder}; {hint}")
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Recorded)
        arrays(found.counterexample.inputs)
    except (msgspec.MsgspecError, ValueError) as error:
        raise ReplayError(f"{path}: damaged ({error}); remove it and compare again") from error
    if found.schema != SCHEMA or key(found) != name:
        raise ReplayError(f"{path}: its content has changed since it was written; remove it and compare again")
    return found


def stored(folder: Path = FOLDER) -> Iterator[tuple[str, str]]:
    """Key and a line for each that is there, the newest first; those that cannot be read say so."""
    for path in sorted(folder.glob("*.json"), key=lambda p: (-p.stat().st_mtime, p.name)):
        try:
            found = read(path.stem, folder)
            yield path.stem, f"{found.source} and {found.target}: {found.output}"
        except ReplayError as error:
            yield path.stem, str(error)


def replay(record: Recorded, source: Side, target: Side) -> Replayed:
    """Ask both sides the recorded question again."""
    then = record.counterexample
    leaf = then.output.partition("/")[2]
    question = Question(
        arrays(then.inputs), (leaf,) if leaf else (), "gradient" if leaf else "value", dtype=record.dtype
    )
    answers = [side.ask([question])[0] for side in (source, target)]
    values = [_output(answer, leaf) for answer in answers]
    now = Counterexample(
        inputs=then.inputs,
        output=then.output,
        source=values[0],
        target=values[1],
        source_error=answers[0].error,
        target_error=answers[1].error,
    )
    return Replayed(
        record,
        now,
        _same(now.source, then.source) and bool(now.source_error) == bool(then.source_error),
        _same(now.target, then.target) and bool(now.target_error) == bool(then.target_error),
    )


def _same(now: Any, then: Any) -> bool:
    """Bit for bit, but for the sign and payload of a NaN; the words of an error may change with a version."""
    if now is None or then is None:
        return now is then
    a, b = np.asarray(now, dtype=np.float64), np.asarray(then, dtype=np.float64)
    return bool(encoded(a) == encoded(b))


def _output(answer: Answer, leaf: str) -> Any:
    found = smallest.reported(answer, f"gradient/{leaf}" if leaf else "loss")
    return None if found is None else np.asarray(found, dtype=np.float64).tolist()


def _content(record: Recorded) -> bytes:
    return msgspec.json.encode(record)
