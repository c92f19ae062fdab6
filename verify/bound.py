"""Identifying a loss that was bound: the ways of calling it in their order, until one of them is explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from lossvet.verify.answer import Binding, Identified
from lossvet.verify.batches import Domain
from lossvet.verify.identify import identify
from lossvet.verify.questions import Side

STATUSES = ("confirmed", "ambiguous", "unexplained", "cannot_judge")
"""The best first."""


MOST = 2
"""Ways of calling that are tried: each that no contract explains costs a whole search."""


def domain(binding: Binding, differentiable: bool) -> Domain:
    """What a side with this binding can be asked."""
    return Domain(
        roles=tuple(dict.fromkeys(("logits", "labels", *binding.roles))),
        labels="sparse" if binding.labels == "sparse" else "dense",
        classes=binding.classes or None,
        scalars=binding.scalars,
        one_column=binding.layout in ("n1", "n"),
        differentiable=differentiable,
        probabilities=binding.domain == "probabilities",
        dtype=binding.dtype,
        strange_labels=binding.strange_labels,
    )


@dataclass(frozen=True)
class Best:
    """What one of the bindings is, and `which` of them.

    `fuller` is another one that gives more arguments, and that no contract explains: the answer does not cover them.
    """

    identified: Identified
    which: int
    fuller: Best | None = None


def identify_bound(
    sides: Sequence[tuple[Side, Binding]], *, spec: str, framework: str, version: str, differentiable: bool = True
) -> Best:
    """The first binding that is confirmed, else the first that is ambiguous, else the first."""
    found: list[Identified] = []
    for i, (side, binding) in enumerate(sides):
        if i >= MOST and not _swapped(found[0]):  # what is explained with its arguments swapped may have other names
            break
        one = identify(
            side,
            domain(binding, differentiable),
            spec=spec,
            framework=framework,
            version=version,
            binding=binding,
        )
        found.append(one)
        if one.status == "confirmed" and not _swapped(one):
            break
    any_labels = found[0].status == "cannot_judge" or _swapped(found[0])
    best = min(
        (i for i in range(len(found)) if any_labels or _alike(found[0], found[i])),
        key=lambda i: (STATUSES.index(found[i].status), _swapped(found[i])),
    )
    if found[best].status == "unexplained" and _guessed(found[best]):
        reason = f"{found[best].reason}; the roles of its arguments were guessed; set them with --bind ROLE=PARAMETER"
        found[best] = msgspec.structs.replace(found[best], reason=reason)
    fuller = next((i for i in range(best) if _leaves_out(found[best], found[i])), None)
    if fuller is None:
        return Best(found[best], best)
    names = " and ".join(_more(found[best], found[fuller]))
    warned = (*found[best].warnings, f"identified without {names}: with it, no contract explains the loss")
    return Best(msgspec.structs.replace(found[best], warnings=warned), best, Best(found[fuller], fuller))


def _guessed(one: Identified) -> bool:
    """Whether names did not say which argument is which."""
    return one.binding is not None and bool({"position", "probing"} & set(one.binding.how.values()))


def _leaves_out(best: Identified, other: Identified) -> bool:
    """Whether the other binding gives all that the best one does, and more."""
    return other.status == "unexplained" and bool(_more(best, other)) and not _more(other, best)


def _more(one: Identified, other: Identified) -> list[str]:
    """The parameters that the other binding gives and the one does not."""
    assert one.binding is not None
    assert other.binding is not None
    return [name for name in other.binding.roles.values() if name not in one.binding.roles.values()]


def _alike(first: Identified, other: Identified) -> bool:
    """Whether labels are of the kind that the best binding has: what answers as classes is not explained by failing on
    labels of another kind."""
    return first.binding is None or other.binding is None or first.binding.labels == other.binding.labels


def _swapped(one: Identified) -> bool:
    """Whether logits and labels have changed places: where names do not say which is which, they were bound so."""
    return one.contract is not None and one.contract["arguments"] == "swapped"
