"""Losses in PyTorch whose weights are not what they seem: scaled, from elsewhere, in another place, or unused."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def balanced_ce(logits, labels, class_weights):
    w = class_weights / class_weights.sum()
    ce = F.cross_entropy(logits, labels, reduction="none", ignore_index=-1)
    return (w[labels] * ce).mean()


class ClassBalancedCE(nn.Module):
    """Weights are brought to a sum of C, as in the class-balanced loss."""

    def __init__(self, weights):
        super().__init__()
        self.weights = weights / weights.sum() * len(weights)

    def forward(self, logits, one_hot):
        w = (self.weights.unsqueeze(0) * one_hot).sum(1)
        return (w * -(one_hot * F.log_softmax(logits, 1)).sum(1)).mean()


def learned_weights_ce(logits, onehot, w):
    a = torch.softmax(w, dim=0)
    return -(a * onehot * torch.log_softmax(logits, 1)).sum(1).mean()


def inverse_weight_ce(pred, target, weight):
    nll = -F.log_softmax(pred, 1).gather(1, target[:, None])[:, 0]
    return (nll / weight[target]).mean()


def twice_weighted(x, y, weight):
    loss = F.cross_entropy(x, y, weight=weight, reduction="none")
    return (loss * weight[y]).sum() / len(x)


def root_weights(x, y, weight):
    losses = torch.logsumexp(x, 1) - x.gather(1, y.view(-1, 1)).view(-1)
    return torch.mean(weight.sqrt()[y] * losses)


def batch_balanced_ce(logits, labels):
    n, c = logits.shape
    counts = torch.bincount(labels, minlength=c).clamp(min=1).to(logits.dtype)
    w = n / (c * counts)
    return (w[labels] * (-F.log_softmax(logits, 1)[torch.arange(n), labels])).mean()


def edge_loss(pred, edge):
    """Edge maps are mostly background: beta is the share of negatives, image by image."""
    beta = (1 - edge).mean(dim=1, keepdim=True)
    weight = torch.where(edge > 0.5, beta, 1 - beta)
    return F.binary_cross_entropy_with_logits(pred, edge, weight=weight)


def edge_loss_batch(prediction, label):
    num_pos = torch.sum(label == 1).to(prediction.dtype)
    num_neg = torch.sum(label == 0).to(prediction.dtype)
    mask = torch.zeros_like(label)
    mask[label == 1] = num_neg / (num_pos + num_neg)
    mask[label == 0] = num_pos / (num_pos + num_neg)
    return F.binary_cross_entropy_with_logits(prediction, label, weight=mask, reduction="sum")


CLASS_WEIGHTS = [0.5, 1.0, 4.0]


def three_class_ce(output, target):
    w = torch.tensor(CLASS_WEIGHTS, dtype=output.dtype)
    return F.nll_loss(F.log_softmax(output, 1), target, w)


def weighted_by_prediction(logits, labels, class_weights):
    pred = logits.argmax(dim=1)
    loss = -logits.log_softmax(1).gather(1, labels[:, None]).squeeze()
    return (class_weights[pred] * loss).mean()


def cost_sensitive_ce(logits, labels, cost_matrix):
    cost = cost_matrix[labels, logits.argmax(1)]
    logp = F.log_softmax(logits, 1)
    return (cost * -logp[torch.arange(len(labels)), labels]).mean()


def expected_cost_transposed(logits, y, cost_matrix):
    return (logits.softmax(1) * cost_matrix.t()[y]).sum(1).mean()


def cost_complement(logits, labels, cost_matrix):
    p = F.softmax(logits, dim=1)
    penalty = cost_matrix[labels] * torch.log1p(-p)
    others = 1 - F.one_hot(labels, logits.size(1))
    return -(penalty * others).sum(1).mean()


def logits_times_weights(logits, labels, class_weights):
    scaled = logits * class_weights
    return -F.log_softmax(scaled, dim=1).gather(1, labels.unsqueeze(1)).mean()


def weighted_targets(logits, targets, weights):
    return F.cross_entropy(logits, targets * weights)


def configurable_ce(pred, label, **kwargs):
    return F.cross_entropy(pred, label, reduction=kwargs.get("reduction", "mean"))


class WeightedBCE(nn.Module):
    """The weight is meant for positives."""

    def __init__(self, weight):
        super().__init__()
        self.loss = nn.BCEWithLogitsLoss(weight=weight)

    def forward(self, logits, targets):
        return self.loss(logits, targets)


def negatives_weighted(logits, targets, pos_weight):
    return (targets * F.softplus(-logits) + pos_weight * (1 - targets) * F.softplus(logits)).mean()


def two_sided_bce(logits, targets, weights):
    w = weights[1] * targets + weights[0] * (1 - targets)
    return (w * F.binary_cross_entropy_with_logits(logits, targets, reduction="none")).mean()


def pos_weight_where(logits, labels, pos_weight):
    w = torch.where(labels == 1, pos_weight, torch.ones_like(labels))
    return (w * F.binary_cross_entropy_with_logits(logits, labels, reduction="none")).mean()


def dynamic_pos_weight(logits, targets):
    pos = targets.sum(0)
    q = (len(targets) - pos) / pos.clamp(min=1)
    return F.binary_cross_entropy_with_logits(logits, targets, pos_weight=q)


def hand_set_weights(logits, labels):
    w = torch.tensor([0.3, 0.7, 2.2], dtype=logits.dtype)
    return F.cross_entropy(logits, labels, weight=w)


def effective_number_weights(logits, labels):
    counts = torch.tensor([50.0, 200.0, 17.0], dtype=logits.dtype)
    w = (1 - 0.99) / (1 - 0.99**counts)
    return F.cross_entropy(logits, labels, weight=w / w.sum() * len(w))


def weight_beside_the_mean(logits, labels, weights):
    losses = F.cross_entropy(logits, labels, reduction="none")
    return (losses[:, None] * weights[labels]).mean()


def positive_above_half(x, t, pos_weight):
    w = torch.where(t > 0.5, pos_weight, torch.ones_like(pos_weight))
    return (w * F.binary_cross_entropy_with_logits(x, t, reduction="none")).mean()
