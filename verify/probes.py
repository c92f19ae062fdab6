"""Structured probes: inputs that separate meanings, where a single random batch would hide them.

What hides faults: equal weights, one class a batch, as many rows as classes, one row, no weight of 0, moderate logits,
probabilities that sum to 1. Each probe here takes one of these away, or asks for one on purpose. Numbers are multiples
of 1/64, so that they are exact in every dtype that a side may compute in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lossvet.verify.questions import Question

Inputs = dict[str, Any]


@dataclass(frozen=True)
class Domain:
    """What a side can be asked: which roles it takes, labels of which kind, and how many classes (None: any number).

    `scalars` names the roles that want one number where an array could stand; `one_column`, that logits are [N, 1].
    `differentiable` says whether it may have gradients at all; none of NumPy's functions has one. `probabilities`, that
    it refuses anything but rows in (0, 1) that sum to 1 in place of logits; `dtype`, in which it is asked.
    """

    roles: tuple[str, ...]
    labels: Literal["sparse", "dense"]
    classes: int | None = None
    scalars: tuple[str, ...] = ()
    one_column: bool = False
    differentiable: bool = True
    probabilities: bool = False
    dtype: str = "float64"

    def weights(self) -> tuple[str, ...]:
        return tuple(role for role in self.roles if role not in ("logits", "labels"))


@dataclass(frozen=True)
class Probe:
    """A named question; `shows` is what it is for, in words that follow "the probe"."""

    name: str
    question: Question
    shows: str = field(default="", compare=False)


KINDS = ("simplex", "interval", "logits")
"""What stands in for logits: rows of probabilities that sum to 1, numbers in (0, 1) that do not, of both signs."""


def numbers(kind: str, n: int, c: int, seed: int) -> NDArray[np.float64]:
    """[n, c] of one of `KINDS`, in multiples of 1/64."""
    rng = np.random.default_rng([seed, n, c])
    match kind:
        case "simplex":
            cuts = np.sort(np.array([rng.choice(np.arange(3, 62), c - 1, replace=False) for _ in range(n)]), axis=1)
            cuts = cuts.reshape(n, c - 1)
            edges = np.concatenate([np.zeros((n, 1)), cuts, np.full((n, 1), 64)], axis=1)
            return np.diff(edges, axis=1) / 64
        case "interval":
            return rng.integers(6, 58, (n, c)) / 64.0
        case _:
            return rng.integers(-160, 161, (n, c)) / 64.0


def classes(n: int, c: int, seed: int) -> NDArray[np.int64]:
    """[n] classes, unbalanced, every one present where there is room, never 0, 1, 2... in order."""
    rng = np.random.default_rng([seed, n, c, 7])
    y = rng.integers(0, c, n)
    y[: min(n, c)] = rng.permutation(c)[: min(n, c)]
    if n > c:
        y[c] = y[0]
    return rng.permutation(y)


def soft(n: int, c: int, seed: int, total: bool) -> NDArray[np.float64]:
    """Soft labels [n, c]; with `total` every row sums to 1, else none does."""
    return numbers("simplex", n, c, seed + 100) if total else numbers("interval", n, c, seed + 100)


def one_hot(y: NDArray[np.int64], c: int) -> NDArray[np.float64]:
    return np.equal.outer(y, np.arange(c)).astype(np.float64)


def weights(domain: Domain, n: int, c: int, seed: int, y: NDArray[np.int64]) -> Inputs:
    """Unequal weights for every role that the domain has, none of them 0, none summing to 1 or to C."""
    rng = np.random.default_rng([seed, n, c, 11])
    made: Inputs = {
        "class_weight": np.array([0.5, 2.0, 3.25, 1.25, 4.5, 0.75, 2.5, 1.75])[:c] + seed / 8,
        "pos_weight": np.array([3.0, 0.5, 2.25, 1.5, 0.75, 2.0, 4.0, 1.25])[:c] + seed / 8,
        "binary_weights": np.array([0.75, 2.5]) + seed / 8,
        "cost_matrix": (rng.integers(4, 200, (c, c)) / 64.0) * (1 - np.eye(c)) + np.diag(rng.integers(1, 40, c) / 64.0),
        "sample_weight": rng.integers(16, 192, n) / 64.0,
        "mask": (np.arange(n) % 3 != 1).astype(np.float64),
        "count": np.float64(n + 2.5),
    }
    return {role: _scalar(domain, role, made[role]) for role in domain.weights() if role in made}


def unit(domain: Domain, n: int, c: int) -> Inputs:
    """Weights that change nothing: ones; a cost of 1 for every wrong class; the count that there is."""
    made: Inputs = {
        "class_weight": np.ones(c),
        "pos_weight": np.ones(c),
        "binary_weights": np.ones(2),
        "cost_matrix": 1.0 - np.eye(c),
        "sample_weight": np.ones(n),
        "mask": np.ones(n),
        "count": np.float64(n),
    }
    return {role: _scalar(domain, role, made[role]) for role in domain.weights() if role in made}


def _scalar(domain: Domain, role: str, array: Any) -> Any:
    return np.float64(np.ravel(array)[0]) if role in domain.scalars else np.asarray(array, np.float64)


def inputs(domain: Domain, kind: str, n: int, seed: int, *, plain: bool = False, c: int | None = None) -> Inputs:
    """A batch of n rows: labels are classes, or one-hot; weights are unequal, or `plain`."""
    c = c or domain.classes or (1 if domain.one_column else 3)
    if domain.probabilities:
        kind = "simplex"
    x = numbers(kind if c > 1 or kind != "simplex" else "interval", n, c, seed)
    if c > 1:
        y = classes(n, c, seed)
        labels: Any = y if domain.labels == "sparse" else one_hot(y, c)
    else:
        y = np.zeros(n, np.int64)
        labels = ((np.arange(n) * 3 + seed) % 5 < 2).astype(np.float64)[:, None]
    more = unit(domain, n, c) if plain else weights(domain, n, c, seed, y)
    return {"logits": x, "labels": labels, **more}


def other_classes(domain: Domain) -> int | None:
    """A second number of classes, for what takes any: with one number alone, what depends on it cannot be told from a
    number in the code."""
    return None if domain.classes or domain.one_column else 5


def leaves(domain: Domain, given: Mapping[str, Any]) -> tuple[str, ...]:
    """The roles of these inputs in which a gradient can be asked for: those of floats, and counts not among them."""
    if not domain.differentiable:
        return ()
    return tuple(r for r, a in given.items() if np.asarray(a).dtype.kind == "f" and r not in ("count", "mask"))


def ask(domain: Domain, given: Inputs, derivative: str = "gradient", dtype: str = "") -> Question:
    wanted = leaves(domain, given) if derivative != "value" else ()
    return Question(given, wanted, derivative if wanted else "value", dtype or domain.dtype)


def _other(domain: Domain, seed: int, plain: bool = False) -> Inputs:
    return inputs(domain, "interval", 4, seed, plain=plain, c=other_classes(domain))


def core(domain: Domain) -> list[Probe]:
    """With weights that change nothing: what the loss itself is."""
    return [
        Probe("plain rows", ask(domain, inputs(domain, "simplex", 5, 1, plain=True)), "with weights of 1"),
        Probe("other plain rows", ask(domain, _other(domain, 2, plain=True)), "of another size"),
        Probe("plain logits", ask(domain, inputs(domain, "logits", 5, 3, plain=True)), "with logits of both signs"),
    ]


def weighted(domain: Domain) -> list[Probe]:
    """With unequal weights, and with one that is 0: how they enter."""
    found = [
        Probe("weighted rows", ask(domain, inputs(domain, "simplex", 5, 4)), "with unequal weights"),
        Probe("other weighted rows", ask(domain, _other(domain, 5)), "of another size, weighted"),
        Probe("weighted logits", ask(domain, inputs(domain, "logits", 5, 6)), "with logits of both signs, weighted"),
    ]
    zero = inputs(domain, "simplex", 5, 7)
    for role in ("class_weight", "sample_weight"):
        if role in zero and np.ndim(zero[role]):
            zero[role] = np.where(np.arange(len(zero[role])) == 1, 0.0, zero[role])
    if {"class_weight", "sample_weight"} & zero.keys():
        found.append(Probe("a weight of 0", ask(domain, zero), "with a weight of 0"))
    return found


def square(domain: Domain) -> list[Probe]:
    """As many rows as classes, where weights can land on the wrong axis; and one row."""
    if domain.one_column:
        return [Probe("one row", ask(domain, inputs(domain, "simplex", 1, 9)), "with one row")]
    c = domain.classes or 3
    return [
        Probe("as many rows as classes", ask(domain, inputs(domain, "simplex", c, 8)), "with N = C"),
        Probe("one row", ask(domain, inputs(domain, "simplex", 1, 9)), "with one row"),
    ]


def zeros(domain: Domain) -> list[Probe]:
    """Some logits at exactly 0, where formulas with |x| and max(x, 0) have a kink."""
    given = inputs(domain, "logits", 5, 17)
    x = given["logits"].copy()
    x[::2, 0] = 0.0
    return [Probe("logits of 0", ask(domain, {**given, "logits": x}), "with some logits of 0")]


def softly(domain: Domain) -> list[Probe]:
    """Labels that are no classes: soft ones that sum to 1, and such as do not."""
    if domain.labels != "dense":
        return []
    found = []
    for name, seed, total in (("soft labels", 10, True), ("labels that do not sum to 1", 11, False)):
        given = inputs(domain, "simplex", 5, seed)
        c = given["logits"].shape[1]
        given["labels"] = soft(5, c, seed, total and c > 1)
        found.append(Probe(name, ask(domain, given), f"with {name}"))
    return found


def several(domain: Domain) -> list[Probe]:
    """Hard labels of a binary loss, of which a row has none, one or several that are 1."""
    if domain.labels != "dense":
        return []
    found = []
    for seed, plain in ((18, True), (19, False)):
        given = inputs(domain, "interval" if domain.probabilities else "logits", 5, seed, plain=plain)
        n, c = given["logits"].shape
        given["labels"] = ((np.arange(n)[:, None] * 5 + np.arange(c) * 3 + seed) % 7 < 3).astype(np.float64)
        found.append(Probe(f"several labels of 1, {seed}", ask(domain, given), "with several labels of 1 in a row"))
    return found


def another(probe: Probe, **changed: Any) -> Probe:
    """The probe with some of its inputs replaced."""
    question = probe.question
    return replace(
        probe, question=Question({**question.inputs, **changed}, question.leaves, question.derivative, question.dtype)
    )


def fresh(domain: Domain, count: int, seed: int) -> list[Probe]:
    """Probes that had no part in choosing a contract: other numbers, in the shapes that were met already."""
    found = []
    for i in range(count):
        kind = KINDS[i % 3]
        n = (5, 4, 5, 3)[i % 4]
        given = inputs(domain, kind, n, seed + i, c=other_classes(domain) if n == 4 else None)
        rng = np.random.default_rng([seed, i])
        for role in ("class_weight", "pos_weight", "binary_weights", "sample_weight"):
            if role in given:
                given[role] = np.asarray(rng.integers(8, 300, np.shape(given[role])) / 64.0)
        if domain.labels == "dense" and i % 5 == 4:
            given["labels"] = soft(len(given["logits"]), given["logits"].shape[1], seed + i, i % 2 == 0)
        found.append(Probe(f"fresh {i}", ask(domain, given)))
    return found


def shifted(domain: Domain) -> list[Probe]:
    """Logits, and the same with a constant added to every row."""
    plain = core(domain)[2]
    x = plain.question.inputs["logits"]
    constants = ((np.arange(len(x)) % 3 - 1) * 0.75 + 0.25)[:, None]
    return [plain, replace(another(plain, logits=x + constants), name="shifted logits", shows="with shifted logits")]


def two_moved(domain: Domain) -> list[Probe]:
    """Logits, and the same with one, with another and with both of each row moved far up: some rows may not count."""
    plain = core(domain)[2]
    found = [plain]
    for columns in ([0], [1], [0, 1]):
        x = plain.question.inputs["logits"].copy()
        x[:, columns] += 4.0
        found.append(replace(another(plain, logits=x), name=f"logits {columns} moved", shows="with some logits moved"))
    return found


FAR = (20.0, 40.0, 100.0, 800.0)


def far(domain: Domain, kind: str) -> list[Probe]:
    """A row whose label is as unlikely as it gets, or as likely: what clips, guards and naive logarithms do."""
    given = inputs(domain, "simplex" if kind == "probabilities" else "logits", 4, 12, plain=True)
    if kind == "log_probabilities":
        given["logits"] = -np.abs(given["logits"]) - 0.25
    c = given["logits"].shape[1]
    y = int(np.argmax(given["labels"][0])) if domain.labels == "dense" else int(given["labels"][0])
    found = []
    for gap in FAR if kind == "logits" else (1.0,):
        for likely in (False, True):
            x = given["logits"].copy()
            x[0] = _extreme(kind, c, y, gap, likely)
            words = "likely" if likely else "unlikely"
            shows = (
                f"with a label that is {words}, {gap:g} away" if kind == "logits" else f"with a label that is {words}"
            )
            found.append(Probe(f"far {kind} {words} {gap:g}", ask(domain, {**given, "logits": x}), shows))
    return found


def _extreme(kind: str, c: int, y: int, gap: float, likely: bool) -> NDArray[np.float64]:
    """One row [c]; of a single column, where there is no other class, the number itself is far out."""
    row = np.zeros(c)
    if c == 1:
        return np.array([gap if likely else -gap]) if kind == "logits" else np.array([float(likely)])
    match kind:
        case "logits":
            row[y] = gap if likely else -gap
        case "probabilities":
            row[y if likely else (y + 1) % c] = 1.0
        case _:
            row[:] = -60.0
            row[y if likely else (y + 1) % c] = -0.25
    return row


def strange_labels(domain: Domain) -> list[Probe]:
    """Labels that are no class, and are often those of rows to leave out."""
    if domain.labels != "sparse":
        return []
    found = []
    for label in (-100, -1, 255):
        given = inputs(domain, "simplex", 5, 13)
        y = given["labels"].copy()
        y[[1, 3]] = label
        found.append(Probe(f"label {label}", ask(domain, {**given, "labels": y}), f"with the label {label}"))
    return found
