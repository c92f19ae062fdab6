"""TensorFlow as its users write it; sizes are taken when it runs, so that one graph serves batches of any size."""

from __future__ import annotations

from lossvet.adapters.spelling import Dialect

DIALECT = Dialect(
    title="TensorFlow 2",
    imports=("import tensorflow as tf",),
    operations={
        "sum": "tf.reduce_sum({x})",
        "mean": "tf.reduce_mean({x})",
        "sum_classes": "tf.reduce_sum({x}, -1)",
        "sum_rows": "tf.reduce_sum({x}, 0)",
        "log_softmax": "tf.nn.log_softmax({x}, {axis})",
        "softmax": "tf.nn.softmax({x}, {axis})",
        "logsumexp": "tf.reduce_logsumexp({x}, -1)",
        "log_sigmoid": "tf.math.log_sigmoid({x})",
        "sigmoid": "tf.sigmoid({x})",
        "log": "tf.math.log({x})",
        "exp": "tf.exp({x})",
        "expm1": "tf.math.expm1({x})",
        "tanh": "tf.tanh({x})",
        "sqrt": "tf.sqrt({x})",
        "clip": "tf.clip_by_value({x}, {low}, {high})",
        "floor": "tf.maximum({x}, {low})",
        "ceil": "tf.minimum({x}, {high})",
        # not == and !=, which compare identities in the TF1 API
        "equal": "tf.equal({a}, {b})",
        "differ": "tf.not_equal({a}, {b})",
        "where": "tf.where({condition}, {a}, {b})",
        "pick": "tf.gather({x}, {y}, batch_dims=1)",
        "take": "tf.gather({w}, {y})",
        # not tf.one_hot, which gives a row of zeros for a label that is no class
        "one_hot": "tf.gather(tf.eye(tf.shape({x})[-1], dtype={x}.dtype), {y})",
        "argmax": "tf.argmax({x}, -1)",
        "count": "tf.reduce_sum(tf.cast({x}, {like}.dtype))",
        "cast": "tf.cast({x}, {like}.dtype)",
        "rows": "tf.cast(tf.shape({x})[0], {x}.dtype)",
        "some_row": "tf.maximum(tf.cast(tf.shape({x})[0], {x}.dtype), 1)",
        "classes": "tf.cast(tf.shape({x})[-1], labels.dtype)",
        "classes_float": "tf.cast(tf.shape({x})[-1], {x}.dtype)",
        "classes_size": "tf.shape({x})[-1]",
        "stop": "tf.stop_gradient({x})",
        "array": "tf.constant({values}, {like}.dtype)",
        "column": "{x}[:, None]",
        "outer_row": "{x}[:, None, :]",
        "transposed": "tf.transpose({x})",
        "matmul": "{a} @ {b}",
        "ones_like": "tf.ones_like({x})",
        "eye": "tf.eye(tf.shape({x})[-1]) > 0",
    },
    check="",
    labels="raises",
    remarks={
        "invalid_label=raises": (
            "a label out of range raises on a CPU; on a GPU and in XLA, gather gives a number instead"
        ),
        "zero_denominator=raises": "a graph cannot raise: a denominator of 0 gives NaN",
    },
    ops="tensorflow_ops:TensorFlowOps",
    fields={"tf": "tf"},
)
