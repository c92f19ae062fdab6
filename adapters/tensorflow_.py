"""TensorFlow 2: tf.nn and Keras, eagerly, as a tf.function and compiled by XLA.

`tf.compat.v2.nn.*` are the very same function objects as `tf.nn.*`, so they have no recipes of their own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from lossvet.adapters import computing, keras_losses, tensorflow_ops, tensorflow_recipes
from lossvet.adapters.devices import UNKNOWN_CACHE, QueueClock
from lossvet.adapters.tensorflow_ops import TensorFlowOps
from lossvet.adapters.tensorflow_presence import PRESENCE as PRESENCE
from lossvet.adapters.tensorflow_primitives import TensorFlowPrimitives
from lossvet.adapters.types import Adapter, Device, Native, Prepared
from lossvet.reference.dtypes import NAMES


def primitives(isolated: bool = False) -> TensorFlowPrimitives:
    """Import TensorFlow; in an isolated process on one thread, where XLA keeps what it compiled in $LOSSVET_CACHE.

    Raises RuntimeError where the process was switched to TF1 behaviour.
    """
    if isolated and "LOSSVET_CACHE" in os.environ:
        flag = f"--tf_xla_persistent_cache_directory={os.environ['LOSSVET_CACHE']}"
        os.environ["TF_XLA_FLAGS"] = f"{os.environ.get('TF_XLA_FLAGS', '')} {flag}".strip()
    tf = tensorflow_ops.start(isolated)
    if not tf.compat.v1.executing_eagerly_outside_functions():
        raise RuntimeError(
            "TensorFlow has TF1 behaviour in this process (after disable_v2_behavior or disable_eager_execution): use "
            "tensorflow_v1, or a separate process"
        )
    return TensorFlowPrimitives(tf)


def adapter() -> Adapter:
    """TensorFlow and Keras with their losses, in a process that is set up for them."""
    own = replace(primitives(isolated=True), autograph=False)
    tf = own.tf
    return computing.adapter(
        own,
        tf.__version__,
        TensorFlowOps(tf),
        natives(tf),
        computing.Habits(words=tensorflow_ops.words),
        dtypes=NAMES,
        devices=tensorflow_ops.devices(tf),
        measured=measured(tf),
        details={
            **tensorflow_ops.details(tf, tf.exp(tf.constant([-95.0] * 8)).numpy()),
            "keras": tf.keras.__version__,
        },
    )


def measured(tf: Any) -> dict[str, Device]:
    """How calls on a GPU are measured: all devices are waited for before so many calls, and after them."""
    if not tf.config.list_physical_devices("GPU"):
        return {}
    synchronize, counters = tf.test.experimental.sync_devices, tf.config.experimental

    def wait(answers: Any) -> Any:
        synchronize()
        return answers

    def peak(call: Callable[[], Any]) -> int:
        synchronize()
        counters.reset_memory_stats("GPU:0")
        before = counters.get_memory_info("GPU:0")["current"]
        call()
        return int(counters.get_memory_info("GPU:0")["peak"] - before)

    def copy(nbytes: int) -> Prepared:
        with tf.device("gpu"):
            source = tf.ones([nbytes // 8], tf.float32)
        return Prepared(lambda: tf.negative(source), wait)  # tf.identity answers with the memory that it was given

    return {"gpu": Device(QueueClock(synchronize), peak, copy, UNKNOWN_CACHE)}


def natives(tf: Any) -> Mapping[str, Mapping[str, Native]]:
    """TensorFlow's own losses, then the recipes that users spell."""
    own, spelled = _own(tf), tensorflow_recipes.recipes(tf)
    return {variant: {**own.get(variant, {}), **spelled.get(variant, {})} for variant in {**own, **spelled}}


def _own(tf: Any) -> Mapping[str, Mapping[str, Native]]:
    """Variant -> recipe -> the function: those of tf.nn, unreduced, and the losses of Keras with their reductions."""
    fused = partial(tensorflow_ops.fused, tf.nn, "tf.nn")
    keras = partial(keras_losses.native, tf.keras.losses, "tf.keras.losses", label_edges=tensorflow_ops.label_edges)
    dense, sparse = partial(keras, "CategoricalCrossentropy"), partial(keras, "SparseCategoricalCrossentropy")
    return {
        "sigmoid": {
            "native": fused("sigmoid_cross_entropy_with_logits"),
            "native_keras": keras_losses.binary(tf.keras.losses, "tf.keras.losses"),
        },
        "pos_weight": {"native": fused("weighted_cross_entropy_with_logits", pos_weight=True)},
        "softmax": {
            "native": fused("softmax_cross_entropy_with_logits"),
            "native_keras": dense("t, x, sample_weight=v", lambda x, t, p: (t, p.sample_weight)),
        },
        "sparse": {
            "native": fused("sparse_softmax_cross_entropy_with_logits", "labels=y"),
            "native_keras": sparse(
                "y, x, sample_weight=v",
                lambda x, y, p: (y, p.sample_weight),
                {"ignore_class": "ignore_index"},
                ignore_index=True,
            ),
        },
        "class_weight": {
            "native_keras": dense(
                "t, x, sample_weight=tf.reduce_sum(w * t, 1) * v",
                lambda x, t, p: (t, tf.reduce_sum(p.class_weight * t, 1) * p.sample_weight),
            ),
        },
        "sparse_class_weight": {
            "native_keras": sparse(
                "y, x, sample_weight=tf.gather(w, y) * v",
                lambda x, y, p: (y, tf.gather(p.class_weight, y) * p.sample_weight),
            ),
        },
        "smooth_after": {
            "native_keras": dense(
                "tf.one_hot(y, C), x, sample_weight=tf.gather(w, y) * v",
                lambda x, y, p: (
                    tf.one_hot(y, tf.shape(x)[1], dtype=x.dtype),
                    tf.gather(p.class_weight, y) * p.sample_weight,
                ),
                {"label_smoothing": "label_smoothing"},
            ),
        },
    }
