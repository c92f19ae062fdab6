"""TF1 losses as scripts of 2018 have them, one for each variant and way of writing it: what tf_upgrade_v2 is given.

Data, which is written to files and converted; nothing here is run in this process. `tf` is TF1's.
"""

from __future__ import annotations

LOSSES = {
    "sigmoid": """
def loss(logits, labels):
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits))
""",
    "sigmoid, tf.losses": """
def loss(logits, labels):
    return tf.losses.sigmoid_cross_entropy(labels, logits)
""",
    "pos_weight": """
def loss(logits, labels, pos_weight):
    return tf.reduce_mean(
        tf.nn.weighted_cross_entropy_with_logits(targets=labels, logits=logits, pos_weight=pos_weight))
""",
    "dynamic_pos_weight": """
def loss(logits, labels):
    positives = tf.reduce_sum(labels, reduction_indices=0)
    q = tf.cast(tf.shape(labels)[0], labels.dtype) / (positives + 1e-6)
    return tf.reduce_mean(tf.nn.weighted_cross_entropy_with_logits(labels, logits, q))
""",
    "softmax": """
def loss(logits, labels):
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=labels, logits=logits))
""",
    "softmax, v2": """
def loss(logits, labels):
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits_v2(labels=labels, logits=logits, dim=1))
""",
    "softmax, by hand": """
def loss(logits, labels):
    p = tf.nn.softmax(logits, dim=-1)
    return -tf.reduce_mean(tf.reduce_sum(labels * tf.log(tf.clip_by_value(p, 1e-7, 1.0)), reduction_indices=1))
""",
    "class_weight": """
def loss(logits, labels, class_weight):
    weights = tf.reduce_sum(class_weight * labels, axis=1)
    return tf.losses.softmax_cross_entropy(labels, logits, weights=weights)
""",
    "class_weight_terms": """
def loss(logits, labels, class_weight):
    log_p = tf.nn.log_softmax(logits, dim=-1)
    return -tf.reduce_mean(tf.reduce_sum(class_weight * labels * log_p, reduction_indices=[1]))
""",
    "sparse": """
def loss(logits, labels):
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
""",
    "sparse_class_weight": """
def loss(logits, labels, class_weight):
    weights = tf.gather(class_weight, labels)
    return tf.losses.sparse_softmax_cross_entropy(labels, logits, weights=weights)
""",
    "sparse_class_weight, by weights": """
def loss(logits, labels, class_weight):
    weights = tf.gather(class_weight, labels)
    return tf.losses.sparse_softmax_cross_entropy(
        labels, logits, weights=weights, reduction=tf.losses.Reduction.MEAN)
""",
    "sparse_class_weight, through an alias": """
losses = tf.losses


def loss(logits, labels, class_weight):
    return losses.sparse_softmax_cross_entropy(labels, logits, weights=tf.gather(class_weight, labels))
""",
    "predicted_weight": """
def loss(logits, labels, class_weight):
    weights = tf.gather(class_weight, tf.argmax(logits, dimension=1))
    return tf.reduce_mean(weights * tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
""",
    "cost_realized": """
def loss(logits, labels, cost_matrix):
    chosen = tf.stack([labels, tf.argmax(logits, dimension=1)], axis=1)
    costs = tf.gather_nd(cost_matrix, chosen)
    return tf.reduce_mean(costs * tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
""",
    "cost_expected": """
def loss(logits, labels, cost_matrix):
    return tf.reduce_mean(tf.reduce_sum(tf.nn.softmax(logits, dim=-1) * tf.gather(cost_matrix, labels), 1))
""",
    "cost_complement": """
def loss(logits, labels, cost_matrix):
    wrong = tf.gather(cost_matrix, labels) * (1 - tf.one_hot(labels, tf.shape(logits)[1], dtype=logits.dtype))
    return -tf.reduce_mean(tf.reduce_sum(wrong * tf.log(1 - tf.nn.softmax(logits)), reduction_indices=1))
""",
    "smooth_after": """
def loss(logits, labels, class_weight):
    weights = tf.reduce_sum(class_weight * labels, axis=1)
    return tf.losses.softmax_cross_entropy(labels, logits, weights=weights, label_smoothing=0.1)
""",
    "smooth_sample": """
def loss(logits, labels, class_weight):
    smoothed = 0.9 * labels + 0.1 / tf.cast(tf.shape(labels)[1], labels.dtype)
    weights = tf.reduce_sum(class_weight * smoothed, axis=1)
    losses = tf.nn.softmax_cross_entropy_with_logits_v2(labels=smoothed, logits=logits)
    return tf.reduce_sum(weights * losses) / tf.reduce_sum(weights)
""",
    "smooth_terms": """
def loss(logits, labels, class_weight):
    smoothed = 0.9 * labels + 0.1 / tf.cast(tf.shape(labels)[1], labels.dtype)
    log_p = tf.nn.log_softmax(logits, axis=-1)
    return -tf.reduce_mean(tf.reduce_sum(class_weight * smoothed * log_p, reduction_indices=1))
""",
    "weighted_logits": """
def loss(logits, labels, class_weight):
    scaled = tf.multiply(logits, class_weight)
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels=labels, logits=scaled))
""",
}
"""By variant, a function of arrays by role; `verify` compares what it means before and after."""

PROGRAMS = {
    "interactive session": """
sess = tf.InteractiveSession()
logits = tf.constant([[2.0, 0.5, -1.0], [0.25, 1.0, 0.0]])
labels = tf.constant([0, 2])
weights = tf.gather(tf.constant([0.5, 2.0, 4.0]), labels)
print("%.6f" % tf.losses.sparse_softmax_cross_entropy(labels, logits, weights).eval())
""",
    "placeholders and a session": """
logits = tf.placeholder(tf.float32, [None, 3])
labels = tf.placeholder(tf.int32, [None])
loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)
with tf.Session() as sess:
    print("%.6f" % sess.run(loss, {logits: [[2.0, 0.5, -1.0], [0.25, 1.0, 0.0]], labels: [0, 2]}))
""",
    "constants and a session": """
logits = tf.constant([[2.0, 0.5, -1.0], [0.25, 1.0, 0.0]])
loss = tf.losses.sparse_softmax_cross_entropy(tf.constant([0, 2]), logits)
with tf.Session() as sess:
    print("%.6f" % sess.run(loss))
""",
    "a graph of its own": """
with tf.Graph().as_default(), tf.Session() as sess:
    logits = tf.placeholder(tf.float32, [None, 3])
    loss = tf.losses.softmax_cross_entropy([[1.0, 0.0, 0.0]], logits, weights=2.0)
    print("%.6f" % sess.run(loss, {logits: [[2.0, 0.5, -1.0]]}))
""",
    "the collection of losses": """
logits = tf.constant([[2.0, 0.5, -1.0], [0.25, 1.0, 0.0]])
tf.losses.sparse_softmax_cross_entropy(tf.constant([0, 2]), logits)
total = tf.losses.get_total_loss()
with tf.Session() as sess:
    print("%.6f" % sess.run(total))
""",
}
"""Whole programs that print a number; they are run before and after, and what they print is compared."""
