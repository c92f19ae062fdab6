"""A loss that was loaded and bound, as a side of verify: it answers questions in this process, over primitives."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lossvet.adapters.protocol import Primitives, built, mode_of
from lossvet.verify import calls, layouts
from lossvet.verify.binding import Plan
from lossvet.verify.derived import computation
from lossvet.verify.questions import Answer, Question, direction
from lossvet.verify.raised import CANNOT_TRACE, IN_PLACE, described, refusal


@dataclass
class Subject:
    """One way of calling one loss. `mode` as `adapters.protocol` has them; `integers` is the dtype of integer labels.

    In a mode that was asked for by name, a loss is compiled as users have it; else in the quickest way there is.

    `guard` is entered around every call into the loss: a worker limits its time there.
    """

    primitives: Primitives
    function: Callable[..., Any]
    plan: Plan
    mode: str = ""
    integers: str = "int64"
    guard: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext
    _built: dict[Any, Callable[[Mapping[str, Any]], Any]] = field(default_factory=dict, repr=False)
    _notes: dict[str, None] = field(default_factory=dict, repr=False)
    _copied: bool = False
    _quickly: bool = False
    _copies: dict[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._quickly = not self.mode
        chosen = self.mode or next((m.name for m in self.primitives.modes if m.for_strangers), None)
        self.mode = mode_of(self.primitives, chosen).name

    @property
    def _traced(self) -> bool:
        """Whether the loss is traced where its framework's first mode would not trace it."""
        return mode_of(self.primitives, self.mode).for_strangers

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """The answers, in order. Nothing that the loss does raises here, except for what `guard` raises to end it."""
        return [self._answer(question) for question in questions]

    def made(self, inputs: Mapping[str, Any]) -> Any:
        """What a function that makes a loss makes, given arrays by role; None where it raises."""
        sizes = (5, 3)
        for put in (self.primitives.put, np.asarray):  # a session's tensors exist within its graph alone
            with contextlib.suppress(Exception), self._watched(), self.guard():
                return calls.make(self.function, self.plan, {role: put(array) for role, array in inputs.items()}, sizes)
        return None

    def _answer(self, question: Question) -> Answer:
        self._notes = {}
        try:
            arrays = layouts.laid(self.plan, question.inputs)
        except layouts.Unfit as error:
            return Answer(error=f"Unfit: {error}")
        sizes = np.asarray(question.inputs["logits"]).shape
        try:
            with self.primitives.precision(question.dtype):
                answer = self._attempts(question, arrays, (sizes[0], sizes[1]))
        except (Exception, SystemExit) as error:
            answer = Answer(error=described(error))
        return Answer(
            answer.value, answer.gradients, answer.dtype, answer.error, (*self._notes, *answer.notes), answer.refused
        )  # fmt: skip

    def _attempts(self, question: Question, arrays: Mapping[str, Any], sizes: tuple[int, int]) -> Answer:
        """The answer; with copies of the inputs where the loss changes leaves, untraced where it cannot be traced."""
        try:
            return self._derived(question, arrays, sizes)
        except _Again:
            self._built.clear()
            return self._attempts(question, arrays, sizes)

    def _otherwise(self, error: Exception) -> None:
        """Raises _Again where the loss can be run in another way that does not raise this, and changes to that."""
        words = f"{type(error).__name__}: {error}"
        if not self._copied and any(w in words for w in IN_PLACE):
            self._copied = True
        elif self._traced and any(w in words for w in CANNOT_TRACE):
            self.mode = mode_of(self.primitives).name
        else:
            return
        raise _Again from error

    def _derived(self, question: Question, arrays: Mapping[str, Any], sizes: tuple[int, int]) -> Answer:
        """What is asked for; where differentiating raises, the value, and the gradients one by one."""
        leaves = tuple(leaf for leaf in question.leaves if leaf in arrays and arrays[leaf].dtype.kind == "f")
        kind = question.derivative
        if kind in ("gradient", "twice") and not leaves:
            kind = "value"
        try:
            return self._run(question, kind, leaves, arrays, sizes)
        except Exception as error:
            self._otherwise(error)
            if kind == "value":
                raise
            if kind == "twice":
                return self._once(question, described(error))
            value = self._run(question, "value", (), arrays, sizes)  # what raises here was not the derivative
            if kind in ("hessian", "forward"):
                return _refusing(value, {}, {kind: refusal(error)})
            if len(leaves) == 1:
                return _refusing(value, {leaves[0]: None}, {leaves[0]: refusal(error)})
        return self._one_by_one(question, leaves, value, arrays, sizes)

    def _once(self, question: Question, error: str) -> Answer:
        """The answer where two passes raise: that of one pass, if that does not raise too."""
        once = self._answer(msgspec.structs.replace(question, derivative="gradient"))
        if once.error or once.refused:
            return once
        self._notes["a second backward pass fails"] = None
        return msgspec.structs.replace(once, refused={"twice": error})

    def _one_by_one(
        self,
        question: Question,
        leaves: tuple[str, ...],
        value: Answer,
        arrays: Mapping[str, Any],
        sizes: tuple[int, int],
    ) -> Answer:
        gradients: dict[str, Any] = {}
        refused: dict[str, str] = {}
        for leaf in leaves:
            try:
                answer = self._run(question, question.derivative, (leaf,), arrays, sizes)
                gradients |= answer.gradients
            except Exception as error:
                gradients[leaf] = None
                refused[leaf] = refusal(error)
        return _refusing(value, gradients, refused)

    def _run(
        self, question: Question, kind: str, leaves: tuple[str, ...], arrays: Mapping[str, Any], sizes: tuple[int, int]
    ) -> Answer:  # fmt: skip
        """One call of what computes this kind of answer. Raises what the loss or the framework raises."""
        p, dtype = self.primitives, question.dtype
        given = {
            role: array if array.dtype.kind == "f" else array.astype(self.integers) for role, array in arrays.items()
        }
        tensors = {role: p.put(array, dtype) for role, array in given.items()}
        if kind in ("hessian", "forward"):
            tensors["direction"] = p.put(direction(given["logits"].shape), dtype)
        before = {role: p.read(tensor) for role, tensor in tensors.items()}
        compute = self._computation(kind, leaves, sizes)
        with self._watched(), self.guard():
            outputs = compute(tensors)
            p.wait(outputs)
        self._mutations(tensors, before)
        shapes = {role: np.asarray(question.inputs[role]).shape for role in arrays}
        gradients = {
            leaf: None
            if (found := outputs.get(f"gradient {leaf}")) is None
            else layouts.unlaid(self.plan, leaf, np.asarray(p.read(found), np.float64), shapes[leaf])
            for leaf in (("logits",) if kind == "hessian" else leaves if kind != "value" else ())
        }
        if kind == "forward":
            tangent = outputs.get("forward")
            gradients = {"forward": None if tangent is None else np.asarray(p.read(tangent), np.float64)}
        if kind == "twice" and self._part(outputs, leaves):
            self._notes["a second backward pass differs"] = None
        value = outputs["value"]
        return Answer(
            np.asarray(p.read(value), np.float64),
            gradients,
            p.dtype(value) if hasattr(value, "dtype") else "float64",
        )

    def _part(self, outputs: Mapping[str, Any], leaves: tuple[str, ...]) -> bool:
        """Whether the two passes gave different gradients."""
        for leaf in leaves:
            one, two = outputs[f"first {leaf}"], outputs[f"gradient {leaf}"]
            if (one is None) != (two is None):
                return True
            if one is not None and not np.array_equal(
                self.primitives.read(one), self.primitives.read(two), equal_nan=True
            ):
                return True
        return False

    def traces(self, question: Question) -> str | None:
        """None where the loss cannot be traced without computing, else the error of tracing it, "" for none."""
        if not self._traced:
            return None
        try:
            arrays, p = layouts.laid(self.plan, question.inputs), self.primitives
            n, c = np.asarray(question.inputs["logits"]).shape
            with p.precision(question.dtype), self._watched(), self.guard():
                tensors = {
                    role: p.put(array if array.dtype.kind == "f" else array.astype(self.integers), question.dtype)
                    for role, array in arrays.items()
                }
                return "" if p.traced(self._loss((n, c)), tensors) else None
        except Exception as error:
            return None if any(w in f"{type(error).__name__}: {error}" for w in CANNOT_TRACE) else described(error)

    def _computation(
        self, kind: str, leaves: tuple[str, ...], sizes: tuple[int, int]
    ) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
        """From tensors by role to outputs by name, as the mode runs it; made once."""
        key = (kind, leaves, sizes if self._sized else None)
        if key not in self._built:
            self._built[key] = built(
                self.primitives,
                self._loss(sizes),
                computation(self.primitives, kind, leaves),
                self.mode,
                quickly=self._quickly,
            )
        return self._built[key]

    @property
    def _sized(self) -> bool:
        return any(getattr(a, "size", False) for a in self.plan.all)

    def _loss(self, sizes: tuple[int, int]) -> Callable[[Mapping[str, Any]], Any]:
        """The loss as a function of tensors by role."""

        def loss(tensors: Mapping[str, Any]) -> Any:
            if self._copied:  # no leaves any more, which the framework would refuse to have changed
                tensors = {role: t * 1 if role in self._floats else t for role, t in tensors.items()}
                self._copies = dict(tensors)
            result, note = calls.loss_of(calls.call(self.function, self.plan, tensors, sizes))
            if note:
                self._notes[note] = None
            return result

        return loss

    @property
    def _floats(self) -> tuple[str, ...]:
        return tuple(role for role in self.plan.roles if role != "labels" or self.plan.labels == "dense")

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """Notes what is printed, and keeps it from whoever reads our output."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            yield
        if printed.getvalue():
            self._notes["prints"] = None

    def _mutations(self, tensors: Mapping[str, Any], before: Mapping[str, NDArray[Any]]) -> None:
        for role in before:
            after = [self.primitives.read(tensors[role])]
            after += [self.primitives.read(self._copies[role])] if role in self._copies else []
            if not all(np.array_equal(a, before[role], equal_nan=a.dtype.kind == "f") for a in after):
                self._notes[f"changes {role} in place"] = None
        self._copies = {}


class _Again(Exception):
    """The question is to be asked once more, in another way."""


def _refusing(value: Answer, gradients: dict[str, Any], refused: dict[str, str]) -> Answer:
    return Answer(value.value, gradients, value.dtype, value.error, value.notes, refused)
