import tensorflow as tf

from lossvet.testing import assert_conforms, assert_same_loss


def sparse(labels, logits):
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))


def by_hand(labels, logits):
    log_p = tf.nn.log_softmax(logits)
    return -tf.reduce_mean(tf.gather(log_p, labels, axis=1, batch_dims=1))


def test_ours_means_what_tensorflow_means():
    assert_same_loss(sparse, by_hand)


def test_it_is_the_mean_over_the_batch():
    assert_conforms(sparse, "sparse", "mean")
