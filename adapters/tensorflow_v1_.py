"""The TF1 API on today's TensorFlow: tf.compat.v1 in a graph with placeholders, run by a session.

`adapter()` switches the whole process to TF1 behaviour, so this adapter needs a process of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lossvet.adapters import steps, tensorflow_ops
from lossvet.adapters.devices import UNKNOWN_CACHE, QueueClock
from lossvet.adapters.tensorflow_ops import TensorFlowOps
from lossvet.adapters.tensorflow_v1_primitives import TensorFlowV1Primitives
from lossvet.adapters.types import Adapter, Device, Native, Outcome, Prepared, Recipe
from lossvet.reference.types import Case, Reduction

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
                "the TF1 API needs the whole process to have TF1 behaviour, and TensorFlow has already run operations "
                "eagerly in this one: use a process of its own"
            )
        tf.compat.v1.disable_v2_behavior()
    return TensorFlowV1Primitives(tf, threads=1 if isolated else 0)


def adapter() -> Adapter:
    """The TF1 API with its losses, in a process that is set up for it."""
    own = primitives(isolated=True)
    tf = own.tf
    runner = Runner(tf)
    return Adapter(
        name="tensorflow_v1",
        version=tf.__version__,
        modes=("session",),
        devices=tensorflow_ops.devices(tf),
        dtypes=("float32", "float64"),
        ops=runner.ops,
        native=natives(tf),
        prepare=runner.prepare,
        read=runner.read,
        eager=("session",),
        measured=measured(tf, runner.session),
        primitives=own,
        details=tensorflow_ops.details(tf, runner.smallest()),
    )


def measured(tf: Any, session: Callable[[Any], Any]) -> dict[str, Device]:
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
        running = session(graph)
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
    """A function of tf.compat.v1.losses. They compute in float32 whatever they are given, and cast the answer back."""

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
        dtypes=("float32",),
        no_gradient=no_gradient,
    )


def _sparse(tf: Any, weights: str, weigh: Callable[[Any, Any, Any], Any]) -> Native:
    """sparse_softmax_cross_entropy. It cannot leave rows out: of weight 0 they are computed and counted too."""
    return _losses(tf, "sparse_softmax_cross_entropy", f"y, x, {weights}", lambda x, y, p: (y, weigh(x, y, p)))


class Runner:
    """Runs recipes: one graph and session for all shapes of a recipe, and one session.run for all outputs of a case."""

    def __init__(self, tf: Any) -> None:
        self.tf = tf
        self.ops = TensorFlowOps(tf)
        self.graphs: dict[Any, Callable[[Mapping[str, Any]], dict[str, Any]]] = {}

    def prepare(
        self, recipe: Recipe, case: Case, mode: str, dtype: str, device: str, outputs: tuple[str, ...]
    ) -> Prepared:
        inputs, settings = tensorflow_ops.arrays(recipe, case, dtype, outputs), steps.settings(case)
        graphs: dict[tuple[str, ...], Callable[[Mapping[str, Any]], dict[str, Any]]] = {}

        def compute(names: tuple[str, ...]) -> dict[str, Any]:
            if names not in graphs:
                kinds = tuple((name, a.dtype.name, a.ndim) for name, a in inputs.items())
                key = (recipe, device, names, tuple(settings.items()), kinds)
                if key not in self.graphs:
                    self.graphs[key] = self.build(recipe, settings, names, kinds, device)
                graphs[names] = self.graphs[key]
            return graphs[names](inputs)

        prepared = Prepared(tensorflow_ops.answering(recipe, case, outputs, compute))
        prepared()  # builds the graph, and lets the session prepare it
        return prepared

    def read(self, answer: Mapping[str, Any]) -> dict[str, Outcome]:
        return tensorflow_ops.read(answer, np.asarray)

    def build(
        self,
        recipe: Recipe,
        settings: Mapping[str, Any],
        names: tuple[str, ...],
        kinds: tuple[tuple[str, str, int], ...],
        device: str,
    ) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
        """A graph of its own, as a call from arrays to arrays; outputs without a gradient are None."""
        v1 = self.tf.compat.v1
        graph = v1.Graph()
        with graph.as_default(), graph.device(device):
            inputs = {name: v1.placeholder(dtype, [None] * rank, name) for name, dtype, rank in kinds}
            outputs = self.compute(recipe, settings, names, inputs)
            fetches = {
                k: self.tf.convert_to_tensor(x) for k, x in outputs.items() if x is not None
            }  # IndexedSlices too
        session = self.session(graph)

        def run(arrays: Mapping[str, Any]) -> dict[str, Any]:
            answer = session.run(fetches, {inputs[name]: array for name, array in arrays.items()})
            return {name: answer.get(name) for name in names}

        return run

    def compute(
        self, recipe: Recipe, settings: Mapping[str, Any], names: tuple[str, ...], inputs: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The outputs by name, as tensors of the graph, IndexedSlices or None."""
        v1, asked = self.tf.compat.v1, tensorflow_ops.request(names)
        logits, params = inputs["logits"], steps.with_tensors(recipe, {**settings, **inputs})
        losses = steps.losses(recipe, self.ops, logits, inputs["labels"], params, asked.reductions)
        targets = dict(losses)
        if asked.hvp or "none" in asked.gradients:
            targets["none"] = self.tf.reduce_sum(inputs["cotangent"] * losses["none"])
        outputs = {f"loss/{r}": losses[r] for r in asked.losses}
        for reduction, leaves in asked.gradients.items():
            gradients = v1.gradients(targets[reduction], [inputs[leaf] for leaf in leaves])
            outputs |= {f"gradient/{reduction}/{leaf}": g for leaf, g in zip(leaves, gradients, strict=True)}
        if asked.hvp:
            known = "gradient/none/logits"
            gradient = outputs[known] if known in outputs else v1.gradients(targets["none"], logits)[0]
            along = None if gradient is None else self.tf.reduce_sum(gradient * inputs["direction"])
            outputs["hvp"] = None if along is None else v1.gradients(along, logits)[0]
        return outputs

    def session(self, graph: Any) -> Any:
        """With one thread, and every operation on the device that it was given."""
        v1 = self.tf.compat.v1
        threads = {"intra_op_parallelism_threads": 1, "inter_op_parallelism_threads": 1}
        return v1.Session(graph=graph, config=v1.ConfigProto(allow_soft_placement=False, **threads))

    def smallest(self) -> NDArray[Any]:
        """exp(-95) in float32, as a session computes it."""
        v1 = self.tf.compat.v1
        with v1.Graph().as_default() as graph, self.session(graph) as session:
            x = v1.placeholder("float32", [None])
            array: NDArray[Any] = session.run(self.tf.exp(x), {x: np.full(8, -95.0)})
            return array
