"""What both TensorFlow adapters use: how TensorFlow is started, its operations and fused losses, and requests."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from lossvet.adapters import steps
from lossvet.adapters.types import Measured, Missing, Native, Outcome, Raised, Recipe
from lossvet.reference.types import REDUCTIONS, Case, Reduction

ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "1",  # the default on x86; set, so that it is on record
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # two workers share one GPU
    "KERAS_BACKEND": "tensorflow",
}
RECORDED = ("TF_ENABLE_ONEDNN_OPTS", "TF_XLA_FLAGS", "XLA_FLAGS")


def start(isolated: bool = True) -> Any:
    """TensorFlow; in an isolated process with one thread, and `ENVIRONMENT` wherever the user's own says nothing."""
    if isolated:
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
    import tensorflow as tf

    if not isolated:
        return tf
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


def fused(
    nn: Any, path: str, name: str, labels: str = "labels=t", pos_weight: bool = False, no_gradient: tuple[str, ...] = ()
) -> Native:
    """The function `name` of the module `nn`: no reduction, no sample weights; `labels` is spelled as a user would."""
    keyword, function = labels.split("=")[0], getattr(nn, name)

    def call(x: Any, t: Any, params: Any, reduction: Reduction) -> Any:
        return function(**{keyword: t}, logits=x, **({"pos_weight": params.pos_weight} if pos_weight else {}))

    spelling = f"{path}.{name}({labels}, logits=x{', pos_weight=q' if pos_weight else ''})"
    return Native(call, spelling, no_gradient=no_gradient)


@dataclass(frozen=True)
class Request:
    """Outputs asked for: the reduced losses, the leaves of the gradient of each reduction, and the Hessian product."""

    losses: tuple[Reduction, ...]
    gradients: Mapping[Reduction, tuple[str, ...]]
    hvp: bool

    @property
    def reductions(self) -> tuple[Reduction, ...]:
        """The losses that these outputs are made from."""
        needed = {*self.losses, *self.gradients, *(("none",) if self.hvp else ())}
        return tuple(r for r in REDUCTIONS if r in needed)


def request(names: tuple[str, ...]) -> Request:
    parts = [name.split("/") for name in names]
    leaves = {r: tuple(p[2] for p in parts if p[0] == "gradient" and p[1] == r) for r in REDUCTIONS}
    return Request(
        losses=tuple(r for r in REDUCTIONS if ["loss", r] in parts),
        gradients={r: own for r, own in leaves.items() if own},
        hvp=["hvp"] in parts,
    )


def arrays(recipe: Recipe, case: Case, dtype: str, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """All that is fed for these outputs, by name: floats in the dtype, integers kept."""
    given = steps.inputs(recipe, case, names)
    return {name: a.astype(dtype) if a.dtype.kind == "f" else a for name, a in given.items()}


def answering(
    recipe: Recipe, case: Case, names: tuple[str, ...], compute: Callable[[tuple[str, ...]], dict[str, Any]]
) -> Callable[[], dict[str, Any]]:
    """A call of `compute` for the outputs that the recipe has, in the framework's types; for the others, why not."""
    why = {name: reason for name in names if (reason := steps.missing(recipe, case, _reduction(name))) is not None}
    asked = tuple(name for name in names if name not in why)
    return lambda: {**why, **_attempt(compute, asked)}


def read(answer: Mapping[str, Any], to_array: Callable[[Any], NDArray[Any]]) -> dict[str, Outcome]:
    def outcome(name: str, value: Any) -> Outcome:
        if value is None:
            return Missing(f"no gradient into {'logits' if name == 'hvp' else name.rpartition('/')[2]}")
        if isinstance(value, Raised | Missing):
            return value
        try:
            return Measured(to_array(value))
        except Exception as error:
            return raised(error)

    return {name: outcome(name, value) for name, value in answer.items()}


def raised(error: Exception) -> Raised:
    """The exception, without the stack traces that TensorFlow writes into the words of an error of a graph."""
    words = str(error).partition("\n\nOriginal stack trace")[0]
    traced = words.rfind('  File "')
    return Raised(type(error).__name__, (words if traced < 0 else words[traced:].partition("\n")[2]).strip())


def _attempt(compute: Callable[[tuple[str, ...]], dict[str, Any]], names: tuple[str, ...]) -> dict[str, Any]:
    """All outputs at once; where that is refused, part by part, so that one refusal loses only its own part.

    A part is one loss, the gradients of one reduction, or the Hessian product. What needs a loss that was refused is
    refused with the same words, and not asked for again.
    """
    if not names:
        return {}
    try:
        return compute(names)
    except Exception as error:
        parts = {tuple(other for other in names if _part(other) == _part(name)): None for name in names}
        if len(parts) == 1:
            return dict.fromkeys(names, raised(error))
    found: dict[str, Any] = {}
    for part in sorted(parts, key=lambda part: not part[0].startswith("loss/")):
        loss = found.get(f"loss/{_reduction(part[0])}")
        found |= dict.fromkeys(part, loss) if isinstance(loss, Raised) else _attempt(compute, part)
    return found


def _part(name: str) -> str:
    return "/".join(name.split("/")[:2])


def _reduction(name: str) -> Reduction:
    return next((r for r in REDUCTIONS if f"/{r}" in name), "none")
