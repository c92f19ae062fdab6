"""Losses with a wrong meaning, in value: probabilities, labels and weights of positives, as met in public code."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from mutants.frames import Collection

LOSSES = Collection()
rows, whole = LOSSES.rows, LOSSES.whole


# Binary losses


@rows("sigmoid")
def sigmoid_twice(x: Any, t: Any, p: Any) -> Any:
    """A sigmoid before a loss that takes logits."""
    return F.binary_cross_entropy_with_logits(torch.sigmoid(x), t, reduction="none")


@rows("sigmoid")
def sigmoid_clamped(x: Any, t: Any, p: Any) -> Any:
    """Probabilities clamped to [1e-7, 1 - 1e-7], as Keras does."""
    s = torch.sigmoid(x).clamp(1e-7, 1 - 1e-7)
    return -(t * s.log() + (1 - t) * (1 - s).log())


@rows("sigmoid")
def sigmoid_epsilon_in_log(x: Any, t: Any, p: Any) -> Any:
    """1e-7 added inside both logarithms."""
    s = torch.sigmoid(x)
    return -(t * (s + 1e-7).log() + (1 - t) * (1 - s + 1e-7).log())


@rows("sigmoid")
def sigmoid_log_floored(x: Any, t: Any, p: Any) -> Any:
    """Logarithms cut off at -100, as torch.nn.BCELoss does."""
    return F.binary_cross_entropy(torch.sigmoid(x), t.clamp(0, 1), reduction="none")


@rows("sigmoid")
def sigmoid_positives_only(x: Any, t: Any, p: Any) -> Any:
    """The term of the negatives is missing."""
    return -t * F.logsigmoid(x)


@rows("sigmoid")
def sigmoid_plus_on_one_term(x: Any, t: Any, p: Any) -> Any:
    """One term has the wrong sign."""
    return -t * F.logsigmoid(x) + (1 - t) * F.logsigmoid(-x)


@rows("sigmoid")
def sigmoid_swapped(x: Any, t: Any, p: Any) -> Any:
    """Labels and logits in each other's place."""
    return F.binary_cross_entropy_with_logits(t, x, reduction="none")


@rows("sigmoid")
def sigmoid_hardened(x: Any, t: Any, p: Any) -> Any:
    """Soft labels cast to integers."""
    return F.binary_cross_entropy_with_logits(x, t.long().to(x.dtype), reduction="none")


@rows("sigmoid")
def sigmoid_on_softmax(x: Any, t: Any, p: Any) -> Any:
    """A softmax where every class is a decision of its own."""
    return -t * F.log_softmax(x, -1)


# The weight of positives


@rows("pos_weight")
def pos_weight_on_negatives(x: Any, t: Any, p: Any) -> Any:
    """The weight multiplies the term of the negatives."""
    return -t * F.logsigmoid(x) - p.pos_weight * (1 - t) * F.logsigmoid(-x)


@rows("pos_weight")
def pos_weight_ignored(x: Any, t: Any, p: Any) -> Any:
    """The weight is taken and never used."""
    return F.binary_cross_entropy_with_logits(x, t, reduction="none")


@rows("pos_weight")
def pos_weight_as_weight(x: Any, t: Any, p: Any) -> Any:
    """weight= instead of pos_weight=: negatives are weighted too."""
    return F.binary_cross_entropy_with_logits(x, t, weight=p.pos_weight, reduction="none")


@rows("pos_weight")
def pos_weight_inverted(x: Any, t: Any, p: Any) -> Any:
    """One over the weight."""
    return -t * F.logsigmoid(x) / p.pos_weight - (1 - t) * F.logsigmoid(-x)


@rows("pos_weight")
def pos_weight_squared(x: Any, t: Any, p: Any) -> Any:
    """The weight is applied twice."""
    return -(p.pos_weight**2) * t * F.logsigmoid(x) - (1 - t) * F.logsigmoid(-x)


@rows("pos_weight")
def pos_weight_by_rows(x: Any, t: Any, p: Any) -> Any:
    """Where N == C the weights of the classes are laid along the rows."""
    q = p.pos_weight[:, None] if p.pos_weight.ndim and len(x) == len(p.pos_weight) else p.pos_weight
    return -q * t * F.logsigmoid(x) - (1 - t) * F.logsigmoid(-x)


@rows("pos_weight")
def pos_weight_in_logits(x: Any, t: Any, p: Any) -> Any:
    """The weight is multiplied into the logits."""
    return F.binary_cross_entropy_with_logits(p.pos_weight * x, t, reduction="none")


@rows("pos_weight")
def pos_weight_in_labels(x: Any, t: Any, p: Any) -> Any:
    """The weight is multiplied into the labels, so that 1 - q t weighs the negatives."""
    return F.binary_cross_entropy_with_logits(x, p.pos_weight * t, reduction="none")


@rows("dynamic_pos_weight")
def dynamic_negatives_over_positives(x: Any, t: Any, p: Any) -> Any:
    """Weights are negatives over positives instead of all over positives."""
    q = (1 - t).sum(0) / (t.sum(0) + 1e-6)
    return -q * t * F.logsigmoid(x) - (1 - t) * F.logsigmoid(-x)


@rows("dynamic_pos_weight")
def dynamic_over_the_batch(x: Any, t: Any, p: Any) -> Any:
    """One weight for all classes, from all labels of the batch."""
    q = t.numel() / (t.sum() + 1e-6)
    return -q * t * F.logsigmoid(x) - (1 - t) * F.logsigmoid(-x)


@rows("dynamic_pos_weight")
def dynamic_at_least_one(x: Any, t: Any, p: Any) -> Any:
    """The number of positives is raised to 1 instead of having 1e-6 added."""
    q = len(t) / t.sum(0).clamp(min=1.0)
    return -q * t * F.logsigmoid(x) - (1 - t) * F.logsigmoid(-x)


# Softmax losses


@rows("softmax")
def softmax_twice(x: Any, t: Any, p: Any) -> Any:
    """A softmax before a loss that takes logits."""
    return F.cross_entropy(x.softmax(-1), t, reduction="none")


@rows("softmax")
def softmax_log_missing(x: Any, t: Any, p: Any) -> Any:
    """F.nll_loss in spirit, fed with probabilities: -sum t p."""
    return -(t * x.softmax(-1)).sum(-1)


@rows("softmax")
def softmax_clamped(x: Any, t: Any, p: Any) -> Any:
    """Probabilities clamped to [1e-7, 1 - 1e-7]."""
    return -(t * x.softmax(-1).clamp(1e-7, 1 - 1e-7).log()).sum(-1)


@rows("softmax")
def softmax_floored(x: Any, t: Any, p: Any) -> Any:
    """Probabilities floored at 1e-7."""
    return -(t * x.softmax(-1).clamp(min=1e-7).log()).sum(-1)


@rows("softmax")
def softmax_epsilon_in_log(x: Any, t: Any, p: Any) -> Any:
    """1e-7 added inside the logarithm."""
    return -(t * (x.softmax(-1) + 1e-7).log()).sum(-1)


@rows("softmax")
def softmax_renormalised(x: Any, t: Any, p: Any) -> Any:
    """Probabilities clamped and divided by their sum again."""
    s = x.softmax(-1).clamp(1e-7, 1 - 1e-7)
    return -(t * (s / s.sum(-1, keepdim=True)).log()).sum(-1)


@rows("softmax")
def softmax_capped(x: Any, t: Any, p: Any) -> Any:
    """The loss of a row is capped at 10."""
    return F.cross_entropy(x, t, reduction="none").clamp(max=10.0)


@rows("softmax")
def softmax_wrong_axis(x: Any, t: Any, p: Any) -> Any:
    """The softmax runs over the batch."""
    return -(t * x.log_softmax(0)).sum(-1)


@rows("softmax")
def softmax_max_not_added(x: Any, t: Any, p: Any) -> Any:
    """The max trick, and the maximum is never added again."""
    return (t * ((x - x.amax(-1, keepdim=True)).exp().sum(-1, keepdim=True).log() - x)).sum(-1)


@rows("softmax")
def softmax_max_of_batch(x: Any, t: Any, p: Any) -> Any:
    """The max trick with the maximum of the whole batch: rows far below it vanish."""
    shifted = x - x.max().detach() if x.numel() else x
    return (t * (shifted.exp().sum(-1, keepdim=True).log() - shifted)).sum(-1)


@rows("softmax")
def softmax_argmax_labels(x: Any, t: Any, p: Any) -> Any:
    """Soft labels replaced by their largest."""
    return F.cross_entropy(x, t.argmax(-1), reduction="none")


@rows("softmax")
def softmax_integer_labels(x: Any, t: Any, p: Any) -> Any:
    """Soft labels cast to integers."""
    return -(t.long() * x.log_softmax(-1)).sum(-1)


@rows("softmax")
def softmax_normalised_labels(x: Any, t: Any, p: Any) -> Any:
    """Labels divided by their sum, though they need not sum to 1."""
    return F.cross_entropy(x, t / t.sum(-1, keepdim=True), reduction="none")


@rows("softmax")
def softmax_kl_divergence(x: Any, t: Any, p: Any) -> Any:
    """A KL divergence: less by the entropy of the labels."""
    return F.kl_div(x.log_softmax(-1), t, reduction="none").sum(-1)


@rows("softmax")
def softmax_last_class_dropped(x: Any, t: Any, p: Any) -> Any:
    """The last class is taken for background and its term left out."""
    return -(t * x.log_softmax(-1))[:, :-1].sum(-1)


@rows("softmax")
def softmax_temperature(x: Any, t: Any, p: Any) -> Any:
    """A temperature forgotten from distillation."""
    return F.cross_entropy(x / 2, t, reduction="none")


# Integer labels


@rows("sparse")
def sparse_sign(x: Any, y: Any, p: Any) -> Any:
    """The minus is missing."""
    return -F.cross_entropy(x, y, reduction="none")


@rows("sparse")
def sparse_labels_from_one(x: Any, y: Any, p: Any) -> Any:
    """Labels taken to count from 1."""
    return F.cross_entropy(x, (y - 1) % x.shape[-1], reduction="none")


@rows("sparse")
def sparse_labels_reversed(x: Any, y: Any, p: Any) -> Any:
    """Classes counted from the last."""
    return F.cross_entropy(x.flip(-1), y, reduction="none")


@rows("sparse")
def sparse_constant_added(x: Any, y: Any, p: Any) -> Any:
    """1e-3 is added to every loss."""
    return F.cross_entropy(x, y, reduction="none") + 1e-3


@rows("sparse")
def sparse_sigmoid_loss(x: Any, y: Any, p: Any) -> Any:
    """A sigmoid loss on a softmax problem."""
    return F.binary_cross_entropy_with_logits(x, F.one_hot(y, x.shape[-1]).to(x.dtype), reduction="none").sum(-1)


@rows("sparse")
def sparse_focal(x: Any, y: Any, p: Any) -> Any:
    """A focal factor that the name does not say."""
    nll = F.cross_entropy(x, y, reduction="none")
    return (1 - torch.exp(-nll)) ** 2 * nll


@whole("sparse", "none", "sum", "mean")
def sparse_ignored_leak(x: Any, y: Any, p: Any, reduction: str) -> Any:
    """Ignored rows are masked in the logits and not in the loss: each adds ln C."""
    ignored = y == p.ignore_index
    losses = F.cross_entropy(x.masked_fill(ignored[:, None], 0.0), y.masked_fill(ignored, 0), reduction="none")
    losses = losses * p.sample_weight
    return {"none": losses, "sum": losses.sum(), "mean": losses.sum() / (~ignored).sum()}[reduction]


@whole("sparse", "none")
def sparse_ignore_index_fixed(x: Any, y: Any, p: Any, reduction: str) -> Any:
    """ignore_index is not passed on: -100, whatever it should be (and negative ones are taken for 0)."""
    fixed = y.where((y == -100) | ((y >= 0) & (y < x.shape[-1])), 0)
    return F.cross_entropy(x, fixed, reduction="none") * p.sample_weight
