"""What changes when a loss is moved from one framework to another, and the code that behaves as the source does."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lossvet.adapters import spelling
from lossvet.reference import variants
from lossvet.reports.site.facts import Spelling, offered
from lossvet.verify import variants as meanings
from lossvet.verify.batches import Domain
from lossvet.verify.contract import Contract, Setting
from lossvet.verify.questions import ROLES
from lossvet.verify.spelling.function import Spelled, written
from lossvet.verify.spelling.writer import Unspellable

IGNORED, SMOOTHING = -100, 0.1
"""The ignored label and the smoothing in code to paste."""

ANSWERS = {
    "nan": "NaN, with gradients of NaN",
    "zero": "0, with gradients of 0",
    "zero_with_nan_gradient": "0, with gradients of NaN",
    "zero_detached": "0, which has no gradient",
    "raises": "an exception",
    "empty": "an array without elements",
}
"""The results where mathematics gives none."""
EMPTY = {**ANSWERS, "nan": "NaN", "zero": "0"}
EDGES = {
    "zero_denominator": ("where it would divide by 0", ANSWERS),
    "all_ignored": ("with every row ignored", ANSWERS),
    "empty_batch": ("of an empty batch", EMPTY),
}
LABELS = {
    "raises": "raises",
    "nan": "gives NaN",
    "wraps": "counts from the last class",
    "dropped": "is ignored",
    "zero": "gives 0 and is counted",
    "clamped": "counts as the nearest class",
    "as_class_zero": "counts as class 0",
    "finite_wrong": "gives a meaningless number",
}


@dataclass(frozen=True)
class Move:
    """What is not the same of two ways to write a loss, a sentence each."""

    old: Spelling
    new: Spelling
    changes: tuple[str, ...]


def moves(own: Mapping[str, Sequence[Spelling]]) -> list[Move]:
    """From what one framework offers for a loss to what another does, both ways, in the order of frameworks."""
    offer = {
        framework: offered([s for s in spellings if variants.load(s.variant).means is not None])
        for framework, spellings in own.items()
    }
    return [
        Move(old, new, tuple(_changes(old, new)))
        for a, b in itertools.permutations(offer, 2)
        for old in offer[a]
        for new in offer[b]
    ]


def meaning(s: Spelling) -> tuple[Contract, Domain]:
    """What a way to write a loss means, under the mean that it takes unasked or else a plain one, edges included; and
    what it can be asked."""
    variant = variants.load(s.variant)
    reducing = [reduction for reduction, asked in s.reductions.items() if not asked and reduction != "none"]
    found = meanings.contract(
        s.variant,
        reducing[0] if reducing else "mean",
        sample_weight=s.sample_weight and s.recipe != "composed",
        ignore_index=IGNORED if s.ignore_index else None,
        label_smoothing=SMOOTHING,
    )
    settings: dict[str, Setting] = dict(s.edges)
    if variant.family != "sparse":
        settings.pop("invalid_label", None)
        if "labels" in s.stopped:
            settings["gradient_labels"] = "stopped"
    taken = {*variant.params.__annotations__} - (set() if "sample_weight" in found.weighting else {"sample_weight"})
    roles = tuple(role for role in ROLES if role in {"logits", "labels", *taken})
    return found.with_(settings), Domain(roles, "sparse" if variant.family == "sparse" else "dense")


def code(s: Spelling, framework: str) -> Spelled | str:
    """A function of the framework that means what this does, with its reduction; a sentence where there is none."""
    contract, domain = meaning(s)
    try:
        return written(contract, domain, framework)
    except Unspellable as error:
        return str(error)


def codes(s: Spelling, frameworks: Sequence[str]) -> dict[str, Spelled | str]:
    """`code` for those among the frameworks that have a dialect."""
    return {f: code(s, f) for f in frameworks if f in spelling.frameworks()}


def _changes(old: Spelling, new: Spelling) -> Iterator[str]:
    yield from _divisions(old, new)
    yield from _edges(old, new)
    if lost := set(new.without) - set(old.without):
        yield f"no gradient into {', '.join(sorted(lost))} any more"
    if gained := set(old.without) - set(new.without):
        yield f"a gradient into {', '.join(sorted(gained))}, where there was none"
    for name, able, unable in (
        ("sample_weight", "it takes sample weights", "it takes no sample weights"),
        ("ignore_index", "rows can be ignored", "rows cannot be ignored"),
    ):
        if getattr(old, name) != getattr(new, name):
            yield able if getattr(new, name) else unable
    for name in sorted(set(old.deviations) - set(new.deviations)):
        yield f"{name} is gone"
    for name in sorted(set(new.deviations) - set(old.deviations)):
        yield f"{name} is new"


def unasked(s: Spelling) -> str:
    """What its default mean divides by; empty if it does not reduce by default."""
    return next((words for words, asked in s.divides.items() if not asked), "")


def _divisions(old: Spelling, new: Spelling) -> Iterator[str]:
    before, after = unasked(old), unasked(new)
    if before and not after:
        yield f"you write the reduction yourself; the mean divided by {before}"
    elif after and not before:
        yield f"its mean divides by {after}"
    elif before != after:
        again = (
            f" ({new.divides[before]} does)" if before in new.divides else "; to preserve that, divide the sum yourself"
        )
        yield f"its mean divides by {after}, and no longer by {before}{again}"
    for lost in [words for words, asked in old.divides.items() if asked and new.divides and words not in new.divides]:
        yield f"no mean divides by {lost} any more"


def _edges(old: Spelling, new: Spelling) -> Iterator[str]:
    """The results for empty batches, zero denominators and labels out of range, as far as both are known."""
    subject = "it" if unasked(new) else "a plain mean"
    for facet, (where, answers) in EDGES.items():
        was, now = old.edges.get(facet), new.edges.get(facet)
        if was and now and was != now:
            yield f"{where}, {subject} gives {answers.get(now, now)} instead of {answers.get(was, was)}"
    before, after = (_labels(s.edges.get("invalid_label", "")) for s in (old, new))
    groups: dict[tuple[str, str], list[str]] = {}
    for label in before.keys() & after.keys():
        if before[label] != after[label]:
            groups.setdefault((before[label], after[label]), []).append(label)
    for (was, now), labels in sorted(groups.items()):
        many = " or ".join(label if label == "too large" else f"of {label}" for label in sorted(labels, reverse=True))
        yield f"a label {many} {LABELS.get(now, now)}, and no longer {LABELS.get(was, was)}"


def _labels(edge: str) -> dict[str, str]:
    """What each label out of range does: "too large: raises, -1: wraps" by label."""
    return {name: word for name, colon, word in (part.partition(": ") for part in edge.split(", ")) if colon}
