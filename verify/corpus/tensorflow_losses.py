"""Cross-entropies in TensorFlow 2 and Keras: sound ones, then ones with a fault or a departure each."""

import tensorflow as tf

keras = tf.keras


class WeightedCategoricalCrossentropy(keras.losses.Loss):
    def __init__(self, weights, **kwargs):
        super().__init__(**kwargs)
        self.weights = weights

    def call(self, y_true, y_pred):
        ce = tf.nn.softmax_cross_entropy_with_logits(labels=y_true, logits=y_pred)
        return tf.reduce_sum(tf.cast(self.weights, y_true.dtype) * y_true, axis=-1) * ce


def sparse_ce(y_true, y_pred):
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y_true, logits=y_pred)
    return tf.reduce_mean(loss)


def weighted_sparse_ce(labels, logits, class_weights):
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    w = tf.gather(class_weights, labels)
    return tf.math.divide_no_nan(tf.reduce_sum(w * loss), tf.reduce_sum(w))


def weighted_bce(y_true, y_pred, pos_weight):
    return tf.reduce_mean(tf.nn.weighted_cross_entropy_with_logits(y_true, y_pred, pos_weight))


def keras_smoothing(y_true, y_pred):
    return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)(y_true, y_pred)


def masked_loss(real, pred, mask):
    per_token = tf.nn.sparse_softmax_cross_entropy_with_logits(real, pred)
    return tf.reduce_mean(tf.boolean_mask(per_token, mask > 0))


def soft_ce(t, x):
    return -tf.reduce_mean(tf.einsum("nc,nc->n", t, tf.nn.log_softmax(x)))


# From here on, with a fault or a departure each.


def masked_loss_all(real, pred, mask):
    per_token = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=real, logits=pred)
    return tf.reduce_mean(per_token * mask)


def weighted_sparse_mean(labels, logits, class_weights):
    onehot = tf.one_hot(labels, tf.shape(logits)[1], dtype=logits.dtype)
    w = tf.reduce_sum(class_weights * onehot, axis=1)
    return tf.reduce_mean(w * tf.nn.softmax_cross_entropy_with_logits(onehot, logits))


def keras_from_logits_forgotten(y_true, y_pred):
    """The model ends in Dense(C), without a softmax."""
    return keras.losses.CategoricalCrossentropy()(y_true, tf.nn.softmax(tf.nn.softmax(y_pred)))


def manual_clip(y_true, y_pred):
    p = tf.clip_by_value(tf.nn.softmax(y_pred), 1e-7, 1 - 1e-7)
    return tf.reduce_mean(-tf.reduce_sum(y_true * tf.math.log(p), axis=-1))


def mean_of_terms(y_true, y_pred):
    return tf.reduce_mean(-y_true * tf.nn.log_softmax(y_pred))


def argmax_labels(y_true, y_pred):
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.argmax(y_true, 1), logits=y_pred))


def legacy_labels(labels, logits):
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=tf.stop_gradient(labels), logits=logits))


def labels_times_weights(y_true, y_pred, weights):
    return tf.reduce_mean(-tf.reduce_sum(y_true * weights * tf.nn.log_softmax(y_pred), axis=1))


def fused_labels_times_weights(y_true, y_pred, weights):
    """The same value; TensorFlow's fused gradient is p - t, whatever labels sum to."""
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=y_true * weights, logits=y_pred))


def focal_alpha(y_true, y_pred, gamma=2.0, alpha=0.25):
    p = tf.sigmoid(y_pred)
    ce = tf.nn.sigmoid_cross_entropy_with_logits(labels=y_true, logits=y_pred)
    p_t = y_true * p + (1 - y_true) * (1 - p)
    a = y_true * alpha + (1 - y_true) * (1 - alpha)
    return tf.reduce_sum(a * tf.pow(1 - p_t, gamma) * ce)


def probabilities_ce(y_true, y_pred):
    y_pred = y_pred / tf.reduce_sum(y_pred, axis=-1, keepdims=True)
    y_pred = tf.maximum(y_pred, 1e-7)
    return tf.reduce_mean(-tf.reduce_sum(y_true * tf.math.log(y_pred), axis=-1))


@tf.custom_gradient
def _own_ce(logits, onehot):
    p = tf.nn.softmax(logits)

    def grad(upstream):
        n = tf.cast(tf.shape(logits)[0], logits.dtype)
        return (p - onehot) / n, None

    return -tf.reduce_mean(tf.reduce_sum(onehot * tf.nn.log_softmax(logits), 1)), grad


def own_gradient_ce(logits, labels):
    return _own_ce(logits, tf.one_hot(labels, logits.shape[1], dtype=logits.dtype))


def seq_loss(y_true, y_pred):
    """Label 0 is padding; the loss is weighted by the mask and then Keras averages over everything."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")(y_true, y_pred)
    return tf.reduce_mean(loss * tf.cast(y_true != 0, loss.dtype))


def column_sample_weights(y_true, y_pred, sample_weight):
    loss = tf.nn.softmax_cross_entropy_with_logits(labels=y_true, logits=y_pred)
    return tf.reduce_mean(loss * tf.expand_dims(sample_weight, 1))


def swapped_ce(labels, logits):
    return tf.reduce_mean(-tf.reduce_sum(logits * tf.nn.log_softmax(labels), axis=1))


def weight_both_sides(y_true, y_pred, pos_weight):
    ce = tf.nn.sigmoid_cross_entropy_with_logits(labels=y_true, logits=y_pred)
    return tf.reduce_mean(tf.reduce_sum(pos_weight * ce, axis=1))


def squared_penalty(y_true, y_pred):
    """No contract describes it: the mean squared error of the softmax plus the cross-entropy."""
    mse = tf.reduce_mean(tf.square(y_true - tf.nn.softmax(y_pred)))
    return mse + tf.reduce_mean(keras.losses.categorical_crossentropy(y_true, y_pred, from_logits=True))


def label_distribution_distance(y_true, y_pred):
    """No contract describes it: the earth mover's distance between ordered classes."""
    difference = tf.cumsum(tf.nn.softmax(y_pred), 1) - tf.cumsum(y_true, 1)
    return tf.reduce_mean(tf.reduce_sum(tf.abs(difference), 1))
