"""The workload for a loss that is not a variant: that of the variant with the same inputs."""

from __future__ import annotations

from collections.abc import Iterator

from lossvet.reference import variants
from lossvet.reference.types import Reduction, Variant
from lossvet.verify import fitting
from lossvet.verify.answer import Identified


def timed_as(found: Identified) -> tuple[str, Reduction] | None:
    """The variant that gives the loss all its arguments, and the reduction that its result has; None where there is
    no such variant."""
    if found.binding is None:
        return None
    fit = [
        (covered, v.name) for v in _of_family(found) if (covered := _covered(v, set(found.binding.roles))) is not None
    ]
    if not fit:
        return None
    unreduced = found.contract is not None and found.contract["denominator"] == "unreduced"
    return max(fit, key=lambda one: one[0])[1], "none" if unreduced else "mean"


def _of_family(found: Identified) -> Iterator[Variant]:
    """Those whose logits and labels the loss takes, the simplest first."""
    binding = found.binding
    assert binding is not None, "a loss that cannot be called cannot be timed"
    binary = binding.layout != "nc" or (found.contract is not None and found.contract["family"] == "sigmoid")
    family = "sparse" if binding.labels == "sparse" else "binary" if binary else "dense"
    every = sorted(map(variants.load, variants.names()), key=lambda v: (len(v.means or {}), v.pairs))
    yield from (v for v in every if v.family == family)
    if family != "sparse":
        yield from (v for v in every if v.family == "sparse")


def _covered(variant: Variant, roles: set[str]) -> tuple[int, int, int] | None:
    """How many of the roles the variant has, the fewer more the better, and how many of them it applies by the label;
    None where it lacks one."""
    has = fitting.params(variant)
    stand_for = {fitting.STANDS_FOR[name]: name for name in has if name in fitting.STANDS_FOR}
    given = {stand_for.get(role, role) for role in roles} - {"logits", "labels"}
    if given - {*has, *fitting.NEUTRAL}:
        return None
    own = given & set(has)
    extra = len([name for name in has if name != "sample_weight"]) - len(own)
    return len(own), -extra, len(own.intersection((variant.means or {}).get("weighting", ())))
