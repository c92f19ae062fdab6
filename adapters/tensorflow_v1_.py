"""The TF1 API on today's TensorFlow: tf.compat.v1 in a graph with placeholders, run by a session.

`adapter()` switches the whole process to TF1 behaviour, so this adapter needs a process of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lossvet.adapters import computing, tensorflow_ops
from lossvet.adapters.devices import UNKNOWN_CACHE, QueueClock
from lossvet.adapters.tensorflow_ops import TensorFlowOps
from lossvet.adapters.tensorflow_presence import PRESENCE as OF_TENSORFLOW
from lossvet.adapters.tensorflow_v1_graphs import config
from lossvet.adapters.tensorflow_v1_primitives import TensorFlowV1Primitives
from lossvet.adapters.types import Adapter, Device, Native, Prepared
from lossvet.reference.dtypes import NAMES, NARROW
from lossvet.reference.types import Reduction

PRESENCE = replace(OF_TENSORFLOW, alone="TF1 sessions need a process that has never run TensorFlow eagerly")

LOSSES_REDUCTIONS: dict[Reduction, str] = {
    "none": "NONE",
    "sum": "SUM",
    "mean": "SUM_OVER_BATCH_SIZE",
    "weighted_mean": "MEAN",
    "nonzero_mean": "SUM_BY_NONZERO_WEIGHTS",
}
LOSSES_ASKED: Mapping[Reduction, str] = {
    reduction: "" if name == "SUM_BY_NONZERO_WEIGHTS" else f"reduction=Reduction.{name}"
    for reduction, name in LOSSES_REDUCTIONS.items()
}


def primitives(isolated: bool = False) -> TensorFlowV1Primitives:
    """Import TensorFlow and switch the process to TF1 behaviour; an isolated one has one thread.

    Raises RuntimeError where TensorFlow has already run an operation eagerly: what then exists is of no use any more.
    """
    tf = tensorflow_ops.start(isolated)
    if tf.compat.v1.executing_eagerly_outside_functions():
        if tensorflow_ops.used(tf):
            raise RuntimeError(
                "the TF1 API needs TF1 behaviour in the whole process, but TensorFlow has already run operations "
                "eagerly in this one: use a separate process"
            )
        tf.compat.v1.disable_v2_behavior()
    return TensorFlowV1Primitives(tf, threads=1 if isolated else 0)


def adapter() -> Adapter:
    """The TF1 API with its losses, in a process that is set up for it."""
    own = primitives(isolated=True)
    tf = own.tf
    return computing.adapter(
        own,
        tf.__version__,
        TensorFlowOps(tf),
        natives(tf),
        computing.Habits(words=tensorflow_ops.words),
        dtypes=NAMES,
        devices=tensorflow_ops.devices(tf),
        measured=measured(tf, own.threads),
        details=tensorflow_ops.details(tf, _smallest(tf, own.threads)),
    )


def measured(tf: Any, threads: int) -> dict[str, Device]:
    """How calls on a GPU are measured: `session.run` waits by itself, after every call, so that nothing ever queues.

    What it is fed and answers lies in the host's memory: the way there and back is part of its time. It does not tell
    what memory it needed.
    """
    if not tf.config.list_physical_devices("GPU"):
        return {}

    def copy(nbytes: int) -> Prepared:
        v1, graph = tf.compat.v1, tf.compat.v1.Graph()
        with graph.as_default(), graph.device("gpu"):
            source = v1.Variable(v1.ones([nbytes // 8]), dtype="float32")
            moved = v1.negative(source).op  # no tensor, or it would be fetched
        running = v1.Session(graph=graph, config=config(tf, threads))
        running.run(source.initializer)
        return Prepared(lambda: running.run(moved))

    return {"gpu": Device(QueueClock(lambda: None), lambda call: None, copy, UNKNOWN_CACHE)}


def natives(tf: Any) -> Mapping[str, Mapping[str, Native]]:
    """Variant -> recipe -> the function: those of tf.compat.v1.nn, unreduced, and those of tf.compat.v1.losses."""
    fused = partial(tensorflow_ops.fused, tf.compat.v1.nn, "tf.compat.v1.nn")
    return {
        "sigmoid": {
            "native": fused("sigmoid_cross_entropy_with_logits"),
            "native_losses": _losses(
                tf, "sigmoid_cross_entropy", "t, x", lambda x, t, p: (t, 1.0), sample_weight=False
            ),
        },
        "pos_weight": {
            "native": fused("weighted_cross_entropy_with_logits", pos_weight=True),
            "native_targets": fused("weighted_cross_entropy_with_logits", "targets=t", pos_weight=True),
        },
        "softmax": {
            "native": fused("softmax_cross_entropy_with_logits", no_gradient=("labels",)),
            "native_v2": fused("softmax_cross_entropy_with_logits_v2"),
            "native_losses": _losses(
                tf, "softmax_cross_entropy", "t, x, v", lambda x, t, p: (t, p.sample_weight), no_gradient=("labels",)
            ),
        },
        "class_weight": {
            "native_losses": _losses(
                tf,
                "softmax_cross_entropy",
                "t, x, tf.reduce_sum(w * t, 1) * v",
                lambda x, t, p: (t, tf.reduce_sum(p.class_weight * tf.stop_gradient(t), 1) * p.sample_weight),
                no_gradient=("labels",),  # the function stops it; what is left would pass through the weights alone
            ),
        },
        "sparse": {
            "native": fused("sparse_softmax_cross_entropy_with_logits", "labels=y"),
            "native_losses": _sparse(tf, "v", lambda x, y, p: p.sample_weight),
        },
        "sparse_class_weight": {
            "native_losses": _sparse(
                tf, "tf.gather(w, y) * v", lambda x, y, p: tf.gather(p.class_weight, y) * p.sample_weight
            ),
        },
        "predicted_weight": {
            "native_losses": _sparse(
                tf,
                "tf.gather(w, tf.argmax(x, 1)) * v",
                lambda x, y, p: tf.gather(p.class_weight, tf.argmax(x, 1)) * p.sample_weight,
            ),
        },
        "cost_realized": {
            "native_losses": _sparse(
                tf,
                "tf.gather_nd(M, tf.stack([y, tf.argmax(x, 1)], 1)) * v",
                lambda x, y, p: tf.gather_nd(p.cost_matrix, tf.stack([y, tf.argmax(x, 1)], 1)) * p.sample_weight,
            ),
        },
        "smooth_after": {
            "native_losses": _losses(
                tf,
                "softmax_cross_entropy",
                "tf.one_hot(y, C), x, tf.gather(w, y) * v, label_smoothing=a",
                lambda x, y, p: (
                    tf.one_hot(y, tf.shape(x)[1], dtype=x.dtype),
                    tf.gather(p.class_weight, y) * p.sample_weight,
                ),
            ),
        },
    }


def _losses(
    tf: Any,
    name: str,
    arguments: str,
    labels_and_weights: Callable[[Any, Any, Any], tuple[Any, Any]],
    sample_weight: bool = True,
    no_gradient: tuple[str, ...] = (),
) -> Native:
    """A function of tf.compat.v1.losses. They compute in float32 whatever they are given, and cast the answer back: of
    float64 half the digits are lost, and 16 bits are rounded once."""

    def call(x: Any, labels: Any, params: Any, reduction: Reduction) -> Any:
        own, weights = labels_and_weights(x, labels, params)
        smoothing = {"label_smoothing": params.label_smoothing} if "label_smoothing=" in arguments else {}
        kind = getattr(tf.compat.v1.losses.Reduction, LOSSES_REDUCTIONS[reduction])
        return getattr(tf.compat.v1.losses, name)(own, x, weights, reduction=kind, **smoothing)

    return Native(
        call,
        f"tf.compat.v1.losses.{name}({arguments})",
        reductions=LOSSES_ASKED,
        sample_weight=sample_weight,
        dtypes=("float32", *NARROW),
        no_gradient=no_gradient,
        also=(f"tf.losses.{name}",),
        edges={"zero_denominator": "zero", "empty_batch": "zero", **tensorflow_ops.label_edges(arguments)},
    )


def _sparse(tf: Any, weights: str, weigh: Callable[[Any, Any, Any], Any]) -> Native:
    """sparse_softmax_cross_entropy. It cannot leave rows out: of weight 0 they are computed and counted too."""
    return _losses(tf, "sparse_softmax_cross_entropy", f"y, x, {weights}", lambda x, y, p: (y, weigh(x, y, p)))


def _smallest(tf: Any, threads: int) -> NDArray[Any]:
    """exp(-95) in float32, as a session computes it."""
    v1 = tf.compat.v1
    graph = v1.Graph()
    with graph.as_default(), v1.Session(graph=graph, config=config(tf, threads)) as session:
        x = v1.placeholder("float32", [None])
        array: NDArray[Any] = session.run(tf.exp(x), {x: np.full(8, -95.0)})
        return array
