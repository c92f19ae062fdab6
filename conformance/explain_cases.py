"""What a case means, by its name: "ignored_infinite", or with its variant, "smooth_terms/ignored_infinite"."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import numpy as np

from lossvet.reference import variants, vectors
from lossvet.reference.hazards import HAZARDS
from lossvet.reference.types import Case

WIDTH = 88
MOST_LOGITS = 64
"""Logits of a case that are shown."""


def text(name: str) -> str:
    """The explanation, or nothing where there is no such case."""
    found = [golden.case for variant in _among(name) for golden in vectors.load(variant) if _is(golden.case, name)]
    return "\n".join(_lines(name, found)) if found else ""


def names() -> list[str]:
    """The names of all cases, without their variants."""
    every = (golden.case.id for variant in variants.names() for golden in vectors.load(variant))
    return list(dict.fromkeys(case.partition("/")[2] for case in every))


def _among(case: str) -> list[str]:
    variant, _, _ = case.partition("/")
    return [variant] if variant in variants.names() else list(variants.names())


def _is(case: Case, name: str) -> bool:
    return name in (case.id, case.id.partition("/")[2])


def _lines(name: str, cases: list[Case]) -> Iterator[str]:
    first = cases[0]
    yield _filled(f"{name}: a case of {', '.join(case.id.partition('/')[0] for case in cases)}")
    yield ""
    if first.note:
        yield _filled(f"{first.note[0].upper()}{first.note[1:]}.")
        yield ""
    if first.logits.size <= MOST_LOGITS:
        yield f"logits  {np.array2string(first.logits, separator=', ', prefix='logits  ')}"
        yield f"labels  {np.array2string(first.labels, separator=', ', prefix='labels  ')}"
    else:
        yield f"logits of shape {list(first.logits.shape)}"
    for hazard in first.hazards:
        yield ""
        yield _filled(f"hazard {hazard}: {HAZARDS[hazard].why}")


def _filled(words: str) -> str:
    return textwrap.fill(words, WIDTH, break_long_words=False, break_on_hyphens=False)
