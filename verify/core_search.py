"""The first search: what a loss is with weights of 1, up to what it is divided by.

A candidate's rows are evaluated once and compared under every denominator at the same time, since with weights of 1 a
denominator depends only on the numbers of rows and classes. The numbers of a departure are found by solving for the
first probe, and tried on the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np

from lossvet.reference.types import Array
from lossvet.verify.batches import Domain
from lossvet.verify.contract import Contract, Setting
from lossvet.verify.leads import Leads
from lossvet.verify.matching import Asked, applies
from lossvet.verify.pipeline import Undefined, Unreduced
from lossvet.verify.solving import grid, root, round_off
from lossvet.verify.space import Departure, Number, bases, departures

FACTORS = ("batch", "elements", "sum", "batch_squared", "total_class_weight")
"""The denominators that can be told apart with weights of 1; "unreduced" is seen by the shape."""


@dataclass(frozen=True)
class Core:
    """A contract without its weights, and what it is divided by where weights are 1."""

    contract: Contract
    departures: tuple[Departure, ...]


def search(domain: Domain, asked: Sequence[Asked], leads: Leads) -> Iterator[list[Core]]:
    """All that explain the results: with no departure; with one; with two, first by usual numbers and then by any.

    A list for each of these steps, empty where nothing explains them. What `leads` rule out is not tried.
    """
    answered = [a for a in asked if a.answer.answered]
    if not answered:
        return
    for count, solve in ((0, False), (1, False), (1, True), (2, False), (2, True)):
        found: list[Core] = []
        for base in bases(domain):
            for chosen in departures(domain, base, count):
                if leads.allow(base, chosen) and (not solve or any(d.number for d in chosen)):
                    found += [Core(c, chosen) for c in _tried(base, chosen, answered, solve)]
        yield found


def _tried(base: Contract, chosen: tuple[Departure, ...], asked: Sequence[Asked], solve: bool) -> Iterator[Contract]:
    settings: dict[str, Setting] = {}
    for d in chosen:
        settings |= d.settings
    if base.weighting and "weighting" in settings:
        return
    numbers = [d.number for d in chosen if d.number is not None]
    plain = base.with_(settings)
    if not solve:
        for values in product(*(number.usual for number in numbers)):
            yield from _divided(plain.with_({n.name: v for n, v in zip(numbers, values, strict=True)}), asked)
        return
    for open_number in numbers:
        if len(chosen) > 1 and not open_number.common:
            continue
        others = [number for number in numbers if number is not open_number]
        for values in product(*(number.usual[:3] for number in others)):
            fixed = plain.with_({n.name: v for n, v in zip(others, values, strict=True)})
            for value in _solved(fixed, open_number, asked):
                if abs(value) < open_number.least:
                    continue
                yield from _divided(fixed.with_({open_number.name: value}), asked)


def _divided(contract: Contract, asked: Sequence[Asked]) -> Iterator[Contract]:
    """The contract with each denominator that explains all results."""
    left: set[str] | None = None
    for one in asked:
        if not applies(contract, one.probe.question.inputs):
            continue
        try:
            results = _results(contract, one)
        except Undefined:
            return
        fitting = {name for name, value in results.items() if _near(value, one)}
        left = fitting if left is None else left & fitting
        if not left:
            return
    for name in sorted(left or ()):
        yield contract.with_(denominator=name)


@np.errstate(all="ignore")
def _results(contract: Contract, asked: Asked) -> dict[str, Array]:
    """The result by denominator. Raises Undefined where the contract says nothing of the inputs."""
    got = asked.answer.value
    assert got is not None
    given = asked.probe.question.inputs
    rows = Unreduced(contract, given)
    if contract["denominator"] == "microbatches":
        try:
            return {"microbatches": rows.reduced(contract)}
        except Undefined:
            return {}
    added = contract.number("offset_constant") if contract["offset"] == "constant" else 0.0
    if got.size > 1:
        return {"unreduced": rows.losses + added}
    n, c = given["logits"].shape
    if contract["label_shift"] == "next_token":
        n -= 1
    counted = n
    if contract["ignored"] == "label" and contract["counted"] == "kept":
        counted = int((given["labels"] != contract.number("ignored_label")).sum())
    total = np.asarray(rows.losses.sum())
    by_name = {
        "batch": total / counted + added,
        "elements": total / (counted * c) + added,
        "sum": total + added,
        "batch_squared": total / counted**2 + added,
        "total_class_weight": total / c + added,
    }
    if contract.weighting and contract["weights_from"] in ("batch_counts", "prediction"):
        by_name["weights"] = rows.reduced(contract.with_(denominator="weights"))
    return by_name


def _near(value: Array, asked: Asked) -> bool:
    got = asked.answer.value
    assert got is not None
    if value.size != got.size:
        return False
    with np.errstate(all="ignore"):
        scale = np.abs(value[np.isfinite(value)]).max(initial=0.0) + 1e-3
        close = np.abs(value.ravel() - got.ravel()) <= asked.rough * scale
        return bool((close | (np.isnan(value.ravel()) & np.isnan(got.ravel()))).all())


def _solved(contract: Contract, number: Number, asked: Sequence[Asked]) -> Iterator[float]:
    """Values of the number for which some denominator explains the first result, and roughly the second."""
    first, *others = asked

    def residuals(value: float, one: Asked = first) -> dict[str, float]:
        if one.answer.value is None:
            return {}
        target = float(one.answer.value.sum())
        try:
            results = _results(contract.with_({number.name: value}), one)
        except Undefined:
            return {}
        return {name: float(result.sum() - target) for name, result in results.items()}

    points = [(v, residuals(v)) for v in grid(number)]
    for (low, before), (high, after) in pairwise(points):
        for name in before.keys() & after.keys():
            if not (np.isfinite(before[name]) and np.isfinite(after[name]) and before[name] * after[name] < 0):
                continue

            def one_name(value: float, name: str = name) -> float:
                return residuals(value).get(name, np.nan)

            rough = root(one_name, low, high, before[name], after[name], 1e-4)
            if others and abs(residuals(rough, others[0]).get(name, np.inf)) > 0.01 * abs(_sum(others[0])) + 1e-3:
                continue
            exact = root(one_name, low, high, before[name], after[name], 4e-16)
            yield from dict.fromkeys((round_off(exact), exact))


def _sum(asked: Asked) -> float:
    return 0.0 if asked.answer.value is None else float(asked.answer.value.sum())
