"""The worked examples that people copy, by variant: what each claims, and what holds.

They print no numbers. Those in the notes are the true ones, in float64, of inputs rounded to float32 as they are there.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lossvet.reference.cases.design import Design, one_hot


def _single(text: str) -> str:
    """The decimal numbers of a row or more, rounded to float32, in text that holds every digit."""
    return "; ".join(" ".join(repr(float(np.float32(number))) for number in row.split()) for row in text.split(";"))


# np.random.seed(123); randint(0, 10, 30).reshape(6, 5); randint(0, 5, 6)
GATHER_LOGITS = "2 2 6 1 3; 9 6 1 0 1; 9 0 0 9 3; 4 0 0 4 1; 7 3 2 4 7; 2 4 8 0 7"
GATHER_LABELS = "1 3 4 4 4 1"
GATHER_WEIGHTS = "0.3 0.1 0.2 0.3 0.1"

BASIC = _single("1.2 -0.5; -0.8 0.6; 0.3 -1.5")
MULTIPLE = _single("1.2 -0.5 0.2; -0.8 0.6 -0.9; 0.3 -1.5 0.8")
DYNAMIC = _single("1.2 -0.5 0.2; -0.8 0.6 -0.9; 0.3 -1.5 0.8; 0.5 0.1 1.1")

# The examples with three classes give no logits: these are ours.
TERNARY, TERNARY_LABELS = "2 -1 0.5; 0.25 1.5 -0.75; -0.5 0 3; 1 0.125 -2", "2 1 0 1"
SQUARE, SQUARE_LABELS = "0.5 2 -1; 1.75 -0.25 0.625; -1.5 0.375 1", "0 2 1"
ONE_HOT = one_hot(TERNARY_LABELS, 3)
PAIRS = {"cost_matrix": "0 1 2; 3 0 4; 8 0.5 0"}

# fmt: off
SEEDS: Mapping[str, tuple[Design, ...]] = {
    "sparse_class_weight": (
        Design("seed/gather", GATHER_LOGITS, GATHER_LABELS, "missing_class",
               "weights gathered by label, given to tf.losses.sparse_softmax_cross_entropy, which divides by the 6 of "
               "them that are not 0: 0.77875891312121767. Over the sum of the weights: 5.8406917069803636",
               {"class_weight": _single(GATHER_WEIGHTS)}, bits=24),
        Design("seed/gather_double", GATHER_LOGITS, GATHER_LABELS, "missing_class",
               "the same with class weights as float64: 0.77875889027966179, and 5.8406916770974633",
               {"class_weight": GATHER_WEIGHTS}, bits=53),
        Design("seed/ternary", TERNARY, TERNARY_LABELS, "",
               "weights gathered by label: the same loss as from one-hot labels", {"class_weight": "1 2 3"}),
    ),
    "class_weight": (
        Design("seed/ternary", TERNARY, ONE_HOT, "",
               "weights = reduce_sum(class_weights * onehot_labels, axis=1), times the losses, reduce_mean",
               {"class_weight": "1 2 3"}),
        Design("seed/zero_weight", TERNARY, ONE_HOT, "zero_weight",
               "'tf.losses.softmax_cross_entropy to handle the last three steps': it divides by the number of weights "
               "that are not 0, and reduce_mean by that of rows. The one is 4 / 3 of the other here",
               {"class_weight": "0 2 3"}),
        Design("seed/broadcast", SQUARE, one_hot(SQUARE_LABELS, 3), "square_batch",
               "weights = class_weights, 'and the rest of the code need not change thanks to broadcasting magic': as "
               "N = C nothing is raised, and row n has weight n whatever its class. Where N and C differ it raises",
               {"class_weight": "1 10 100"}),
    ),
    "predicted_weight": (
        Design("seed/estimated", TERNARY, TERNARY_LABELS, "",
               "'penalized the loss based on the estimated labels': the weight of the class predicted, for which "
               "weights = class_weights is no spelling", {"class_weight": "1 2 3"}),
        Design("seed/estimated_square", SQUARE, SQUARE_LABELS, "square_batch",
               "weights = class_weights would give row n the weight n; the predictions are 1, 0, 2",
               {"class_weight": "1 10 100"}),
    ),
    "weighted_logits": (
        Design("seed/scores", TERNARY, ONE_HOT, "",
               "'modifying the scores before comparing them, typically by multiplication with weights': the words "
               "before code that multiplies losses. It is another loss", {"class_weight": "1 2 3"}),
    ),
    "cost_realized": (
        Design("seed/pairs", TERNARY, TERNARY_LABELS, "cost_asymmetric zero_weight",
               "'how to penalize choosing label X when the true label is Y': one cost a row, that of the choice made. "
               "A weight of shape [N, C], as the text has it, does not fit losses of shape [N]", PAIRS),
    ),
    "cost_expected": (
        Design("seed/pairs", TERNARY, TERNARY_LABELS, "cost_asymmetric",
               "the same costs, expected under the softmax: with a gradient through the choice", PAIRS),
    ),
    "pos_weight": (
        Design("seed/basic", BASIC, "1 0; 0 1; 1 0", "scalar_weight",
               "'averages the loss across all samples': reduce_mean is over all N C elements, 0.59280703331367186",
               {"pos_weight": 2.0}, bits=24),
        Design("seed/multiple", MULTIPLE, "1 0 0; 0 1 0; 1 0 1", "square_batch",
               "class weights used as pos_weight, one a column and not one a row: 0.63225265421572187",
               {"pos_weight": "2 3 1.5"}, bits=24),
        Design("seed/stable", "0 -16 16; -20 0 20; -0 15 -15", "1 0 1; 0 0 1; 0.5 1 0",
               "logit_zero tail confident_right scalar_weight soft_labels square_batch",
               "'to ensure stability and avoid overflow, the implementation uses' the last of six forms, all equal. "
               "Its derivative is wrong at x = 0, and in float32 its value is 0 for z = 0 and x < -14.6",
               {"pos_weight": 3.0}),
    ),
    "dynamic_pos_weight": (
        Design("seed/dynamic", DYNAMIC, "1 0 0; 0 1 0; 1 0 1; 0 1 1", "",
               "pos_weights = total_counts / (pos_counts + 1e-6): 0.68965622169222734", bits=24),
        Design("seed/no_positive", DYNAMIC, "1 0 0; 0 0 0; 1 0 1; 0 0 1", "few_positives missing_class",
               "'avoid division by zero': the weight of a class without positives is 4e6, finite in float32 and "
               "infinite in float16, where 0 * inf makes the loss NaN", bits=24),
    ),
}
# fmt: on
