"""JAX with the losses of optax, eager and under `jax.jit`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lossvet.adapters import jax_recipes, steps
from lossvet.adapters.devices import UNKNOWN_CACHE, QueueClock
from lossvet.adapters.jax_primitives import JaxPrimitives
from lossvet.adapters.types import Adapter, Device, Measured, Missing, Native, Outcome, Prepared, Raised, Recipe
from lossvet.reference.types import Case


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
    runner = _Runner(jax, _Ops(jax.numpy, jax.nn, jax.lax.stop_gradient))
    return Adapter(
        name="jax",
        version=jax.__version__,
        modes=("eager", "jit"),
        devices=("cpu", "cuda") if jax.default_backend() == "gpu" else ("cpu",),
        dtypes=("float32", "float64"),
        ops=runner.ops,
        native=_natives(jax, optax),
        prepare=runner.prepare,
        read=_read,
        compiled=lambda: len(runner.signatures),
        measured=measured(jax),
        primitives=own,
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


def _natives(jax: Any, optax: Any) -> dict[str, dict[str, Native]]:
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
            "native": Native(sparse, f"{integer})"),
            "native_where": Native(sparse_where, f"{integer}, where=labels != ignore_index)", ignore_index=True),
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
        return x.dtype.type(x.shape[axis])


@dataclass(frozen=True)
class _Runner:
    """Prepares calls, and keeps the jitted functions: one for a recipe, its settings and the outputs asked."""

    jax: Any
    ops: _Ops
    jitted: dict[Any, Callable[..., Any]] = field(default_factory=dict)
    signatures: set[Any] = field(default_factory=set)
    """What has been compiled: the keys of `jitted`, each with the shapes and dtypes it met."""

    def prepare(
        self, recipe: Recipe, case: Case, mode: str, dtype: str, device: str, outputs: tuple[str, ...]
    ) -> Prepared:
        """Where an output raises, each is asked for alone, so that the others are not lost with it."""
        absent = {output: reason for output in outputs if (reason := _absent(recipe, case, output))}
        asked = tuple(output for output in outputs if output not in absent)
        arrays = steps.inputs(recipe, case, asked)
        place = self.jax.devices(device)[0]
        with self._precision(dtype):
            inputs = {
                name: self.jax.device_put(array.astype(dtype) if array.dtype.kind == "f" else array, place)
                for name, array in arrays.items()
            }

        def function(names: tuple[str, ...]) -> Callable[..., Any]:
            plain = self._function(recipe, case, names)
            return self._jit(recipe, case, names, plain, inputs) if mode == "jit" else plain

        def alone(output: str) -> Any:
            try:
                return self.jax.block_until_ready(function((output,))(inputs))[output]
            except Exception as error:
                return error

        together = function(asked) if asked else lambda inputs: {}

        def apart() -> dict[str, Any]:
            with self._precision(dtype):
                return {output: alone(output) for output in asked}

        def dispatch() -> dict[str, Any]:
            try:
                with self._precision(dtype):
                    return {**absent, **together(inputs)}
            except Exception:
                return {**absent, **apart()}

        def wait(answers: dict[str, Any]) -> dict[str, Any]:
            try:
                self.jax.block_until_ready([answers[output] for output in asked])
            except Exception:
                answers = {**absent, **apart()}
            return {output: answers[output] for output in outputs}  # in order; jit sorts by name

        prepared = Prepared(dispatch, wait)
        if mode == "jit":
            prepared()
        return prepared

    def _precision(self, dtype: str) -> contextlib.AbstractContextManager[Any]:
        """64 bits for float64 and, for float32, JAX as users have it."""
        if dtype != "float64":
            return contextlib.nullcontext()
        # A context and no process-wide flag: the setting is part of the key of every cache of JAX, traces included.
        switch = (self.jax if hasattr(self.jax, "enable_x64") else self.jax.experimental).enable_x64
        context: contextlib.AbstractContextManager[Any] = switch(True)
        return context

    def _function(self, recipe: Recipe, case: Case, outputs: tuple[str, ...]) -> Callable[[dict[str, Any]], Any]:
        """The outputs as a function of the inputs by name, the case's cotangent and direction among them.

        Each reduction has a vjp of its own: a joint one would be given zeros for the others, and 0 * inf is NaN.
        """
        settings, ops, vjp = steps.settings(case), self.ops, self.jax.vjp

        def function(inputs: dict[str, Any]) -> dict[str, Any]:
            def loss(reduction: Any, leaves: dict[str, Any]) -> Any:
                values = {**settings, **inputs, **leaves}
                params = steps.with_tensors(recipe, values)
                return steps.losses(recipe, ops, values["logits"], values["labels"], params, (reduction,))[reduction]

            def gradient(reduction: Any, leaves: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
                value, pullback = vjp(lambda chosen: loss(reduction, chosen), leaves)
                return value, pullback(inputs["cotangent"] if reduction == "none" else ops.jnp.ones_like(value))[0]

            answers: dict[str, Any] = {}
            for reduction in dict.fromkeys(_reduction(output) for output in outputs if output != "hvp"):
                names = [output.rpartition("/")[2] for output in outputs if output.startswith(f"gradient/{reduction}/")]
                if names:
                    value, gradients = gradient(reduction, {name: inputs[name] for name in names})
                else:
                    value, gradients = loss(reduction, {}), {}
                answers |= {f"loss/{reduction}": value}
                answers |= {f"gradient/{reduction}/{name}": gradients[name] for name in names}
            if "hvp" in outputs:
                x, direction = {"logits": inputs["logits"]}, {"logits": inputs["direction"]}
                answers["hvp"] = self.jax.jvp(lambda x: gradient("none", x)[1]["logits"], (x,), (direction,))[1]
            return {output: answers[output] for output in outputs}

        return function

    def _jit(
        self, recipe: Recipe, case: Case, outputs: tuple[str, ...], function: Callable[..., Any], inputs: dict[str, Any]
    ) -> Callable[..., Any]:
        key = (recipe.variant.name, recipe.name, *steps.settings(case).items(), outputs)
        self.signatures.add((key, *((name, x.shape, str(x.dtype), str(x.device)) for name, x in inputs.items())))
        return self.jitted.setdefault(key, self.jax.jit(function))


def _reduction(output: str) -> Any:
    """The reduction that an output is of; "hvp" is of the unreduced losses."""
    return "none" if output == "hvp" else output.split("/")[1]


def _absent(recipe: Recipe, case: Case, output: str) -> Missing | None:
    """Why there is no such output. Into an input that a recipe does without, JAX would answer with zeros."""
    leaf = output.rpartition("/")[2]
    if recipe.native is not None and leaf in recipe.native.no_gradient:
        return Missing(f"{recipe.native.spelling} has no gradient into {leaf}")
    return steps.missing(recipe, case, _reduction(output))


def _read(answers: Mapping[str, Any]) -> dict[str, Outcome]:
    return {output: _outcome(answer) for output, answer in answers.items()}


def _outcome(answer: Any) -> Outcome:
    match answer:
        case Missing():
            return answer
        case Exception():
            return Raised(type(answer).__name__, str(answer))
    return Measured(np.asarray(answer))


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
