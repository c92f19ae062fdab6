"""Losses in PyTorch that take their labels, or their arguments, for something else; and the ways to smooth."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def hard_ce(logits, soft_labels):
    target = soft_labels.argmax(dim=1)
    return F.cross_entropy(logits, target)


def long_targets_bce(logits, targets):
    targets = targets.long().to(logits.dtype)
    return F.binary_cross_entropy_with_logits(logits, targets)


def one_based_ce(logits, labels):
    """Labels count from 1 in our data set."""
    logp = F.log_softmax(logits, dim=1)
    return -logp.gather(1, (labels - 1).remainder(logits.size(1)).unsqueeze(1)).mean()


def flipped_ce(logits, onehot):
    return -(onehot.flip(1) * F.log_softmax(logits, 1)).sum(1).mean()


def reversed_bce(logits, labels):
    return F.binary_cross_entropy_with_logits(logits, 1 - labels)


class SwappedCE(nn.Module):
    """Called Keras-fashion: criterion(y_true, y_pred)."""

    def forward(self, y_pred, y_true):
        return F.cross_entropy(y_true, y_pred)


def causal_lm_loss(logits, labels):
    shift_logits = logits[:-1].contiguous()
    shift_labels = labels[1:].contiguous()
    return F.cross_entropy(shift_logits, shift_labels)


def smooth_over_others(pred, target, epsilon=0.1):
    n_class = pred.size(1)
    one_hot = torch.zeros_like(pred).scatter(1, target.view(-1, 1), 1)
    one_hot = one_hot * (1 - epsilon) + (1 - one_hot) * epsilon / (n_class - 1)
    return -(one_hot * F.log_softmax(pred, dim=1)).sum(dim=1).mean()


class LabelSmoothingKL(nn.Module):
    """As in the annotated transformer: the divergence from the smoothed distribution."""

    def __init__(self, smoothing=0.1):
        super().__init__()
        self.smoothing = smoothing

    def forward(self, x, target):
        log_probs = F.log_softmax(x, dim=-1)
        true_dist = torch.full_like(log_probs, self.smoothing / (x.size(1) - 1))
        true_dist.scatter_(1, target.unsqueeze(1), 1.0 - self.smoothing)
        return F.kl_div(log_probs, true_dist, reduction="sum") / x.size(0)


def smooth_weighted_terms(logits, labels, weights):
    return F.cross_entropy(logits, labels, weight=weights, label_smoothing=0.1)


def smooth_weighted_after(logits, labels, weights):
    loss = F.cross_entropy(logits, labels, label_smoothing=0.1, reduction="none")
    w = weights[labels]
    return (w * loss).sum() / w.sum()


def smooth_weighted_sample(logits, labels, weights, eps=0.1):
    t = F.one_hot(labels, logits.size(1)).to(logits.dtype) * (1 - eps) + eps / logits.size(1)
    w = t @ weights
    loss = -(t * logits.log_softmax(1)).sum(1)
    return (w * loss).sum() / w.sum()


def smoothed_bce(logits, labels, smoothing=0.1):
    with torch.no_grad():
        labels = labels * (1.0 - smoothing) + 0.5 * smoothing
    return F.binary_cross_entropy_with_logits(logits, labels)


def padding_leaks(logits, targets, mask):
    """Masked logits become 0, and a row of zeros costs the logarithm of the number of classes."""
    logits = logits * mask.unsqueeze(1)
    return F.cross_entropy(logits, targets * mask.long())


def bce_masked_logits(x, y, mask):
    m = mask.unsqueeze(1)
    return F.binary_cross_entropy_with_logits(x * m, y * m)


def ignore_255(seg_logits, seg_label):
    return F.cross_entropy(seg_logits, seg_label, ignore_index=255)


def ignored_as_zero(logits, labels):
    labels = torch.where(labels < 0, torch.zeros_like(labels), labels)
    return F.cross_entropy(logits, labels)
