"""Designs for softmax losses against dense labels: logits and labels are [N, C], the loss is [N]."""

from __future__ import annotations

import numpy as np

from lossvet.reference.cases.design import INFINITE, ZERO_OVER_ZERO, Design, build, one_hot
from lossvet.reference.cases.draw import draw, draw_simplex
from lossvet.reference.cases.seeds import SEEDS
from lossvet.reference.types import Array, Case

X43 = "1.5 -0.5 0.25; -1 2 0.75; 0.5 1.25 -2; 3 -0.375 1"
X33 = "0.5 2 -1; 1.75 -0.25 0.625; -1.5 0.375 1"
T43, T33 = one_hot("2 0 1 1", 3), one_hot("1 2 0", 3)
SOFT43 = "0.5 0.375 0.125; 0.25 0 0.75; 0.0625 0.6875 0.25; 0 1 0"
SOFT33 = "0.25 0.25 0.5; 0.625 0.125 0.25; 0 0.875 0.125"
MASKED = "1 -inf 2; -inf 0.5 -1; 0.25 -2 1.5; 3 0 -inf"


def _drawn(name: str, shape: tuple[int, int], bits: int, labels: Array | None = None, largest: int = 1) -> Design:
    """A design at full precision: logits below 2 ** (largest + 1); soft labels that sum to exactly 1, unless given."""
    return Design(
        name,
        draw(f"dense/{name}/logits", shape, bits, (-3, largest)),
        draw_simplex(f"dense/{name}/labels", shape, bits) if labels is None else labels,
        bits=bits,
        hazards=("full_precision", "soft_labels") if labels is None else ("full_precision",),
        note=f"every input has {bits} significant bits: a cast to fewer changes each of them",
    )


DESIGNS = (
    # Labels
    Design("one_hot", X43, T43, hazards=("missing_class",), note="counts 1, 2, 1: a swap of classes or a lost row changes every mean"),
    Design("one_hot_square", X33, T33, hazards=("square_batch",), note="labels 1, 2, 0: weights laid on rows are others"),
    Design("soft", X43, SOFT43, hazards=("soft_labels",), note="rows sum to 1; class_weight and class_weight_terms part"),
    Design("soft_square", X33, SOFT33, hazards=("soft_labels", "square_batch")),
    Design("sum_two", X43, "1 0.5 0.5; 0 2 0; 0.75 0.25 1; 1.5 0.5 0", hazards=("labels_unnormalised", "soft_labels")),
    Design("sum_half", X33, "0.25 0 0.25; 0.125 0.375 0; 0 0 0.5", hazards=("labels_unnormalised", "soft_labels", "square_batch")),
    Design("sums_differ", X43, "1 1 1; 0.5 0 0; 0 0.75 2; 0.125 0.25 0.5", hazards=("labels_unnormalised", "soft_labels")),
    Design("zero_row", X43, "0 0 1; 0 0 0; 0 1 0; 0.5 0.5 0", hazards=("labels_zero", "zero_weight"), note="its weight is 0 where classes have weights"),
    Design("labels_beyond", X33, "1.5 -0.25 -0.25; 0 2 -1; 0.5 0.25 1", hazards=("labels_beyond", "square_batch")),
    Design("missing_class", X43, one_hot("0 2 0 0", 3), hazards=("missing_class",), note="class 1 never occurs, counts 3, 0, 1"),
    Design("nearly_hard", X33, "0.9375 0.0625 0; 0 0.0078125 0.9921875; 0.001953125 0.998046875 0".replace("0.9921875", "0.992187500")
           if False else "0.9375 0.0625 0; 0 0.03125 0.96875; 0.0078125 0.9921875 0", hazards=("soft_labels", "square_batch")),
)
