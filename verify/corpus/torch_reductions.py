"""Losses in PyTorch that divide by something else than their names let one expect."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def weighted_mean_over_batch(logits, labels, weights):
    loss = F.cross_entropy(logits, labels, reduction="none")
    loss = loss * weights[labels]
    return loss.mean()


class WeightedNLL(nn.Module):
    """CrossEntropyLoss(weight) written by hand."""

    def __init__(self, weight):
        super().__init__()
        self.weight = weight

    def forward(self, pred, gt):
        total = F.nll_loss(F.log_softmax(pred, 1), gt, weight=self.weight, reduction="sum")
        return total / gt.size(0)


def ce_mean_everything(pred, onehot):
    return -(onehot * F.log_softmax(pred, dim=1)).mean()


def masked_mean(logits, labels, mask):
    loss = F.cross_entropy(logits, labels, reduction="none")
    return (loss * mask).mean()


def mean_with_padding(outputs, targets):
    criterion = nn.CrossEntropyLoss(ignore_index=-100, reduction="none")
    return criterion(outputs, targets).mean()


def sum_over_tokens(outputs, targets):
    criterion = nn.CrossEntropyLoss(ignore_index=0, reduction="sum")
    return criterion(outputs, targets) / targets.numel()


def accumulated(logits, labels, chunks=2):
    loss = 0.0
    for x, y in zip(logits.chunk(chunks), labels.chunk(chunks), strict=True):
        loss = loss + F.cross_entropy(x, y) / chunks
    return loss


def weighted_accumulated(logits, labels, weights):
    losses = [F.cross_entropy(x, y, weight=weights) for x, y in zip(logits.split(2), labels.split(2), strict=True)]
    return torch.stack(losses).mean()


def over_total_class_weight(logits, labels, weights):
    nll = -F.log_softmax(logits, 1)[range(len(labels)), labels]
    return (nll * weights[labels]).sum() / weights.sum()


def over_nonzero(logits, labels, weights):
    w = weights[labels]
    loss = w * F.cross_entropy(logits, labels, reduction="none")
    return loss.sum() / torch.count_nonzero(w)


def averaged_twice(output, target):
    batch_size = output.size(0)
    return F.cross_entropy(output, target) / batch_size


def mean_loss(x, target):
    """Mean cross-entropy over the batch."""
    return nn.CrossEntropyLoss(reduction="sum")(x, target)


def weights_after_mean(logits, labels, weights):
    loss = nn.CrossEntropyLoss()(logits, labels)
    return (loss * weights[labels]).mean()


def column_weights(logits, labels, sample_weight):
    loss = F.cross_entropy(logits, labels, reduction="none")
    return (loss * sample_weight.unsqueeze(1)).mean()


def class_weights_on_rows(logits, labels, class_weights):
    loss = F.cross_entropy(logits, labels, reduction="none")
    return torch.mean(loss * class_weights)


def trainer_loss(logits, labels, num_items_in_batch):
    loss = F.cross_entropy(logits, labels, ignore_index=-100, reduction="sum")
    return loss / num_items_in_batch


def mean_by_numel(pred, target):
    """Like multilabel_bce: a sum over the classes, a mean over the batch?"""
    loss = F.binary_cross_entropy_with_logits(pred, target, reduction="sum")
    return loss / target.numel()


def sample_weighted_mean(logits, labels, sample_weight):
    ce = F.cross_entropy(logits, labels, reduction="none")
    return (ce * sample_weight).sum() / ce.shape[0]


def masked_bce_rows(logits, labels, mask):
    loss = F.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    return (loss * mask.unsqueeze(1)).sum() / loss.numel()


def safe_masked_mean(logits, labels, mask):
    loss = F.cross_entropy(logits, labels, reduction="none") * mask
    return loss.sum() / max(mask.sum(), 1)


def zero_if_all_ignored(logits, labels):
    if (labels == -100).all():
        return torch.zeros((), dtype=logits.dtype)
    return F.cross_entropy(logits, labels)
