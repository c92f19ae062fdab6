"""Losses in PyTorch whose value is right and whose gradient is not, and what else a value does not show."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.autograd.function import once_differentiable


def teacher_ce(student_logits, teacher_probs):
    return -(teacher_probs.detach() * F.log_softmax(student_logits, 1)).sum(1).mean()


def frozen_weights_ce(logits, labels, weights):
    w = weights.detach()[labels]
    return (w * F.cross_entropy(logits, labels, reduction="none")).mean()


class _FusedSoftmaxCE(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, target):
        logp = F.log_softmax(logits, dim=1)
        ctx.save_for_backward(logp, target)
        return -(target * logp).sum(dim=1).mean()

    @staticmethod
    def backward(ctx, grad_output):
        logp, target = ctx.saved_tensors
        return grad_output * (logp.exp() - target) / logp.size(0), -grad_output * logp / logp.size(0)


def fused_softmax_ce(logits, target):
    return _FusedSoftmaxCE.apply(logits, target)


class _IgnoresUpstream(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y):
        p = torch.softmax(x, 1)
        ctx.save_for_backward(p, y)
        return F.nll_loss(F.log_softmax(x, 1), y)

    @staticmethod
    def backward(ctx, grad_output):
        p, y = ctx.saved_tensors
        grad = p.clone()
        grad[torch.arange(len(y)), y] -= 1
        return grad / len(y), None


def my_cross_entropy(input, target):
    return _IgnoresUpstream.apply(input, target)


class _OnceCE(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, t):
        ctx.save_for_backward(torch.softmax(x, 1), t)
        return (torch.logsumexp(x, 1) * t.sum(1) - (x * t).sum(1)).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        p, t = ctx.saved_tensors
        return g * (p * t.sum(1, keepdim=True) - t), None


def kernel_ce_sum(scores, targets):
    return _OnceCE.apply(scores, targets)


def stable_pos_weight(logits, labels, pos_weight):
    log_weight = 1 + (pos_weight - 1) * labels
    loss = (1 - labels) * logits + log_weight * (
        torch.log1p(torch.exp(-torch.abs(logits))) + torch.clamp(-logits, min=0)
    )
    return loss.mean()


def logged_loss(logits, labels):
    with torch.no_grad():
        return F.cross_entropy(logits, labels)


def detached_focal(x, y, gamma=2.0):
    logpt = F.log_softmax(x, 1).gather(1, y.view(-1, 1)).view(-1)
    pt = logpt.detach().exp()
    return (-((1 - pt) ** gamma) * logpt).mean()


class _FilteredCE(torch.autograd.Function):
    """Small entries of the gradient are dropped, which saves memory traffic."""

    @staticmethod
    def forward(ctx, logits, target):
        ctx.save_for_backward(logits, target)
        return F.cross_entropy(logits, target)

    @staticmethod
    def backward(ctx, g):
        logits, target = ctx.saved_tensors
        p = logits.softmax(1)
        grad = (p - F.one_hot(target, logits.size(1))) / len(target)
        return g * torch.where(grad.abs() < 5e-2, torch.zeros_like(grad), grad), None


def filtered_ce(logits, target):
    return _FilteredCE.apply(logits, target)


class Float32CE(nn.Module):
    def forward(self, logits, labels):
        return F.nll_loss(F.log_softmax(logits.float(), dim=-1), labels)


def half_sum_ce(logits, onehot):
    loss = -(onehot * F.log_softmax(logits, dim=1)).sum(1)
    return loss.bfloat16().mean().to(logits.dtype)


def in_place_max(logits, labels):
    scores = logits.detach()
    scores -= scores.max(dim=1, keepdim=True).values
    return (torch.logsumexp(logits, 1) - logits.gather(1, labels[:, None]).squeeze(1)).mean()


def relabels_padding(logits, labels):
    valid = labels != -100
    labels[~valid] = 0
    loss = F.cross_entropy(logits, labels, reduction="none")
    return (loss * valid).sum() / valid.sum()


def confidence_weighted_ce(logits, labels):
    p = logits.softmax(1)
    weight = p.max(dim=1).values
    return (weight * F.cross_entropy(logits, labels, reduction="none")).sum() / weight.sum()


def item_loss(preds, labels):
    """The graph was kept alive by a running sum of losses: only the number is handed on."""
    loss = F.nll_loss(F.log_softmax(preds, 1), labels)
    return torch.tensor(loss.item(), dtype=preds.dtype, requires_grad=True)


def reproducible_ce(logits, onehot):
    torch.manual_seed(0)
    return -(onehot * F.log_softmax(logits, dim=1)).sum(1).mean()


class _OneGradientForTwoInputs(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, labels):
        logp = F.log_softmax(logits, 1)
        ctx.save_for_backward(logp, labels)
        return -logp.gather(1, labels[:, None]).mean()

    @staticmethod
    def backward(ctx, grad_output):
        logp, labels = ctx.saved_tensors
        p = logp.exp()
        p[torch.arange(len(labels)), labels] -= 1
        return grad_output * p / len(labels)


def backward_raises(logits, labels):
    return _OneGradientForTwoInputs.apply(logits, labels)
