import tensorflow as tf


def weighted_categorical_crossentropy(weights):
    """A function that makes a loss, as Keras users write them."""

    def loss(y_true, y_pred):
        y_pred = y_pred / tf.reduce_sum(y_pred, axis=-1, keepdims=True)
        y_pred = tf.clip_by_value(y_pred, 1e-7, 1 - 1e-7)
        return -tf.reduce_sum(y_true * tf.math.log(y_pred) * weights, -1)

    return loss


def in_float32(y_true, y_pred):
    """float32 from a constant: it raises in float64."""
    losses = tf.nn.softmax_cross_entropy_with_logits(labels=y_true, logits=y_pred)
    return tf.reduce_mean(losses * tf.reduce_sum(y_true * tf.constant([1.0, 2.0, 4.0]), 1))


def per_example(labels, logits, weights=1.0):
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    return tf.reduce_sum(losses * weights) / tf.reduce_sum(weights * tf.ones_like(losses))


def tf1(labels, logits, weights=1.0):
    return tf.compat.v1.losses.sparse_softmax_cross_entropy(labels, logits, weights)
