"""How the inputs of a question become the arguments of a loss, and its gradients those of the question again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lossvet.reference.types import Array
from lossvet.verify.binding import Plan

Laid = NDArray[Any]


class Unfit(Exception):
    """A question that a loss cannot be asked with its binding; the message says why."""


def laid(plan: Plan, inputs: Mapping[str, Any]) -> dict[str, Laid]:
    """By role, the arrays that the plan's arguments get; roles that it does not take are left out.

    `inputs` as a `Question` has them: logits [N, C], labels [N] of integers or [N, C], and so on. Raises Unfit.
    """
    logits = np.asarray(inputs["logits"], np.float64)
    if logits.ndim != 2:
        raise Unfit(f"logits have shape {logits.shape}; expected [N, C]")
    found = {}
    for role, layout in plan.layouts.items():
        if role not in inputs:
            continue
        array = logits if role == "logits" else np.asarray(inputs[role])
        if role == "labels":
            array = _labels(plan, array, logits.shape[1])
        found[role] = _lay(role, layout, array, logits.shape)
    return found


def unlaid(plan: Plan, role: str, gradient: Array, shape: tuple[int, ...]) -> Array:
    """The gradient in a role, from that in its argument; `shape` is that of the role in the question."""
    if plan.layouts[role] == "nc" and role not in ("logits", "labels") and gradient.ndim == 2:
        gradient = gradient.sum(1)
    reshaped: Array = gradient.reshape(shape) if gradient.size == int(np.prod(shape)) else gradient
    return reshaped


def _labels(plan: Plan, labels: Laid, classes: int) -> Laid:
    integers = labels.ndim == 1
    if plan.labels == "sparse":
        if not integers:
            raise Unfit(f"it takes integer labels [N]; these labels have shape {labels.shape}")
        return labels.astype(np.int64)
    if not integers:
        return labels.astype(np.float64)
    if classes == 1:
        return labels.astype(np.float64)[:, None]
    hot: Laid = (labels[:, None] == np.arange(classes)).astype(np.float64)
    return hot


def _lay(role: str, layout: str, array: Laid, shape: tuple[int, int]) -> Laid:
    if role in ("logits", "labels"):
        if layout in ("n", "n1") and array.ndim == 2 and array.shape[1] != 1:
            raise Unfit(f"it takes {role} of a binary loss; this batch has {array.shape[1]} classes, expected 1")
        return array.reshape(-1) if layout == "n" else array.reshape(-1, 1) if layout == "n1" else array
    column: Laid = array.reshape(-1, 1)
    if layout == "n1":
        return column
    if layout == "nc":
        return np.array(np.broadcast_to(column, shape))
    if layout == "scalar":
        if array.size != 1:
            raise Unfit(f"its {role} is a single number; this batch has {array.size}")
        return array.reshape(())
    return array
