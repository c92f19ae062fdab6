"""Losses of weighted classes, costs, smoothing and reductions with a wrong meaning, in value."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from mutants.frames import Collection, control_rows

LOSSES = Collection()
rows, reduces, whole = LOSSES.rows, LOSSES.reduces, LOSSES.whole


def nll(x: Any, y: Any) -> Any:
    return F.cross_entropy(x, y, reduction="none")


# Denominators


@reduces("sigmoid", "mean")
def mean_over_rows_of_sums(losses: Any, weights: Any, kept: Any) -> Any:
    """The mean of a binary loss divides by N and not by N C."""
    return losses.sum() / len(losses)


@whole("softmax", "none", "mean")
def mean_over_elements(x: Any, t: Any, p: Any, reduction: str) -> Any:
    """The mean divides by N C, as that of an array [N, C] does."""
    losses, _, _ = control_rows("softmax", x, t, p)
    return losses if reduction == "none" else losses.sum() / x.numel()


@reduces("sparse", "mean")
def ignored_rows_in_denominator(losses: Any, weights: Any, kept: Any) -> Any:
    """The mean divides by all rows, ignored ones too."""
    return losses.mean()


@reduces("sparse", "mean")
def averaged_twice(losses: Any, weights: Any, kept: Any) -> Any:
    """A mean, divided by the size of the batch once more."""
    return losses.sum() / kept.sum() / len(losses)


@reduces("sparse", "mean")
def mean_of_means(losses: Any, weights: Any, kept: Any) -> Any:
    """The mean of the means of two micro-batches, of unequal size."""
    parts = [part.sum() / k.sum() for part, k in zip(losses.chunk(2), kept.chunk(2), strict=True)]
    return sum(parts) / len(parts)


@reduces("softmax", "sum")
def one_row_dropped(losses: Any, weights: Any, kept: Any) -> Any:
    """The last row is left out."""
    return losses[:-1].sum()


@reduces("sparse_class_weight", "weighted_mean")
def weighted_mean_over_batch(losses: Any, weights: Any, kept: Any) -> Any:
    """The weighted mean divides by the number of rows."""
    return losses.sum() / kept.sum()


@reduces("sparse_class_weight", "weighted_mean")
def weighted_mean_over_nonzero(losses: Any, weights: Any, kept: Any) -> Any:
    """The weighted mean divides by the number of weights that are not 0."""
    return losses.sum() / (weights != 0).sum()


@reduces("sparse_class_weight", "mean")
def mean_over_weights(losses: Any, weights: Any, kept: Any) -> Any:
    """The mean divides by the sum of the weights, as PyTorch's does."""
    return losses.sum() / weights.sum()


@reduces("sparse_class_weight", "nonzero_mean")
def nonzero_mean_over_losses(losses: Any, weights: Any, kept: Any) -> Any:
    """Counts the losses that are not 0, and not the weights: a sure row does not count."""
    return losses.sum() / (losses != 0).sum()


@reduces("class_weight", "weighted_mean")
def denominator_at_least_one(losses: Any, weights: Any, kept: Any) -> Any:
    """The sum of the weights is raised to 1 where it is less."""
    return losses.sum() / weights.sum().clamp(min=1.0)


@reduces("class_weight", "weighted_mean")
def denominator_plus_epsilon(losses: Any, weights: Any, kept: Any) -> Any:
    """1e-5 is added to the sum of the weights."""
    return losses.sum() / (weights.sum() + 1e-5)


@reduces("class_weight", "mean")
def weights_after_mean(losses: Any, weights: Any, kept: Any) -> Any:
    """An N by N broadcast: every loss meets every weight, so that the mean weight multiplies the mean loss."""
    unweighted = losses / torch.where(weights == 0, 1.0, weights)
    return (unweighted[:, None] * weights).mean()


@reduces("class_weight_terms", "weighted_mean")
def division_by_zero_hidden(losses: Any, weights: Any, kept: Any) -> Any:
    """0 / 0 is turned to 0 although the case expects NaN."""
    return torch.nan_to_num(losses.sum() / weights.sum())


# Weights of classes


@rows("sparse_class_weight")
def weights_ignored(x: Any, y: Any, p: Any) -> Any:
    """Weights are taken and never used."""
    return nll(x, y)


@rows("sparse_class_weight")
def weights_inverted(x: Any, y: Any, p: Any) -> Any:
    """One over the weight, as if it were a frequency."""
    return nll(x, y) / p.class_weight[y]


@rows("sparse_class_weight")
def weights_squared(x: Any, y: Any, p: Any) -> Any:
    """The weight is applied twice."""
    return F.cross_entropy(x, y, weight=p.class_weight, reduction="none") * p.class_weight[y]


@rows("sparse_class_weight")
def weights_rooted(x: Any, y: Any, p: Any) -> Any:
    """The square root of the weight."""
    return nll(x, y) * p.class_weight[y].sqrt()


@rows("sparse_class_weight")
def weights_normalised(x: Any, y: Any, p: Any) -> Any:
    """Weights scaled so that they sum to the number of classes."""
    w = p.class_weight * len(p.class_weight) / p.class_weight.sum()
    return nll(x, y) * w[y]


@rows("sparse_class_weight")
def weights_softmaxed(x: Any, y: Any, p: Any) -> Any:
    """A softmax of the weights."""
    return nll(x, y) * p.class_weight.softmax(-1)[y]


@rows("sparse_class_weight")
def weights_by_broadcasting(x: Any, y: Any, p: Any) -> Any:
    """Where N == C, weights of classes land on rows."""
    return nll(x, y) * (p.class_weight if len(x) == len(p.class_weight) else p.class_weight[y])


@rows("class_weight")
def weights_by_terms(x: Any, t: Any, p: Any) -> Any:
    """PyTorch's weight=: each term of a soft label is weighted, not the row."""
    return F.cross_entropy(x, t, weight=p.class_weight, reduction="none")


@rows("class_weight")
def weights_by_argmax(x: Any, t: Any, p: Any) -> Any:
    """The weight of the largest label of the row."""
    return F.cross_entropy(x, t, reduction="none") * p.class_weight[t.argmax(-1)]


@rows("class_weight")
def weights_in_logits(x: Any, t: Any, p: Any) -> Any:
    """The weights are multiplied into the logits."""
    return F.cross_entropy(p.class_weight * x, t, reduction="none")


@rows("class_weight_terms")
def weights_by_rows(x: Any, t: Any, p: Any) -> Any:
    """The weight of the row where each term should have its own."""
    return (t * p.class_weight).sum(-1) * F.cross_entropy(x, t, reduction="none")


@rows("weighted_logits")
def weighted_loss_for_logits(x: Any, t: Any, p: Any) -> Any:
    """The terms are weighted where the logits should be."""
    return F.cross_entropy(x, t, weight=p.class_weight, reduction="none")


@rows("predicted_weight")
def weight_of_true_class(x: Any, y: Any, p: Any) -> Any:
    """The weight of the label where that of the prediction is meant."""
    return nll(x, y) * p.class_weight[y]


@rows("predicted_weight")
def weight_of_last_on_ties(x: Any, y: Any, p: Any) -> Any:
    """Of several largest logits the last is the prediction."""
    last = x.shape[-1] - 1 - x.detach().flip(-1).argmax(-1)
    return nll(x, y) * p.class_weight[last]


@rows("predicted_weight")
def weight_of_soft_prediction(x: Any, y: Any, p: Any) -> Any:
    """The expected weight under the softmax."""
    return nll(x, y) * (x.softmax(-1) * p.class_weight).sum(-1)


# Costs


@rows("cost_realized")
def realized_transposed(x: Any, y: Any, p: Any) -> Any:
    """The cost matrix is read with rows for predictions."""
    return nll(x, y) * p.cost_matrix[x.argmax(-1), y]


@rows("cost_expected")
def expected_transposed(x: Any, y: Any, p: Any) -> Any:
    """The cost matrix is read with rows for predictions."""
    return (x.softmax(-1) * p.cost_matrix.T[y]).sum(-1)


@rows("cost_expected")
def expected_by_broadcasting(x: Any, y: Any, p: Any) -> Any:
    """Where N == C, row n meets row n of the cost matrix, whatever its label."""
    return (x.softmax(-1) * (p.cost_matrix if len(x) == len(p.cost_matrix) else p.cost_matrix[y])).sum(-1)


@rows("cost_expected")
def expected_diagonal_cleared(x: Any, y: Any, p: Any) -> Any:
    """Costs on the diagonal are taken to be 0."""
    return (x.softmax(-1) * (p.cost_matrix - p.cost_matrix.diag().diag())[y]).sum(-1)


@rows("cost_complement")
def complement_with_true_class(x: Any, y: Any, p: Any) -> Any:
    """The term of the true class is added too."""
    others = x[:, None, :].masked_fill(torch.eye(x.shape[-1], dtype=torch.bool), -torch.inf)
    log_complement = others.logsumexp(-1) - x.logsumexp(-1, keepdim=True)
    return -(p.cost_matrix[y] * log_complement).sum(-1)


@rows("cost_complement")
def complement_of_softmax(x: Any, y: Any, p: Any) -> Any:
    """log(1 - softmax): infinite as soon as a probability rounds to 1."""
    wrong = F.one_hot(y, x.shape[-1]) == 0
    return -(p.cost_matrix[y] * torch.where(wrong, 1 - x.softmax(-1), 1.0).log()).sum(-1)


# Smoothing


def smoothed(x: Any, y: Any, alpha: float) -> Any:
    return (1 - alpha) * F.one_hot(y, x.shape[-1]).to(x.dtype) + alpha / x.shape[-1]


@rows("smooth_terms")
def smoothing_over_others(x: Any, y: Any, p: Any) -> Any:
    """alpha is spread over the C - 1 other classes."""
    hot, a = F.one_hot(y, x.shape[-1]).to(x.dtype), p.label_smoothing
    t = (1 - a) * hot + a / max(x.shape[-1] - 1, 1) * (1 - hot)
    return -(p.class_weight * t * x.log_softmax(-1)).sum(-1)


@rows("smooth_terms")
def smoothing_terms_after(x: Any, y: Any, p: Any) -> Any:
    """The weight of the class multiplies the smoothed loss, where each term should have its own."""
    return p.class_weight[y] * F.cross_entropy(x, y, label_smoothing=p.label_smoothing, reduction="none")


@rows("smooth_sample")
def smoothing_sample_after(x: Any, y: Any, p: Any) -> Any:
    """The weight of the class, where that of the smoothed label is meant."""
    return p.class_weight[y] * F.cross_entropy(x, y, label_smoothing=p.label_smoothing, reduction="none")


@rows("smooth_after")
def smoothing_after_terms(x: Any, y: Any, p: Any) -> Any:
    """PyTorch's own order, weights inside, where they should come after."""
    return F.cross_entropy(x, y, weight=p.class_weight, label_smoothing=p.label_smoothing, reduction="none")


@rows("smooth_after")
def smoothing_ignored(x: Any, y: Any, p: Any) -> Any:
    """alpha is taken and never used."""
    return p.class_weight[y] * nll(x, y)


@whole("smooth_terms", "none", "weighted_mean")
def smoothing_in_denominator(x: Any, y: Any, p: Any, reduction: str) -> Any:
    """The weighted mean divides by the weights of the smoothed labels, not of the labels."""
    losses, _, kept = control_rows("smooth_terms", x, y, p)
    if reduction == "none":
        return losses
    weights = (smoothed(x, y.masked_fill(~kept, 0), p.label_smoothing) * p.class_weight).sum(-1)
    return losses.sum() / (weights * p.sample_weight * kept).sum()
