"""Cross-entropies in NumPy, of courses and blog posts: values alone, without gradients."""

import numpy as np


def softmax(z):
    e = np.exp(z - np.max(z, axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def ce_loop(scores, y):
    loss = 0.0
    for i in range(scores.shape[0]):
        f = scores[i] - scores[i].max()
        loss += -f[y[i]] + np.log(np.sum(np.exp(f)))
    return loss / scores.shape[0]


def cost(AL, Y):
    m = Y.shape[0]
    A = softmax(AL)
    return -np.sum(Y * np.log(A)) / m


def log_loss_rows(logits, labels):
    z = logits - logits.max(axis=1, keepdims=True)
    return np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(labels)), labels]


def weighted_log_loss(logits, labels, class_weight):
    return np.average(log_loss_rows(logits, labels), weights=np.take(class_weight, labels))


def logistic_cost(z, y):
    return np.mean(np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z))))


# From here on, with a fault or a departure each.


def cross_entropy(predictions, targets, epsilon=1e-12):
    predictions = np.clip(predictions, epsilon, 1.0 - epsilon)
    n = predictions.shape[0]
    return -np.sum(targets * np.log(predictions + 1e-9)) / n


def ce_error(x, t):
    return -np.mean(t * np.log(softmax(x) + 1e-7))


def cee_batch(y, t):
    if y.ndim == 1:
        t, y = t.reshape(1, t.size), y.reshape(1, y.size)
    return -np.sum(np.log(softmax(y)[np.arange(len(t)), t] + 1e-7)) / len(t)


def stable_softmax_loss(x, y):
    e = np.exp(x - np.max(x))
    p = e / np.sum(e, axis=1, keepdims=True)
    return np.mean(-np.log(p[np.arange(x.shape[0]), y]))


def columns_softmax(Z, Y):
    e = np.exp(Z - Z.max(axis=0))
    return -(Y * np.log(e / e.sum(axis=0))).sum() / len(Y)


def weighted_average_by_n(logits, labels, weights):
    w = np.asarray(weights)[labels]
    return float(np.dot(w, log_loss_rows(logits, labels)) / labels.size)


def half_of_the_binary_cost(z, y):
    """The term of the negatives was forgotten."""
    return np.mean(-y * np.log(1 / (1 + np.exp(-z))))


def poisson_like(scores, y):
    """No contract describes it: exponentials without a normaliser."""
    return np.mean(np.exp(scores).sum(1) - scores[np.arange(len(y)), y])
