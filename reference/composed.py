"""Pieces that the composed recipes share, spelled over a framework's operations (`adapters/types.py` lists them)."""

from __future__ import annotations

from typing import Any

NEGATIVE_INFINITY = float("-inf")


def nll_terms(ops: Any, logits: Any, labels: Any) -> Any:
    """t_c (lse(x) - x_c) by class, [N, C], where a class whose logit is -inf and whose label is 0 adds nothing.

    The product alone would be 0 * inf there. The choice is made on the logits and not on the labels, so that the
    derivative in an ordinary label of 0 stays lse(x) - x_c.
    """
    masked = ops.equal(logits, NEGATIVE_INFINITY)
    nll = ops.where(masked, 0.0, -ops.log_softmax(logits))
    at_masked = ops.where(ops.equal(labels, 0.0), 0.0 * labels, -NEGATIVE_INFINITY)
    return ops.where(masked, at_masked, labels * nll)


def smoothed(ops: Any, logits: Any, labels: Any, alpha: Any) -> Any:
    """One-hot labels moved towards uniform, [N, C]: (1 - a) onehot + a / C, from sparse labels [N]."""
    return (1 - alpha) * ops.one_hot(labels, logits) + alpha / ops.size(logits, 1)
