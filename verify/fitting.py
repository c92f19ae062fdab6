"""How a bound loss is called as a variant: which of its bindings suit the variant, and what they leave out.

The roles of a variant are the names of its params. A loss need not take all of them: it is then called without them,
and judged as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec
import numpy as np

from lossvet.reference.types import Case, Variant
from lossvet.verify import signatures
from lossvet.verify.answer import Binding
from lossvet.verify.binding import Argument, Constant, Plan, Role
from lossvet.verify.sources import SourceError

SETTINGS: Mapping[str, tuple[str, ...]] = {
    "ignore_index": ("ignore_index", "ignore_label", "ignore_id", "ignore_class"),
    "label_smoothing": ("label_smoothing", "smoothing"),
}
"""Params that are numbers, and what arguments are called that take them."""
NEUTRAL = ("sample_weight", "mask")
"""Roles that a loss may take although the variant has none such: they are ones."""
STANDS_FOR = {"pos_weight": "class_weight"}
"""A param that is bound as another role, where names do not tell the two apart."""


class Fitted(msgspec.Struct, frozen=True, tag=True):
    """A loss as it is asked for a variant. `layouts` by role; `settings` are the params that are numbers and that it
    takes; `scalar`: its result is one number. `native` names the recipe of the adapter that the loss is, if it is
    one."""

    binding: Binding
    layouts: dict[str, str]
    settings: tuple[str, ...]
    scalar: bool
    mode: str
    native: str = ""
    notes: tuple[str, ...] = ()

    def unserved(self, variant: Variant, case: Case) -> str:
        """Why this case cannot be asked; empty where it can."""
        classes, bound = case.logits.shape[1], self.binding
        if bound.layout != "nc" and classes != 1:
            return f"it takes one logit per row, but this case has {classes}"
        if bound.classes not in (0, classes):
            return f"it takes {bound.classes} classes, but this case has {classes}"
        count = np.size(getattr(case.params, "pos_weight", 1.0))
        if self.layouts.get("pos_weight") == "scalar" and count != 1:
            return f"its pos_weight is one number, but this case has {count}"
        return ""


def params(variant: Variant) -> tuple[str, ...]:
    """The arrays that the variant is given beside logits and labels; sample weights last."""
    names = [name for name in variant.params.__annotations__ if name not in SETTINGS]
    return tuple(sorted(names, key=lambda name: name == "sample_weight"))


def role(plan: Plan, param: str) -> str:
    """The role under which the plan has a param of the variant; empty where it has it not."""
    other = STANDS_FOR.get(param, "")
    return param if param in plan.roles else other if other in plan.roles else ""


def suited(plans: Sequence[Plan], variant: Variant) -> list[Plan]:
    """The plans by which the variant can be asked, those that take most of its params first."""
    allowed = {"logits", "labels", *NEUTRAL, *params(variant)}
    allowed |= {STANDS_FOR[name] for name in params(variant) if name in STANDS_FOR}
    kept = [plan for plan in plans if set(plan.roles) <= allowed]
    kept = [plan for plan in kept if variant.family == "sparse" or plan.labels == "dense"]
    return sorted(kept, key=lambda plan: (variant.family == "sparse" and plan.labels == "dense", -taken(plan, variant)))


def taken(plan: Plan, variant: Variant) -> float:
    """How well a plan suits: its own params count most, sample weights less, and what the variant has not is against
    it."""
    has = params(variant)
    own = [name for name in has if name != "sample_weight"]
    exact = sum(name in plan.roles for name in own)
    beside = sum(name in plan.roles for name in NEUTRAL if name not in has)
    sampled = "sample_weight" in plan.roles and "sample_weight" in has
    return exact + 0.9 * sum(bool(role(plan, name)) for name in own) + 0.1 * sampled - 0.5 * beside


def unsuited(call: str, variant: Variant) -> SourceError:
    """The refusal of a loss that can be called, and not with the inputs of the variant."""
    labels = "integer labels [N]" if variant.family == "sparse" else "labels [N, C] of floats"
    needed = ["logits [N, C]", labels, *(name for name in params(variant) if name != "sample_weight")]
    return SourceError(
        "binding",
        f"{call} cannot be checked as {variant.name}, which takes {', '.join(needed)}; check it as a variant with the "
        "inputs that it takes, or say what its parameters are by --bind ROLE=PARAMETER",
    )


def with_settings(plan: Plan, parameters: Sequence[str], making: Sequence[str], variant: Variant) -> Plan:
    """The plan that also hands over the settings of the variant, to the parameters of the same names.

    `parameters` are those of the call, `making` those of what makes the loss. What the user gave stays as given.
    """
    for setting, names in SETTINGS.items():
        if setting not in variant.params.__annotations__:
            continue
        for made, available in ((False, parameters), (True, making)):
            named = [name for name in available if name.lower() in names]
            if named and (made is False or plan.made_with is not None):
                plan = _replaced(plan, Role(named[0], setting), made)
                break
    return plan


def settings(plan: Plan) -> tuple[str, ...]:
    return tuple(name for name in SETTINGS if name in plan.roles)


def _replaced(plan: Plan, added: Role, made: bool) -> Plan:
    arguments = plan.made_with or () if made else plan.arguments
    fixed = [a for a in arguments if a.parameter == added.parameter]
    if any(a.how == "init" for a in fixed):
        return plan
    changed: tuple[Argument, ...] = (*(a for a in arguments if a not in fixed), added)
    unused = tuple(name for name in plan.unused if name != added.parameter)
    if made:
        return replace(plan, unused=unused, made_with=changed)
    return replace(plan, unused=unused, arguments=changed)


def parameters(function: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the parameters of the call and of the making of a loss, as far as its signature tells."""
    name = getattr(function, "__name__", type(function).__name__)
    shape = signatures.of_callable(function, name)  # type: ignore[arg-type]  # whatever can be called
    if shape is None:
        return (), tuple(p.name for p in signatures.makers(function))  # type: ignore[arg-type]  # as above
    return tuple(p.name for p in shape.parameters), tuple(p.name for p in shape.making or ())


def sized(plan: Plan) -> bool:
    """Whether N or C of the call is among its arguments."""
    return any(isinstance(a, Constant) and a.size for a in plan.all)
