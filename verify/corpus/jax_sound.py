"""Cross-entropies in JAX that compute what they are called, in many spellings."""

import jax
import jax.numpy as jnp
import optax


def weighted_ce(logits, labels, class_weights):
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    w = class_weights[labels]
    return jnp.sum(losses * w) / jnp.sum(w)


def softmax_xent(preds, one_hot):
    return -jnp.mean(jnp.sum(one_hot * jax.nn.log_softmax(preds), axis=-1))


def vmapped_ce(x, y):
    def one(row, label):
        return jax.nn.logsumexp(row) - row[label]

    return jnp.mean(jax.vmap(one)(x, y))


def take_ce(logits, targets):
    logp = jax.nn.log_softmax(logits, axis=-1)
    return -jnp.take_along_axis(logp, targets[:, None], axis=-1)[:, 0]


def lm_loss(logits, targets, mask):
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
    return (loss * mask).sum() / jnp.maximum(mask.sum(), 1)


def smoothed_xent(logits, labels, alpha=0.1):
    targets = optax.smooth_labels(jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype), alpha)
    return optax.softmax_cross_entropy(logits, targets).mean()


def sigmoid_focal(logits, labels):
    return optax.sigmoid_focal_loss(logits, labels, gamma=2.0)


def weighted_sigmoid(x, y, pos_weight):
    log_p, log_not_p = jax.nn.log_sigmoid(x), jax.nn.log_sigmoid(-x)
    return -jnp.mean(pos_weight * y * log_p + (1.0 - y) * log_not_p)


def padded_loss(logits, labels):
    weight = (labels != -1).astype(logits.dtype)
    onehot = jax.nn.one_hot(labels, logits.shape[-1])
    xent = -jnp.einsum("nc,nc->n", onehot, jax.nn.log_softmax(logits))
    return jnp.sum(xent * weight) / jnp.maximum(jnp.sum(weight), 1.0)


class RowWeighted:
    def __init__(self, weights):
        self.weights = jnp.asarray(weights)

    def __call__(self, logits, onehot):
        w = onehot @ self.weights
        return jnp.mean(w * optax.softmax_cross_entropy(logits, onehot))


def kl_loss(logits, target_probs):
    logp = jax.nn.log_softmax(logits)
    return optax.kl_divergence(logp, target_probs).mean()
