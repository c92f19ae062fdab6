"""Which of the plausible bindings of a loss can be called, and which come first: those in which every argument matters.

The batches have more rows than classes and fewer, so that a [C] is no [N], and every class among their labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lossvet.verify.answer import Binding
from lossvet.verify.binding import Argument, Plan, Role
from lossvet.verify.parameter_names import suggests
from lossvet.verify.questions import Answer, Question
from lossvet.verify.subject import Subject

OTHER_CLASSES = (2, 4, 5, 10, 1, 6, 7, 8, 9, 12, 11, 20, 19, 21, 100, 150, 1000)
"""Numbers of classes that are tried where a loss cannot be called with three: its own code may fix another."""
ENOUGH_CLASSES = 10
"""Where a loss can be called and nothing that it is given matters, no number of classes after this one is tried."""
MAIN = ("logits", "labels")
KEPT = 8
"""Bindings that are kept, at most."""
DTYPE_WORDS = ("dtype", "float", "double", "int64", "int32", "type", "Half", "Long")
"""What an exception says where another dtype may help."""
GIVES_NAN = "gives NaN"
NO_LOSS = "NoLoss"
"""How the error of a call begins that returned neither a tensor nor a number."""
RANGE_WORDS = ("between 0 and 1", "range", "probab", "[0", "greater than or equal")
"""What an exception says where probabilities may help."""


@dataclass(frozen=True)
class Bound:
    """A binding that can be called. `idle` names the roles without influence on the result, `partly` those of which a
    part has none (an array of rows that is read as one of classes, perhaps)."""

    subject: Subject
    idle: tuple[str, ...] = ()
    partly: tuple[str, ...] = ()
    domain: str = "any"
    dtype: str = "float64"

    @property
    def idle_parameters(self) -> tuple[str, ...]:
        """Those of weights and the like; logits and labels may have been taken for each other."""
        return tuple(
            parameter for role, parameter in self.binding.roles.items() if role in self.idle and role not in MAIN
        )

    @property
    def binding(self) -> Binding:
        return msgspec.structs.replace(self.subject.plan.binding(), domain=self.domain, dtype=self.dtype)


@dataclass(frozen=True)
class Probed:
    """The bindings that can be called, the best first, and the first error that one of the others gave."""

    bound: tuple[Bound, ...]
    error: str = ""
    notes: tuple[str, ...] = ()
    """What calls of the best one do besides, "prints" and the like."""


def probe(plans: Iterable[Plan], made: Callable[[Plan], Subject], enough: int, costly: bool = False) -> Probed:
    """Try the plans in order, until so many have been found in which everything matters.

    `made` makes the subject of a plan. Where calls are `costly`, a parameter that had no influence in one role is tried
    in no other. The order of the result: the fewest idle arguments, then the fewest partly idle, then that of the
    plans. Where logits or labels matter in some, those in which they do not are left out.
    """
    plans = list(plans)
    errors: list[str] = []
    found: list[Bound] = []
    for classes in dict.fromkeys((3, *OTHER_CLASSES)):
        for plan in plans:
            if plan.classes not in (0, classes) and classes == 3:
                classes_here = plan.classes
            elif classes != 3 and (plan.classes or plan.logits_layout != "nc"):
                continue
            else:
                classes_here = classes
            if costly and {p for b in found for p in b.idle_parameters} & set(plan.extra_parameters):
                continue
            bound, error = _tried(plan, made, classes_here)
            errors += [error] if error else []
            if bound is not None and (classes != 1 or not set(MAIN) <= set(bound.idle)):  # one class says nothing
                found.append(bound)
                if sum(not b.idle and not b.partly for b in found) >= enough:
                    break
        matters = any(not set(MAIN) <= set(b.idle) for b in found)
        if matters or (found and classes == ENOUGH_CLASSES) or (plans and all(p.classes for p in plans)):
            break
        if errors and not found and all(error.startswith(NO_LOSS) for error in errors):
            break  # it runs whatever it is given, and returns no loss
    found.sort(key=lambda b: (len(b.idle), len(b.partly)))
    alive = [b for b in found if not {"logits", "labels"} & set(b.idle)]
    kept = tuple((alive or found)[:KEPT])
    return Probed(kept, errors[0] if errors else "", (*_notes(kept[0]), *_unused(found)) if kept else ())


def _tried(plan: Plan, made: Callable[[Plan], Subject], classes: int) -> tuple[Bound | None, str]:
    """The binding, if it can be called, or the first error."""
    subject, first = made(plan), ""
    batches = _batches(plan, classes)
    settings = [("any", "float64", "int64")]
    for domain, dtype, integers in settings:
        subject.integers = integers
        questions = [batch.question(domain, dtype) for batch in batches]
        answers = []
        for question in reversed(questions):  # the small one first: where tracing is cheaper, that is enough of it
            traced = subject.traces(question)
            small = question is questions[-1]
            if traced is None or (not traced and not small):
                (answer,) = subject.ask([question])
            else:
                answer = Answer(np.zeros(1), error=traced)
            answers.append(answer)
            if not _usable(answer):
                break
        if all(map(_usable, answers)):
            idle, partly = _idle(subject, questions[0], answers[-1])
            fixed = classes if classes != 3 and plan.logits_layout == "nc" else plan.classes
            subject.plan = replace(plan, classes=fixed)
            return Bound(subject, idle, partly, domain, dtype), ""
        error = answers[-1].error or GIVES_NAN
        first = first or error
        settings += [s for s in _others(error, domain, dtype, integers) if s not in settings]
    return None, first


def _notes(bound: Bound) -> tuple[str, ...]:
    """What two calls with the same inputs do besides."""
    question = _batches(bound.subject.plan, bound.binding.classes or 3)[0].question(bound.domain, bound.dtype)
    one, two = bound.subject.ask([question, question])
    random = one.value is None or two.value is None or not np.array_equal(one.value, two.value, equal_nan=True)
    notes = dict.fromkeys((*one.notes, *two.notes))
    return (*notes, *(["uses global randomness: the same call gives different results"] if random else []))


def square(bound: Bound, made: Callable[[Plan], Subject]) -> tuple[str, ...]:
    """A note where weights that are called those of classes weigh rows, and nothing stops weights of classes from it.

    That can be seen where there are as many rows as classes alone.
    """
    plan = bound.subject.plan
    rows = [a for a in plan.all if isinstance(a, Role) and a.role == "sample_weight" and not a.layout]
    named = [a.parameter for a in rows if suggests(a.parameter) == "class_weight"]
    if not named or plan.logits_layout != "nc" or "class_weight" in plan.roles:
        return ()

    def classes(arguments: tuple[Argument, ...]) -> tuple[Argument, ...]:
        return tuple(replace(a, role="class_weight") if isinstance(a, Role) and a in rows else a for a in arguments)

    made_with = None if plan.made_with is None else classes(plan.made_with)
    other = replace(plan, arguments=classes(plan.arguments), made_with=made_with)
    (answer,) = made(other).ask([Batch(other, sample(other, 3, 3)).question(bound.domain, bound.dtype)])
    if not _usable(answer):
        return ()
    return (
        f"{named[0]} weights rows: given weights of classes, it uses them for the rows if there are as many of both",
    )


def _unused(found: Iterable[Bound]) -> list[str]:
    """A note on every parameter that was given weights in some bindings, and had an influence in none."""
    idle: dict[str, None] = {}
    felt: set[str] = set()
    for bound in found:
        idle |= dict.fromkeys(bound.idle_parameters)
        felt |= set(bound.binding.roles.values()) - set(bound.idle_parameters)
    return [f"accepts {parameter} but does not use it" for parameter in idle if parameter not in felt]


def _others(error: str, domain: str, dtype: str, integers: str) -> list[tuple[str, str, str]]:
    """What else may help against an error."""
    found = []
    if error == GIVES_NAN or any(word in error for word in RANGE_WORDS):
        found.append(("probabilities", dtype, integers))
    if any(word in error for word in DTYPE_WORDS):
        found.append((domain, "float32", integers))
        if "int" in error.lower():
            found += [(domain, dtype, "int32"), (domain, "float32", "int32")]
    return found


def _usable(answer: Answer) -> bool:
    return (
        not answer.error
        and answer.value is not None
        and answer.value.size > 0
        and not bool(np.isnan(answer.value).any())
    )


@dataclass(frozen=True)
class Batch:
    """Inputs by role, with logits that are any numbers."""

    plan: Plan
    inputs: dict[str, NDArray[Any]]

    def question(self, domain: str, dtype: str) -> Question:
        inputs = dict(self.inputs)
        if domain == "probabilities":
            e = np.exp(inputs["logits"])
            inputs["logits"] = e / e.sum(1, keepdims=True) if e.shape[1] > 1 else e / (1 + e)
        return Question(inputs, derivative="value", dtype=dtype)


def _batches(plan: Plan, classes: int) -> list[Batch]:
    """One with more rows than classes, one with fewer."""
    if plan.logits_layout in ("n", "n1"):
        classes = 1
    rows = [classes + 2 if classes > 1 else 5, max(2, classes - 1) if classes > 1 else 2]
    return [Batch(plan, sample(plan, n, classes)) for n in rows]


def sample(plan: Plan, n: int, classes: int) -> dict[str, NDArray[Any]]:
    """Inputs of a question for all roles of a plan, [n, classes]; every class is a label where rows are enough."""
    count = np.arange(n * classes).reshape(n, classes)
    labels = (np.arange(n) * (classes - 1) + 2) % classes if classes > 2 else np.arange(n) % 2
    dense = (labels[:, None] == np.arange(max(classes, 2)))[:, -classes:].astype(np.float64)
    spread = np.arange(classes)
    every: dict[str, NDArray[Any]] = {
        "logits": 2 * np.sin(1.7 * count + 0.3),
        "labels": labels.astype(np.int64) if plan.labels == "sparse" else dense,
        "class_weight": 0.5 + 0.75 * spread,
        "pos_weight": np.asarray(2.5) if plan.layouts.get("pos_weight") == "scalar" else 1.5 + 0.5 * spread,
        "binary_weights": np.asarray([0.75, 2.0]),
        "cost_matrix": (1.0 + (spread[:, None] * 3 + spread) % 5) * (spread[:, None] != spread),
        "sample_weight": 0.5 + 0.25 * ((np.arange(n) * 3) % 5),
        "mask": np.where(np.arange(n) % 3 == 1, 0.0, 1.0),
        "count": np.asarray(float(n)),
    }
    return {role: every[role] for role in plan.roles}


def _idle(subject: Subject, question: Question, answer: Answer) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The roles without influence on the result, and those of which some elements have none."""
    idle, partly = [], []
    for role in subject.plan.roles:
        array = np.asarray(question.inputs[role])
        changes = [_changed(role, array)] if role in ("logits", "labels") else list(_each(role, array))
        felt = [_differs(subject, question, role, changed, answer) for changed in changes]
        if not any(felt):
            idle.append(role)
        elif not all(felt):
            partly.append(role)
    return tuple(idle), tuple(partly)


def _differs(subject: Subject, question: Question, role: str, changed: NDArray[Any], answer: Answer) -> bool:
    (other,) = subject.ask([msgspec.structs.replace(question, inputs={**question.inputs, role: changed})])
    if other.value is None or answer.value is None:
        return other.value is not answer.value
    return not np.array_equal(other.value, answer.value, equal_nan=True)


def _changed(role: str, array: NDArray[Any]) -> NDArray[Any]:
    """Other logits (probabilities stay such), or labels, that are as good."""
    return np.roll(array, 1 if role == "logits" else 2, 0)


def _each(role: str, array: NDArray[Any]) -> Iterable[NDArray[Any]]:
    """The array with each of its elements changed in turn, up to eight of them; zeros on a diagonal stay."""
    places = [tuple(place) for place in np.argwhere(array != 0)] if role != "mask" else list(np.ndindex(array.shape))
    for place in places[:8]:
        other = array.copy()
        other[place] = 1 - other[place] if role == "mask" else other[place] * 1.75
        yield other
