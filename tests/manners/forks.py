"""Forks as soon as it is imported."""

import os

os.fork()


def loss(logits, labels):
    return ((logits.sum(1) - labels) ** 2).mean()
