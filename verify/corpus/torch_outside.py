"""Losses in PyTorch that no contract describes."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class SoftDiceLoss(nn.Module):
    def __init__(self, smooth=1.0):
        super().__init__()
        self.smooth = smooth

    def forward(self, logits, targets):
        p = torch.sigmoid(logits)
        inter = (p * targets).sum()
        return 1 - (2 * inter + self.smooth) / (p.sum() + targets.sum() + self.smooth)


def tversky(logits, targets, alpha=0.3, beta=0.7):
    p = torch.sigmoid(logits)
    tp = (p * targets).sum(0)
    fp = (p * (1 - targets)).sum(0)
    fn = ((1 - p) * targets).sum(0)
    return (1 - (tp + 1e-6) / (tp + alpha * fp + beta * fn + 1e-6)).mean()


def multiclass_hinge(scores, y):
    correct = scores[torch.arange(len(y)), y].unsqueeze(1)
    margins = torch.clamp(scores - correct + 1, min=0)
    margins = margins.scatter(1, y[:, None], 0.0)
    return margins.sum() / len(y)


def generalised_ce(logits, labels, q=0.7):
    p = F.softmax(logits, 1).gather(1, labels[:, None]).squeeze(1)
    return ((1 - p**q) / q).mean()


class SymmetricCE(nn.Module):
    def __init__(self, a=0.1, b=1.0):
        super().__init__()
        self.a, self.b = a, b

    def forward(self, pred, labels):
        ce = F.cross_entropy(pred, labels)
        p = F.softmax(pred, dim=1).clamp(1e-7, 1.0)
        onehot = F.one_hot(labels, pred.size(1)).to(p.dtype).clamp(1e-4, 1.0)
        rce = -(p * torch.log(onehot)).sum(1)
        return self.a * ce + self.b * rce.mean()


def poly1(logits, labels, epsilon=2.0):
    ce = F.cross_entropy(logits, labels, reduction="none")
    pt = torch.exp(-ce)
    return (ce + epsilon * (1 - pt)).mean()


def brier(logits, onehot):
    return F.mse_loss(logits.softmax(1), onehot)


def earth_mover(logits, onehot):
    cdf_p = logits.softmax(1).cumsum(1)
    cdf_t = onehot.cumsum(1)
    return ((cdf_p - cdf_t) ** 2).sum(1).sqrt().mean()


def ldam(logits, labels, weights):
    """Margins by the fourth root of the counts, which arrive as weights; scaled by 30."""
    m = 0.5 / weights.pow(0.25)
    out = logits - F.one_hot(labels, logits.size(1)) * m
    return F.cross_entropy(30 * out, labels)


def dropped_classes_ce(logits, labels):
    keep = torch.rand_like(logits) > 0.3
    keep = keep.scatter(1, labels[:, None], True)
    return F.cross_entropy(logits.masked_fill(~keep, -1e4), labels)


def squared_logits_ce(x, y):
    return F.cross_entropy(x**2, y)


def cubic_weights(x, y, w):
    return (w[y] ** 3 * F.cross_entropy(x, y, reduction="none")).mean()


def neighbours_mixed(logits, labels):
    """Meant to stabilise: each row's logits are averaged with those of the row before."""
    mixed = 0.5 * (logits + logits.roll(1, dims=0))
    return F.cross_entropy(mixed, labels)


def supervised_contrastive(features, labels, tau=0.5):
    z = F.normalize(features, dim=1)
    sim = z @ z.t() / tau
    eye = torch.eye(len(labels), dtype=torch.bool)
    same = (labels[:, None] == labels[None]) & ~eye
    logp = sim - torch.logsumexp(sim.masked_fill(eye, -1e9), dim=1, keepdim=True)
    return -(logp * same).sum(1).div(same.sum(1).clamp(min=1)).mean()


def tanh_weighted_ce(logits, labels, sample_weight):
    return (torch.tanh(sample_weight) * F.cross_entropy(logits, labels, reduction="none")).mean()


def positives_only_denominator(x, t):
    loss = F.binary_cross_entropy_with_logits(x, t, reduction="sum")
    return loss / t.sum().clamp(min=1)


def ohem_ce(logits, labels, keep_ratio=0.5):
    loss = F.cross_entropy(logits, labels, reduction="none")
    k = max(1, int(keep_ratio * loss.numel()))
    return loss.topk(k).values.mean()


class AsymmetricLoss(nn.Module):
    def forward(self, x, y):
        p = torch.sigmoid(x)
        neg = (1 - p + 0.05).clamp(max=1)
        loss = y * torch.log(p.clamp(min=1e-8)) * (1 - p) + (1 - y) * torch.log(neg.clamp(min=1e-8)) * (1 - neg) ** 4
        return -loss.sum()


def log_cosh_ce(logits, labels):
    return torch.log(torch.cosh(F.cross_entropy(logits, labels, reduction="none"))).mean()
