"""Where terms of opposite signs cancel by nature, and where they do not: there, a result without a correct bit is lost.

A bound is as wide as the terms that are added, so it may allow 0 for a small result. Where nothing cancels, sound code
can still compute that result to some digits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lossvet.reference.output import Output, parse
from lossvet.reference.types import Case, Variant, array_params


def uncancelled(variant: Variant, case: Case, name: str) -> NDArray[np.bool_] | None:
    """By element of an output [its shape], whether nothing cancels in it by nature; None where that is not known.

    Of the unreduced loss: where all its coefficients (labels, weights, costs) are at least 0, since log-probabilities
    have one sign. Of its gradient in the logits: where at most one label of a row is not 0, so that it is p_j K - k_j
    with k_j either 0 or K; of a binary loss, where the label is 0 or 1, so that one term is left.
    """
    match parse(name):
        case Output("loss", "none") if variant.cancels != "everywhere":
            return _loss(variant, case)
        case Output("gradient", "none", "logits") if variant.cancels == "nowhere":
            return _gradient(variant, case)
        case _:
            return None


def _loss(variant: Variant, case: Case) -> NDArray[np.bool_]:
    positive = all(bool((array >= 0).all()) for array in array_params(case.params).values())
    t = case.labels
    match variant.family:
        case "sparse":
            return np.full(len(t), positive)
        case "dense":
            return np.asarray((t >= 0).all(1) & positive)
        case "binary":
            return np.asarray((t >= 0) & (t <= 1) & positive)


def _gradient(variant: Variant, case: Case) -> NDArray[np.bool_]:
    t = case.labels
    if variant.family == "binary":
        return np.asarray((t == 0) | (t == 1))
    hard = np.ones(len(t), bool) if variant.family == "sparse" else (t != 0).sum(1) <= 1
    hard &= getattr(case.params, "label_smoothing", 0.0) == 0
    return np.broadcast_to(hard[:, None], case.logits.shape)
