"""Losses in JAX that go wrong by shapes, axes and arguments, and ones that meet more than one class at once."""

import jax
import jax.numpy as jnp
import optax


def column_weights(logits, labels, sample_weight):
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return (losses * sample_weight[:, None]).mean()


def class_weights_on_rows(logits, labels, class_weights):
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return jnp.mean(class_weights * losses)


def smooth_others(logits, labels, eps=0.2):
    c = logits.shape[-1]
    targets = jnp.where(jax.nn.one_hot(labels, c) > 0, 1 - eps, eps / (c - 1))
    return -jnp.mean(jnp.sum(targets * jax.nn.log_softmax(logits), -1))


def loss_fn(logits, labels, weights=None, reduction="mean"):
    """weights is kept for callers of the old signature."""
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return loss.mean() if reduction == "mean" else loss


def per_example(logits, labels, weights):
    return jax.vmap(lambda x, y: -weights[y] * jax.nn.log_softmax(x)[y])(logits, labels)


def batch_mean_twice(logits, onehot):
    loss = optax.softmax_cross_entropy(logits, onehot).mean()
    return loss / onehot.shape[0]


def multilabel_sum(x, y):
    return optax.sigmoid_binary_cross_entropy(x, y).sum(-1).mean()


def multilabel_of_sigmoid(x, y):
    return optax.sigmoid_binary_cross_entropy(jax.nn.sigmoid(x), y).sum(-1).mean()


def scan_sum(logits, labels):
    def step(total, pair):
        row, label = pair
        return total + jax.nn.logsumexp(row) - row[label], None

    return jax.lax.scan(step, jnp.zeros((), logits.dtype), (logits, labels))[0]


def weights_from_argmax(logits, labels, weights):
    w = weights[jnp.argmax(logits, axis=-1)]
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return jnp.sum(w * loss) / jnp.sum(w)


def hard_and_floored(logits, onehot):
    p = jnp.maximum(jax.nn.softmax(logits), 1e-4)
    picked = jnp.take_along_axis(p, jnp.argmax(onehot, 1)[:, None], 1)
    return -jnp.log(picked).mean()


def lm_loss_with_z(logits, labels, mask):
    log_z = jax.nn.logsumexp(logits, -1)
    ce = log_z - jnp.take_along_axis(logits, labels[:, None], -1)[:, 0]
    return jnp.sum((ce + 1e-3 * log_z**2) * mask) / mask.size
