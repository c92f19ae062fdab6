"""What both TensorFlow adapters use: how TensorFlow is started, its operations and fused losses, and requests."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any

from lossvet.adapters.hidden import hidden
from lossvet.adapters.types import Native
from lossvet.reference.types import Reduction

ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "1",  # the default on x86; set, so that it is on record
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # two workers share one GPU
    "KERAS_BACKEND": "tensorflow",
}
RECORDED = ("TF_ENABLE_ONEDNN_OPTS", "TF_XLA_FLAGS", "XLA_FLAGS")


def start(isolated: bool = True) -> Any:
    """TensorFlow; in an isolated process with one thread, and `ENVIRONMENT` wherever the user's own says nothing."""
    if not isolated:
        import tensorflow as tf

        return tf
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    with hidden():
        import tensorflow as tf
    tf.get_logger().setLevel("ERROR")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    return tf


def used(tf: Any) -> bool:
    """Whether TensorFlow has started its eager runtime, which an operation does."""
    threads = tf.config.threading
    number = threads.get_inter_op_parallelism_threads()
    try:  # another number of threads is refused once the runtime is there; there is no public way to ask for that
        threads.set_inter_op_parallelism_threads(number + 1)
    except RuntimeError:
        return True
    threads.set_inter_op_parallelism_threads(number)
    return False


def devices(tf: Any) -> tuple[str, ...]:
    return ("cpu", "gpu") if tf.config.list_physical_devices("GPU") else ("cpu",)


def details(tf: Any, smallest: Any) -> dict[str, str]:
    """What else determines the answers. `smallest` is exp(-95) as this adapter computes it, a subnormal of float32."""
    return {
        "intra_op_threads": str(tf.config.threading.get_intra_op_parallelism_threads()),
        "inter_op_threads": str(tf.config.threading.get_inter_op_parallelism_threads()),
        "flush_to_zero": str(bool((smallest == 0).all())),
        **{name: _flags(os.environ.get(name, "")) for name in RECORDED},
    }


def _flags(text: str) -> str:
    """What decides an answer: not where compiled code is kept."""
    return " ".join(word for word in text.split() if "persistent_cache_directory" not in word)


@dataclass(frozen=True)
class TensorFlowOps:
    """The operations of `adapters.types.Ops`: the same kernels eagerly, in a tf.function and in a TF1 graph."""

    tf: Any

    def sum(self, x: Any, axis: int | None = None) -> Any:
        return self.tf.reduce_sum(x, axis)

    def exp(self, x: Any) -> Any:
        return self.tf.exp(x)

    def log(self, x: Any) -> Any:
        return self.tf.math.log(x)

    def log1p(self, x: Any) -> Any:
        return self.tf.math.log1p(x)

    def sigmoid(self, x: Any) -> Any:
        return self.tf.sigmoid(x)

    def softplus(self, x: Any) -> Any:
        return self.tf.nn.softplus(x)

    def softmax(self, x: Any) -> Any:
        return self.tf.nn.softmax(x)

    def log_softmax(self, x: Any) -> Any:
        return self.tf.nn.log_softmax(x)

    def logsumexp(self, x: Any) -> Any:
        return self.tf.reduce_logsumexp(x, -1)

    def where(self, condition: Any, x: Any, y: Any) -> Any:
        dtype = x.dtype if self.tf.is_tensor(x) else y.dtype  # a bare scalar would become float32 or int32
        return self.tf.where(condition, self.tf.convert_to_tensor(x, dtype), self.tf.convert_to_tensor(y, dtype))

    def equal(self, x: Any, y: Any) -> Any:
        return self.tf.equal(x, y)  # not ==, which compares identities under TF1 behaviour

    def argmax(self, x: Any) -> Any:
        return self.tf.argmax(x, -1)

    def stop_gradient(self, x: Any) -> Any:
        return self.tf.stop_gradient(x)

    def take(self, x: Any, indices: Any) -> Any:
        return self.tf.gather(x, indices)

    def pick(self, x: Any, indices: Any) -> Any:
        # gather(batch_dims=1) is the same, and its gradient takes three times as long.
        rows = self.tf.range(self.tf.shape(indices)[0], dtype=indices.dtype)
        return self.tf.gather_nd(x, self.tf.stack([rows, indices], 1))

    def one_hot(self, indices: Any, like: Any) -> Any:
        return self.tf.one_hot(indices, self.tf.shape(like)[1], dtype=like.dtype)

    def ones(self, like: Any) -> Any:
        return self.tf.ones(self.tf.shape(like)[:1], like.dtype)

    def size(self, x: Any, axis: int) -> Any:
        # known lengths first, as all are eagerly: to ask a tensor takes three operations, and ten times as long
        return self.tf.cast(x.shape.as_list()[axis] or self.tf.shape(x)[axis], x.dtype)


def label_edges(arguments: str) -> dict[str, str]:
    """What a label that is no class does on a CPU (`Native.edges`), where a call takes integer labels y, so spelled."""
    taken = "y" in re.findall(r"\w+", arguments)
    return {"invalid_label": "too large: raises, -1: raises, -100: raises"} if taken else {}


def fused(
    nn: Any, path: str, name: str, labels: str = "labels=t", pos_weight: bool = False, no_gradient: tuple[str, ...] = ()
) -> Native:
    """The function `name` of the module `nn`: no reduction, no sample weights; `labels` is spelled as a user would."""
    keyword, function = labels.split("=")[0], getattr(nn, name)

    def call(x: Any, t: Any, params: Any, reduction: Reduction) -> Any:
        return function(**{keyword: t}, logits=x, **({"pos_weight": params.pos_weight} if pos_weight else {}))

    spelling = f"{path}.{name}({labels}, logits=x{', pos_weight=q' if pos_weight else ''})"
    also = (f"tf.nn.{name}",) if path != "tf.nn" else ()
    return Native(call, spelling, no_gradient=no_gradient, also=also, edges=label_edges(labels))


def words(error: Exception) -> str:
    """What an exception says, without the stack traces that TensorFlow writes into the words of an error of a graph."""
    text = str(error).partition("\n\nOriginal stack trace")[0]
    traced = text.rfind('  File "')
    return (text if traced < 0 else text[traced:].partition("\n")[2]).strip()
