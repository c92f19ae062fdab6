"""What known deviations compute instead: a wrong result that is explained is known to the last bit that matters.

A model takes a case and the name of an output and gives the wrong values, float64 in the shape of the output. Only the
elements that a ledger entry names are compared with it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lossvet.reference import variants
from lossvet.reference.output import HVP, parse
from lossvet.reference.types import Array, Case, Reduction
from lossvet.reference.values import exact_outputs


def kink_at_zero(case: Case, output: str) -> Array:
    """pos_weight at a logit of 0, with 0 for the derivatives of |x| and of max(-x, 0): 1 - t, and no curvature."""
    if parse(output) == HVP:
        return np.zeros(case.logits.shape)
    return np.asarray(_upstream(case, output) * (1 - case.labels))


def kink_at_zero_from_the_right(case: Case, output: str) -> Array:
    """pos_weight at a logit of 0, with 1 for the derivative of |x| and -1/2 for that of max(-x, 0): -q t."""
    q: Any = getattr(case.params, "pos_weight", None)
    q = len(case.labels) / (case.labels.sum(0) + 1e-6) if q is None else q
    return np.asarray(-_upstream(case, output) * q * case.labels)


def _upstream(case: Case, output: str) -> Any:
    """What the gradient of a binary loss has as a factor."""
    return {"none": case.cotangent, "sum": 1.0, "mean": 1.0 / case.logits.size}[parse(output).reduction]


def labels_that_sum_to_1(case: Case, output: str) -> Array:
    """Cross-entropy whose derivatives take the labels to sum to 1: p - t, and p (u - p . u), by row."""
    p = _softmax(case)
    given = getattr(case.params, "sample_weight", None)
    class_weight: Any = getattr(case.params, "class_weight", None)
    rows = np.ones(len(p)) if given is None else given
    rows = rows if class_weight is None else rows * (case.labels * class_weight).sum(1)
    if parse(output) == HVP:
        return _curvature(case, p, rows)
    denominator = _denominator(parse(output).reduction, rows, 1.0 / case.cotangent)
    return np.asarray((rows / denominator)[:, None] * (p - case.labels))


def classes_in_one_sum(case: Case, output: str) -> Array:
    """Integer labels in float32, the powers of each row added up one after another from the first class on."""
    x, each = case.logits.astype(np.float32), np.arange(len(case.labels))
    powers = np.exp(x - x.max(1, keepdims=True))
    total = np.add.accumulate(powers, axis=1)[:, -1].astype(np.float64)
    class_weight: Any = getattr(case.params, "class_weight", None)
    rows = np.ones(len(x)) if class_weight is None else class_weight[case.labels]
    of = parse(output)
    if of.kind == "loss":
        losses = rows * (np.log(total) + x.max(1) - x[each, case.labels])
        return np.asarray(losses if of.reduction == "none" else losses.sum() / _denominator(of.reduction, rows))
    slopes = powers / total[:, None]
    slopes[each, case.labels] -= 1
    return np.asarray((rows / _denominator(of.reduction, rows, 1.0 / case.cotangent))[:, None] * slopes)


def _denominator(reduction: Reduction, weights: Array, unreduced: Any = 1.0) -> Any:
    """What losses or gradients by row are divided by; where they are not reduced, `unreduced`."""
    match reduction:
        case "none":
            return unreduced
        case "sum":
            return 1.0
        case "mean":
            return float(len(weights))
        case "weighted_mean":
            return weights.sum()
        case "nonzero_mean":
            return float(np.count_nonzero(weights))


def wrapped(case: Case) -> Case:
    """The case with labels modulo C: -1 is the last class, and C the first."""
    return dataclasses.replace(case, labels=case.labels % case.logits.shape[1])


def clamped(case: Case) -> Case:
    """The case with the nearest class in place of a label that is none."""
    return dataclasses.replace(case, labels=np.clip(case.labels, 0, case.logits.shape[1] - 1))


def with_labels(other: Callable[[Case], Case]) -> Model:
    """What the loss is with other labels, by the reference."""

    def values(case: Case, output: str) -> Array:
        variant = variants.load(case.id.partition("/")[0])
        return exact_outputs(variant, other(case), (output,))[output]

    return Model(values, other)


def weights_rescaled(case: Case, output: str) -> Array:
    """The Hessian product of `sparse` after its weights were multiplied by N / the number of rows that count."""
    return _curvature(case, _softmax(case), _rescaled(case))


def with_weights_rescaled(case: Case) -> Case:
    return dataclasses.replace(case, params=dataclasses.replace(case.params, sample_weight=_rescaled(case)))


def _rescaled(case: Case) -> Array:
    """The weights [N]; those of ignored rows are 0."""
    counts = case.labels != case.params.ignore_index
    given = case.params.sample_weight
    return np.asarray(np.where(counts, 1.0 if given is None else given, 0.0) * len(counts) / max(counts.sum(), 1))


def _softmax(case: Case) -> Array:
    shifted = np.exp(case.logits - case.logits.max(1, keepdims=True))
    return np.asarray(shifted / shifted.sum(1, keepdims=True))


def _curvature(case: Case, p: Array, rows: Any) -> Array:
    """The Hessian product of cross-entropies whose rows have these weights: p (u - p . u), by row."""
    u = case.direction
    return np.asarray((rows * case.cotangent)[:, None] * p * (u - (p * u).sum(1, keepdims=True)))


def constant(value: float) -> Model:
    """One number throughout: what an overflow leaves."""
    return Model(lambda case, output: np.asarray(value), lambda case: case)


def made_to_sum_to_1(case: Case) -> Case:
    """The case with labels whose rows sum to 1, by a change of the first class."""
    labels = case.labels.copy()
    labels[:, 0] += 1 - labels.sum(1)
    return dataclasses.replace(case, labels=labels)


@dataclass(frozen=True)
class Model:
    """Wrong values by case and output, and a case in which they would be right: its bounds hold for them."""

    values: Callable[[Case, str], Array]
    like: Callable[[Case], Case]


MODELS: Mapping[str, Model] = {
    "kink_at_zero": Model(kink_at_zero, lambda case: case),
    "kink_at_zero_from_the_right": Model(kink_at_zero_from_the_right, lambda case: case),
    "classes_in_one_sum": Model(classes_in_one_sum, lambda case: case),
    "labels_that_sum_to_1": Model(labels_that_sum_to_1, made_to_sum_to_1),
    "label_wrapped": with_labels(wrapped),
    "label_clamped": with_labels(clamped),
    "weights_rescaled": Model(weights_rescaled, with_weights_rescaled),
    "infinite": constant(np.inf),
    "minus_infinite": constant(-np.inf),
    "zero": constant(0.0),
}

KINDS: Mapping[str, Callable[[Any], Any]] = {
    "nan": np.isnan,
    "not_finite": lambda values: ~np.isfinite(values),
}
"""Instead of a model: what every element that is named is, NaN, or NaN or infinite where a finite value is right."""

WHOLE = "whole"
"""Instead of a model: the output cannot be judged by element, and is as observed: its shape, or that it raises."""
