"""What is timed: realistic inputs, made from only a shape and a variant, the same in every process.

Classes and positives are imbalanced (the k-th has weight 1 / k), logits are like those of a half-trained model, and
rows may be ignored. Labels of the dense family are one-hot, as users make them from integers.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

import numpy as np

from lossvet.reference import variants
from lossvet.reference.types import Case, Variant, array_params

JUDGED = 2**20
"""How many numbers a bound may be worked out of for one workload: larger ones are judged in part."""
IGNORED_SHARE = 0.25
DEFAULT_SHAPES = ("1x1000", "512x10", "512x1000")
"""One row: what a call costs apart from its work. Then growth in C, and in N."""


@dataclass(frozen=True, order=True)
class Shape:
    """N rows of C classes; in a quarter of the rows of a sparse variant the label may be ignore_index."""

    n: int
    c: int
    ignored: bool = False

    def __str__(self) -> str:
        return f"{self.n}x{self.c}{'-ignored' if self.ignored else ''}"


def shape(text: str) -> Shape:
    """The shape that "512x1000" or "512x1000-ignored" names. Raises ValueError for anything else."""
    found = re.fullmatch(r"([1-9][0-9]*)x([1-9][0-9]*)(-ignored)?", text)
    if found is None:
        raise ValueError(f"{text!r} is not a shape; expected NxC, as in 512x1000, or 512x1000-ignored")
    return Shape(int(found[1]), int(found[2]), found[3] is not None)


@lru_cache(maxsize=4)
def workload(variant: str, at: Shape) -> Case:
    """The inputs, exact in float32. Large ones are not kept for long: a caller asks for the same few in a row."""
    loss, rng = variants.load(variant), np.random.default_rng([at.n, at.c, zlib.crc32(variant.encode())])
    share = 1.0 / np.arange(1, at.c + 1)
    y = rng.choice(at.c, at.n, p=share / share.sum())
    logits = rng.standard_normal((at.n, at.c), np.float32) * np.float32(3)
    logits[np.arange(at.n), y] += np.float32(2)
    logits[logits == 0] = np.float32(2.0**-10)  # a hazard: the cases have it, and some gradients are wrong there
    labels: Any = y
    if loss.family == "dense":
        labels = (y[:, None] == np.arange(at.c)).astype(np.float64)
    elif loss.family == "binary":
        labels = (rng.random((at.n, at.c), np.float32) < np.maximum(0.5 * share, 1e-3)).astype(np.float64)
    elif at.ignored:
        labels = np.where(rng.random(at.n) < IGNORED_SHARE, -100, y)
    return Case(
        id=f"{variant}/{at}",
        bits=24,
        logits=logits.astype(np.float64),
        labels=labels,
        params=loss.params(**{k: v for k, v in _params(rng, at, share, y).items() if k in _names(loss)}),
        cotangent=np.ones((at.n, at.c) if loss.family == "binary" else at.n),
        direction=np.zeros((at.n, at.c)),
    )


def _params(rng: np.random.Generator, at: Shape, share: Any, y: Any) -> dict[str, Any]:
    """Values of all params that a variant may have, rounded to float32: weights grow with a class's rarity."""
    weight = np.sqrt(share.mean() / share)
    matrix = rng.random((at.c, at.c), np.float32) + np.float32(1) if at.c <= 4096 else None
    given = {"class_weight": weight, "pos_weight": 1 + weight, "cost_matrix": matrix, "label_smoothing": 0.125}
    return {k: np.float64(np.float32(v)) if isinstance(v, np.ndarray) else v for k, v in given.items()}


def _names(variant: Variant) -> tuple[str, ...]:
    return tuple(f.name for f in fields(variant.params))


def feasible(variant: Variant, at: Shape) -> str:
    """Why there is no such workload; empty where there is one."""
    if "cost_matrix" in _names(variant) and at.c > 4096:
        return f"a cost matrix of {at.c} classes takes {8 * at.c * at.c / 2**30:.1f} GiB"
    if at.ignored and variant.family != "sparse":
        return "only integer labels can mark rows as ignored"
    return ""


@lru_cache(maxsize=256)
def digest_of(variant: str, at: Shape) -> str:
    """That of a workload, found once for all who compute it."""
    return digest(workload(variant, at))


def digest(case: Case) -> str:
    """Of all inputs: two processes that were to make the same workload did."""
    found = hashlib.sha256(case.logits.tobytes() + case.labels.tobytes())
    for name, value in sorted(array_params(case.params).items()):
        found.update(name.encode() + np.ascontiguousarray(value).tobytes())
    return found.hexdigest()[:16]


def judged(variant: Variant, case: Case) -> slice | None:
    """Which part of a workload is judged: rows, or columns where elements are losses of their own; None for all of it.

    A row of a softmax depends on no other; an element of a binary loss, with its weight, on its column alone.
    """
    n, c = case.logits.shape
    cost = n * c * (c if variant.pairs else 1)
    if cost <= JUDGED:
        return None
    along = c if variant.family == "binary" else n
    return slice(0, max(1, along * JUDGED // cost))


def part(variant: Variant, case: Case, chosen: slice, cotangent: float) -> Case:
    """The workload of these rows, or columns, alone; every loss with this cotangent."""
    binary = variant.family == "binary"
    index = (slice(None), chosen) if binary else (chosen,)
    params = {
        f.name: value[chosen] if isinstance(value := getattr(case.params, f.name), np.ndarray) and binary else value
        for f in fields(case.params)
    }
    logits = case.logits[index]
    return replace(
        case,
        logits=logits,
        labels=case.labels[index],
        params=variant.params(**params),
        cotangent=np.full(logits.shape if binary else len(logits), cotangent),
        direction=np.zeros(logits.shape),
    )
