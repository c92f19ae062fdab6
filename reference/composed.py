"""Pieces that the composed recipes share, spelled over a framework's operations (`adapters/types.py` lists them)."""

from __future__ import annotations

from typing import Any

NEGATIVE_INFINITY = float("-inf")


def nll_terms(ops: Any, logits: Any, labels: Any) -> Any:
    """t_c (lse(x) - x_c) by class, [N, C], where a class whose logit is -inf and whose label is 0 adds nothing."""
    return labels * _where_used(ops, -ops.log_softmax(logits), ops.equal(logits, NEGATIVE_INFINITY), labels)


def binary_terms(ops: Any, logits: Any, labels: Any) -> tuple[Any, Any]:
    """t softplus(-x) and (1 - t) softplus(x), each [N, C]; a term whose factor is 0 is 0, however far x is out."""
    missed = _where_used(ops, ops.softplus(-logits), ops.equal(logits, NEGATIVE_INFINITY), labels)
    raised = _where_used(ops, ops.softplus(logits), ops.equal(logits, -NEGATIVE_INFINITY), 1 - labels)
    return labels * missed, (1 - labels) * raised


def _where_used(ops: Any, term: Any, infinite: Any, factor: Any) -> Any:
    """The term, but 0 where it is infinite and its factor is 0: their product would be NaN.

    It is replaced there only, so that elsewhere the derivative in a factor of 0 is the term, and a factor that is not 0
    still meets its infinite term.
    """
    return ops.where(ops.where(infinite, ops.equal(factor, 0.0), infinite), 0.0, term)


def smoothed(ops: Any, logits: Any, labels: Any, alpha: Any) -> Any:
    """One-hot labels moved towards uniform, [N, C]: (1 - a) onehot + a / C, from sparse labels [N]."""
    return (1 - alpha) * ops.one_hot(labels, logits) + alpha / ops.size(logits, 1)
