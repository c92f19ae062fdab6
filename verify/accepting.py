"""What a user accepts of a comparison: differences by facet, a verdict, or whatever has little effect on a batch."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_args

import msgspec

from lossvet.verify.answer import Comparison, Difference, Verdict
from lossvet.verify.contract import numbers
from lossvet.verify.effect import largest
from lossvet.verify.facets import facets

VERDICTS: tuple[Verdict, ...] = ("same_gradient", "equal_on_probes")
"""Those that can be accepted: nothing is then left to be accepted by its facet."""


@dataclass(frozen=True)
class Accept:
    """One --accept as it was written: a verdict, a facet whatever its values, or one change of it."""

    text: str
    name: str
    change: tuple[str, str] | None = None

    def covers(self, difference: Difference) -> bool:
        if difference.facet != self.name:
            return False
        if self.change is None:
            return True
        source, target = self.change
        return _same(source, difference.source) and _same(target, difference.target)


def parsed(text: str) -> Accept:
    """Raises ValueError where it is none of FACET, FACET=OLD->NEW, same_gradient and equal_on_probes."""
    name, equals, change = (part.strip() for part in text.partition("="))
    if name in get_args(Verdict) and name not in VERDICTS:
        raise ValueError(f"--accept {text}: only the verdicts {' and '.join(VERDICTS)} can be accepted, not {name}")
    if name in VERDICTS and not equals:
        return Accept(text, name)
    if name not in facets():
        choices = [*facets(), *VERDICTS]
        near = difflib.get_close_matches(name, choices, 1)
        hint = f"did you mean {near[0]}?" if near else f"the facets are: {', '.join(facets())}"
        raise ValueError(f"--accept {text}: no such facet: {name!r}; {hint}")
    if not equals:
        return Accept(text, name)
    source, arrow, target = (part.strip() for part in change.partition("->"))
    if not (arrow and source and target):
        shell = " (the shell treats > as a redirection: put quotes around it)" if change.endswith("-") else ""
        raise ValueError(f"--accept {text}: expected FACET=OLD->NEW, as in 'denominator=weights->batch'{shell}")
    for value in (source, target):
        _known(text, name, value)
    return Accept(text, name, (source, target))


def _known(text: str, facet: str, value: str) -> None:
    """Raises ValueError where a word of the value is no value of the facet, no number's name and no number. Edge
    facets have composed values, and are taken as they are written."""
    if facets()[facet].edge:
        return
    names = [v.name for v in facets()[facet].values]
    for word in _words(value):
        if word not in names and word not in numbers() and not _is_number(word):
            near = difflib.get_close_matches(word, names, 1)
            hint = f"did you mean {near[0]}?" if near else f"it has: {', '.join(names)}"
            raise ValueError(f"--accept {text}: {facet} has no value {word!r}; {hint}")


def settled(
    comparison: Comparison, accepts: Iterable[Accept], strict_edges: bool = False, fail_above: float | None = None
) -> Comparison:
    """The comparison with what was accepted marked as such, and with edges that count where they are to.

    `fail_above` accepts every difference of a comparison whose effect on the caller's batch was measured and is, at
    its largest, below that share; a comparison without an effect, or of sides that are not explained, it leaves alone.
    An accept that meets nothing here becomes a warning.
    """
    accepts = list(accepts)
    differences = comparison.differences
    verdict = comparison.verdict
    if strict_edges and any(d.edge for d in differences):
        differences = tuple(msgspec.structs.replace(d, edge=False) for d in differences)
        verdict = "different" if verdict == "same" else verdict
    small = fail_above is not None and comparison.effect is not None and largest(comparison.effect) < fail_above
    small = small and verdict in ("different", "same_gradient")
    covered = {i for i, d in enumerate(differences) if small or any(a.covers(d) for a in accepts)}
    met = [a for a in accepts if a.name == verdict or any(a.covers(d) for d in differences)]
    accepted = [a.text for a in met] + ([f"effect below {fail_above:g}"] if small else [])
    if small and not differences:
        accepted.append(verdict)
    return msgspec.structs.replace(
        comparison,
        verdict=verdict,
        differences=tuple(
            msgspec.structs.replace(d, accepted=d.accepted or i in covered) for i, d in enumerate(differences)
        ),
        accepted=(*comparison.accepted, *accepted),
        warnings=(*comparison.warnings, *(_unmet(a, comparison) for a in accepts if a not in met)),
    )


def _unmet(accept: Accept, comparison: Comparison) -> str:
    here = [f"{d.facet}={d.source}->{d.target}" for d in comparison.differences if d.facet == accept.name]
    found = f"the differences are {' and '.join(here)}" if here else "there is no such difference"
    return f"--accept {accept.text} accepts nothing: {found}"


def _same(written: str, found: str) -> bool:
    """Sets of ways of weighting in any order, numbers as numbers."""
    return [_plain(w) for w in _words(written)] == [_plain(w) for w in _words(found)]


def _words(value: str) -> list[str]:
    return sorted(word for word in re.split(r"[\s,+()=\[\]]+", value) if word)


def _plain(word: str) -> str:
    return repr(float(word)) if _is_number(word) else word


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
