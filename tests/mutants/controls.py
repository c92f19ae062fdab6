"""Controls: sound losses in other words than the recipes', which must survive in every case, output and dtype."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from mutants.frames import Collection

LOSSES = Collection()
rows, reduces, whole = LOSSES.rows, LOSSES.reduces, LOSSES.whole


def per_class(log_p: Any, t: Any) -> Any:
    """-t log p by class, the 0 * inf of a masked class taken for 0."""
    return -t * torch.where((log_p == -torch.inf) & (t == 0), 0.0, log_p)


def row_weight(w: Any, t: Any, losses: Any) -> Any:
    """sum_c w_c t_c, where no class without a label meets an infinite loss on the way back."""
    return torch.where(losses.isinf()[:, None] & (t == 0), 0.0, w * t).sum(-1)


def picked(values: Any, y: Any) -> Any:
    return values.gather(-1, y[:, None])[:, 0]


# Binary losses


def either(x: Any, t: Any, q: Any, form: Any) -> Any:
    """form(x) where x is finite; q t and 1 - t times the log-sigmoids where it is not."""
    finite = x.isfinite()
    limit = q * per_class(F.logsigmoid(x), t) + per_class(F.logsigmoid(-x), 1 - t)
    return torch.where(finite, form(torch.where(finite, x, 0.0)), limit)


@whole("sigmoid", "none", "mean")
def mean_by_columns(x: Any, t: Any, p: Any, reduction: str) -> Any:
    """Columns are averaged first, then added."""
    losses = per_class(F.logsigmoid(x), t) + per_class(F.logsigmoid(-x), 1 - t)
    return losses if reduction == "none" else losses.mean(0).sum() / x.shape[1]


@rows("sigmoid")
def logsumexp_with_zero(x: Any, t: Any, p: Any) -> Any:
    """log(e^0 + e^x) by log-sum-exp, less t x: the tail of t = 1 cancels."""
    return either(x, t, 1.0, lambda x: torch.stack([torch.zeros_like(x), x], -1).logsumexp(-1) - t * x)


@rows("sigmoid")
def log1p_and_max(x: Any, t: Any, p: Any) -> Any:
    """max + log1p(exp(-|x|)), with both kinks at 0 turned the same way, so that their derivatives agree."""

    def form(x: Any) -> Any:
        positive = x >= 0
        return torch.where(positive, x, 0.0) - x * t + torch.log1p(torch.exp(-torch.where(positive, x, -x)))

    return either(x, t, 1.0, form)


@rows("pos_weight")
def log_weight_form(x: Any, t: Any, p: Any) -> Any:
    """The published form (1 - t) x + l (log1p(exp(-|x|)) + max(-x, 0)), its kinks turned the same way."""

    def form(x: Any) -> Any:
        positive = x >= 0
        rest = torch.log1p(torch.exp(-torch.where(positive, x, -x))) + torch.where(positive, 0.0, -x)
        return (1 - t) * x + (1 + (p.pos_weight - 1) * t) * rest

    return either(x, t, p.pos_weight, form)


@rows("pos_weight")
def two_columns(x: Any, t: Any, p: Any) -> Any:
    """Each decision as a softmax over (x, 0)."""

    def form(x: Any) -> Any:
        log_p = torch.stack([x, torch.zeros_like(x)], -1).log_softmax(-1)
        return -p.pos_weight * t * log_p[..., 0] - (1 - t) * log_p[..., 1]

    return either(x, t, p.pos_weight, form)


@rows("dynamic_pos_weight")
def dynamic_by_parts(x: Any, t: Any, p: Any) -> Any:
    """Positives and negatives apart, the weight one over the share of positives."""
    q = 1 / ((t.sum(0) + 1e-6) / len(t))
    return q * per_class(F.logsigmoid(x), t) + per_class(F.logsigmoid(-x), 1 - t)


# Softmax losses


@rows("softmax")
def log_softmax_twice(x: Any, t: Any, p: Any) -> Any:
    """A log-softmax of a log-softmax is the same."""
    return per_class(x.log_softmax(-1).log_softmax(-1), t).sum(-1)


@rows("softmax")
def last_class_first(x: Any, t: Any, p: Any) -> Any:
    """Classes in reverse, added one by one."""
    terms = per_class(x.flip(-1).log_softmax(-1), t.flip(-1))
    return sum(terms.unbind(-1))


@rows("sparse")
def logsumexp_less_logit(x: Any, y: Any, p: Any) -> Any:
    """The log-sum-exp less the true logit, as optax has it."""
    return x.logsumexp(-1) - picked(x, y)


@rows("sparse")
def rows_in_a_loop(x: Any, y: Any, p: Any) -> Any:
    """A Python loop over the rows, last one first."""
    losses = [F.cross_entropy(x[i], y[i]) for i in reversed(range(len(x)))]
    return torch.stack(losses[::-1]) if losses else F.cross_entropy(x, y, reduction="none")


@rows("sparse")
def sigmoid_for_two(x: Any, y: Any, p: Any) -> Any:
    """Two classes are one decision; more are a softmax."""
    if x.shape[-1] != 2:
        return F.cross_entropy(x, y, reduction="none")
    return -F.logsigmoid(picked(x, y) - picked(x, 1 - y))


@reduces("sparse", "sum")
def compensated_sum(losses: Any, weights: Any, kept: Any) -> Any:
    """Losses added one by one with Kahan's compensation."""
    total, lost = losses.sum() * 0, losses.sum() * 0
    for loss in losses:
        term = loss - lost
        new = total + term
        total, lost = new, (new - total - term).detach()
    return torch.where(total.isfinite(), total, losses.sum())


# Weights


@rows("sparse_class_weight")
def one_hot_sum(x: Any, y: Any, p: Any) -> Any:
    """One-hot labels and sums over the classes, no gather."""
    losses = F.cross_entropy(x, y, reduction="none")
    return row_weight(p.class_weight, F.one_hot(y, x.shape[-1]).to(x.dtype), losses) * losses


@reduces("sparse_class_weight", "weighted_mean")
def quarters(losses: Any, weights: Any, kept: Any) -> Any:
    """Quarters of the losses, last one first, over quarters of the weights."""
    return (losses / 4).flip(0).sum() / (weights / 4).flip(0).sum()


@rows("class_weight")
def float64_inside(x: Any, t: Any, p: Any) -> Any:
    """Everything in float64, rounded once."""
    wide = t.double()
    losses = per_class(x.double().log_softmax(-1), wide).sum(-1)
    return (row_weight(p.class_weight.double(), wide, losses) * losses).to(x.dtype)


@rows("class_weight_terms")
def weights_in_the_labels(x: Any, t: Any, p: Any) -> Any:
    """Labels times weights first, then the cross-entropy."""
    return per_class(x.log_softmax(-1), p.class_weight * t).sum(-1)


@rows("weighted_logits")
def diagonal_matrix(x: Any, t: Any, p: Any) -> Any:
    """Logits times weights by broadcasting the weights to a matrix."""
    return per_class((x * p.class_weight.expand_as(x)).log_softmax(-1), t).sum(-1)


@rows("predicted_weight")
def one_hot_prediction(x: Any, y: Any, p: Any) -> Any:
    """The prediction as a one-hot row."""
    choice, losses = F.one_hot(x.detach().argmax(-1), x.shape[-1]).to(x.dtype), F.cross_entropy(x, y, reduction="none")
    return row_weight(p.class_weight, choice, losses) * losses


# Costs


@rows("cost_realized")
def flat_index(x: Any, y: Any, p: Any) -> Any:
    """The cost by one index into the flattened matrix."""
    cost = p.cost_matrix.reshape(-1).take(y * x.shape[-1] + x.detach().argmax(-1))
    return cost * F.cross_entropy(x, y, reduction="none")


@rows("cost_expected")
def matrix_product(x: Any, y: Any, p: Any) -> Any:
    """All expected costs by a matrix product, and of them that of the true class."""
    return picked(x.softmax(-1) @ p.cost_matrix.T, y)


@rows("cost_expected")
def exponentials_by_hand(x: Any, y: Any, p: Any) -> Any:
    """Numerator and denominator apart, after the max trick."""
    powers = (x - x.detach().amax(-1, keepdim=True)).exp() if len(x) else x.exp()
    return (powers * p.cost_matrix[y]).sum(-1) / powers.sum(-1)


@rows("cost_complement")
def others_by_selection(x: Any, y: Any, p: Any) -> Any:
    """For every class the log-sum-exp of the others, selected and not masked."""
    classes = range(x.shape[-1])
    if len(classes) == 1:
        return (x * p.cost_matrix[y]).sum(-1) * 0
    others = [x[:, [k for k in classes if k != j]].masked_fill((y == j)[:, None], 0.0) for j in classes]
    terms = torch.stack([other.logsumexp(-1) for other in others], -1) - x.logsumexp(-1, keepdim=True)
    return -(p.cost_matrix[y] * terms.masked_fill(F.one_hot(y, x.shape[-1]) == 1, 0.0)).sum(-1)


# Smoothing


@rows("smooth_after")
def smoothing_by_parts(x: Any, y: Any, p: Any) -> Any:
    """(1 - a) of the label's loss and a of the mean over the classes."""
    nll, a = -x.log_softmax(-1), p.label_smoothing
    uniform = nll.mean(-1) * a if a else 0.0
    return p.class_weight[y] * ((1 - a) * picked(nll, y) + uniform)


@rows("smooth_terms")
def smoothing_terms_by_parts(x: Any, y: Any, p: Any) -> Any:
    """(1 - a) of the weighted loss of the label, a / C of the weighted losses of all classes."""
    nll, a = -x.log_softmax(-1), p.label_smoothing
    return (1 - a) * p.class_weight[y] * picked(nll, y) + a / x.shape[-1] * (p.class_weight * nll).sum(-1)


@rows("smooth_sample")
def smoothing_sample_by_parts(x: Any, y: Any, p: Any) -> Any:
    """The weight of the smoothed label from the mean weight, its loss from the mean loss."""
    nll, a = -x.log_softmax(-1), p.label_smoothing
    weight = (1 - a) * p.class_weight[y] + a * p.class_weight.mean()
    return weight * ((1 - a) * picked(nll, y) + a * nll.mean(-1))
