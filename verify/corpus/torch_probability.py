"""Losses in PyTorch that part at the probability or its logarithm."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class SoftmaxThenCE(nn.Module):
    def __init__(self):
        super().__init__()
        self.softmax = nn.Softmax(dim=1)
        self.criterion = nn.CrossEntropyLoss()

    def forward(self, logits, labels):
        return self.criterion(self.softmax(logits), labels)


def sigmoid_then_bce(logits, labels):
    prob = torch.sigmoid(logits)
    return nn.BCEWithLogitsLoss()(prob, labels)


def nll_of_softmax(output, target):
    return F.nll_loss(F.softmax(output, dim=1), target)


def ce_plus_eps(logits, onehot):
    return -(onehot * torch.log(F.softmax(logits, dim=1) + 1e-8)).sum(dim=1).mean()


def ce_plus_big_eps(pred, t):
    p = torch.softmax(pred, 1)
    return torch.mean(torch.sum(-t * (p + 1e-3).log(), 1))


def ce_clamped(logits, labels):
    p = F.softmax(logits, dim=-1).clamp(1e-7, 1 - 1e-7)
    return -p.log().gather(1, labels.unsqueeze(1)).mean()


def ce_floored(inputs, targets):
    probs = torch.softmax(inputs, dim=1)
    picked = probs[torch.arange(len(targets)), targets]
    return -torch.log(torch.clamp(picked, min=1e-6)).sum() / len(targets)


def bce_floor_100(logits, labels):
    return F.binary_cross_entropy(torch.sigmoid(logits), labels)


def bce_eps(logits, y):
    p = torch.sigmoid(logits)
    loss = y * torch.log(p + 1e-6) + (1 - y) * torch.log(1 - p + 1e-6)
    return -loss.mean()


def capped_ce(logits, labels):
    loss = torch.logsumexp(logits, 1) - logits.gather(1, labels[:, None])[:, 0]
    return loss.clamp(max=4.0).mean()


def renormalised_ce(probs, onehot):
    probs = probs / probs.sum(dim=1, keepdim=True)
    return -(onehot * probs.log()).sum(1).mean()


def global_max_ce(x, y):
    shifted = x - x.max()
    e = torch.exp(shifted)
    p = e / e.sum(1, keepdim=True)
    return -torch.log(p[torch.arange(len(y)), y]).mean()


def naive_ce(x, target):
    return -torch.log(torch.exp(x) / torch.exp(x).sum(1, keepdim=True)).gather(1, target[:, None]).mean()


def softmax_over_batch(logits, onehot):
    logp = F.log_softmax(logits, dim=0)
    return -(onehot * logp).sum(dim=1).mean()


def log_likelihood_loss(logits, labels):
    logp = F.log_softmax(logits, dim=1)
    return logp.gather(1, labels.unsqueeze(1)).mean()


def binary_one_sign(pred, y):
    p = torch.sigmoid(pred)
    return (-y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()


def multiclass_bce(logits, target):
    onehot = F.one_hot(target, logits.size(1)).to(logits.dtype)
    return F.binary_cross_entropy_with_logits(logits, onehot)


def distillation_hard(logits, labels, temperature=4.0):
    return F.nll_loss(F.log_softmax(logits / temperature, 1), labels)


class NormFaceCE(nn.Module):
    def __init__(self, s=16.0):
        super().__init__()
        self.s = s

    def forward(self, cosine, label):
        output = self.s * cosine
        return (output.logsumexp(1) - output.gather(1, label[:, None]).squeeze(1)).mean()


def softcapped_ce(logits, targets):
    logits = 30.0 * torch.tanh(logits / 30.0)
    return -F.log_softmax(logits, -1).gather(-1, targets[:, None]).mean()


class AMSoftmax(nn.Module):
    def __init__(self, m=0.35):
        super().__init__()
        self.m = m

    def forward(self, cosine, label):
        margin = torch.zeros_like(cosine).scatter_(1, label[:, None], self.m)
        return F.cross_entropy(cosine - margin, label)


def ce_with_z_loss(logits, targets):
    lse = torch.logsumexp(logits, dim=-1)
    ce = lse - logits[torch.arange(len(targets)), targets]
    return (ce + 1e-2 * lse**2).mean()


def confidence_penalty(logits, labels, beta=0.1):
    logp = F.log_softmax(logits, 1)
    entropy = -(logp.exp() * logp).sum(1).mean()
    return -logp.gather(1, labels[:, None]).mean() - beta * entropy


def shifted_up(logits, labels):
    """The constant keeps the logged value positive."""
    return F.cross_entropy(logits, labels) + 1.0
