"""What the binary variants share: their rows, from the terms and derivatives of one weighted decision."""

from __future__ import annotations

from typing import Any

from lossvet.reference.types import Array, Rows


def rows(terms: Any, pos_weight_shape: tuple[int, ...] | None = None) -> Rows:
    """Rows of loss shape [N, C] from `terms` (loss, dx, dt, dq, dxx); a gradient in pos_weight if it has a shape."""

    def pullback(g: Any) -> dict[str, Any]:
        gradients = {"logits": g * terms.dx, "labels": g * terms.dt}
        if pos_weight_shape is not None:
            products = g * terms.dq
            gradients["pos_weight"] = products.sum(0) if pos_weight_shape else products.sum((0, 1))
        return gradients

    def hessian(g: Any, direction: Array) -> Any:
        return g * terms.dxx * direction

    return Rows(loss=terms.loss, pullback=pullback, hessian=hessian)
