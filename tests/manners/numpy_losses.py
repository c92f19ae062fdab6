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
