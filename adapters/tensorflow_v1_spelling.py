"""The TF1 API as its users write it: the same functions, in a graph."""

from __future__ import annotations

from dataclasses import replace

from lossvet.adapters import tensorflow_spelling

DIALECT = replace(
    tensorflow_spelling.DIALECT,
    title="TensorFlow 1",
    operations={
        **tensorflow_spelling.DIALECT.operations,
        "where": "tf.compat.v2.where({condition}, {a}, {b})",  # that of TF1 does not broadcast
    },
    switch="tf.compat.v1.disable_v2_behavior()  # graphs and sessions",
)
