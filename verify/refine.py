"""From the core of a loss to its contract: stage by stage, probes and the alternatives that they can distinguish.

A stage runs its probes and retains the candidates that explain all results so far. If a candidate fails, the
alternatives of the stage replace it: they change few facets, namely those that the stage's probes reveal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from lossvet.verify import canonical
from lossvet.verify.batches import Domain
from lossvet.verify.contract import Contract, Setting
from lossvet.verify.matching import Asked, roughly
from lossvet.verify.probes import Probe
from lossvet.verify.solving import numbers, round_off
from lossvet.verify.space import DENOMINATORS, Number, weightings

EPSILON = Number(
    "clip_epsilon",
    (1e-7, 1e-8, 1e-12, 1e-6, 1e-10, 1e-5, 1e-4, 1e-15, 1e-16, 1e-20, float(np.finfo(np.float32).eps),
     float(np.finfo(np.float64).eps), 1e-9, 1e-3, 1e-2, 1e-30, float(np.finfo(np.float32).tiny)),
    1e-40,
    0.4,
    logarithmic=True,
)  # fmt: skip
GUARDS = (1e-8, 1e-7, 1e-6, 1e-5, 1e-12, 1e-10, 1e-9, 1e-16, 1e-4, 1e-3, 1.0, float(np.finfo(np.float32).eps))

Alternatives = Callable[[Domain, Contract, Sequence[Asked]], Iterator[Contract]]


@dataclass(frozen=True)
class Stage:
    """`probes` are asked first; `alternatives` are tried where a candidate does not explain them."""

    name: str
    probes: Callable[[Domain, Contract], list[Probe]]
    alternatives: Alternatives
    gradients: bool = False
    """Whether gradients have to be explained as well, roughly."""
    last: Alternatives | None = None
    """What is tried where none of these explains the answers: it says less."""
    fewest: bool = False
    """Whether only alternatives with the fewest departures are kept: the others say less, and so explain more."""
    prefer: bool = False
    """Whether an alternative that explains the new answers is better than a candidate of which they say nothing."""


def refined(
    domain: Domain, candidates: Sequence[Contract], stage: Stage, new: Sequence[Asked], before: Sequence[Asked]
) -> list[Contract]:
    """The candidates that explain the answers, or what takes their place. `before` is explained by all already."""
    for alternatives in (stage.alternatives, stage.last):
        if alternatives is not None and (found := _replaced(domain, candidates, stage, alternatives, new, before)):
            # what leaves elements open explains more by saying less: it counts only where nothing else explains them
            return [contract for contract in found if not canonical.leaves_open(contract)] or found
    return []


def _replaced(
    domain: Domain,
    candidates: Sequence[Contract],
    stage: Stage,
    alternatives: Alternatives,
    new: Sequence[Asked],
    before: Sequence[Asked],
) -> list[Contract]:
    found: dict[Contract, None] = {}
    everything = [*new, *before]
    for candidate in candidates:
        if not stage.prefer and explained(candidate, new, stage.gradients):
            found[candidate] = None
            continue
        others = [
            other for other in alternatives(domain, candidate, new) if explained(other, everything, stage.gradients)
        ]
        if stage.fewest and others:
            least = min(len(other.departures) for other in others)
            others = [other for other in others if len(other.departures) == least]
        found |= dict.fromkeys(others[:1] or [candidate] if stage.prefer else others)
    return list(found)


def explained(contract: Contract, asked: Sequence[Asked], gradients: bool) -> bool:
    return all(roughly(contract, one, gradients) for one in asked)


def ways_of_weighting(domain: Domain, contract: Contract, new: Sequence[Asked]) -> Iterator[Contract]:
    """Every weighting, scale and denominator; of smoothed labels, every order of smoothing and weighting."""
    smooth = contract["smoothing"] != "none"
    orders = ("terms", "sample", "after") if smooth else ("terms",)
    costs = any(name.startswith("cost_") for name in contract.weighting)
    orientations = ("true_rows", "predicted_rows") if costs else ("true_rows",)
    for settings, order, orientation in product(weightings(domain, contract), orders, orientations):
        weighed = contract.with_({**settings, "smoothing_order": order, "cost_orientation": orientation})
        kept = contract["denominator"] == "microbatches"
        for denominator in ("microbatches",) if kept else DENOMINATORS:
            yield weighed.with_(denominator=denominator)


def denominators(domain: Domain, contract: Contract, new: Sequence[Asked]) -> Iterator[Contract]:
    for denominator in DENOMINATORS:
        yield contract.with_(denominator=denominator)


def guards(domain: Domain, contract: Contract, new: Sequence[Asked]) -> Iterator[Contract]:
    for kind, guard in product(("added", "floored"), GUARDS):
        yield contract.with_(denominator_guard=kind, guard=guard)


def large_guards(domain: Domain, contract: Contract, new: Sequence[Asked]) -> Iterator[Contract]:
    """A guard in the denominator that a small sum of weights shows."""
    number = Number("guard", GUARDS, 1e-6, 1e3, logarithmic=True)
    for kind in ("floored", "added"):
        guarded = contract.with_(denominator_guard=kind)
        for value in sorted({round_off(v) for one in new for v in numbers(guarded, number, one)}):
            yield guarded.with_(guard=value)


def clips(domain: Domain, contract: Contract, new: Sequence[Asked]) -> Iterator[Contract]:
    """Every way of clipping, with the epsilon that explains the farthest result; and a log taken naively."""
    for kind in ("clamped", "floored", "added"):
        for value in sorted({round_off(v) for one in new for v in numbers(contract.with_(clip=kind), EPSILON, one)}):
            yield contract.with_(clip=kind, clip_epsilon=value)
    for kind in ("log_floor", "capped"):
        number = Number("clip_epsilon", (100.0, 10.0, 20.0, 50.0), 0.5, 900.0)
        for value in sorted({round_off(v) for one in new for v in numbers(contract.with_(clip=kind), number, one)}):
            yield contract.with_(clip=kind, clip_epsilon=value)


def naive_logarithm(domain: Domain, contract: Contract, new: Sequence[Asked]) -> Iterator[Contract]:
    """A logarithm that is finite on moderate logits only; proposed only where a result is infinite or NaN."""
    values = [one.answer.value for one in new if one.answer.value is not None]
    if not all(np.isfinite(value).all() for value in values):
        yield contract.with_(log="broken_max")


def soft_labels(domain: Domain, contract: Contract, new: Sequence[Asked]) -> Iterator[Contract]:
    """What only labels that are no classes can show."""
    weighting = set(contract.weighting)
    swaps: list[dict[str, Setting]] = [{}]
    if "class_weight" in weighting:
        swaps.append({"weighting": tuple(weighting - {"class_weight"} | {"class_weight_terms"})})
        swaps.append({"smoothing_order": "after"})
        swaps.append({"smoothing_order": "sample"})
    if "class_weight_terms" in weighting:
        swaps.append({"weighting": tuple(weighting - {"class_weight_terms"} | {"class_weight"})})
    if "pos_weight" in weighting:
        swaps.append({"weighting": tuple(weighting - {"pos_weight"} | {"pos_weight_on_hard_labels"})})
    if contract["family"] == "sigmoid":
        swaps.append({"label_mixing": "interpolated"})
    kinds: list[dict[str, Setting]] = [{}, {"labels": "hardened"}, {"offset": "label_entropy"}]
    if contract["family"] == "sigmoid":
        kinds.append({"labels": "hardened", "hardened_at": 1.0})  # a cast to integers
    for swap, kind in product(swaps, kinds):
        for denominator in dict.fromkeys((contract["denominator"], "batch", "weights", "elements")):
            yield contract.with_({**swap, **kind, "denominator": denominator})


def broadcasts(domain: Domain, contract: Contract, new: Sequence[Asked]) -> Iterator[Contract]:
    for value in ("class_for_batch", "outer"):
        yield contract.with_(broadcast=value)
    yield from denominators(domain, contract, new)


def gradients(domain: Domain, contract: Contract, new: Sequence[Asked]) -> Iterator[Contract]:
    """What is done with gradients: one facet at a time, then two, then three. Without any there is nothing to tell."""
    given = [g for one in new for g in one.answer.gradients.values()]
    if not any(g is not None and np.any(g) for g in given):
        yield contract.with_(upstream="none")
        return
    choices: dict[str, tuple[str, ...]] = {
        "gradient_logits": ("exact", "normalised_labels_only", "stopped", "wrong_at_zero", "filtered"),
        "gradient_labels": ("exact", "stopped", "through_weights"),
        "gradient_weights": ("exact", "stopped"),
        "upstream": ("exact", "ignored", "none"),
        "label_mixing": (contract.value("label_mixing"),),
    }
    if domain.labels == "dense" and contract["family"] == "sigmoid" and contract["label_mixing"] == "each_term":
        choices["label_mixing"] = ("each_term", "interpolated")
    into_labels = [g for one in new if (g := one.answer.gradients.get("labels")) is not None]
    if contract["family"] == "softmax" and not all(np.isfinite(g).all() for g in into_labels):
        choices["offset"] = (contract.value("offset"), "label_entropy")  # whose derivative is infinite at 0
    if contract["modulation"] != "none":
        choices["gradient_logits"] = (*choices["gradient_logits"], "factor_stopped")
    if contract["weights_from"] == "prediction":
        choices["gradient_logits"] = ("through_weights", "exact", "stopped")
    if contract["label_mixing"] == "other":
        choices["gradient_labels"] = ("exact",)  # of which nothing is told
    ways = sorted(product(*choices.values()), key=lambda way: sum(v not in ("exact", "each_term", "none") for v in way))
    probable = contract["input"] == "probabilities" and contract["family"] == "softmax"
    for way, renormalised in product(ways, ("no", "yes") if probable else (contract.value("renormalised"),)):
        yield contract.with_(dict(zip(choices, way, strict=True))).with_(renormalised=renormalised)


def hard_labels_alone(domain: Domain, contract: Contract, new: Sequence[Asked]) -> Iterator[Contract]:
    """What explains hard labels, and says nothing of others nor of the gradient in labels."""
    if domain.labels != "dense":
        return
    told = contract.with_(label_mixing="other")
    if "pos_weight_on_hard_labels" in told.weighting:  # only soft labels distinguish it from pos_weight
        told = told.with_(weighting=tuple(set(told.weighting) - {"pos_weight_on_hard_labels"} | {"pos_weight"}))
    yield from gradients(domain, told, new)


def ignored(domain: Domain, contract: Contract, new: Sequence[Asked]) -> Iterator[Contract]:
    """Rows whose label is left out, by the labels that the new probes hold, no class has, and a side answered."""
    if contract["ignored"] != "none":
        return
    found: dict[tuple[str, str], list[Contract]] = {}
    for one in new:
        if not one.answer.answered:
            continue
        inputs = one.probe.question.inputs
        strange = {int(v) for v in inputs["labels"] if not 0 <= v < inputs["logits"].shape[1]}
        for how, label, counted in product(("label", "leaking"), strange, ("kept", "all")):
            made = contract.with_(ignored=how, ignored_label=float(label), counted=counted)
            if roughly(made, one, gradients=True):
                found.setdefault((how, counted), []).append(made)
    for made_alike in sorted(found.values(), key=len):
        if len(made_alike) < len(new):  # what treats every label that is no class alike ignores none: that is an edge
            yield from made_alike


def small_clips(domain: Domain, contract: Contract, new: Sequence[Asked]) -> Iterator[Contract]:
    """A clip too small to show roughly."""
    for kind, epsilon in product(("added", "clamped", "floored"), EPSILON.usual):
        yield contract.with_(clip=kind, clip_epsilon=epsilon)
