"""PyTorch losses with manners, each of its own kind; `tests/test_manners.py` says what verify says of them."""

import contextlib
import os
import sys
import time

import torch
import torch.nn.functional as F


def plain(logits, labels, weight=None):
    return F.cross_entropy(logits, labels, weight)


def prints(logits, labels):
    print("a step")
    return F.cross_entropy(logits, labels)


def exits(logits, labels):
    sys.exit(3)


def hangs(logits, labels):
    while True:
        with contextlib.suppress(Exception):
            time.sleep(60)


def raises(logits, labels):
    raise ValueError("expected a tensor of rank 7\nand more")


def in_place(logits, labels):
    logits -= logits.max(1, keepdim=True)[0]
    return F.cross_entropy(logits, labels)


def weights_in_place(logits, labels, weight):
    weight /= weight.sum()
    return F.cross_entropy(logits, labels, weight)


def random(logits, labels):
    return F.cross_entropy(F.dropout(logits, 0.5), labels)


def seeds(logits, labels):
    torch.manual_seed(0)
    return F.cross_entropy(logits, labels)


def allocates(logits, labels):
    torch.empty(10 * 2**30, dtype=torch.uint8)
    return F.cross_entropy(logits, labels)


def forks(logits, labels):
    os.fork()
    return F.cross_entropy(logits, labels)


def returns_none(logits, labels):
    F.cross_entropy(logits, labels)


def returns_a_number(logits, labels):
    return F.cross_entropy(logits, labels).item()


def returns_a_tuple(logits, labels):
    losses = F.cross_entropy(logits, labels, reduction="none")
    return losses, losses.mean()


def returns_a_mapping(logits, labels):
    return {"accuracy": 0.5, "loss": F.cross_entropy(logits, labels)}


def once_only(logits, labels):
    return Once.apply(F.cross_entropy(logits, labels, reduction="none").mean())


class Once(torch.autograd.Function):
    """Its backward pass forgets what it needs."""

    passes = 0

    @staticmethod
    def forward(ctx, x):
        ctx.passes = 0
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        ctx.passes += 1
        return gradient * (ctx.passes == 1)


not_a_function = torch.ones(3)
