import os

import numpy as np


def weighted(t, z, w):
    """Positional names: t are integer labels, z are logits."""
    shifted = z - z.max(1, keepdims=True)
    logp = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    picked = logp[np.arange(len(t)), t]
    return -(w[t] * picked).sum() / w[t].sum()


def of_probabilities(y_true, p):
    return -(y_true * np.log(p)).sum(1).mean()


def changes_labels(logits, labels):
    labels[:] = 0
    return -logits[np.arange(len(labels)), labels].mean()


def ends(logits, labels):
    os._exit(4)


def by_rows(logits, labels):
    """Ends with seven rows, hangs with eight, raises with nine."""
    if len(logits) == 7:
        os._exit(5)
    while len(logits) == 8:
        pass
    if len(logits) == 9:
        raise ValueError("nine rows")
    return (np.log(np.exp(logits).sum(1)) - logits[np.arange(len(labels)), labels]).mean()
