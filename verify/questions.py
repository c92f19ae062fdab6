"""The questions that verify puts to a side, and its answers: the only interface between verify and a loss.

A side is anything that answers questions: a function in a worker process, a function in the caller's own process, a
contract, a recipe. Arrays are float64 (labels of sparse losses int64); a side that computes in another dtype casts
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
import numpy as np

from lossvet.reference.types import Array

ROLES = (
    "logits",
    "labels",
    "class_weight",
    "pos_weight",
    "binary_weights",
    "cost_matrix",
    "sample_weight",
    "mask",
    "count",
)
"""What an argument can be: logits [N, C] (whatever the loss takes there: probabilities, log-probabilities), labels
[N] or [N, C], class_weight [C], pos_weight [] or [C], binary_weights [2] (of label 0, of label 1), cost_matrix [C, C],
sample_weight [N], mask [N] of zeros and ones, count [] (a number to divide by)."""


class Question(msgspec.Struct, frozen=True):
    """One call. `inputs` by role, float64 or int64; a role that the side does not take is left out by it.

    `leaves` are the roles in which the gradient is asked for; the gradient is that of sum(cotangent * result) with
    `cotangent(shape of the result)`, which is never all ones. With `derivative` "value" no gradient is asked, with
    "gradient" the result is computed with its gradient in the leaves, "twice" goes back through one and the same
    result two times, "hessian" asks for the Hessian in the logits times `direction(shape)`, "forward" for the
    derivative along `direction(shape)` of the logits by forward mode. Floats are cast to `dtype` before the call.
    """

    inputs: dict[str, Any]
    leaves: tuple[str, ...] = ()
    derivative: str = "gradient"
    dtype: str = "float64"


class Answer(msgspec.Struct, frozen=True):
    """What came back: the result and the gradients by role (None where there is none), or the error that was raised.

    `dtype` is that of the result, `error` is empty or "TypeError: ...". `notes` names what the call did besides:
    "changes labels in place", "prints", "uses global randomness"... `gradients` holds for "hessian" the product under
    "logits", for "forward" the derivative of the result under "forward", for "twice" those of the second pass.
    """

    value: Array | None = None
    gradients: dict[str, Array | None] = {}
    dtype: str = ""
    error: str = ""
    notes: tuple[str, ...] = ()
    refused: dict[str, str] = {}
    """By role (or "hessian", "forward"), why there is no gradient although there is a result: what was raised."""

    @property
    def answered(self) -> bool:
        """Whether there is a result, and not NaN throughout."""
        return self.value is not None and not (self.value.size > 0 and bool(np.isnan(self.value).all()))


class Side(Protocol):
    """One loss, whatever it is. Nothing that it does raises here: what goes wrong stands in the answers."""

    def ask(self, questions: Sequence[Question]) -> list[Answer]: ...


def cotangent(shape: tuple[int, ...]) -> Array:
    """What a result's gradient is asked along: dyadic numbers between 9/16 and 27/16, different from element to element
    where there are several, and never 1."""
    count = int(np.prod(shape, dtype=np.int64))
    return np.asarray(0.5625 + 0.1875 * ((np.arange(count) * 5 + 1) % 7), np.float64).reshape(shape)


def direction(shape: tuple[int, ...]) -> Array:
    """A direction of the logits for second derivatives and forward mode: dyadic, of both signs, no multiple of ones."""
    count = int(np.prod(shape, dtype=np.int64))
    return np.asarray(((np.arange(count) * 7 + 3) % 11) / 4.0 - 1.25, np.float64).reshape(shape)
