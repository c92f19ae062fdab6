import torch
import torch.nn.functional as F

from lossvet.testing import assert_conforms, assert_same_loss


def before(logits, target, weight):
    rows = F.cross_entropy(logits, target, reduction="none")
    return (weight[target] * rows).sum() / weight[target].sum()


def after(logits, target, weight):
    log_p = torch.log_softmax(logits, dim=1)
    w = weight[target]
    return -(w * log_p.gather(1, target[:, None])[:, 0]).sum() / w.sum()


def averaged(logits, target, weight):
    return (weight[target] * F.cross_entropy(logits, target, reduction="none")).mean()


def test_the_rewritten_loss_means_the_same():
    assert_same_loss(before, after)


def test_another_denominator_is_wanted():
    assert_same_loss(before, averaged, accept=["denominator=weights->batch"])


def test_it_is_the_mean_over_the_weights():
    assert_conforms(after, "sparse_class_weight", "weighted_mean")
