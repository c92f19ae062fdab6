import jax
import jax.numpy as jnp


def weighted(logits, labels, w):
    rows = jnp.arange(len(labels))
    return -jnp.sum(w[labels] * jax.nn.log_softmax(logits)[rows, labels]) / jnp.sum(w[labels])


def untraced(logits, onehot):
    if float(jnp.max(jnp.abs(logits))) > 1e6:
        raise ValueError("too far out")
    return -jnp.mean(jnp.sum(onehot * jax.nn.log_softmax(logits), 1))
