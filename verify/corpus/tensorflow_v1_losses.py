"""Graph code of TensorFlow 1: sound losses, then ones with a fault or a departure each."""

import tensorflow.compat.v1 as tf


def weighted_loss(logits, labels, class_weights):
    w = tf.gather(class_weights, labels)
    return tf.losses.sparse_softmax_cross_entropy(labels=labels, logits=logits, weights=w)


def weighted_loss_by_sum(logits, onehot, class_weights):
    weights = tf.reduce_sum(class_weights * onehot, axis=1)
    return tf.losses.softmax_cross_entropy(onehot, logits, weights=weights, reduction=tf.losses.Reduction.MEAN)


def mean_ce(logits, labels):
    ce = tf.nn.sparse_softmax_cross_entropy_with_logits(logits=logits, labels=labels, name="xentropy")
    return tf.reduce_mean(ce, name="xentropy_mean")


def smoothed(logits, onehot):
    return tf.losses.softmax_cross_entropy(onehot, logits, label_smoothing=0.1)


def sigmoid_mean(logits, labels):
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits))


def weighted_sigmoid(logits, targets, pos_weight):
    loss = tf.nn.weighted_cross_entropy_with_logits(targets=targets, logits=logits, pos_weight=pos_weight)
    return tf.reduce_mean(tf.reduce_sum(loss, axis=1))


def mnist_tutorial(y, y_):
    return tf.reduce_mean(-tf.reduce_sum(y_ * tf.log(tf.nn.softmax(y)), reduction_indices=[1]))


# From here on, with a fault or a departure each.


def mnist_clipped(y, y_):
    y = tf.nn.softmax(y)
    return -tf.reduce_sum(y_ * tf.log(tf.clip_by_value(y, 1e-10, 1.0)))


def old_ce(logits, labels):
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=labels, logits=logits))


def logits_scaled_by_weights(logits, onehot, class_weights):
    """From a much read answer: multiply the logits with the weights."""
    weighted_logits = tf.multiply(logits, class_weights)
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits_v2(labels=onehot, logits=weighted_logits))


def weights_over_batch(logits, labels, class_weights):
    w = tf.gather(class_weights, labels)
    return tf.losses.sparse_softmax_cross_entropy(
        labels, logits, weights=w, reduction=tf.losses.Reduction.SUM_OVER_BATCH_SIZE
    )


def softmax_first(logits, labels):
    return tf.losses.sparse_softmax_cross_entropy(labels, tf.nn.softmax(logits))


def sequence_mask_loss(logits, labels, mask):
    xent = tf.nn.sparse_softmax_cross_entropy_with_logits(logits=logits, labels=labels)
    return tf.reduce_mean(xent * mask)


def class_balanced_sigmoid(logits, label):
    count_neg = tf.reduce_sum(1.0 - label)
    count_pos = tf.reduce_sum(label)
    beta = count_neg / (count_neg + count_pos)
    pos_weight = beta / (1 - beta)
    cost = tf.nn.weighted_cross_entropy_with_logits(targets=label, logits=logits, pos_weight=pos_weight)
    return tf.reduce_mean(cost * (1 - beta))


def predicted_class_weight(logits, onehot, class_weights):
    w = tf.gather(class_weights, tf.argmax(logits, axis=1))
    return tf.losses.softmax_cross_entropy(onehot, logits, weights=w)


def hinge_loss(logits, onehot):
    """No contract describes it."""
    return tf.losses.hinge_loss(labels=onehot, logits=logits)
