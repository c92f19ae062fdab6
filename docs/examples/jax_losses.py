import jax
import jax.numpy as jnp
import optax

from lossvet.testing import assert_conforms, assert_same_loss


def with_optax(logits, labels):
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def by_hand(logits, labels):
    log_p = jax.nn.log_softmax(logits)
    return -jnp.take_along_axis(log_p, labels[:, None], axis=1).mean()


def test_ours_means_what_optax_means():
    assert_same_loss(with_optax, by_hand)


def test_it_is_the_mean_over_the_batch():
    assert_conforms(by_hand, "sparse", "mean")
