"""Losses in JAX with a fault or a departure each."""

import jax
import jax.numpy as jnp
import optax
from jax import lax


def weighted_ce_mean(logits, labels, weights):
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return jnp.mean(losses * weights[labels])


def masked_loss(logits, labels, mask):
    return jnp.where(mask > 0, optax.softmax_cross_entropy_with_integer_labels(logits, labels), 0.0).mean()


def xent_mean_all(pred, y):
    return -jnp.mean(jax.nn.one_hot(y, pred.shape[1]) * jax.nn.log_softmax(pred))


def unsafe_where(logits, labels, mask):
    total = jnp.sum(mask)
    loss = jnp.sum(mask * optax.softmax_cross_entropy_with_integer_labels(logits, labels))
    return jnp.where(total == 0, 0.0, loss / total)


def double_softmax(logits, onehot):
    return optax.softmax_cross_entropy(jax.nn.softmax(logits), onehot).mean()


def log_plus_eps(logits, onehot, eps=1e-6):
    return -(onehot * jnp.log(jax.nn.softmax(logits) + eps)).sum(-1).mean()


def brute_nll(logits, labels):
    p = jax.nn.softmax(logits, axis=0)
    return -jnp.log(p[jnp.arange(p.shape[0]), labels]).mean()


def swapped(labels, logits):
    return optax.softmax_cross_entropy(labels, logits).mean()


def stop_weights(logits, labels, weights):
    w = lax.stop_gradient(weights)
    return jnp.sum(jnp.take(w, labels) * optax.softmax_cross_entropy_with_integer_labels(logits, labels)) / len(labels)


def stop_targets(student, teacher):
    return optax.softmax_cross_entropy(student, lax.stop_gradient(teacher)).mean()


@jax.custom_vjp
def fused_ce(logits, target):
    return -(target * jax.nn.log_softmax(logits)).sum(-1).mean()


def _forward(logits, target):
    return fused_ce(logits, target), (jax.nn.softmax(logits), target, jax.nn.log_softmax(logits))


def _backward(saved, g):
    p, target, logp = saved
    return g * (p - target) / p.shape[0], -g * logp / p.shape[0]


fused_ce.defvjp(_forward, _backward)


def safe_pos_weight(x, y, pos_weight):
    weight = 1 + (pos_weight - 1) * y
    return jnp.mean((1 - y) * x + weight * (jnp.log1p(jnp.exp(-jnp.abs(x))) + jnp.maximum(-x, 0)))


def single_precision(logits, labels):
    logp = jax.nn.log_softmax(logits.astype(jnp.float32))
    return -jnp.mean(jnp.take_along_axis(logp, labels[:, None], 1))


def normalised_weights(logits, labels, weights):
    weights = weights / weights.sum() * weights.size
    return jnp.mean(weights[labels] * optax.softmax_cross_entropy_with_integer_labels(logits, labels))


def effective_weights(logits, labels):
    n, c = logits.shape
    counts = jnp.maximum(jnp.bincount(labels, length=c), 1)
    w = n / counts
    return jnp.mean(w[labels] * optax.softmax_cross_entropy_with_integer_labels(logits, labels))


def cost_matrix_loss(logits, labels, costs):
    return jnp.mean(jnp.sum(jax.nn.softmax(logits) * costs[:, labels].T, axis=-1))


def z_loss_ce(logits, labels):
    log_z = jax.nn.logsumexp(logits, axis=-1)
    label_logits = jnp.sum(logits * jax.nn.one_hot(labels, logits.shape[-1]), -1)
    return jnp.mean(log_z - label_logits + 1e-4 * log_z**2)


def shifted_lm(logits, tokens):
    return optax.softmax_cross_entropy_with_integer_labels(logits[:-1], tokens[1:]).mean()


def devices_mean(logits, labels, weights):
    """Each device divides by its own sum of weights, then pmean."""
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels) * weights[labels]
    half = (labels.size + 1) // 2
    halves = [slice(0, half), slice(half, None)]
    return sum(losses[s].sum() / weights[labels[s]].sum() for s in halves) / 2


def weighted_sum(logits, labels, weights):
    return jnp.vdot(weights[labels], take(logits, labels))


def take(logits, labels):
    return -jax.nn.log_softmax(logits)[jnp.arange(labels.size), labels]


def focal_with_logits_twice(logits, labels, gamma=2.0):
    logp = jax.nn.log_softmax(jax.nn.softmax(logits))[jnp.arange(labels.size), labels]
    return -jnp.mean((1 - jnp.exp(logp)) ** gamma * logp)


def clipped_and_ignored(logits, labels):
    p = jnp.clip(jax.nn.softmax(logits), 1e-5, 1 - 1e-5)
    valid = labels >= 0
    picked = jnp.take_along_axis(p, jnp.where(valid, labels, 0)[:, None], 1)[:, 0]
    return -jnp.sum(jnp.log(picked) * valid) / labels.shape[0]


def entropy_regularised(logits, onehot):
    logp = jax.nn.log_softmax(logits / 3.0)
    h = -jnp.sum(jnp.exp(logp) * logp, -1)
    return jnp.mean(-jnp.sum(onehot * logp, -1) - 0.01 * h)
