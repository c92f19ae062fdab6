"""Each variant as anybody would write it in NumPy: the mean loss and its gradients, in float64, nothing compensated.

What `reference.evaluate` is timed against. A function takes logits [N, C], labels and the variant's params by name, and
gives the loss and the gradients by leaf.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Answer = tuple[Any, Mapping[str, Any]]


def log_softmax(x: Any) -> Any:
    shifted = x - x.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def binary(x: Any, t: Any, q: Any) -> tuple[Any, Any, Any, Any]:
    """Loss, d/dx, d/dt and d/dq, [N, C]."""
    tail = np.log1p(np.exp(-np.abs(x)))
    missed, raised = tail + np.maximum(-x, 0), tail + np.maximum(x, 0)
    s = 1 / (1 + np.exp(-x))
    return q * t * missed + (1 - t) * raised, (1 - t) * s - q * t * (1 - s), q * missed - raised, t * missed


def sigmoid(x: Any, t: Any) -> Answer:
    loss, dx, dt, _ = binary(x, t, 1.0)
    return loss.mean(), {"logits": dx / x.size, "labels": dt / x.size}


def pos_weight(x: Any, t: Any, pos_weight: Any) -> Answer:
    loss, dx, dt, dq = binary(x, t, pos_weight)
    return loss.mean(), {"logits": dx / x.size, "labels": dt / x.size, "pos_weight": dq.sum(0) / x.size}


def dynamic_pos_weight(x: Any, t: Any) -> Answer:
    q = len(t) / (t.sum(0) + 1e-6)
    loss, dx, dt, dq = binary(x, t, q)
    return loss.mean(), {"logits": dx / x.size, "labels": (dt - q * q / len(t) * dq.sum(0)) / x.size}


def softmax(x: Any, t: Any) -> Answer:
    log_p = log_softmax(x)
    dx = (np.exp(log_p) * t.sum(1, keepdims=True) - t) / len(x)
    return -(t * log_p).sum(1).mean(), {"logits": dx, "labels": -log_p / len(x)}


def class_weight(x: Any, t: Any, class_weight: Any) -> Answer:
    log_p, s = log_softmax(x), (class_weight * t).sum(1)
    ce = -(t * log_p).sum(1)
    dx = s[:, None] * (np.exp(log_p) * t.sum(1, keepdims=True) - t) / len(x)
    dt = (class_weight * ce[:, None] - s[:, None] * log_p) / len(x)
    return (s * ce).mean(), {"logits": dx, "labels": dt, "class_weight": (ce[:, None] * t).sum(0) / len(x)}


def class_weight_terms(x: Any, t: Any, class_weight: Any) -> Answer:
    log_p, k = log_softmax(x), class_weight * t
    dx = (np.exp(log_p) * k.sum(1, keepdims=True) - k) / len(x)
    dw = -(t * log_p).sum(0) / len(x)
    return -(k * log_p).sum(1).mean(), {"logits": dx, "labels": -class_weight * log_p / len(x), "class_weight": dw}


def weighted_logits(x: Any, t: Any, class_weight: Any) -> Answer:
    log_p = log_softmax(class_weight * x)
    inner = (np.exp(log_p) * t.sum(1, keepdims=True) - t) / len(x)
    gradients = {"logits": class_weight * inner, "labels": -log_p / len(x), "class_weight": (x * inner).sum(0)}
    return -(t * log_p).sum(1).mean(), gradients


def _weighted_rows(x: Any, y: Any, weight: Any) -> tuple[Any, Any, Any]:
    """Mean loss, d/dx, and the cross-entropies [N], of integer labels and a weight a row."""
    log_p, rows = log_softmax(x), np.arange(len(x))
    ce, dx = -log_p[rows, y], np.exp(log_p)
    dx[rows, y] -= 1
    dx *= (weight / len(x))[:, None]
    return (weight * ce).mean(), dx, ce


def sparse(x: Any, y: Any) -> Answer:
    loss, dx, _ = _weighted_rows(x, y, np.ones(len(x)))
    return loss, {"logits": dx}


def sparse_class_weight(x: Any, y: Any, class_weight: Any) -> Answer:
    loss, dx, ce = _weighted_rows(x, y, class_weight[y])
    return loss, {"logits": dx, "class_weight": np.bincount(y, ce, x.shape[1]) / len(x)}


def predicted_weight(x: Any, y: Any, class_weight: Any) -> Answer:
    choice = x.argmax(1)
    loss, dx, ce = _weighted_rows(x, y, class_weight[choice])
    return loss, {"logits": dx, "class_weight": np.bincount(choice, ce, x.shape[1]) / len(x)}


def cost_realized(x: Any, y: Any, cost_matrix: Any) -> Answer:
    choice = x.argmax(1)
    loss, dx, ce = _weighted_rows(x, y, cost_matrix[y, choice])
    dm = np.zeros_like(cost_matrix)
    np.add.at(dm, (y, choice), ce / len(x))
    return loss, {"logits": dx, "cost_matrix": dm}


def cost_expected(x: Any, y: Any, cost_matrix: Any) -> Answer:
    p, costs = np.exp(log_softmax(x)), cost_matrix[y]
    expected = (p * costs).sum(1)
    dm = np.zeros_like(cost_matrix)
    np.add.at(dm, y, p / len(x))
    return expected.mean(), {"logits": p * (costs - expected[:, None]) / len(x), "cost_matrix": dm}


def cost_complement(x: Any, y: Any, cost_matrix: Any) -> Answer:
    p, costs, rows = np.exp(log_softmax(x)), cost_matrix[y], np.arange(len(x))
    costs[rows, y] = 0
    log_rest = np.log1p(-p)
    r = costs * p / (1 - p)
    dx = (r - p * r.sum(1, keepdims=True)) / len(x)
    each = -log_rest / len(x)
    each[rows, y] = 0
    dm = np.zeros_like(cost_matrix)
    np.add.at(dm, y, each)
    return -(costs * log_rest).sum(1).mean(), {"logits": dx, "cost_matrix": dm}


def _smoothed(x: Any, y: Any, share: float) -> Any:
    t = np.full(x.shape, share / x.shape[1])
    t[np.arange(len(x)), y] += 1 - share
    return t


def smooth_terms(x: Any, y: Any, class_weight: Any, label_smoothing: float) -> Answer:
    loss, gradients = class_weight_terms(x, _smoothed(x, y, label_smoothing), class_weight)
    return loss, {leaf: value for leaf, value in gradients.items() if leaf != "labels"}


def _smooth(x: Any, t: Any, s: Any) -> tuple[Any, Any, Any]:
    """Mean loss, d/dx, and the cross-entropies [N], of smoothed labels, which sum to 1, and a weight a row."""
    log_p = log_softmax(x)
    ce = -(t * log_p).sum(1)
    return (s * ce).mean(), s[:, None] * (np.exp(log_p) - t) / len(x), ce


def smooth_sample(x: Any, y: Any, class_weight: Any, label_smoothing: float) -> Answer:
    t = _smoothed(x, y, label_smoothing)
    loss, dx, ce = _smooth(x, t, (class_weight * t).sum(1))
    return loss, {"logits": dx, "class_weight": (ce[:, None] * t).sum(0) / len(x)}


def smooth_after(x: Any, y: Any, class_weight: Any, label_smoothing: float) -> Answer:
    loss, dx, ce = _smooth(x, _smoothed(x, y, label_smoothing), class_weight[y])
    return loss, {"logits": dx, "class_weight": np.bincount(y, ce, x.shape[1]) / len(x)}


LOSSES: Mapping[str, Callable[..., Answer]] = {
    loss.__name__: loss
    for loss in (
        sigmoid, pos_weight, dynamic_pos_weight, softmax, class_weight, class_weight_terms, weighted_logits, sparse,
        sparse_class_weight, predicted_weight, cost_realized, cost_expected, cost_complement, smooth_terms,
        smooth_sample, smooth_after,
    )
}  # fmt: skip
