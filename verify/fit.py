"""Binding a loss so that it can be called as a variant: the best of its bindings, with the settings of the variant."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lossvet.adapters.protocol import Primitives
from lossvet.adapters.types import Ops
from lossvet.reference.types import Variant
from lossvet.verify import fitting, loss
from lossvet.verify.binding import Options, Plan
from lossvet.verify.loss import Guard
from lossvet.verify.probing import Bound, Probed
from lossvet.verify.sources import SourceError
from lossvet.verify.user_recipe import Calling

UNLIMITED: Guard = contextlib.nullcontext
"""For calls without a limit."""


@dataclass(frozen=True)
class Suited:
    """A loss bound for a variant: the binding, the plan that also hands over the settings, what calls do besides."""

    best: Bound
    plan: Plan
    notes: tuple[str, ...]

    def calling(self, variant: Variant, ops: Ops) -> Calling:
        subject = self.best.subject
        copied = any("in place" in note for note in self.notes)
        return Calling(subject.function, self.plan, variant, ops, subject.integers, copied)


def suited(
    primitives: Primitives, function: Callable[..., Any], name: str, variant: Variant, options: Options, guard: Guard
) -> Suited:
    """The binding that suits the variant best. Raises SourceError, and says so where it has none but others."""
    probed = _bound(primitives, function, name, variant, options, guard)
    best = min(probed.bound, key=lambda b: (_dead(b), -fitting.taken(b.subject.plan, variant)))
    plan = fitting.with_settings(best.subject.plan, *fitting.parameters(function), variant)
    return Suited(best, plan, probed.notes)


def _bound(
    primitives: Primitives, function: Callable[..., Any], name: str, variant: Variant, options: Options, guard: Guard
) -> Probed:
    def bound(choose: loss.Choose) -> Probed:
        return loss.subjects(primitives, function, options, name, guard, choose)

    try:
        return bound(lambda plans: fitting.suited(plans, variant))
    except SourceError as refused:
        if refused.kind != "binding":
            raise
    raise fitting.unsuited(bound(list).bound[0].binding.call, variant)


def _dead(bound: Bound) -> int:
    """How many of logits and labels have no influence."""
    return len({"logits", "labels"} & set(bound.idle))
