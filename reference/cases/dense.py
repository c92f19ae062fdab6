"""Designs for softmax losses against dense labels: logits and labels are [N, C], the loss is [N]."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lossvet.reference.cases.design import Design, build, grid, one_hot
from lossvet.reference.cases.draw import draw, draw_simplex
from lossvet.reference.cases.rows import ROWS, X33, X43
from lossvet.reference.cases.seeds import SEEDS
from lossvet.reference.types import Array, Case

SOFT43 = "0.5 0.375 0.125; 0.25 0 0.75; 0.0625 0.6875 0.25; 0 1 0"
SOFT33 = "0.25 0.25 0.5; 0.625 0.125 0.25; 0 0.875 0.125"


def _drawn(name: str, shape: tuple[int, int], bits: int, labels: Array | None = None) -> Design:
    """A design at full precision, with soft labels whose rows sum to exactly 1 unless others are given."""
    return Design(
        name,
        draw(f"dense/{name}/logits", shape, bits, (-3, 1)),
        draw_simplex(f"dense/{name}/labels", shape, bits) if labels is None else labels,
        f"full_precision soft_labels{'' if labels is None else ' labels_unnormalised'}",
        f"every input has {bits} significant bits: a cast to fewer changes each of them",
        bits=bits,
    )


def _products(name: str, shape: tuple[int, int], bits: int, exponents: tuple[int, int], labels: str = "") -> Design:
    """A design whose logits, multiplied by weights of as many bits, are rounded by more than exp can take."""
    return Design(
        name,
        draw(f"dense/{name}/logits", shape, bits, exponents),
        labels or draw_simplex(f"dense/{name}/labels", shape, bits),
        f"rounded_product full_precision wide_logits {'' if labels else 'soft_labels'}",
        f"logits from 2^{exponents[0]} on: half a unit in the last place of a product is more than exp can take",
        bits=bits,
        only=("weighted_logits",),
    )


# fmt: off
SOFT = (
    # Labels
    Design("soft", X43, SOFT43, "soft_labels", "rows sum to 1; class_weight and class_weight_terms part"),
    Design("soft_square", X33, SOFT33, "soft_labels square_batch", "neither the labels nor their sums are symmetric"),
    Design("sum_two", X43, "1 0.5 0.5; 0 2 0; 0.75 0.25 1; 1.5 0.5 0", "labels_unnormalised soft_labels"),
    Design("sum_half", X33, "0.25 0 0.25; 0.125 0.375 0; 0 0 0.5", "labels_unnormalised soft_labels square_batch"),
    Design("sums_differ", X43, "1 1 1; 0.5 0 0; 0 0.75 2; 0.125 0.25 0.5", "labels_unnormalised soft_labels"),
    Design("weighted_labels", X43, "0 0 2; 0.5 0 0; 0 3 0; 0 3 0", "labels_unnormalised",
           "one-hot labels times weights of classes, as if they were labels: the loss is right, p - t is not its "
           "gradient"),
    Design("zero_row", X43, "0 0 1; 0 0 0; 0 1 0; 0.5 0.5 0", "labels_zero zero_weight",
           "its weight, by class, is 0 too"),
    Design("labels_beyond", X33, "1.5 -0.25 -0.25; 0 2 -1; 0.5 0.25 1", "labels_beyond square_batch"),
    # Labels and weights
    Design("soft_sample_weight", X43, SOFT43, "soft_labels sample_weight zero_weight",
           given={"sample_weight": "0.5 2 0 3"}),
    Design("soft_zero_weight", X43, SOFT43, "soft_labels zero_weight", "the last row weighs nothing",
           {"class_weight": "4 0 0.5"}),
    # Labels and logits
    Design("soft_wrong", "20 -20 0; -1 -24 18; 0 16 -30", SOFT33, "soft_labels confident_wrong square_batch"),
    Design("soft_equal", "2 2 2; -3 -3 -3; 0 0 -0; 0.5 0.5 0.5", SOFT43, "soft_labels equal_logits logit_zero"),
    Design("soft_masked", "1 -inf 2; 0.5 2 -inf; 0.25 -2 1.5; -inf 0 1",
           "0.25 0 0.75; 1 0 0; 0.5 0.25 0.25; 0 0.375 0.625", "soft_labels masked_logit", undefined="infinite"),
    Design("soft_masked_label", "1 -inf 2; 0.5 -1 0.25; 2 1.5 -0.5", "0.25 0.25 0.5; 0 0.5 0.5; 1 0 0",
           "soft_labels masked_logit infinite_loss square_batch", undefined="infinite"),
    # Shapes
    Design("soft_one_class", "0.75; -1.5; 12; -0", "0.5; 1; 0.25; 2", "one_class labels_unnormalised",
           "the loss and the gradient are 0 whatever the labels"),
    Design("soft_seven", "1 -2 0.5 0 3 -1 0.25; -1 2 -0.5 4 -3 1.5 0",
           "0.25 0 0.125 0.5 0 0.0625 0.0625; 0 0.5 0 0 0.25 0 0.25", "soft_labels"),
    # Full precision
    _drawn("soft_24", (4, 3), 24),
    _drawn("soft_24_square", (3, 3), 24),
    _drawn("sums_24", (4, 3), 24, draw("dense/sums_24/labels", (4, 3), 24, (-3, 0), signed=False)),
    _drawn("soft_53", (4, 3), 53),
    # Products of logits and weights
    _products("products_24", (4, 3), 24, (33, 36), "1 0 0; 0 1 0; 1 0 0; 0 0 1"),
    _products("products_24_square", (3, 3), 24, (35, 40)),
    _products("products_53", (4, 3), 53, (64, 66)),
)
# fmt: on


def _dense(design: Design) -> Design:
    """A design with one true class a row, its labels one-hot."""
    logits = grid(design.logits) if isinstance(design.logits, str) else design.logits
    labels = one_hot(design.labels, logits.shape[1]) if isinstance(design.labels, str) else np.empty(logits.shape)
    return replace(design, labels=labels)


def dense_cases(variant: str, params: type) -> tuple[Case, ...]:
    """The cases of a variant with dense labels, with its type of params."""
    return build(variant, "dense", params, (*map(_dense, ROWS), *SOFT, *SEEDS.get(variant, ())))
