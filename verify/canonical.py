"""Whether two contracts mean the same: decided by evaluating both, not by a list of identities.

Facets overlap: under a mean by weights no common scale of the weights shows, and sum_to_one over the batch is
sum_to_classes over the elements. Two contracts mean the same if no probe distinguishes them, including probes that the
side at hand cannot run; of equal contracts, the one with the fewest departures is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache, lru_cache

import numpy as np

from lossvet.reference.types import Array
from lossvet.verify import probes
from lossvet.verify.batches import Domain
from lossvet.verify.contract import Contract, default
from lossvet.verify.facets import facets
from lossvet.verify.matching import applies
from lossvet.verify.pipeline import Meaning, Undefined, evaluate
from lossvet.verify.probes import Probe

SAME = 1e-11
"""Relative: two evaluations in double of one meaning agree to this, and of two meanings on some probe do not."""


OBSERVED = (
    "precision", "zero_denominator", "side_effects", "invalid_label", "all_ignored", "empty_batch", "shape",
)  # fmt: skip
"""Facets that the pipeline does not evaluate: they are seen on a side, and stand in a contract as they were seen."""


OPEN = {"gradient_logits": {"wrong_at_zero", "filtered"}, "ignored": {"leaking"}}
"""Values that leave some elements of a gradient open, where the pipeline evaluates them as if they were exact."""


def leaves_open(contract: Contract) -> bool:
    """Whether the contract leaves some elements open."""
    return any(contract[facet] in values for facet, values in OPEN.items())


def battery(domain: Domain) -> Iterator[Probe]:
    """Probes for contracts alone, which refuse nothing: every kind of input, size and weight that the domain has."""
    yield from probes.core(domain)
    yield from probes.weighted(domain)
    yield from probes.light(domain)
    yield from probes.square(domain)
    yield from probes.softly(domain)
    yield from probes.far(domain, "logits")
    yield from probes.far(domain, "probabilities")
    yield from probes.strange_labels(domain)


def parted(a: Contract, b: Contract, domain: Domain) -> Probe | None:
    """The first probe that tells two contracts apart; None where they are one meaning on this domain."""
    if any(a[facet] != b[facet] and {a[facet], b[facet]} & open_values for facet, open_values in OPEN.items()):
        return _battery(domain)[0]
    for at, probe in enumerate(_battery(domain)):
        one, other = (_meaning(contract, domain, at) for contract in (a, b))
        if one is None or other is None:
            if one is not other:
                return probe
        elif not equal(one, other):
            return probe
    return None


@cache
def _battery(domain: Domain) -> tuple[Probe, ...]:
    return tuple(battery(domain))


@lru_cache(maxsize=100_000)
def _meaning(contract: Contract, domain: Domain, at: int) -> Meaning | None:
    """On one probe of the battery, as most contracts part on the first; None where the contract is not about it."""
    question = _battery(domain)[at].question
    try:
        return evaluate(contract, question.inputs, question.leaves) if applies(contract, question.inputs) else None
    except Undefined:
        return None


def equal(a: Meaning, b: Meaning) -> bool:
    size = float(np.abs(a.value[np.isfinite(a.value)]).max(initial=0.0))
    if not _close(a.value, b.value, size):
        return False
    if not np.isfinite(a.value).all():
        return True
    for leaf in a.gradients:
        one, other = a.gradients[leaf], b.gradients[leaf]
        if one is None and other is None:
            continue
        if one is None or other is None:
            there = other if one is None else one
            assert there is not None
            if np.abs(there).max(initial=0.0) > SAME * (size + 1e-9):
                return False
        elif not _close(one, other, size):
            return False
    return True


def _close(a: Array, b: Array, size: float) -> bool:
    """Alike at the scale of the numbers and of the loss, whose rounding a gradient that cancels has as well."""
    x, y = np.ravel(a), np.ravel(b)
    if x.shape != y.shape:
        return False
    with np.errstate(all="ignore"):
        scale = np.abs(x[np.isfinite(x)]).max(initial=0.0) + size + 1e-9
        return bool(((x == y) | (np.isnan(x) & np.isnan(y)) | (np.abs(x - y) <= SAME * scale)).all())


def reduced(contract: Contract, domain: Domain) -> Contract:
    """The contract without departures that change nothing beside the others."""
    for name in reversed(list(contract)):
        if name == "log" and contract["arguments"] == "swapped":
            continue  # the battery has far numbers where logits are, and not where labels are
        if name in facets() and name not in ("family", *OBSERVED):
            less = contract.with_({name: default(name)})
            if parted(contract, less, domain) is None:
                contract = less
    return contract


LONG = 6
"""Characters of a number that nobody writes by hand: 0.0183156, where 4 says the same in another facet."""


def complexity(contract: Contract) -> tuple[int, int, str]:
    """How far a contract is from the default: by departures, then by how unusual they are, then by name."""
    rank = {
        "raw": 0,
        "batch": 0,
        "elements": 1,
        "weights": 1,
        "sum": 1,
        "nonzero_weights": 2,
        "capped": 4,
        "log_floor": 5,
    }
    unusual = sum(rank.get(str(value), 3) for _, value in contract.departures)
    unusual += 4 * sum(isinstance(v, float) and len(f"{v:.6g}") > LONG for _, v in contract.departures)
    return len(contract.departures), unusual, str(contract.departures)


def meanings(candidates: Sequence[Contract], domain: Domain) -> tuple[list[Contract], str]:
    """One contract for each meaning, the simplest first; and the probe that would tell the first two apart."""
    kept: list[Contract] = []
    needed = ""
    for candidate in sorted({reduced(c, domain) for c in candidates}, key=complexity):
        parting = [parted(one, candidate, domain) for one in kept]
        if all(parting):
            if kept and parting[0] is not None:
                needed = needed or parting[0].shows or parting[0].name
            kept.append(candidate)
    return kept, needed


def simplest(candidates: Sequence[Contract], domain: Domain, most: int = 12) -> list[Contract]:
    """One contract for each meaning, no more than `most`: what the next stage goes on with."""
    if len(candidates) <= 1:
        return list(candidates)
    return meanings(candidates, domain)[0][:most]


def common(a: Domain, b: Domain) -> Domain:
    """What both sides can be asked: roles that both take, labels as classes where one takes only those."""
    roles = tuple(role for role in a.roles if role in b.roles)
    labels = "dense" if a.labels == b.labels == "dense" else "sparse"
    strange = tuple(dict.fromkeys((*a.strange_labels, *b.strange_labels)))
    both = replace(a, roles=roles, differentiable=a.differentiable and b.differentiable, strange_labels=strange)
    return replace(both, labels=labels)  # type: ignore[arg-type]  # one of the two kinds
