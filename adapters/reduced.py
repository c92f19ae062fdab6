"""From the losses of rows to one number, and ignored rows: written once, over a framework's operations.

`ignored` are booleans [N], `losses` and `weights` [N]. Ignored rows are replaced before the loss, and their losses
after it, by selection: 0 times the contents of such a row may be NaN, and so may its gradient.
"""

from __future__ import annotations

from typing import Any


def left_out(ops: Any, labels: Any, ignore_index: Any) -> Any:
    return ops.equal(labels, ignore_index)


def clean_logits(ops: Any, logits: Any, ignored: Any) -> Any:
    return ops.where(ignored[:, None], 0.0, logits)


def clean_labels(ops: Any, labels: Any, ignored: Any) -> Any:
    return ops.where(ignored, 0, labels)


def kept(ops: Any, losses: Any, ignored: Any) -> Any:
    return ops.where(ignored, 0.0, losses)


def count(ops: Any, logits: Any, ignored: Any) -> Any:
    """The number of rows that are not left out, in the dtype of the logits."""
    return ops.sum(ops.where(ignored, 0.0, ops.ones(logits)))


def mean(ops: Any, losses: Any, number: Any) -> Any:
    return ops.sum(losses) / number


def weighted_mean(ops: Any, losses: Any, weights: Any) -> Any:
    return ops.sum(losses) / ops.sum(weights)


def nonzero_mean(ops: Any, losses: Any, weights: Any, logits: Any) -> Any:
    return ops.sum(losses) / ops.sum(ops.where(ops.equal(weights, 0.0), 0.0, ops.ones(logits)))


def safely(ops: Any, total: Any, number: Any) -> Any:
    """The quotient; 0 with gradients of 0 where the number is 0, which the inner choice is for."""
    nothing = ops.equal(number, 0.0)
    return ops.where(nothing, 0.0, total / ops.where(nothing, 1.0, number))


SPELLED = (left_out, clean_logits, clean_labels, kept, count, mean, weighted_mean, nonzero_mean, safely)
"""In the order in which they are used; `safely` is for users who keep what TF1 does, and no recipe divides so."""
