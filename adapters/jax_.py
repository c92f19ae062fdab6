"""JAX with the losses of optax, eager and under `jax.jit`."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lossvet.adapters import computing, jax_recipes
from lossvet.adapters.devices import UNKNOWN_CACHE, QueueClock
from lossvet.adapters.jax_primitives import JaxPrimitives
from lossvet.adapters.types import Adapter, Device, Native, Prepared
from lossvet.reference.dtypes import NAMES


def primitives(isolated: bool = False) -> JaxPrimitives:
    """Import JAX; in an isolated process compiled functions are kept in $LOSSVET_CACHE, where that is set."""
    import jax

    if isolated and (cache := os.environ.get("LOSSVET_CACHE")):
        jax.config.update("jax_compilation_cache_dir", os.path.join(cache, "jax"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return JaxPrimitives(jax)


def adapter() -> Adapter:
    """JAX with the losses of optax, in a process that is set up for it."""
    import optax

    own = primitives(isolated=True)
    jax = own.jax
    return computing.adapter(
        own,
        jax.__version__,
        _Ops(jax.numpy, jax.nn, jax.lax.stop_gradient),
        natives(jax, optax),
        computing.Habits(zeros=True),
        dtypes=NAMES,
        devices=("cpu", "cuda") if jax.default_backend() == "gpu" else ("cpu",),
        measured=measured(jax),
        details=_details(jax, optax),
    )


def measured(jax: Any) -> dict[str, Device]:
    """How calls on a GPU are measured: it works in the order in which it was asked, so that the last is waited for."""
    if jax.default_backend() != "gpu":
        return {}
    place = jax.devices()[0]
    moved = jax.jit(jax.numpy.negative)  # what changes nothing might be answered with the memory that it was given

    def copy(nbytes: int) -> Prepared:
        source = jax.numpy.ones(nbytes // 8, np.float32)
        return Prepared(lambda: moved(source), jax.block_until_ready)

    def peak(call: Callable[[], Any]) -> int | None:
        """The highest use cannot be set back: memory is first filled up to it, so that the call goes beyond."""
        start = place.memory_stats()
        if not start or "peak_bytes_in_use" not in start:
            return None
        try:
            filler = jax.numpy.zeros((start["peak_bytes_in_use"] - start["bytes_in_use"]) // 4, np.float32)
            jax.block_until_ready(filler)
        except RuntimeError:  # it finds no room in one piece
            return None
        before = place.memory_stats()
        call()
        grown: int = place.memory_stats()["peak_bytes_in_use"]
        return grown - before["bytes_in_use"] if grown > before["peak_bytes_in_use"] else None

    return {"cuda": Device(QueueClock(lambda: copy(64)()), peak, copy, UNKNOWN_CACHE)}


def natives(jax: Any, optax: Any) -> dict[str, dict[str, Native]]:
    """The losses of optax, all of them unreduced; jax.nn has none. No one takes class weights: users spell those."""

    def sparse(logits: Any, labels: Any, params: Any, reduction: str) -> Any:
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels)

    def sparse_where(logits: Any, labels: Any, params: Any, reduction: str) -> Any:
        kept = labels != params.ignore_index
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels, where=kept)

    def dense(name: str) -> Native:
        function = getattr(optax, name)
        return Native(lambda x, t, params, reduction: function(x, t), f"optax.{name}(logits, labels)")

    integer = "optax.softmax_cross_entropy_with_integer_labels(logits, labels"
    own = {
        "sigmoid": {"native": dense("sigmoid_binary_cross_entropy")},
        "softmax": {"native": dense("softmax_cross_entropy"), "native_safe": dense("safe_softmax_cross_entropy")},
        "sparse": {
            "native": Native(sparse, f"{integer})", edges={"invalid_label": "too large: nan, -1: wraps, -100: nan"}),
            "native_where": Native(
                sparse_where,
                f"{integer}, where=labels != ignore_index)",
                ignore_index=True,
                edges={"invalid_label": "too large: nan, -1: wraps, -100: dropped"},
            ),
        },
    }
    spelled = jax_recipes.recipes(jax, optax)
    return {variant: {**own.get(variant, {}), **spelled.get(variant, {})} for variant in (*own, *spelled)}


@dataclass(frozen=True)
class _Ops:
    """The operations as JAX spells them (`adapters.types.Ops` says what each one is)."""

    jnp: Any
    nn: Any
    stop: Callable[[Any], Any]

    def sum(self, x: Any, axis: int | None = None) -> Any:
        return self.jnp.sum(x, axis)

    def exp(self, x: Any) -> Any:
        return self.jnp.exp(x)

    def log(self, x: Any) -> Any:
        return self.jnp.log(x)

    def log1p(self, x: Any) -> Any:
        return self.jnp.log1p(x)

    def sigmoid(self, x: Any) -> Any:
        return self.nn.sigmoid(x)

    def softplus(self, x: Any) -> Any:
        return self.nn.softplus(x)

    def softmax(self, x: Any) -> Any:
        return self.nn.softmax(x)

    def log_softmax(self, x: Any) -> Any:
        return self.nn.log_softmax(x)

    def logsumexp(self, x: Any) -> Any:
        return self.nn.logsumexp(x, -1)

    def where(self, condition: Any, x: Any, y: Any) -> Any:
        return self.jnp.where(condition, x, y)

    def equal(self, x: Any, y: Any) -> Any:
        return x == y

    def argmax(self, x: Any) -> Any:
        return self.jnp.argmax(x, -1)

    def stop_gradient(self, x: Any) -> Any:
        return self.stop(x)

    def take(self, x: Any, indices: Any) -> Any:
        return self.jnp.take(x, indices, axis=0)  # NaN beyond the end; x[indices] would take the last entry

    def pick(self, x: Any, indices: Any) -> Any:
        return self.jnp.take_along_axis(x, indices[:, None], -1)[:, 0]

    def one_hot(self, indices: Any, like: Any) -> Any:
        return self.nn.one_hot(indices, like.shape[-1], dtype=like.dtype)

    def ones(self, like: Any) -> Any:
        return self.jnp.ones(like.shape[0], like.dtype)

    def size(self, x: Any, axis: int) -> Any:
        return self.jnp.array(x.shape[axis], x.dtype)  # a number of ml_dtypes would make float32 of a Python float


def _details(jax: Any, optax: Any) -> dict[str, str]:
    smallest = jax.numpy.finfo("float32").tiny
    halved = jax.numpy.asarray(smallest, "float32") / 2
    return {
        "optax": optax.__version__,
        "jaxlib": jax.lib.__version__,
        "cpus": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "flush_to_zero": str(bool(halved == 0)),
        "default_matmul_precision": str(jax.config.jax_default_matmul_precision),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
    }
