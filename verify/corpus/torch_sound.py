"""Cross-entropies in PyTorch that compute what they are called, in many spellings."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class WeightedCrossEntropy(nn.Module):
    def __init__(self, weight=None, ignore_index=-100):
        super().__init__()
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index

    def forward(self, input, target):
        return F.cross_entropy(input, target, weight=self.weight, ignore_index=self.ignore_index)


def weighted_ce_by_gather(logits, labels, class_weights):
    logp = F.log_softmax(logits, dim=-1)
    nll = -logp.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    w = class_weights[labels]
    return torch.sum(w * nll) / torch.sum(w)


def ce_gather(preds, gts):
    log_prob = torch.log_softmax(preds, 1)
    return -log_prob[torch.arange(preds.shape[0]), gts].mean()


class SoftTargetCrossEntropy(nn.Module):
    def forward(self, x, target):
        loss = torch.sum(-target * F.log_softmax(x, dim=-1), dim=-1)
        return loss.mean()


def ce_scatter(scores, y):
    one_hot = torch.zeros_like(scores).scatter_(1, y.view(-1, 1), 1)
    out = F.log_softmax(F.log_softmax(scores, dim=1), dim=1)
    return -(one_hot * out).sum() / len(y)


def ce_eye(x, t):
    onehot = torch.eye(x.size(1), dtype=x.dtype)[t]
    return (torch.logsumexp(x, dim=1) - (x * onehot).sum(1)).mean()


def per_sample_ce(output, label):
    return F.nll_loss(F.log_softmax(output, dim=1), label, reduction="none")


def total_ce(logits, y):
    return sum(torch.logsumexp(row, 0) - row[k] for row, k in zip(logits, y, strict=True))


def lm_loss(lm_logits, labels):
    loss_fct = nn.CrossEntropyLoss()
    return loss_fct(lm_logits.view(-1, lm_logits.size(-1)), labels.view(-1))


def padded_ce(pred, gold, pad):
    keep = gold.ne(pad)
    safe = gold.masked_fill(~keep, 0)
    nll = -F.log_softmax(pred, dim=1).gather(1, safe.unsqueeze(1)).squeeze(1)
    return nll.masked_select(keep).sum() / keep.sum().clamp(min=1)


class LabelSmoothingCrossEntropy(nn.Module):
    def __init__(self, smoothing=0.1):
        super().__init__()
        self.smoothing = smoothing
        self.confidence = 1.0 - smoothing

    def forward(self, x, target):
        logprobs = F.log_softmax(x, dim=-1)
        nll_loss = -logprobs.gather(dim=-1, index=target.unsqueeze(1)).squeeze(1)
        smooth_loss = -logprobs.mean(dim=-1)
        return (self.confidence * nll_loss + self.smoothing * smooth_loss).mean()


class FocalLoss(nn.Module):
    def __init__(self, gamma=2.0):
        super().__init__()
        self.gamma = gamma

    def forward(self, inputs, targets):
        ce = F.cross_entropy(inputs, targets, reduction="none")
        pt = torch.exp(-ce)
        return ((1 - pt) ** self.gamma * ce).mean()


def bce(logits, target):
    return F.binary_cross_entropy_with_logits(logits, target)


class PosWeightBCE(nn.Module):
    def __init__(self, pos_weight):
        super().__init__()
        self.q = pos_weight

    def forward(self, outputs, labels):
        pos = self.q * labels * F.softplus(-outputs)
        neg = (1 - labels) * F.softplus(outputs)
        return (pos + neg).mean()


def multilabel_bce(x, y):
    loss = y * F.logsigmoid(x) + (1 - y) * F.logsigmoid(-x)
    return -loss.sum(dim=1).mean()


def multilabel_bce_by_class(x, y):
    return F.binary_cross_entropy_with_logits(x, y, reduction="none").mean(0).sum()


def retina_focal(inputs, targets, alpha=0.25, gamma=2.0):
    p = torch.sigmoid(inputs)
    ce_loss = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
    p_t = p * targets + (1 - p) * (1 - targets)
    loss = ce_loss * ((1 - p_t) ** gamma)
    alpha_t = alpha * targets + (1 - alpha) * (1 - targets)
    return alpha_t * loss


def importance_weighted_ce(logits, labels, sample_weight):
    losses = nn.CrossEntropyLoss(reduction="none")(logits, labels)
    return torch.dot(losses, sample_weight) / sample_weight.sum()


def expected_cost(logits, y, cost_matrix):
    probs = logits.softmax(1)
    return torch.einsum("nc,nc->n", probs, cost_matrix[y]).mean()


def weighted_soft_ce(logits, onehot, class_weights):
    logp = logits.log_softmax(-1)
    return -torch.einsum("nc,c,nc->n", onehot, class_weights, logp).mean()


def row_weighted_soft_ce(logits, onehot, class_weights):
    w = (onehot * class_weights).sum(dim=1)
    ce = -(onehot * F.log_softmax(logits, dim=1)).sum(dim=1)
    return (w * ce).mean()


def masked_ce(logits, labels, mask):
    return F.cross_entropy(logits[mask.bool()], labels[mask.bool()])


def kl_to_targets(logits, target):
    return F.kl_div(F.log_softmax(logits, dim=1), target, reduction="batchmean")


def ce_of_probabilities(probs, target):
    return F.nll_loss(torch.log(probs), target)


def nll_of_log_probabilities(log_probs, target):
    return F.nll_loss(log_probs, target)
