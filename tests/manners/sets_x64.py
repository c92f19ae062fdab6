"""JAX code that switches 64 bits on as soon as it is imported."""

import jax

jax.config.update("jax_enable_x64", True)


def loss(logits, labels):
    return -jax.numpy.mean(jax.nn.log_softmax(logits)[jax.numpy.arange(len(labels)), labels])
