"""The smallest input on which two sides differ: small batches of simple numbers first, then simpler ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np

from lossvet.verify.answer import Counterexample
from lossvet.verify.batches import Domain, Inputs, ask, one_hot
from lossvet.verify.direct import Parting, compared, shown
from lossvet.verify.probes import Probe
from lossvet.verify.questions import Answer, Side, cotangent

SIZES = ((1, 2), (2, 2), (2, 3), (3, 3))
"""Rows and classes, in the order in which they are tried; more rows than these show nothing that they do not."""
ROUNDS = 2


Shows = Callable[[Inputs], bool]
"""Whether inputs are such as an example is wanted for."""


def counterexample(
    source: Side, target: Side, domain: Domain, found: Parting, shows: Shows = lambda inputs: True
) -> Counterexample:
    """The smallest parting that is found on inputs that are wanted, else the one that is known."""
    gradient_only: Parting | None = None
    for n, c in _sizes(domain):
        batch = [Probe(f"small {i}", ask(domain, given)) for i, given in enumerate(small(domain, n, c))]
        wanted = [probe for probe in batch if shows(probe.question.inputs)]
        partings = [p for p in compared(source, target, wanted) if p.informative and not p.equal and clear(p)]
        shown_by_loss = [p for p in partings if p.output == "loss" and _finite(p)]
        if shown_by_loss:
            return counted(_simplified(source, target, domain, shown_by_loss[0], shows))
        gradient_only = gradient_only or next(iter(partings), None)
    known = gradient_only if gradient_only and found.output != "loss" else found
    return counted(_simplified(source, target, domain, _fewer(source, target, domain, known, shows), shows))


def _finite(p: Parting) -> bool:
    """Whether both results are numbers: 0/0 says little of what a loss divides by."""
    return all(answer.value is None or bool(np.isfinite(answer.value).all()) for answer in (p.source, p.target))


def _sizes(domain: Domain) -> Iterator[tuple[int, int]]:
    for n, c in SIZES:
        if domain.one_column:
            yield n, 1
        elif domain.classes is None or domain.classes == c:
            yield n, c
    if domain.classes is not None and domain.classes not in (2, 3):
        yield 2, domain.classes


def clear(p: Parting) -> bool:
    """Whether a reader sees the difference: in an output that both have, by more than a thousandth."""
    a, b = output(p.source, p.output), output(p.target, p.output)
    if a is None or b is None or a.size != b.size:
        return True
    with np.errstate(all="ignore"):
        return not np.allclose(a.ravel(), b.ravel(), rtol=1e-3, atol=1e-6, equal_nan=True)


def small(domain: Domain, n: int, c: int) -> list[Inputs]:
    """Batches of this size, of plain numbers: labels that differ from row to row, weights that differ by class."""
    found: list[Inputs] = []
    plain = np.array([[1.0, 0.0, 0.5, 0.25], [0.0, 2.0, 1.0, 0.5], [0.5, 1.0, 0.0, 2.0]])
    probable = np.array([[0.75, 0.25, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0], [0.25, 0.75, 0.0, 0.0]])
    if c == 3:
        probable = np.array([[0.5, 0.25, 0.25, 0.0], [0.25, 0.625, 0.125, 0.0], [0.125, 0.375, 0.5, 0.0]])
    labels = [np.arange(n) % c, np.zeros(n, np.int64), (np.arange(n) + 1) % c]
    for numbers, y in product((probable,) if domain.probabilities else (plain, probable), labels):
        x = np.resize(numbers, (n, max(c, 4)))[:, :c] if c <= 4 else np.resize(numbers, (n, c))
        given: Inputs = {
            "logits": x.astype(np.float64),
            "labels": y if domain.labels == "sparse" else one_hot(y, max(c, 2))[:, :c],
        }
        for role, array in _weights(n, c).items():
            if role in domain.roles:
                given[role] = np.float64(array.flat[0]) if role in domain.scalars else array
        found.append(given)
    for role in ("class_weight", "sample_weight"):
        if np.ndim(found[0].get(role, 0.0)):
            found.append({**found[0], role: np.where(np.arange(len(found[0][role])) == 0, 0.0, found[0][role])})
    if domain.labels == "dense" and not domain.probabilities:
        found += [{**given, "labels": np.full((n, c), 0.5)} for given in found[:1]]
    return found


def _weights(n: int, c: int) -> dict[str, Any]:
    return {
        "class_weight": np.array([1.0, 3.0, 2.0, 4.0])[:c] if c <= 4 else np.arange(1.0, c + 1),
        "pos_weight": np.full(c, 3.0),
        "binary_weights": np.array([1.0, 3.0]),
        "cost_matrix": np.add.outer(np.arange(c) * 2.0, np.arange(c)) * (1 - np.eye(c)) + 0.5 * np.eye(c),
        "sample_weight": np.array([1.0, 3.0, 2.0])[:n],
        "mask": np.array([1.0, 0.0, 1.0])[:n],
        "count": np.asarray(2.0),
    }


def _fewer(source: Side, target: Side, domain: Domain, found: Parting, shows: Shows) -> Parting:
    """With the first 1, 2, 4... rows alone, and no classes but theirs, where the sides still part on these: one after
    the other, as each is a shape of its own, which JAX compiles."""
    rows = len(found.probe.question.inputs["logits"])
    if rows <= SIZES[-1][0]:
        return found
    for n in (2**k for k in range(rows.bit_length()) if 2**k < rows):
        for given in filter(shows, cut(domain, found.probe.question.inputs, n)):
            (parting,) = compared(source, target, [Probe(f"{n} rows", ask(domain, given))])
            if parting.informative and not parting.equal and clear(parting):
                return parting
    return found


def cut(domain: Domain, inputs: Inputs, n: int) -> Iterator[Inputs]:
    """The first n rows: with the classes that their labels name alone, where any number will do, then with all."""
    rows = ("logits", "labels", "sample_weight", "mask")
    first = {role: np.asarray(a)[:n] if role in rows else a for role, a in inputs.items()}
    y, c = first["labels"], first["logits"].shape[1]
    known = (y >= 0) & (y < c) if y.ndim == 1 else np.ones(len(y), bool)
    named = np.unique(y[known] if y.ndim == 1 else np.flatnonzero(y.any(0)))
    if domain.classes is None and not domain.one_column and 2 <= len(named) < c:
        fewer = dict(first)
        for role, array in first.items():
            if role == "labels" and y.ndim == 1:
                fewer[role] = np.where(known, np.searchsorted(named, y), y)  # what is no class stays none
            elif role == "cost_matrix":
                fewer[role] = array[np.ix_(named, named)]
            elif role not in ("sample_weight", "mask", "binary_weights", "count") and np.ndim(array):
                fewer[role] = array[..., named]
        yield fewer
    yield first


def _simplified(source: Side, target: Side, domain: Domain, found: Parting, shows: Shows) -> Parting:
    """With numbers replaced by 0 and 1 as long as the sides still part, one after the other."""
    for _ in range(ROUNDS):
        candidates = [probe for probe in _simpler(found.probe, domain) if shows(probe.question.inputs)]
        if not candidates:
            return found
        partings = compared(source, target, candidates)
        better = [p for p in partings if p.informative and not p.equal and p.output == found.output and clear(p)]
        if not better:
            return found
        found = better[0]
    return found


def _simpler(probe: Probe, domain: Domain) -> Iterator[Probe]:
    """The probe with all logits 0, all weights 1 or one of each, in the order of how simple they are."""
    question = probe.question
    x = question.inputs["logits"]
    if not domain.probabilities and (x != 0).any():
        yield Probe("zeros", ask(domain, {**question.inputs, "logits": np.zeros_like(x)}))
    for role in domain.weights():
        array = np.asarray(question.inputs.get(role, 1.0))
        if role not in ("mask", "cost_matrix") and (array != 1).any():
            yield Probe(f"{role} of 1", ask(domain, {**question.inputs, role: np.ones_like(array)}))


def reported(answer: Answer, name: str) -> Any:
    """An output as it is reported: where the loss is a single number, its gradient for an upstream gradient of 1, and
    not for the one that `cotangent` asks with."""
    array = output(answer, name)
    if array is None or name == "loss" or answer.value is None or np.shape(answer.value):
        return array
    return np.asarray(array) / cotangent(())


def output(answer: Any, name: str) -> Any:
    return answer.value if name == "loss" else answer.gradients.get(name.removeprefix("gradient/"))


def counted(p: Parting) -> Counterexample:
    """A parting as a record, with results as both sides gave them."""

    def listed(answer: Answer) -> Any:
        array = reported(answer, p.output)
        return None if array is None else np.asarray(array).tolist()

    return Counterexample(
        inputs=shown(p.probe.question.inputs),
        output=p.output,
        source=listed(p.source),
        target=listed(p.target),
        source_error=p.source.error,
        target_error=p.target.error,
    )
