"""Two losses, identified and compared with each other: the verdict, and the evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from lossvet.verify import canonical, direct, edges, probes, smallest
from lossvet.verify.answer import Comparison, Counterexample, Difference
from lossvet.verify.batches import Domain
from lossvet.verify.contract import Contract
from lossvet.verify.differences import differences, shows_on
from lossvet.verify.direct import Parting
from lossvet.verify.hexes import arrays
from lossvet.verify.known import Known, WithUnits, as_full_as, without_gradient
from lossvet.verify.probes import Probe

FRESH = 24
SEED = 50_000


def compare(source: Known, target: Known) -> Comparison:
    """Do both mean the same? Records first, then answers, which have the last word."""
    source, target = as_full_as(source, target), as_full_as(target, source)
    for one, name in ((source, "old"), (target, "new")):
        if one.identified.status == "cannot_judge":
            return Comparison("cannot_judge", source.identified, target.identified,
                              reason=f"the {name} loss cannot be judged: {one.identified.reason}")  # fmt: skip
    if all(without_gradient(one) for one in (source, target)):
        return Comparison("cannot_judge", source.identified, target.identified,
                          reason="neither loss has a gradient in any input, so they cannot be compared")  # fmt: skip
    shared = canonical.common(source.domain, target.domain)
    if all(set(one.domain.weights()) - set(shared.roles) for one in (source, target)):
        source, target = (replace(one, side=WithUnits(one.side, one.domain)) for one in (source, target))
    partings = _partings(source, target, shared)
    told = [p for p in partings if p.informative and not _refused(p)]
    found = Comparison(
        "unexplained",
        source.identified,
        target.identified,
        tried=sum(not p.probe.name.startswith("fresh") for p in told),
        fresh=sum(p.probe.name.startswith("fresh") for p in told),
        uninformative=len(partings) - len(told),
        largest=max((p.ratio for p in told), default=0.0),
        not_checked=_not_checked(source, target, shared),
        warnings=_warnings(source, target),
    )
    if len(told) < 5:
        why = f"only {len(told)} of {len(partings)} probes give a result; on the others both sides raise or give NaN"
        return msgspec.structs.replace(found, verdict="cannot_judge", reason=why)
    return _judged(found, source, target, shared, told)


def _judged(found: Comparison, source: Known, target: Known, shared: Domain, told: list[Parting]) -> Comparison:
    unequal = [p for p in told if not p.equal]
    statuses = {source.identified.status, target.identified.status}
    if "unexplained" in statuses:
        if not unequal:
            both = source.identified.status == target.identified.status
            return msgspec.structs.replace(found, verdict="equal_on_probes" if both else "unexplained")
        example = smallest.counterexample(source.side, target.side, shared, _clearest(unequal))
        return msgspec.structs.replace(found, counterexample=example, parts_at=_parts_at(unequal))
    observed = "contract" not in (source.identified.framework, target.identified.framework)
    pairs = [
        (a, b, differences(a, b, shared, observed))
        for a in source.identified.candidates
        for b in target.identified.candidates
    ]
    a, b, differing = min(pairs, key=lambda pair: sum(not d.edge for d in pair[2]))
    if target.identified.framework == "contract":
        differing = _of_the_loss(differing, differences(b, a, shared, observed))
    if "ambiguous" in statuses and not unequal:
        matched = all(any(not _weighty(d) for a, b, d in pairs if a == one) for one in source.identified.candidates)
        matched = matched and all(
            any(not _weighty(d) for a, b, d in pairs if b == one) for one in target.identified.candidates
        )
        verdict = "same" if matched else "equal_on_probes"
        return msgspec.structs.replace(found, verdict=verdict, differences=tuple(d for d in differing if d.edge))
    weighty = _weighty(differing)
    if not unequal:
        if not weighty:
            return msgspec.structs.replace(found, verdict="same", differences=differing)
        return msgspec.structs.replace(found, verdict="different", differences=differing)
    example = smallest.counterexample(source.side, target.side, shared, _clearest(unequal))
    if not weighty:
        return msgspec.structs.replace(
            found, differences=differing, counterexample=example, parts_at=_parts_at(unequal)
        )
    verdict = "same_gradient" if direct.values_only(told) else "different"
    inputs = arrays(example.inputs)  # what shows one difference is looked for once
    examples = {
        d.facet: example if shows_on(a, b, d.facet, inputs) else _shown(d, (a, b), (source, target), shared, unequal)
        for d in weighty
    }
    differing = tuple(
        msgspec.structs.replace(d, counterexample=examples[d.facet]) if d.facet in examples else d for d in differing
    )
    return msgspec.structs.replace(found, verdict=verdict, differences=differing, counterexample=example)


def _of_the_loss(differing: tuple[Difference, ...], backwards: tuple[Difference, ...]) -> tuple[Difference, ...]:
    """The differences from a contract with what the loss does in training, and how to make it mean what was agreed.

    `backwards` are the same differences from the contract's side.
    """
    by_facet = {d.facet: d for d in backwards}
    return tuple(
        msgspec.structs.replace(d, training=by_facet[d.facet].training, change=by_facet[d.facet].change)
        for d in differing
    )


def _shown(
    one: Difference,
    contracts: tuple[Contract, Contract],
    sides: tuple[Known, Known],
    shared: Domain,
    unequal: list[Parting],
) -> Counterexample | None:
    """The smallest input that shows this difference by itself; None where no parting does."""

    def shows(inputs: Mapping[str, Any]) -> bool:
        return shows_on(*contracts, one.facet, inputs)

    parting = next(
        (p for p in sorted(unequal, key=lambda p: not smallest.clear(p)) if shows(p.probe.question.inputs)), None
    )
    if parting is None:
        return None
    source, target = sides
    return smallest.counterexample(source.side, target.side, shared, parting, shows)


def _clearest(unequal: list[Parting]) -> Parting:
    """The first parting that a reader sees, and not one of rounding."""
    return next((p for p in unequal if smallest.clear(p)), unequal[0])


def _weighty(found: tuple[Difference, ...]) -> list[Difference]:
    return [d for d in found if not d.edge]


def _partings(source: Known, target: Known, shared: Domain) -> list[Parting]:
    """Both sides on structured probes and on fresh ones, of inputs that both take."""
    kinds = {k.identified.contract["input"] for k in (source, target) if k.identified.contract is not None}
    wanted: list[Probe] = [
        *probes.core(shared),
        *probes.weighted(shared),
        *probes.square(shared),
        *probes.softly(shared),
        *_ignored_labels(source, target, shared),
        *(probe for kind in sorted(str(k) for k in kinds) for probe in probes.far(shared, kind)),
        *probes.fresh(shared, FRESH, SEED),
        *probes.crowded(shared),
        *probes.light(shared),
        *probes.alike(shared),
    ]
    contracts = [c for k in (source, target) if (c := k.identified.contract) is not None]
    probable = any(c["input"] == "probabilities" for c in contracts)
    if probable:
        wanted = [p for p in wanted if ((p.question.inputs["logits"] >= 0) & (p.question.inputs["logits"] <= 1)).all()]
    dtypes = (source.dtype or source.domain.dtype, target.dtype or target.domain.dtype)
    return direct.compared(source.side, target.side, list({p.name: p for p in wanted}.values()), dtypes)


def _ignored_labels(source: Known, target: Known, shared: Domain) -> list[Probe]:
    """Labels that are no class, where one of the two leaves such rows out: what else is done with them is an edge."""
    contracts = [c for k in (source, target) for c in k.identified.candidates]
    ignored = {c["ignored_label"] for c in contracts if "ignored_label" in c}
    return [p for p in probes.strange_labels(shared) if ignored & set(p.question.inputs["labels"].tolist())]


def _refused(p: Parting) -> bool:
    """Whether one side refuses a label that is no class: that is told as an edge."""
    return p.probe.name.startswith("label ") and bool(p.source.error or p.target.error)


def _parts_at(unequal: list[Parting]) -> str:
    """The first stage at which two sides part, as far as their answers show it."""
    if not any(p.output == "loss" for p in unequal):
        return "the gradient: the results agree everywhere"
    names = {p.probe.name for p in unequal}
    if {"plain rows", "other plain rows", "plain logits"} & names:
        return "the loss of a row, or the denominator: they differ even with weights of 1"
    if any("weight" in name for name in names):
        return "the weights: they differ only where weights are not 1"
    if any("soft" in name or "sum to 1" in name for name in names):
        return "the labels: they differ only where labels are not classes"
    return f"inputs {unequal[0].probe.shows}" if unequal[0].probe.shows else "some inputs"


def _not_checked(source: Known, target: Known, shared: Domain) -> tuple[str, ...]:
    sides = (("old", source), ("new", target))
    found = [
        f"{name}: {words}"
        for name, one in sides
        for words in one.identified.not_checked
        if words not in edges.NEVER_CHECKED
    ]
    for one, name in ((source, "old"), (target, "new")):
        only = [role for role in one.domain.weights() if role not in shared.roles]
        if only:
            found.append(f"{', '.join(only)} of the {name} loss: the other one has none")
    if shared.labels == "sparse" and "dense" in (source.domain.labels, target.domain.labels):
        found.append("soft labels: one of the two takes classes only")
    dtypes = {one.dtype or one.domain.dtype for one in (source, target)}
    found += [
        *edges.NEVER_CHECKED,
        f"dtypes other than {' and '.join(sorted(dtypes))}",
        "logits of other shapes than [N, C], weights of that shape",
    ]
    return tuple(found)


def _warnings(source: Known, target: Known) -> tuple[str, ...]:
    return (
        *(f"old: {note}" for note in source.identified.warnings),
        *(f"new: {note}" for note in target.identified.warnings),
    )
