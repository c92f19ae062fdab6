"""Structured probes: inputs that separate meanings, where a single random batch would hide them.

Faults are hidden by equal weights, one class per batch, as many rows as classes, one row, no weight of 0, moderate
logits, and probabilities that sum to 1. Each probe here avoids one of these, or has one on purpose. Unless stated
otherwise the shape is [5, 3], since a framework compiles a function for each shape.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lossvet.verify.batches import KINDS, Domain, Inputs, ask, inputs, other_classes, soft
from lossvet.verify.questions import Question


@dataclass(frozen=True)
class Probe:
    """A named question; `shows` is what it is for, in words that follow "the probe"."""

    name: str
    question: Question
    shows: str = field(default="", compare=False)


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
    given = inputs(domain, "simplex", 5, 27)
    n, c = given["logits"].shape
    if c > 1:
        given["labels"] = (np.add.outer(np.arange(n), np.arange(c)) % c != 0).astype(np.float64)
        found.append(Probe("several ones", ask(domain, given), "with rows of several labels of 1"))
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


ROWS, CLASSES = 73, 20
"""Of the largest probe: what is done to the hardest eight rows, in chunks or with the ten likeliest classes shows."""
WEIGHTS = 2.0**-10, 2.0**10
"""The least and the largest weight of the largest probe: what is done to weights beyond some number shows."""


def crowded(domain: Domain) -> list[Probe]:
    """Many rows, many classes and weights far apart."""
    found = []
    for seed, kind in ((23, "logits"), (24, "simplex")):
        given = inputs(domain, kind, ROWS, seed, c=domain.classes or (1 if domain.one_column else CLASSES))
        rng, (least, most) = np.random.default_rng(seed), np.log2(WEIGHTS).astype(int)
        for role in ("class_weight", "pos_weight", "binary_weights", "sample_weight"):
            if role in given:
                given[role] = np.asarray(2.0 ** rng.integers(least, most + 1, np.shape(given[role])))
        c = given["logits"].shape[1]
        found.append(Probe(f"fresh and crowded, {kind}", ask(domain, given), f"with {ROWS} rows of {c} classes"))
    return found


def light(domain: Domain) -> list[Probe]:
    """Rows of hardly any weight, by which a mean divides: one of them, then five."""
    weights = [r for r in ("class_weight", "sample_weight") if r in domain.roles]
    found = []
    for n in (1, 5) if weights else ():
        given = inputs(domain, "simplex", n, 25)
        given |= {role: np.full(np.shape(given[role]), WEIGHTS[0]) for role in weights}
        found.append(Probe(f"hardly any weight, {n}", ask(domain, given), f"with all weights {WEIGHTS[0]:.4g}"))
    return found


def alike(domain: Domain) -> list[Probe]:
    """Rows of one class alone."""
    given = inputs(domain, "simplex", 5, 26)
    given["labels"] = np.repeat(given["labels"][:1], 5, axis=0)
    return [Probe("fresh, of one class", ask(domain, given), "with one class in all rows")]


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
    given = inputs(domain, "simplex" if kind == "probabilities" else "logits", 5, 12, plain=True)
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


STRANGE = (-100, -1, 255)
"""Labels that are no class, by which rows are left out."""


def strange_labels(domain: Domain) -> list[Probe]:
    """Labels that are no class, and are often those of rows to leave out."""
    if domain.labels != "sparse":
        return []
    found = []
    for label in (*STRANGE, *domain.strange_labels):
        given = inputs(domain, "simplex", 5, 13)
        y = given["labels"].copy()
        y[[1, 3]] = label
        found.append(Probe(f"label {label}", ask(domain, {**given, "labels": y}), f"with the label {label}"))
    return found
