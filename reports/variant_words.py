"""Which variant a loss is, in words: for identify, and for check where it fails."""

from __future__ import annotations

import shlex

from lossvet.verify.answer import Identified
from lossvet.verify.bound import domain
from lossvet.verify.variant_of import nearest, readings


def variant_of(found: Identified) -> list[str]:
    """The variant that an identified loss is and the command that checks it, or the nearest and how it differs; nothing
    of a loss that no contract explains, or that is no function."""
    if found.contract is None or found.binding is None or found.status not in ("confirmed", "ambiguous"):
        return []
    asked = domain(found.binding, differentiable=True)
    named = readings(found, asked)
    if not named:
        variant, reduction, differs = nearest(found.contract, asked)
        parted = "; ".join(f"{d.facet} is {d.target} and not {d.source}" for d in differs)
        return [f"none; the nearest is {variant}/{reduction}, but {parted}"]
    variant, reduction = named[0]
    command = shlex.join(["lossvet", "check", found.spec, "--as", variant])
    return [f"{variant}/{reduction}", f"`{command}` compares it with golden results"]


def matches(found: Identified | None, variant: str, reduction: str) -> bool:
    """Whether the loss was identified as this variant with this reduction."""
    if found is None or found.binding is None:
        return False
    return (variant, reduction) in readings(found, domain(found.binding, differentiable=True))
