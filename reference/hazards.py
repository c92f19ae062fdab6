"""The hazards: named reasons why an input is hard, each explained once; and the check that a case is in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

import numpy as np

from lossvet.reference.evaluate import check_shapes
from lossvet.reference.types import Array, Case, Variant, kept, leaves


@dataclass(frozen=True)
class Hazard:
    """A reason why an input is hard: what goes wrong and why, and what it looks like."""

    name: str
    why: str
    example: str


def _by_name(*hazards: Hazard) -> Mapping[str, Hazard]:
    return MappingProxyType({hazard.name: hazard for hazard in hazards})


# fmt: off
HAZARDS: Mapping[str, Hazard] = _by_name(
    # Logits
    Hazard("logit_zero",
           "The terms of the published stable form max(-x, 0) + log1p(exp(-|x|)) have a kink at 0; the loss has "
           "none. Automatic differentiation of the form is wrong exactly there, and a layer initialised with zeros "
           "starts there.", "x = 0 or -0: the derivative is (1 - t) / 2 - q t / 2"),
    Hazard("logit_near_zero",
           "Where |x| is far below the unit roundoff the loss is log 2 to the last digit, and the derivative must not "
           "be the one that a kink has at 0.", "x = 2 ** -20"),
    Hazard("tail",
           "A loss near 0 that is computed as a difference of two numbers of the size of the logits has no digits "
           "left, although the loss is an ordinary number.",
           "t = 0, x = -16: 1.1e-7, and exactly 0 from several float32 kernels"),
    Hazard("confident_wrong",
           "The loss is large and must stay linear in the logits. Probabilities clipped at 1e-7 stop it at 16.1, with "
           "gradient 0.", "t = 1, x = -20: the loss is 20"),
    Hazard("confident_right",
           "The probability rounds to 1: log(p) is 0, and log(1 - p) of it is -inf although the loss is finite.",
           "logits 24, 0, 0 and label 0"),
    Hazard("wide_logits", "Logits far apart: every exponential but one vanishes, and the loss is a gap.",
           "x = 10240, -64, 0"),
    Hazard("exp_overflow", "exp(x) overflows: from 88.72 in float32, from 709.78 in float64.",
           "x = 88.5 and 89; x = 708 and 712"),
    Hazard("softplus_threshold",
           "A softplus that returns x above a threshold of 20 is right in float32 and loses half of the digits in "
           "float64.", "t = 0, x = 20.25: 20.25 + 1.6e-9"),
    Hazard("subnormal",
           "The result is below the smallest normal number: some frameworks flush it to 0, others keep it.",
           "t = 0, x = -90 in float32; x = -712 in float64"),
    Hazard("infinite_logit", "One of the two terms is 0 * inf, which counts as 0: the loss is 0 or inf and not NaN.",
           "x = inf, t = 1"),
    Hazard("masked_logit",
           "A class that is masked by a logit of -inf takes no part; its term 0 * inf must not turn the row into NaN.",
           "x = (1, -inf, 2) with label 2"),
    Hazard("infinite_loss",
           "The label has probability 0: the loss is inf, and its derivative in the logits is "
           "finite.", "x = (1, -inf, 2) with label 1"),
    Hazard("shared_offset",
           "The loss does not depend on a number added to a whole row; a log-sum-exp from which a logit is subtracted "
           "at the end loses the digits that the offset takes.", "x + 1000"),
    Hazard("equal_logits", "The softmax is uniform: the loss is log C, and every argmax is a tie.", "x = (2, 2, 2)"),
    Hazard("tie", "Two classes share the largest logit: the lowest index is the predicted one.",
           "x = (1, 4, 4) predicts 1"),
    # Labels
    Hazard("soft_labels", "Labels between 0 and 1 must not be rounded, cast to integers or replaced by their argmax.",
           "(0.5, 0.375, 0.125)"),
    Hazard("labels_unnormalised",
           "The labels of a row do not sum to 1: the derivative in the logits is p sum(t) - t, not p - t.",
           "(1, 0.5, 0.5)"),
    Hazard("labels_beyond", "Labels below 0 or above 1: the loss is linear in them, and no framework validates them.",
           "t = -0.5 or 2"),
    Hazard("labels_zero", "A row of labels is all 0: its loss is 0, yet it counts as a row.", "(0, 0, 0)"),
    Hazard("missing_class", "A class never occurs in the batch: its count is 0, and its weight has gradient 0.",
           "labels 0, 0, 2, 0"),
    Hazard("few_positives",
           "A class with few or no positives: a weight of N over their number is huge, and overflows in float16.",
           "a column of labels that is all 0"),
    Hazard("invalid_label",
           "A label out of range. Frameworks raise, return NaN, wrap around or read elsewhere; mathematically it is "
           "undefined.", "label 3 of 3 classes; label -1"),
    Hazard("ignored_rows", "Rows with the label ignore_index have no loss, no gradient, no weight, and do not count.",
           "labels -100, 1, 2, 0"),
    Hazard("all_ignored", "Every row is ignored: the sum is 0 and every mean 0 / 0.", "labels -100, -100, -100"),
    Hazard("ignored_leak",
           "The contents of an ignored row would dominate: multiplied by a mask of 0 they give NaN or leak; selected "
           "away by a condition they do not.", "an ignored row with logits of 10240 and -inf"),
    Hazard("ignored_undefined",
           "An ignored row has no softmax: all of its logits are -inf, or one is inf or NaN. Its loss is not used, and "
           "its gradient is 0; a backward pass that multiplies the incoming 0 by its softmax gives NaN.",
           "ignored rows (-inf, -inf, -inf), (inf, 0, 0) and (nan, 0, 0)"),
    # Weights
    Hazard("zero_weight", "A weight of 0: the row counts in a mean, but not in a mean over non-zero weights.",
           "weights 2, 0, 3"),
    Hazard("all_weights_zero", "The weights of the batch sum to 0: a weighted mean is 0 / 0.", "weights 0, 0, 0"),
    Hazard(
        "tiny_weights",
        "The weights sum to far less than 1: a constant added to the denominator, or a floor of 1, shows in the mean.",
        "weights 2 ** -20, 2 ** -18, 2 ** -19",
    ),
    Hazard("wide_weights", "Weights of very different size: the rounding error of the largest swamps the smallest.",
           "1/64, 1, 512"),
    Hazard("unit_weights", "All weights are 1: the weighted loss must equal the unweighted loss exactly.",
           "weights 1, 1, 1"),
    Hazard("scalar_weight", "One weight for all classes, an array without axes.", "pos_weight = 2"),
    Hazard("tiny_pos_weight", "1 + (q - 1) t cancels for small q: the weight vanishes or is wrong by several per cent.",
           "q = 2 ** -20, t = 1"),
    Hazard("zero_pos_weight", "Positives cost nothing: their loss and derivative in the logits are 0.", "q = 0"),
    Hazard("sample_weight", "Each row has a factor of its own, in addition to the weight of its class.",
           "0.5, 2, 0, 3"),
    Hazard("cost_asymmetric", "M[i, j] and M[j, i] differ greatly: the transposed matrix gives another loss.",
           "false alarm 1/4, miss 64"),
    Hazard("cost_diagonal", "Even a right decision has a cost.", "M[y, y] = 2"),
    Hazard("cost_zero_one", "Every error costs 1 and a right decision nothing: the matrix is its own transpose.",
           "1 - identity"),
    Hazard("smoothing_edge", "Smoothing of 0 changes nothing; smoothing of 1 leaves nothing of the label.",
           "label_smoothing = 1"),
    Hazard("smoothing_on_mask", "Smoothing gives a masked class a share of the label: the loss of the row is inf.",
           "x = (1, -inf, 2)"),
    Hazard("past_range",
           "A mean is in range, and what it divides is not, or what it divides by: what is added up in float16 is "
           "infinite from 65,520 on.", "64 losses of 2048: 131,072 in all"),
    # Shapes
    Hazard("square_batch",
           "N = C: weights of the classes, or their axis, silently fit the rows. The labels are not in order, since "
           "then the wrong result would equal the right one.", "3 rows, 3 classes, labels 0, 2, 1"),
    Hazard("wide_classes",
           "A sum over very many classes: terms added one after another to one large term are lost if each is below "
           "half a unit in its last place, however large their sum is.",
           "49,999 terms of 5e-8 added to 1: 0.003 in total, and nothing in float32"),
    Hazard("one_class", "C = 1: a softmax has nothing to choose, its loss is 0.", "logits of shape [4, 1]"),
    Hazard("one_row", "N = 1: rows and columns broadcast into each other.", "logits of shape [1, 3]"),
    Hazard("empty_batch", "N = 0: the sum is 0 and every mean 0 / 0.", "logits of shape [0, 3]"),
    Hazard("uneven_losses",
           "One loss dwarfs all others: a mean must add them without losing the gradients of the small ones.",
           "losses 10240 and 0.1"),
    # Arithmetic
    Hazard("full_precision",
           "The inputs use every bit of float32 or float64: a silent cast to fewer bits shows at once.",
           "significands of 24 random bits"),
    Hazard("rounded_product",
           "A weight times a logit is rounded before the softmax. Where a compiler fuses it with the subtraction of "
           "the largest such product, its rounding error is left in place of 0, and exp of that overflows or "
           "vanishes.",
           "w x = 4.4e9 is rounded by up to 256 in float32: exp(95) is infinite"),
)
# fmt: on


def check(variant: Variant, case: Case) -> None:
    """Raise ValueError, naming the case and the field, unless the case is in order.

    Its shapes and dtypes fit, every number is exact in its bits, its labels are classes, and its hazards and expected
    outcomes are known words.
    """
    try:
        valid = replace(case, labels=np.zeros_like(case.labels)) if "invalid_label" in case.hazards else case
        check_shapes(variant.family, valid)
    except ValueError as error:
        raise ValueError(f"case {case.id}: {error}") from None
    for fault in _faults(variant, case):
        raise ValueError(f"case {case.id}: {fault}")


def exact(values: Array, bits: int) -> bool:
    """Whether every number has so many significant bits, and is in the range of the narrowest dtype that is to hold it.

    8 bits are for bfloat16 and float16, 24 for float32, 53 for float64. Infinity is exact, NaN is not.
    """
    narrowest = {8: np.float16, 24: np.float32, 53: np.float64}[bits]
    with np.errstate(over="ignore"):
        in_range = values.astype(narrowest).astype(np.float64) == values
    scaled = np.ldexp(np.frexp(values)[0], bits)
    return bool(np.all(in_range & (scaled == np.rint(scaled))))


def _faults(variant: Variant, case: Case) -> Iterator[str]:
    settings = [value for f in fields(case.params) if isinstance(value := getattr(case.params, f.name), float)]
    inputs = {**leaves(variant, case), "cotangent": case.cotangent, "settings": np.array(settings)}
    inputs["logits"] = case.logits[kept(variant.family, case)]
    for name, value in inputs.items():
        if value.dtype != np.float64 or not exact(value, case.bits):
            yield f"{name} is not float64 and exact in {case.bits} bits: {value.tolist()}"
    if case.direction.shape != case.logits.shape or not exact(case.direction, 8):
        yield f"direction is not of shape {case.logits.shape} and exact in 8 bits: {case.direction.tolist()}"
    losses = case.logits.shape if variant.family == "binary" else case.logits.shape[:1]
    if case.cotangent.shape != losses:
        yield f"cotangent has shape {case.cotangent.shape}, and the losses {losses}"
    yield from (f"no such hazard: {name!r}" for name in case.hazards if name not in HAZARDS)
