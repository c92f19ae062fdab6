"""Losses whose value is right and whose derivatives are not: detached parts, kinks, backward passes written by hand."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from mutants.controls import per_class
from mutants.frames import Collection, control_rows

LOSSES = Collection()
rows, reduces, whole = LOSSES.rows, LOSSES.reduces, LOSSES.whole


def altered(x: Any, change: Any) -> Any:
    """x, through which gradients pass changed."""
    if not x.requires_grad:
        return x
    same = x * 1.0
    same.register_hook(change)
    return same


class Fused(torch.autograd.Function):
    """A cross-entropy with softmax - labels as its derivative, as TensorFlow's fused kernel has."""

    @staticmethod
    def forward(ctx: Any, x: Any, t: Any) -> Any:
        ctx.save_for_backward(x, t)
        return control_rows("softmax", x, t, _NOTHING)[0]

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        x, t = ctx.saved_tensors
        return grads[0][:, None] * (x.softmax(-1) - t), None


class Deaf(torch.autograd.Function):
    """A cross-entropy whose backward does not listen to the gradient that arrives."""

    @staticmethod
    def forward(ctx: Any, x: Any, y: Any) -> Any:
        ctx.save_for_backward(x, y)
        return F.cross_entropy(x, y, reduction="none")

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        x, y = ctx.saved_tensors
        return x.softmax(-1) - F.one_hot(y, x.shape[-1]), None


class Probabilities(torch.autograd.Function):
    """A softmax with only the diagonal of its Jacobian."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        s = x.softmax(-1)
        ctx.save_for_backward(s)
        return s

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (s,) = ctx.saved_tensors
        return grads[0] * s * (1 - s)


class OnceOnly(torch.autograd.Function):
    """A cross-entropy with a right first derivative, built on `Probabilities`, whose own derivative is not."""

    @staticmethod
    def forward(ctx: Any, x: Any, y: Any) -> Any:
        ctx.save_for_backward(x, y)
        return F.cross_entropy(x, y, reduction="none")

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        x, y = ctx.saved_tensors
        return grads[0][:, None] * (Probabilities.apply(x) - F.one_hot(y, x.shape[-1])), None


class _Nothing:
    sample_weight = None


_NOTHING = _Nothing()


@rows("softmax")
def gradient_of_normalised_labels(x: Any, t: Any, p: Any) -> Any:
    """p - t, which is right for labels that sum to 1 only."""
    return Fused.apply(x, t)


@rows("class_weight_terms")
def gradient_of_weighted_labels(x: Any, t: Any, p: Any) -> Any:
    """Weights multiplied into the labels of a fused kernel: p - w t."""
    return Fused.apply(x, p.class_weight * t)


@rows("sigmoid")
def gradient_at_zero(x: Any, t: Any, p: Any) -> Any:
    """The published stable form: automatic derivatives of max and abs at 0."""
    form = x.relu() - x * t + torch.log1p(torch.exp(-x.abs()))
    return torch.where(x.isfinite(), form, control_rows("sigmoid", x, t, p)[0])


@rows("pos_weight")
def gradient_at_zero_weighted(x: Any, t: Any, p: Any) -> Any:
    """The published stable form of the weighted loss."""
    weight = 1 + (p.pos_weight - 1) * t
    form = (1 - t) * x + weight * (torch.log1p(torch.exp(-x.abs())) + (-x).relu())
    return torch.where(x.isfinite(), form, control_rows("pos_weight", x, t, p)[0])


@rows("sparse")
def gradient_deaf(x: Any, y: Any, p: Any) -> Any:
    """The backward pass leaves out the gradient that comes from above."""
    return Deaf.apply(x, y)


@rows("sparse")
def gradient_times_batch(x: Any, y: Any, p: Any) -> Any:
    """The gradient is multiplied by the size of the batch, as for a sum over replicas."""
    return F.cross_entropy(altered(x, lambda g: g * len(g)), y, reduction="none")


@rows("sparse")
def gradient_clipped(x: Any, y: Any, p: Any) -> Any:
    """The gradient is clipped inside the loss."""
    return F.cross_entropy(altered(x, lambda g: g.clamp(-0.5, 0.5)), y, reduction="none")


@rows("sparse")
def gradient_reversed(x: Any, y: Any, p: Any) -> Any:
    """A gradient reversal layer was left in."""
    return F.cross_entropy(altered(x, lambda g: -g), y, reduction="none")


@rows("sparse")
def gradient_stopped_where_sure(x: Any, y: Any, p: Any) -> Any:
    """No gradient from rows that are right already: a hard margin that the value does not show."""
    sure = x.argmax(-1) == y
    return F.cross_entropy(torch.where(sure[:, None], x.detach(), x), y, reduction="none")


@rows("sparse")
def gradient_of_max_only(x: Any, y: Any, p: Any) -> Any:
    """The maximum of the max trick is detached in one place of two."""
    m = x.amax(-1, keepdim=True)
    lse = (x - m).exp().sum(-1).log() + m.detach()[:, 0]
    return lse - x.gather(-1, y[:, None])[:, 0]


@rows("sparse")
def gradient_second_only(x: Any, y: Any, p: Any) -> Any:
    """Value and gradient are right; the Hessian has its diagonal only."""
    return OnceOnly.apply(x, y)


@rows("softmax")
def gradient_straight_through(x: Any, t: Any, p: Any) -> Any:
    """The value is that of the softmax, the gradient that of a sigmoid on every class."""
    value = control_rows("softmax", x, t, _NOTHING)[0]
    soft = F.binary_cross_entropy_with_logits(x, t, reduction="none").sum(-1)
    return torch.where(soft.isfinite(), soft - soft.detach() + value.detach(), value)


@rows("class_weight")
def gradient_label_weight_detached(x: Any, t: Any, p: Any) -> Any:
    """The labels' way through the weight of the row is cut."""
    weight = (p.class_weight * t.detach()).sum(-1)
    return weight * per_class(x.log_softmax(-1), t).sum(-1)


@reduces("sparse_class_weight", "weighted_mean")
def gradient_denominator_detached(losses: Any, weights: Any, kept: Any) -> Any:
    """The sum of the weights is detached: the gradient in the weights does not know that they cancel."""
    return losses.sum() / weights.sum().detach()


@whole("class_weight", "none", "weighted_mean")
def gradient_denominator_of_labels(x: Any, t: Any, p: Any, reduction: str) -> Any:
    """The denominator is made from detached labels."""
    losses, _, _ = control_rows("class_weight", x, t, p)
    weights = (p.class_weight * t.detach()).sum(-1) * p.sample_weight
    return losses if reduction == "none" else losses.sum() / weights.sum()


@rows("predicted_weight")
def gradient_through_prediction(x: Any, y: Any, p: Any) -> Any:
    """The weight of the prediction, with the gradient of the expected weight passed straight through."""
    soft = (x.softmax(-1) * p.class_weight).sum(-1)
    weight = p.class_weight[x.argmax(-1)] + (soft - soft.detach())
    return weight * F.cross_entropy(x, y, reduction="none")


@rows("cost_realized")
def gradient_through_choice(x: Any, y: Any, p: Any) -> Any:
    """The cost of the choice, with the gradient of the expected cost passed straight through."""
    soft = (x.softmax(-1) * p.cost_matrix[y]).sum(-1)
    cost = p.cost_matrix[y, x.argmax(-1)] + (soft - soft.detach())
    return cost * F.cross_entropy(x, y, reduction="none")


@rows("cost_expected")
def gradient_diagonal_only(x: Any, y: Any, p: Any) -> Any:
    """The derivative of the softmax is p (1 - p), without the other classes."""
    return (Probabilities.apply(x) * p.cost_matrix[y]).sum(-1)


@rows("dynamic_pos_weight")
def gradient_weight_detached(x: Any, t: Any, p: Any) -> Any:
    """The weights from the batch are constants: the labels have no gradient through them."""
    q = (len(t) / (t.sum(0) + 1e-6)).detach()
    return q * per_class(F.logsigmoid(x), t) + per_class(F.logsigmoid(-x), 1 - t)


@rows("pos_weight")
def gradient_labels_unweighted(x: Any, t: Any, p: Any) -> Any:
    """The derivative in the labels forgets pos_weight."""
    value = control_rows("pos_weight", x, t.detach(), p)[0]
    return torch.where(value.isfinite() & x.isfinite(), value + (t - t.detach()) * -x, value)
