"""Designs for the binary losses: logits, labels and loss are [N, C], every element a decision of its own."""

from __future__ import annotations

import numpy as np

from lossvet.reference.cases.design import Design, build
from lossvet.reference.cases.draw import draw
from lossvet.reference.cases.seeds import SEEDS
from lossvet.reference.types import Array, Case

X43 = "1.25 -0.5 0.25; -0.75 0.625 -2; 0.375 -1.5 3; 0.5 -2.25 1.125"
T43 = "1 0 0; 0 1 0; 1 0 1; 1 1 0"
X33 = "0.75 -1.25 2; -0.375 1.5 -3; 2.25 0.125 -0.625"
T33 = "0 1 0; 1 1 0; 0 0 1"
ONES, ZEROS = "1 1 1; 1 1 1; 1 1 1; 1 1 1", "0 0 0; 0 0 0; 0 0 0; 0 0 0"
MIXED_INFINITE = "inf -0.5 -inf; 1.25 inf -inf; 0.5 2 -1; -inf 0.25 inf"


def _coins(name: str, shape: tuple[int, int]) -> Array:
    """Labels 0 and 1."""
    return np.signbit(draw(f"binary/{name}/labels", shape, 8)).astype(np.float64)


def _drawn(name: str, shape: tuple[int, int], bits: int, largest: int = 1, soft: bool = True) -> Design:
    """A design at full precision: logits below 2 ** (largest + 1), labels soft or hard."""
    soft_labels = draw(f"binary/{name}/labels", shape, bits, (-3, -1), signed=False)
    return Design(
        name,
        draw(f"binary/{name}/logits", shape, bits, (-3, largest)),
        soft_labels if soft else _coins(name, shape),
        "full_precision soft_labels" if soft else "full_precision",
        f"every input has {bits} significant bits: a cast to fewer changes each of them",
        bits=bits,
    )


# fmt: off
DESIGNS = (
    # Meaning
    Design("hard", X43, T43, note="3, 2 and 1 positives of 4: swapped columns or a lost row change every mean"),
    Design("hard_square", X33, T33, "square_batch", "the transposed labels are others"),
    Design("soft", X43, "0.75 0.25 0.5; 0.125 1 0; 0.375 0.5 0.875; 0 0.625 0.25", "soft_labels"),
    Design("soft_square", X33, "0.5 0.125 0; 1 0.75 0.25; 0.375 0 0.875", "soft_labels square_batch"),
    Design("labels_beyond", X33, "2 -0.5 1; 0 1.5 -1; -0.25 1 3", "labels_beyond square_batch"),
    Design("positives", X43, ONES, note="no negative term at all"),
    Design("negatives", X43, ZEROS, "few_positives labels_zero", "no positive term: pos_weight changes nothing"),
    Design("zero_row", X43, "0 0 0; 1 1 0; 0 0 1; 1 0 1", "labels_zero"),
    Design("empty_class", X43, "1 0 0; 1 0 1; 0 0 1; 1 0 0", "few_positives missing_class"),
    Design("empty_class_square", X33, "0 1 0; 0 1 1; 0 1 1", "few_positives missing_class square_batch"),
    Design("nearly_empty_class", X33, "2^-11 1 0; 0 0.5 0.25; 0 1 2^-9", "few_positives soft_labels"),
    # Around 0
    Design("at_zero", ZEROS, T43, "logit_zero equal_logits"),
    Design("at_zero_soft", "0 0 0; 0 0 0; 0 0 0", "0.5 0.25 1; 0 0.75 0.125; 1 0 0.5", "logit_zero soft_labels"),
    Design("at_negative_zero", "-0 0 -0; 0 -0 0; -0 -0 0", T33, "logit_zero"),
    Design("one_zero", "1.5 -0.75 2; -1 0 0.5; 3 -2 -0.25; 0.125 1 -4", T43, "logit_zero", "the zero is a positive"),
    Design("near_zero", "2^-10 -2^-10 2^-15; -2^-20 2^-20 2^-4; 2^-7 -2^-5 0.5", T33, "logit_near_zero"),
    # Small losses
    Design("tail_negatives", "-10 -12 -16; -20 -14 -18; -8 -11 -15; -13 -17 -19", ZEROS,
           "tail labels_zero few_positives"),
    Design("tail_positives", "10 12 16; 20 14 18; 8 11 15; 13 17 19", ONES, "tail confident_right"),
    Design("tail_both", "-12 16 -20; 14 -15 12; -24 -18 10", "0 1 0; 1 0 1; 0 0 1",
           "tail confident_right square_batch"),
    Design("tail_soft", "-16 -12 -20; 16 12 20; -18 14 -10", "2^-10 0.5 0; 0.5 1 0.25; 0 0.9375 0.0625",
           "tail soft_labels"),
    Design("tail_one", "-16 1.5 0.75; -0.5 2 -1; 0.25 -3 1.25", T33, "tail", "one small loss among ordinary ones"),
    Design("far_tail", "-30 -40 -60; 30 40 60; -80 -64 72; 36 -52 -48", "0 0 0; 1 1 1; 0 0 1; 1 0 0",
           "tail confident_right"),
    Design("subnormal", "-88 -90 -96; -103 -104 -100; 89 96 103; -87 92 -94", "0 0 0; 0 0 0; 1 1 1; 0 1 0",
           "subnormal tail"),
    Design("subnormal_double", "-708 -712 -720; -736 744 748; -744 728 -752", "0 0 0; 0 1 1; 0 1 0", "subnormal tail"),
    # Large losses
    Design("wrong", "-20 16 -12; 20 -16 24; -18 -30 17; 19 -22 15", "1 0 1; 0 1 0; 1 1 0; 0 1 0", "confident_wrong"),
    Design("wrong_soft", "-20 20 -64; 30 -40 64; -17 18 -24", "0.5 0.5 0.25; 0.125 0.75 0.5; 1 0 0.875",
           "confident_wrong soft_labels"),
    Design("wide", "64 -64 120; -120 64 -64; 120 -120 -64; 100 -100 72", T43, "wide_logits confident_wrong"),
    Design("very_wide", "10240 -10240 5120; -5120 10240 -10240; 8192 -8192 1024", T33, "wide_logits confident_wrong"),
    Design("uneven", "10240 0.5 -1; 0.25 -0.125 1; -2 0.75 -0.5", "0 1 0; 1 0 1; 0 1 0",
           "uneven_losses confident_wrong"),
    Design("overflow", "88.5 89 -88.5; -89 100 -100; 104 -104 128; -128 89.5 88", T43, "exp_overflow"),
    Design("overflow_double", "708 712 -708; -712 752 -752; 1024 -1024 700", T33, "exp_overflow"),
    Design("threshold", "19.75 20 20.25; 20.5 -20.25 21; 24 -22 33; 36 37 -20", ZEROS,
           "softplus_threshold labels_zero"),
    # Infinity
    Design("infinite_right", MIXED_INFINITE, "1 0 0; 1 1 0; 0 1 1; 0 0 1", "infinite_logit",
           "every infinite logit is right", undefined="infinite"),
    Design("infinite_wrong", "inf -0.5 0.25; 1.25 0.75 -inf; 0.5 2 -1; -2 0.25 1.5", "0 0 1; 1 0 1; 0 1 1; 1 1 0",
           "infinite_logit infinite_loss confident_wrong",
           "an infinite loss in two columns; with a dynamic weight the gradient in the labels would be inf - inf",
           undefined="infinite", skip=("dynamic_pos_weight",)),
    # The weight of the positives
    Design("scalar", X43, T43, "scalar_weight", given={"pos_weight": 2.5}),
    Design("scalar_square", X33, "0.5 1 0; 1 0.75 0; 0 0 1", "scalar_weight square_batch soft_labels",
           given={"pos_weight": 0.375}),
    Design("scalar_at_zero", "0 -0 0; -0 0 0; 0 0 -0", T33, "scalar_weight logit_zero", given={"pos_weight": 3.0}),
    Design("unit_weight", X33, T33, "unit_weights", "equal to sigmoid", {"pos_weight": "1 1 1"}),
    Design("tiny_weight", X43, T43, "tiny_pos_weight wide_weights", given={"pos_weight": "2^-20 2^-12 2^-8"}),
    Design("small_weight_tail", "16 20 24; 30 18 22; 17 26 40", "1 1 1; 1 1 1; 1 1 1", "tail tiny_pos_weight",
           "the gradient is small, negative, and its sign is easily lost", {"pos_weight": "0.125 0.09375 0.5"}),
    Design("large_weight", X43, T43, "wide_weights", given={"pos_weight": "4096 512 0.5"}),
    Design("zero_weight", X43, T43, "zero_pos_weight zero_weight", given={"pos_weight": "0 2 0.25"}),
    Design("zero_weight_wrong", "-20 16 -64; 12 -30 0; -0 24 -12", T33, "zero_pos_weight logit_zero",
           given={"pos_weight": "0 0 3"}),
    # Shapes
    Design("one_row", "1.5 -0.25 0", "1 0 1", "one_row logit_zero"),
    Design("one_column", "0.75; -1.5; 12; -0", "1; 0; 0; 1", "one_class logit_zero"),
    Design("wide_shape", "1 -2 0.5 0 3 -16 0.25; -1 2 -0.5 4 -3 16 0", "1 0 1 0 0 0 1; 0 0 0.5 1 1 1 0", "soft_labels"),
    Design("one_element", "-0.625", "1", "one_row one_class"),
    Design("empty", np.empty((0, 3)), np.empty((0, 3)), "empty_batch", undefined="zero_over_zero"),
    # 16 bits
    Design("sum_past_range", "; ".join(["-2048 2048"] * 18), "; ".join(["1 0"] * 18), "past_range confident_wrong",
           "36 losses of 2048 or more, and a mean in range", only=("sigmoid", "pos_weight")),
    # Full precision
    _drawn("random_24", (4, 3), 24),
    _drawn("random_24_square", (3, 3), 24),
    _drawn("random_24_hard", (4, 3), 24, soft=False),
    _drawn("random_24_wide", (4, 3), 24, largest=4, soft=False),
    _drawn("random_24_batch", (16, 5), 24, soft=False),
    _drawn("random_53", (4, 3), 53),
    _drawn("random_53_square", (3, 3), 53, largest=4, soft=False),
    _drawn("random_53_columns", (2, 7), 53),
)
# fmt: on


def binary_cases(variant: str, params: type) -> tuple[Case, ...]:
    """The cases of a binary variant, with its type of params."""
    return build(variant, "binary", params, (*DESIGNS, *SEEDS.get(variant, ())))
