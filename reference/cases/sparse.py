"""Designs for softmax losses against integer labels: logits are [N, C], labels and loss [N]."""

from __future__ import annotations

from lossvet.reference.cases.design import Design, build
from lossvet.reference.cases.draw import draw
from lossvet.reference.cases.rows import ROWS, X33, X43, Y33, Y43
from lossvet.reference.cases.seeds import SEEDS
from lossvet.reference.types import Case

X27 = "1 -2 0.5 0 3 -1 0.25; -1 2 -0.5 4 -3 1.5 0"
X52 = "1.5 -0.5; 0.25 2; -1 0.75; 3 -2; 0 0.125"
FREE_RIGHT = "0 1 8; 0.5 0 2; 20 0.25 0"
DECIDING = ("predicted_weight", "cost_realized")
"""Variants whose weights depend on the prediction."""
BY_NATIVES = ("sparse", "sparse_class_weight", "smooth_terms")
"""Variants that frameworks have functions for, which leave out rows themselves."""


def _wide(variant: str, **given: str) -> Design:
    """Two numbers in 50,000 classes: of what is equal one gradient is proven, and one number stored."""
    return Design(
        "wide_classes",
        "16.75 0*49999",
        "0",
        "wide_classes one_row tail confident_right",
        "powers of 5e-8 vanish in float32 beside that of the label: all in one partial sum, a sixteenth of them in 16",
        given,
        only=(variant,),
        direction="1 -2*25000 0.5*24999",
    )


# fmt: off
IGNORED = (
    Design("ignored_first", X43, "-100 0 1 2", "ignored_rows"),
    Design("ignored_last", X43, "2 0 1 -100", "ignored_rows"),
    Design("ignored_square", X33, "1 -100 2", "ignored_rows square_batch"),
    Design("ignored_several", X43, "-100 2 -100 1", "ignored_rows", "2 rows count and not 4"),
    Design("ignored_all", X33, "-100 -100 -100", "all_ignored ignored_rows all_weights_zero",
           undefined="zero_over_zero"),
    Design("ignored_leak", "1.5 -0.5 0.25; -10240 2 10240; 0.5 1.25 -2; 3 -0.375 1", "2 -100 1 1",
           "ignored_rows ignored_leak"),
    Design("ignored_infinite", "-inf 2 1; 0.5 1.25 -2; 3 -0.375 1", "-100 2 0",
           "ignored_rows ignored_leak masked_logit",
           "the row's loss would be inf if its label were taken for 0, and inf times a mask of 0 is NaN"),
    Design("ignored_undefined", "0.5 2 -1; -inf -inf -inf; inf 0 0; nan 0 0", "1 -100 -100 -100",
           "ignored_rows ignored_undefined ignored_leak",
           "the loss of the first row, and gradients of 0 in the others, whose softmax is NaN; the -inf of "
           "ignored_infinite has one", only=BY_NATIVES),
    Design("ignored_weighted", X43, "2 -100 1 0", "ignored_rows sample_weight zero_weight",
           "the denominators 4, 3, 2 and the sum of weights all differ", {"sample_weight": "0.5 2 0 3"}),
    Design("ignore_class", X52, "1 0 1 1 0", "ignored_rows", "class 0 is ignored: its label is a class too",
           {"ignore_index": 0}),
    Design("ignore_255", X27, "255 4", "ignored_rows missing_class", given={"ignore_index": 255}),
)

CHOICES = (
    Design("predicts_right", "3 0.5 -1; 0 2.5 1; 0.25 -1 2; -0.5 4 1", "0 1 2 1",
           note="every prediction is right: the weight of the prediction is that of the label",
           only=DECIDING),
    Design("predicts_one", "3 0.5 -1; 2.5 0 1; 2 -1 0.25; 4 -0.5 1", "0 1 2 1",
           note="one class is always predicted: the others' weights have gradient 0",
           only=DECIDING),
    Design("tie_zeros", "-0 0 -1; 0 -0 -0; -2 0 -0", "2 1 1", "tie logit_zero",
           "0 and -0 are equal, and the first is predicted", only=DECIDING),
    Design("tie_infinite", "-inf 2 2; 1 -inf 1; 0.5 0.5 -inf", "2 0 1", "tie masked_logit",
           only=DECIDING),
    Design("predicted_zero", "3 0.5 -1; 0 2.5 1; 0.25 -1 2; 2 1 -1", "1 2 0 2", "zero_weight",
           "two predictions weigh nothing", {"class_weight": "0 2 5"}, only=("predicted_weight",)),
)

COSTS = (
    Design("cost_free_right", X43, Y43, "cost_asymmetric zero_weight",
           given={"cost_matrix": FREE_RIGHT}),
    Design("cost_diagonal", X43, "1 0 2 0", "cost_asymmetric cost_diagonal",
           given={"cost_matrix": "2 0.5 8; 3 1.25 0.25; 0 16 0.75"}),
    Design("cost_square", X33, "0 2 1", "cost_asymmetric square_batch",
           given={"cost_matrix": "0 4 1; 0.25 0 12; 32 2 0"}),
    Design("cost_wide", X43, "0 2 1 0", "cost_asymmetric wide_weights",
           given={"cost_matrix": "0 0.015625 512; 256 0 0.25; 0.0625 64 0"}),
    Design("cost_zero_one", X33, Y33, "cost_zero_one square_batch", "cost_expected is 1 - p_y",
           {"cost_matrix": "0 1 1; 1 0 1; 1 1 0"}),
    Design("cost_row_zero", X43, "1 0 1 2", "zero_weight", "errors about class 1 are free",
           {"cost_matrix": "0 3 0.5; 0 0 0; 6 1.5 0"}),
    Design("cost_all_zero", X33, Y33, "all_weights_zero zero_weight", given={"cost_matrix": "0 0 0; 0 0 0; 0 0 0"},
           undefined="zero_over_zero"),
    Design("cost_all_right", "3 0.5 -1; 0 2.5 1; 0.25 -1 2", "0 1 2", "all_weights_zero zero_weight cost_asymmetric",
           "every decision made is right and free", {"cost_matrix": FREE_RIGHT},
           undefined="zero_over_zero"),
    Design("cost_right", "24 0 1; -1 40 0.5; 2 -0.5 64; 0 18 -2", "0 1 2 1", "confident_right tail cost_asymmetric",
           given={"cost_matrix": FREE_RIGHT}, undefined="zero_over_zero"),
    Design("cost_wrong", "24 0 1; -1 40 0.5; 2 -0.5 64; 0 18 -2", "1 0 0 2", "confident_wrong cost_asymmetric",
           "1 - p rounds to 0 where the cost is paid: the loss is the gap",
           {"cost_matrix": FREE_RIGHT}),
    Design("cost_sample_weight", X43, "1 0 2 0", "cost_asymmetric sample_weight zero_weight",
           given={"cost_matrix": FREE_RIGHT, "sample_weight": "2 0 0.5 3"}),
    Design("cost_seven", X27, "5 2", "missing_class cost_asymmetric",
           only=("cost_realized", "cost_expected", "cost_complement")),
)

SMOOTHING = (
    Design("smoothed_mask", "1 -inf 2; 0.5 -1 0.25; 2 1.5 -0.5", "2 0 1",
           "masked_logit smoothing_on_mask infinite_loss square_batch", given={"label_smoothing": 0.125},
           undefined="infinite"),
    Design("smoothing_none", X52, "1 0 0 1 1", "smoothing_edge", "the loss without smoothing",
           {"label_smoothing": 0.0}),
    Design("smoothing_all", X27, "4 1", "smoothing_edge", "nothing is left of the label but its weight",
           {"label_smoothing": 1.0}),
    Design("smoothing_half_row", "1.5 -0.25 0", "2", "one_row", given={"label_smoothing": 0.5}),
    Design("smoothing_seven", X27, "6 3", note="over 7 classes and not over 6 others", given={"label_smoothing": 0.25}),
    Design("smoothing_tenth", draw("sparse/smoothing_tenth/logits", (2, 7), 53), "5 1", "full_precision",
           "the double nearest to 0.1", {"label_smoothing": 0.1}, bits=53),
    Design("smoothing_ignored", X52, "0 1 -1 1 0", "ignored_rows", given={"label_smoothing": 0.25, "ignore_index": -1}),
)

HEAVY = (
    Design("weights_past_range", "; ".join(["0 0"] * 36), " ".join("01" * 18), "past_range equal_logits",
           "weights of 73,728 in all, and losses of 51,104",
           given={"class_weight": "1536 2560"}, only=("sparse_class_weight",)),
)

WIDE = (
    _wide("sparse"),
    _wide("sparse_class_weight", class_weight="3 0.5*49999"),
)

INVALID = (
    Design("label_too_large", X43, "2 3 1 0", "invalid_label", "label 3 of 3 classes", undefined="label_out_of_range",
           only=("sparse",)),
    Design("label_negative", X43, "2 0 -1 1", "invalid_label", "label -1, not ignored", undefined="label_out_of_range",
           only=("sparse",)),
)
# fmt: on


def sparse_cases(variant: str, params: type) -> tuple[Case, ...]:
    """The cases of a variant with integer labels, with its type of params."""
    return build(
        variant,
        "sparse",
        params,
        (*ROWS, *IGNORED, *CHOICES, *COSTS, *SMOOTHING, *HEAVY, *WIDE, *INVALID, *SEEDS.get(variant, ())),
    )
