"""The variant and the reduction of an identified loss: the inverse of `variants`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lossvet.reference import variants
from lossvet.reference.types import Reduction, Variant
from lossvet.verify.answer import Difference, Identified
from lossvet.verify.batches import Domain
from lossvet.verify.contract import Contract
from lossvet.verify.differences import differences
from lossvet.verify.variants import contract

BESIDE = ("gradient_labels", "gradient_weights", "precision", "zero_denominator", "side_effects")
"""Facets of an implementation, in which one of a variant may differ from the next."""


def readings(found: Identified, domain: Domain) -> tuple[tuple[str, Reduction], ...]:
    """The variants and reductions that one of its contracts is, those first that take labels as the loss does; none
    where no contract explains it, or none of them is a variant."""
    if found.status not in ("confirmed", "ambiguous"):
        return ()
    return tuple(dict.fromkeys(one for own in found.candidates for one in _readings(own, domain)))


def _readings(own: Contract, domain: Domain) -> Iterator[tuple[str, Reduction]]:
    """The gradients are compared as well, but for what `BESIDE` names."""
    for variant in _among(domain.labels):
        for reduction in variants.load(variant.name).reductions:
            if not departures(own, variant.name, reduction, domain):
                yield variant.name, reduction


def departures(own: Contract, variant: str, reduction: Reduction, domain: Domain) -> list[Difference]:
    """In what a contract differs from a variant, on what the loss can be asked: `source` is the variant's value."""
    meant = named(own, variant, reduction)
    return [d for d in differences(meant, own, domain) if not d.edge and d.facet not in BESIDE]


def nearest(own: Contract, domain: Domain) -> tuple[str, Reduction, list[Difference]]:
    """The variant and the reduction from which a contract differs in the fewest facets, and those."""
    among = [(v.name, r) for v in _among(domain.labels) for r in v.reductions]
    return min(((*one, departures(own, *one, domain)) for one in among), key=lambda found: len(found[2]))


def named(own: Contract, variant: str, reduction: Reduction) -> Contract:
    """The contract of a variant, with the parameters that a contract has: its sample weights, the label that it ignores
    and how much it smooths."""
    ignores = own["ignored"] == "label"
    smooths = "smoothing_alpha" in own
    return contract(
        variant,
        reduction,
        sample_weight="sample_weight" in own.weighting,
        ignore_index=int(own.number("ignored_label")) if ignores else None,
        label_smoothing=own.number("smoothing_alpha") if smooths else 0.1,
    )


def _among(labels: str) -> Sequence[Variant]:
    """Those that a loss can be asked as: classes can be handed over one-hot, and soft labels not as classes."""
    every = [v for v in map(variants.load, variants.names()) if v.means is not None]
    sparse = [v for v in every if v.family == "sparse"]
    return sparse if labels == "sparse" else [v for v in every if v.family != "sparse"] + sparse


def reductions(variant: str) -> tuple[Reduction, ...]:
    return variants.load(variant).reductions
