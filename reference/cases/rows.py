"""Designs with one true class a row, for every softmax loss. Labels are classes; dense losses take them one-hot."""

from __future__ import annotations

import numpy as np

from lossvet.reference.cases.design import Design
from lossvet.reference.cases.draw import draw

SMOOTHED = ("smooth_terms", "smooth_sample", "smooth_after")
"""Variants that give every class a share of the label, so that a masked class has an infinite loss."""

X43, Y43 = "1.5 -0.5 0.25; -1 2 0.75; 0.5 1.25 -2; 3 -0.375 1", "2 0 1 1"
X33, Y33 = "0.5 2 -1; 1.75 -0.25 0.625; -1.5 0.375 1", "1 2 0"


def drawn(name: str, shape: tuple[int, int], bits: int, labels: str, largest: int = 1) -> Design:
    """A design at full precision: logits below 2 ** (largest + 1)."""
    return Design(
        name,
        draw(f"rows/{name}/logits", shape, bits, (-3, largest)),
        labels,
        "full_precision",
        f"every input has {bits} significant bits: a cast to fewer changes each of them",
        bits=bits,
    )


# fmt: off
ROWS = (
    # Meaning
    Design("hard", X43, Y43, note="counts 1, 2, 1, unequal weights: swapped classes or a lost row change every mean"),
    Design("hard_square", X33, Y33, "square_batch", "labels 1, 2, 0: weights laid on rows are others"),
    Design("swapped_square", X33, "0 2 1", "square_batch",
           "one pair out of order, as where class weights met rows silently"),
    Design("repeated_square", X33, "2 2 0", "square_batch missing_class", "the batch size is no sum of weights"),
    Design("missing_class", X43, "0 2 0 0", "missing_class", "class 1 never occurs, counts 3, 0, 1"),
    Design("same_class", X43, "1 1 1 1", "missing_class", "under weighted_mean the weights of the classes cancel"),
    # Weights
    Design("sample_weight", X43, Y43, "sample_weight zero_weight",
           "the denominators 4, 3 and the sum of weights all differ", {"sample_weight": "0.5 2 0 3"}),
    Design("sample_weight_square", X33, "0 2 1", "sample_weight square_batch",
           "weights of rows laid on classes are others", {"sample_weight": "4 0.25 1.5"}),
    Design("sample_weight_zero", X43, Y43, "sample_weight all_weights_zero", given={"sample_weight": "0 0 0 0"},
           undefined="zero_over_zero"),
    Design("zero_weight", X43, "1 0 2 0", "zero_weight", "denominators: 4 rows, 2 non-zero, sum 7",
           {"class_weight": "0 2 5"}),
    Design("zero_weight_square", X33, "2 0 1", "zero_weight square_batch", given={"class_weight": "1.5 0 4"}),
    Design("all_weights_zero", X43, Y43, "all_weights_zero zero_weight", given={"class_weight": "0 0 0"},
           undefined="zero_over_zero"),
    Design("wide_weights", X43, Y43, "wide_weights", given={"class_weight": "0.015625 1 512"}),
    Design("tiny_weights", X33, Y33, "tiny_weights square_batch",
           given={"class_weight": "0.00000095367431640625 0.000003814697265625 0.0000019073486328125"}),
    Design("unit_weights", X33, Y33, "unit_weights square_batch", "the unweighted loss", {"class_weight": "1 1 1"}),
    Design("both_weights", X43, "1 0 2 1", "sample_weight zero_weight",
           "weights of rows times weights of classes, in the denominator too",
           {"class_weight": "0.25 3 2", "sample_weight": "2 0.5 1.5 0"}),
    # Small losses
    Design("right", "24 0 1; -1 30 0.5; 2 -0.5 28; 1 26 -2", "0 1 2 1", "confident_right tail"),
    Design("tail", "10 0 -1; 0 12 -4; 1 -3 17; 0 8 -8", "0 1 2 1", "tail confident_right",
           "losses from 3e-4 down to 1e-7"),
    Design("far_tail", "0 40 -2; 64 0 3; 1 0 52", "1 0 2", "tail confident_right square_batch"),
    Design("subnormal", "88 0 -8; 0 96 -1; -4 0 100; 104 0 1", "0 1 2 0", "subnormal confident_right"),
    Design("subnormal_double", "712 0 -8; 0 736 -1; 3 0 744", "0 1 2", "subnormal confident_right exp_overflow"),
    # Large losses
    Design("wrong", "20 0 1; -1 -18 0.5; 0 24 1; -17 3 0.25", "1 1 2 0", "confident_wrong"),
    Design("wide", "64 -64 0; 120 -1 -120; 0 72 -64; -100 0 1", "1 2 0 2", "wide_logits confident_wrong"),
    Design("very_wide", "10240 -64 0; -5120 10240 1; 0.5 -8192 64", "1 0 2", "wide_logits confident_wrong"),
    Design("uneven", "0 10240 1; 0.25 -0.125 1; -2 0.75 -0.5", "0 2 1", "uneven_losses confident_wrong"),
    Design("overflow", "88.5 89 -88.5; 100 -104 96; -89 -128 -88; 104 89.5 128", "1 0 2 0", "exp_overflow"),
    Design("overflow_double", "708 712 704; -712 -708 -752; 1024 -1024 1016", "0 2 2", "exp_overflow wide_logits"),
    # Offsets and ties
    Design("offset", "1000 1004 996; 1008 1004 1004; 996 1000 1000; 992 988 1000", Y43, "shared_offset exp_overflow"),
    Design("offset_negative", "-1000 -1004 -996; -996 -1000 -1000; -992 -988 -996", Y33, "shared_offset"),
    Design("offset_right", "1000 988 984; 992 1008 996; 1000 984 1016", "0 1 2", "shared_offset confident_right tail",
           "losses from 6e-6 down to 1e-7, offset 1000"),
    Design("at_zero", "0 0 0; -0 0 0; 0 -0 0; 0 0 -0", Y43, "equal_logits logit_zero tie"),
    Design("equal", "2 2 2; -3 -3 -3; 0.5 0.5 0.5", Y33, "equal_logits tie square_batch"),
    Design("one_zero", "1.5 0 -0.75; -1 2 0.5; 3 -2 -0.25; 0.125 1 -4", "1 0 2 2", "logit_zero"),
    Design("ties", "2 2 1; 1 3 3; -1 0.5 -1; 4 -2 4", "1 2 0 2", "tie",
           "the last of the largest is the label; the first is predicted"),
    # Masks
    Design("masked", "1 -inf 2; -inf 0.5 -1; 0.25 -2 1.5; 3 0 -inf", "2 1 0 1", "masked_logit",
           undefined="infinite", skip=SMOOTHED),
    Design("masked_two", "1.5 -inf -inf; 0.5 -inf 2; -inf -1 0.25", "0 2 1", "masked_logit square_batch",
           undefined="infinite", skip=SMOOTHED),
    Design("masked_label", "1 -inf 2; 0.5 -1 0.25; 2 1.5 -0.5; -0.25 0 1", "1 0 2 1", "masked_logit infinite_loss",
           undefined="infinite", skip=("class_weight",)),  # whose derivative in w is 0 * inf
    # Shapes
    Design("one_row", "1.5 -0.25 0", "1", "one_row"),
    Design("one_class", "0.75; -1.5; 12; -0", "0 0 0 0", "one_class"),
    Design("seven_classes", "1 -2 0.5 0 3 -16 0.25; -1 2 -0.5 4 -3 16 0", "4 2", "missing_class"),
    Design("empty", np.empty((0, 3)), np.empty(0, dtype=np.int64), "empty_batch", undefined="zero_over_zero"),
    # 16 bits
    Design("gap", "7 0; 5.5 0", "0 0", "tail confident_right", only=("softmax", "sparse")),
    Design("sum_past_range", "; ".join(["0 2048"] * 64), " ".join("0" * 64), "past_range confident_wrong",
           "64 losses of 2048, and a mean of 2048", only=("softmax", "sparse")),
    # Full precision
    Design("offset_24",
           "65536.5 65537.75 65535.25; 65538 65536.125 65537; -65536.25 -65538 -65537.75; 65535 65536 65534.5", Y43,
           "shared_offset full_precision", bits=24),
    drawn("random_24", (4, 3), 24, Y43),
    drawn("random_24_wide", (4, 3), 24, "0 2 1 0", largest=4),
    drawn("random_24_batch", (16, 5), 24, "3 0 1 1 4 0 3 3 1 0 4 1 1 0 3 1"),
    drawn("random_53", (4, 3), 53, "1 2 0 2"),
    drawn("random_53_square", (3, 3), 53, "1 0 0", largest=4),
)
# fmt: on
