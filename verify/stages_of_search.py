"""The stages of the search in their order, as data: which probes, and what is tried where they are not explained."""

from __future__ import annotations

from dataclasses import replace

from lossvet.verify import probes, refine
from lossvet.verify.batches import Domain
from lossvet.verify.contract import Contract
from lossvet.verify.probes import Probe
from lossvet.verify.refine import Stage


def _far(domain: Domain, contract: Contract) -> list[Probe]:
    found = probes.far(domain, contract.value("input"))
    if contract["arguments"] != "swapped":
        return found
    return [  # what is far is what the loss takes for logits
        replace(probes.another(p, logits=p.question.inputs["labels"], labels=p.question.inputs["logits"]),
                name=f"{p.name}, swapped")
        for p in found
    ]  # fmt: skip


STAGES = (
    Stage("weights", lambda d, c: probes.weighted(d), refine.ways_of_weighting),
    Stage("hardly any weight", lambda d, c: probes.light(d), refine.large_guards),
    Stage(
        "gradients",
        lambda d, c: probes.weighted(d),
        refine.gradients,
        gradients=True,
        fewest=True,
        last=refine.hard_labels_alone,
    ),
    Stage("logits of 0", lambda d, c: probes.zeros(d), refine.gradients, gradients=True, fewest=True),
    Stage("as many rows as classes", lambda d, c: probes.square(d), refine.broadcasts),
    Stage(
        "several labels of 1",
        lambda d, c: probes.several(d) if c["family"] == "sigmoid" else [],
        refine.denominators,
        gradients=True,
    ),
    Stage("soft labels", lambda d, c: probes.softly(d), refine.soft_labels, last=refine.hard_labels_alone),
    Stage(
        "gradients of soft labels",
        lambda d, c: probes.softly(d),
        refine.gradients,
        gradients=True,
        fewest=True,
        last=refine.hard_labels_alone,
    ),
    Stage("far logits", _far, refine.clips, last=refine.naive_logarithm),
    Stage("labels out of range", lambda d, c: probes.strange_labels(d), refine.ignored, gradients=True, prefer=True),
)
