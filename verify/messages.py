"""The requests of verify to its workers, and their answers. Arrays are sent unchanged."""

from __future__ import annotations

from typing import Any

import msgspec
from numpy.typing import NDArray

from lossvet.reference.types import Array
from lossvet.verify.answer import Binding
from lossvet.verify.binding import Options
from lossvet.verify.questions import Answer, Question
from lossvet.verify.sources import Kind


class Load(msgspec.Struct, frozen=True, tag=True):
    """Import what `spec` names; paths and modules are looked for from `folder`.

    `memory`: GiB that the loss may use beyond what the framework uses after its import; 0 for any amount.
    """

    spec: str
    folder: str
    memory: float


class Bind(msgspec.Struct, frozen=True, tag=True):
    """Find out how it can be called; no call may take longer than `limit` seconds."""

    options: Options
    limit: float


class Ask(msgspec.Struct, frozen=True, tag=True):
    """Questions to one of the bindings. Each has an answer of its own, `limit` seconds at most after the one before."""

    which: int
    questions: tuple[Asked, ...]
    limit: float


class Asked(msgspec.Struct, frozen=True):
    """A `Question` on its way."""

    inputs: dict[str, NDArray[Any]]
    leaves: tuple[str, ...]
    derivative: str
    dtype: str


class Loaded(msgspec.Struct, frozen=True, tag=True):
    """It was imported. `notes` says what that changed: "importing it changes jax_enable_x64 from False to True".

    `file` is that of the module, empty where it has none."""

    notes: tuple[str, ...]
    file: str = ""


class Way(msgspec.Struct, frozen=True):
    """One way of calling it. `idle` roles have no influence on the result, of `partly` ones some elements have none."""

    binding: Binding
    idle: tuple[str, ...]
    partly: tuple[str, ...]


class Found(msgspec.Struct, frozen=True, tag=True):
    """The ways in which it can be called, the best first. `notes` says what its calls do besides."""

    ways: tuple[Way, ...]
    notes: tuple[str, ...]
    differentiable: bool


class Answered(msgspec.Struct, frozen=True, tag=True):
    """An `Answer` on its way. `late`: it is that there was none within the limit."""

    value: Array | None
    gradients: dict[str, Array | None]
    dtype: str
    error: str
    notes: tuple[str, ...]
    refused: dict[str, str]
    late: bool = False


class Refused(msgspec.Struct, frozen=True, tag=True):
    """It cannot be had, as a `SourceError` says."""

    kind: Kind
    sentence: str


Request = Load | Bind | Ask
Reply = Loaded | Found | Answered | Refused


def asked(question: Question) -> Asked:
    return Asked(question.inputs, question.leaves, question.derivative, question.dtype)


def question(message: Asked) -> Question:
    return Question(message.inputs, message.leaves, message.derivative, message.dtype)


def answered(answer: Answer, late: bool = False) -> Answered:
    return Answered(answer.value, answer.gradients, answer.dtype, answer.error, answer.notes, answer.refused, late)


def answer(message: Answered) -> Answer:
    return Answer(message.value, message.gradients, message.dtype, message.error, message.notes, message.refused)
