"""What the one-of-C variants share: closed forms of sum_c k_c (lse - x_c), and products of their derivatives."""

from __future__ import annotations

from typing import Any

from lossvet.reference.types import Array


def logits_gradient(softmax: Any, k: Any) -> Any:
    """d/dx of sum_c k_c (lse - x_c), [N, C]: p sum(k) - k."""
    return softmax.p * k.sum(1).column() - k


def hessian_product(softmax: Any, k: Any, direction: Any) -> Any:
    """The Hessian of sum_c k_c (lse - x_c) times the direction u, [N, C]: sum(k) p (u - p . u)."""
    scaled = softmax.p * direction
    product = (scaled - softmax.p * scaled.sum(1).column()) * k.sum(1).column()
    # A sound kernel may have p from 1 - p, as s (1 - s) has: its error is then at the scale of 1, not of p.
    return softmax.loosen(product, k.sum(1).column() * direction)


def smoothed(a: Any, labels: Array, classes: int, alpha: float) -> Any:
    """One-hot labels moved towards uniform, [N, C]: (1 - a) onehot + a / C, from sparse labels [N]."""
    share = a.exact(alpha)
    return a.leaf((1.0 - share) * a.one_hot(labels, classes) + share / float(classes))
