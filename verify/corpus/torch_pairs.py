"""Losses in PyTorch with two departures each."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def clamped_weighted(logits, labels, weights):
    p = torch.clamp(torch.softmax(logits, 1), 1e-4, 1 - 1e-4)
    picked = p[torch.arange(p.shape[0]), labels]
    return -(weights[labels] * torch.log(picked)).mean()


def masked_sum_softmax_twice(logits, labels, mask):
    p = F.softmax(logits, -1)
    ce = F.cross_entropy(p, labels, reduction="none")
    return (ce * mask).sum() / len(mask)


class NormalisedFocal(nn.Module):
    def __init__(self, alpha, gamma=1.5):
        super().__init__()
        self.alpha = alpha / alpha.sum()
        self.gamma = gamma

    def forward(self, x, y):
        logp = F.log_softmax(x, 1)
        logpt = logp.gather(1, y[:, None])[:, 0]
        return (-self.alpha[y] * (1 - logpt.exp()) ** self.gamma * logpt).mean()


def smooth_no_log(x, t):
    t = t * 0.8 + 0.2 / x.size(1)
    return -(t * F.softmax(x, 1)).sum(1).mean()


def temperature_kd(student, teacher, T=2.0):
    return (F.kl_div(F.log_softmax(student / T, 1), teacher, reduction="none").sum(1)).mean()


def weighted_elements(pred, onehot, weight):
    return -(weight * onehot * pred.log_softmax(1)).mean()


def inverted_weighted_mean(logits, labels, class_weight):
    inv = class_weight.reciprocal()
    return F.cross_entropy(logits, labels, weight=inv / inv.mean())


def batch_axis_eps(logits, onehot):
    p = F.softmax(logits, dim=0)
    return -(onehot * torch.log(p + 1e-5)).sum(1).mean()


def softcap_z(logits, labels):
    logits = 5 * torch.tanh(logits / 5)
    z = logits.logsumexp(-1)
    nll = z - logits.gather(-1, labels[:, None]).squeeze(-1)
    return (nll + 1e-3 * z.pow(2)).mean()


def pos_weight_sum_smoothed(logits, y, pos_weight):
    y = y * 0.9 + 0.05
    return F.binary_cross_entropy_with_logits(logits, y, pos_weight=pos_weight, reduction="sum") / len(y)


def pos_weighted_sigmoid_twice(outputs, targets, pos_weight):
    outputs = torch.sigmoid(outputs)
    loss = nn.BCEWithLogitsLoss(pos_weight=pos_weight, reduction="none")(outputs, targets)
    return loss.sum(-1).mean()


def next_token_eos(logits, labels):
    lp = F.log_softmax(logits[:-1], -1)
    nll = F.nll_loss(lp, labels[1:], ignore_index=-100, reduction="sum")
    return nll / (labels.numel() - 1)


def squared_over_total(logits, labels, weights):
    nll = F.nll_loss(F.log_softmax(logits, 1), labels, reduction="none")
    return (nll * weights[labels] ** 2).sum() / weights.sum()


def detached_hard(logits, onehot, weights):
    index = onehot.argmax(1)
    w = weights[index].detach()
    return (w * -F.log_softmax(logits, 1).gather(1, index[:, None]).squeeze(1)).mean()


def twice_averaged_temperature(scores, y):
    loss = F.cross_entropy(scores / 0.5, y)
    return loss / y.size(0)


def plus_floor(logits, t):
    p = logits.softmax(1).clamp_min(1e-3)
    return (t * p.log()).sum(1).mean()


def focal_over_positives_and_negatives(x, y, weights):
    p = torch.sigmoid(x)
    pos = -weights[1] * y * (1 - p) ** 2 * F.logsigmoid(x)
    neg = -weights[0] * (1 - y) * p**2 * F.logsigmoid(-x)
    return (pos + neg).mean()
