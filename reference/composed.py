"""Pieces that the composed recipes share, spelled over a framework's operations (`adapters/types.py` lists them)."""

from __future__ import annotations

from typing import Any

NEGATIVE_INFINITY = float("-inf")


def nll_terms(ops: Any, logits: Any, labels: Any) -> Any:
    """t_c (lse(x) - x_c) by class, [N, C], where a class whose logit is -inf and whose label is 0 adds nothing.

    The product alone would be 0 * inf there. Only there is the factor replaced, so that the derivative in an ordinary
    label of 0 stays lse(x) - x_c, and a label that is not 0 still meets its infinite loss.
    """
    masked = ops.equal(logits, NEGATIVE_INFINITY)
    unused = ops.where(masked, ops.equal(labels, 0.0), masked)
    return labels * ops.where(unused, 0.0, -ops.log_softmax(logits))


def smoothed(ops: Any, logits: Any, labels: Any, alpha: Any) -> Any:
    """One-hot labels moved towards uniform, [N, C]: (1 - a) onehot + a / C, from sparse labels [N]."""
    return (1 - alpha) * ops.one_hot(labels, logits) + alpha / ops.size(logits, 1)
