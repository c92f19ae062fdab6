"""Identifying a loss that was bound: the ways of calling it in their order, until one of them is explained."""

from __future__ import annotations

from collections.abc import Sequence

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
    )


def identify_bound(
    sides: Sequence[tuple[Side, Binding]], *, spec: str, framework: str, version: str, differentiable: bool = True
) -> tuple[Identified, int]:
    """The first binding that is confirmed, else the first that is ambiguous, else the first; and which one it was."""
    found: list[Identified] = []
    for side, binding in sides[:MOST]:
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
    best = min(
        (i for i in range(len(found)) if found[0].status == "cannot_judge" or _alike(found[0], found[i])),
        key=lambda i: (STATUSES.index(found[i].status), _swapped(found[i])),
    )
    return found[best], best


def _alike(first: Identified, other: Identified) -> bool:
    """Whether labels are of the kind that the best binding has: what answers as classes is not explained by failing on
    labels of another kind."""
    return first.binding is None or other.binding is None or first.binding.labels == other.binding.labels


def _swapped(one: Identified) -> bool:
    """Whether logits and labels have changed places: where names do not say which is which, they were bound so."""
    return one.contract is not None and one.contract["arguments"] == "swapped"
