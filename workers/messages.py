"""The messages of all kinds of workers, and how cases and outcomes are put into frames and taken out.

A case is sent whole: a worker has no golden file, and does not know the expected result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

import msgspec
import numpy as np
from msgspec.msgpack import Decoder

from lossvet.adapters.protocol import Cost
from lossvet.adapters.types import Adapter, Measured, Missing, Outcome, Raised
from lossvet.reference import variants
from lossvet.reference.types import Case, Reduction
from lossvet.workers import frames
from lossvet.workers.frames import Block

LONGEST_TEXT = 4000
"""Exceptions quote whole graphs: what is kept of their words, in characters."""


class NativeSpec(msgspec.Struct, frozen=True):
    """`adapters.types.Native` without its call."""

    spelling: str
    reductions: dict[Reduction, str]
    sample_weight: bool
    ignore_index: bool
    dtypes: tuple[str, ...]
    modes: tuple[str, ...] = ()
    compiles: bool = False
    no_gradient: tuple[str, ...] = ()
    edges: dict[str, str] = {}


class Hello(msgspec.Struct, frozen=True, tag=True):
    """The first words of a worker: what its framework is and can be asked.

    `natives` are by variant and recipe, `costs` and `no_gradient` by mode; `measured` names the devices on which it can
    be timed.
    """

    name: str
    version: str
    modes: tuple[str, ...]
    devices: tuple[str, ...]
    dtypes: tuple[str, ...]
    costs: dict[str, Cost]
    natives: dict[str, dict[str, NativeSpec]]
    no_gradient: dict[str, tuple[str, ...]]
    measured: tuple[str, ...]
    details: dict[str, str]
    python: str


class Unavailable(msgspec.Struct, frozen=True, tag=True):
    """The framework is not there, or does not start; `missing` tells the two apart."""

    name: str
    reason: str
    missing: bool = True


Greeting = Hello | Unavailable


class CaseMessage(msgspec.Struct, frozen=True):
    variant: str
    id: str
    bits: int
    logits: Block
    labels: Block
    params: dict[str, Block | int | float | None]
    cotangent: Block
    direction: Block


class MeasuredMessage(msgspec.Struct, frozen=True, tag="measured"):
    value: Block


class RaisedMessage(msgspec.Struct, frozen=True, tag="raised"):
    error: str
    message: str


class MissingMessage(msgspec.Struct, frozen=True, tag="missing"):
    reason: str


OutcomeMessage = MeasuredMessage | RaisedMessage | MissingMessage


GREETINGS: Decoder[Greeting] = Decoder(Greeting)
CASES: Decoder[CaseMessage] = Decoder(CaseMessage)


def hello(adapter: Adapter, python: str) -> Hello:
    """The greeting of a worker that asks this adapter, under the interpreter that `machine.python` names."""
    natives = {
        variant: {
            name: NativeSpec(
                n.spelling,
                dict(n.reductions),
                n.sample_weight,
                n.ignore_index,
                n.dtypes,
                n.modes,
                n.compiles,
                n.no_gradient,
                dict(n.edges),
            )
            for name, n in recipes.items()
        }
        for variant, recipes in adapter.native.items()
    }
    return Hello(
        name=adapter.name,
        version=str(adapter.version),
        modes=adapter.modes,
        devices=adapter.devices,
        dtypes=adapter.dtypes,
        costs={mode: adapter.costs.get(mode, Cost()) for mode in adapter.modes},
        natives=natives,
        no_gradient=dict(adapter.no_gradient),
        measured=("cpu", *adapter.measured),
        details={key: text(str(value)) for key, value in adapter.details.items()},
        python=python,
    )


def bare(name: str, version: str, python: str) -> Hello:
    """The greeting of a worker that asks no adapter: it offers no recipes."""
    nothing: tuple[str, ...] = ()
    return Hello(name, version, nothing, ("cpu",), nothing, {}, {}, {}, nothing, {}, python)


def interpreter(python: str) -> str:
    """Implementation and version, without the path, which a published run must not reveal."""
    return " ".join(python.split(" ")[:2])


def case_message(variant: str, case: Case) -> msgspec.Raw:
    """A case, encoded once for all the cells that it is asked in."""
    values = {f.name: getattr(case.params, f.name) for f in fields(case.params)}
    message = CaseMessage(
        variant=variant,
        id=case.id,
        bits=case.bits,
        logits=frames.pack(case.logits),
        labels=frames.pack(case.labels),
        params={k: frames.pack(v) if isinstance(v, np.ndarray) else v for k, v in values.items()},
        cotangent=frames.pack(case.cotangent),
        direction=frames.pack(case.direction),
    )
    return msgspec.Raw(msgspec.msgpack.encode(message))


def case(message: CaseMessage) -> Case:
    """The case again, without what is expected of it. Raises KeyError for an unknown variant."""
    params = {k: frames.unpack(v) if isinstance(v, Block) else v for k, v in message.params.items()}
    return Case(
        id=message.id,
        bits=message.bits,
        logits=frames.unpack(message.logits),
        labels=frames.unpack(message.labels),
        params=variants.load(message.variant).params(**params),
        cotangent=frames.unpack(message.cotangent),
        direction=frames.unpack(message.direction),
    )


def outcome_message(outcome: Outcome) -> OutcomeMessage:
    match outcome:
        case Measured(value):
            return MeasuredMessage(frames.pack(np.asarray(value)))
        case Raised(error, message):
            return RaisedMessage(text(error), text(message))
        case Missing(reason):
            return MissingMessage(text(reason))


def outcome(message: OutcomeMessage) -> Outcome:
    """Raises MalformedFrame where an array is not what it says."""
    match message:
        case MeasuredMessage(value=value):
            return Measured(frames.unpack(value))
        case RaisedMessage(error=error, message=words):
            return Raised(error, words)
        case MissingMessage(reason=reason):
            return Missing(reason)


def text(words: str) -> str:
    """Words of a framework made fit to travel: valid UTF-8, and not longer than a reader would read."""
    whole = words.encode("utf-8", "replace").decode()
    return whole if len(whole) <= LONGEST_TEXT else whole[:LONGEST_TEXT] + " ..."


def versions(greetings: Mapping[str, Greeting]) -> dict[str, str]:
    """By framework, of those that are there."""
    return {name: g.version for name, g in greetings.items() if isinstance(g, Hello)}
