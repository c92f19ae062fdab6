"""What a difference does on a batch of the caller's own: which rows it touches, and how loss and gradient change."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lossvet.reference.dtypes import DTYPES
from lossvet.reference.types import Array
from lossvet.verify.answer import Effect
from lossvet.verify.questions import Answer, Question, Side

SLACK = 1024
"""Roundings of the less precise side, at the largest magnitude of a row, up to which two rows count as equal."""


class NoEffect(Exception):
    """The effect cannot be measured on this batch; the message says why."""


def effect(source: Side, target: Side, batch: Mapping[str, Any], dtype: str = "float64") -> Effect:
    """What both sides make of one batch. Raises NoEffect where one of them does not answer.

    A row is touched where its loss differs, or its row of the gradient; for sides that reduce and have no gradient,
    where the loss changes otherwise when the row does. (The loss of a row by itself would say less: in a batch of one,
    denominators vanish.) The gradient is that of sum(cotangent * result).
    """
    whole = Question(dict(batch), leaves=("logits",), dtype=dtype)
    answers = [side.ask([whole])[0] for side in (source, target)]
    for name, answer in zip(("old", "new"), answers, strict=True):
        if answer.value is None or not np.isfinite(answer.value).all():
            raise NoEffect(f"the {name} loss has no result on the given batch: {answer.error or 'it is not finite'}")
    rows = len(batch["logits"])
    touched = _touched(source, target, batch, dtype, answers)
    losses = [float(np.sum(a.value)) for a in answers if a.value is not None]
    gradients = [a.gradients.get("logits") for a in answers]
    length, angle = _between(gradients[0], gradients[1])
    change = abs(losses[1] - losses[0]) / abs(losses[0]) if losses[0] else math.inf if losses[1] else 0.0
    return Effect(rows, int(touched.sum()), (losses[0], losses[1]), change, length, angle)


def largest(found: Effect) -> float:
    """The largest relative change: of the loss, or of the gradient as a vector, |g2 - g1| / |g1|.

    Of the loss alone where the gradients are not known.
    """
    r, a = found.gradient_length, math.radians(found.gradient_angle)
    if math.isnan(r):
        return found.loss_change
    if math.isinf(r):
        return r
    return max(found.loss_change, math.sqrt(max(0.0, (r - 1.0) ** 2 + 2.0 * r * (1.0 - math.cos(a)))))


def _between(source: Array | None, target: Array | None) -> tuple[float, float]:
    """The ratio of two gradients' lengths and the angle in degrees; NaN where one is not known."""
    if source is None or target is None or source.shape != target.shape:
        return math.nan, math.nan
    lengths = float(np.linalg.norm(source)), float(np.linalg.norm(target))
    if not all(map(math.isfinite, lengths)):
        return math.nan, math.nan
    if 0.0 in lengths:
        return (1.0, 0.0) if lengths == (0.0, 0.0) else (0.0 if lengths[0] else math.inf, 0.0)
    a, b = source / lengths[0], target / lengths[1]
    # Of two unit vectors: exact near 0 and 180 degrees, where the arc cosine of their product loses half its digits.
    angle = 2.0 * math.atan2(float(np.linalg.norm(a - b)), float(np.linalg.norm(a + b)))
    return lengths[1] / lengths[0], math.degrees(angle)


def _touched(
    source: Side, target: Side, batch: Mapping[str, Any], dtype: str, answers: list[Answer]
) -> NDArray[np.bool_]:
    rows = len(batch["logits"])
    precision = SLACK * max(DTYPES.get(a.dtype, DTYPES.get(dtype, DTYPES["float64"])).u for a in answers)
    pairs = [tuple(a.value for a in answers), tuple(a.gradients.get("logits") for a in answers)]
    seen = [
        _differ(one, other, precision)
        for one, other in pairs
        if one is not None and other is not None and one.shape == other.shape and one.shape[:1] == (rows,)
    ]
    if seen:
        found: NDArray[np.bool_] = np.logical_or.reduce(seen)
        return found
    moved = [
        Question({**batch, "logits": _moved(batch["logits"], n)}, derivative="value", dtype=dtype) for n in range(rows)
    ]
    sums = []
    for side, before in zip((source, target), answers, strict=True):
        values = [np.nan if a.value is None else float(np.sum(a.value)) for a in side.ask(moved)]
        sums.append((np.array(values), float(np.sum(before.value)) if before.value is not None else np.nan))
    (a, a0), (b, b0) = sums
    size = np.fmax(np.fmax(np.abs(a), np.abs(b)), max(abs(a0), abs(b0)))
    equal: NDArray[np.bool_] = np.abs((a - a0) - (b - b0)) <= precision * size
    return ~equal


def _moved(logits: Array, n: int) -> Array:
    """The logits with one row changed, so that probabilities stay probabilities: its classes turned by one, or halved
    where that changes nothing."""
    found = np.array(logits, dtype=np.float64)
    turned = np.roll(found[n], 1)
    found[n] = found[n] / 2 if np.array_equal(turned, found[n]) else turned
    return found


def _differ(source: Array, target: Array, precision: float) -> NDArray[np.bool_]:
    """By row; NaN equals NaN."""
    a, b = (np.asarray(x, dtype=np.float64).reshape(len(x), -1) for x in (source, target))
    size = np.fmax(np.abs(a), np.abs(b)).max(axis=1, initial=0.0, keepdims=True)
    equal = (np.abs(a - b) <= precision * size) | (a == b) | (np.isnan(a) & np.isnan(b))
    found: NDArray[np.bool_] = ~equal.all(axis=1)
    return found
