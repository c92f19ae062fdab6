"""The stages of the search in their order, as data: which probes, and what is tried where they are not explained."""

from __future__ import annotations

from lossvet.verify import probes, refine
from lossvet.verify.contract import Contract
from lossvet.verify.probes import Domain, Probe
from lossvet.verify.refine import Stage


def _far(domain: Domain, contract: Contract) -> list[Probe]:
    return probes.far(domain, contract.value("input"))


STAGES = (
    Stage("weights", lambda d, c: probes.weighted(d), refine.ways_of_weighting),
    Stage("gradients", lambda d, c: probes.weighted(d), refine.gradients, gradients=True, fewest=True),
    Stage("logits of 0", lambda d, c: probes.zeros(d), refine.gradients, gradients=True, fewest=True),
    Stage("as many rows as classes", lambda d, c: probes.square(d), refine.broadcasts),
    Stage("soft labels", lambda d, c: probes.softly(d), refine.soft_labels),
    Stage("gradients of soft labels", lambda d, c: probes.softly(d), refine.gradients, gradients=True, fewest=True),
    Stage("far logits", _far, refine.clips, otherwise={"log": "broken_max"}),
    Stage(
        "labels that are no class", lambda d, c: probes.strange_labels(d), refine.ignored, gradients=True, prefer=True
    ),
)
