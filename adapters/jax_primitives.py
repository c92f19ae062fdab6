"""JAX's primitives. float64 exists only in a context, which each primitive opens if one of its tensors needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lossvet.adapters.presence import Presence
from lossvet.adapters.protocol import (
    Cost,
    Function,
    Losses,
    Mode,
    Passed,
    Tensors,
    Wanted,
    host,
    mode_of,
    plain,
    separate,
)

MODES = (
    Mode("eager", Cost(shapes=1, operation=1e-4)),  # XLA compiles each operation
    Mode("jit", Cost(function=0.3, shapes=0.3), for_strangers=True),
)

QUICK: dict[str, Any] = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}
"""Options of XLA with which it compiles a loss and its gradient in a quarter of the time. They are about the machine
code: what XLA rewrites in the graph, log(exp(x)) for one, it rewrites with them too."""


def _undisturbed(jax: Any, stack: ExitStack) -> None:
    for name in ("debug_nans", "debug_infs"):
        if getattr(jax.config, f"jax_{name}", False):
            stack.enter_context(getattr(jax, name)(False))


PRESENCE = Presence("jax", ("jax", "jaxlib", "optax", "flax"), ("jnp",), "jax", undisturbed=_undisturbed)


@dataclass(frozen=True)
class JaxPrimitives:
    """`adapters.protocol.Primitives` over jax.Array."""

    jax: Any
    name: str = "jax"
    modes: tuple[Mode, ...] = MODES
    open_lengths: bool = False

    def put(self, array: Any, dtype: str | None = None, device: str = "cpu") -> Any:
        given = host(array, dtype)
        with self.precision(given.dtype.name):
            return self.jax.device_put(given, self.jax.devices(device)[0])

    def read(self, tensor: Any) -> NDArray[Any]:
        return plain(tensor)

    def dtype(self, tensor: Any) -> str:
        return str(tensor.dtype)

    def compile(self, function: Function, mode: str, like: Tensors | None = None, quickly: bool = False) -> Function:
        if not mode_of(self, mode).compiles:
            return function
        options = {"compiler_options": self._quick} if quickly and self._quick else {}
        jitted: Function = self.jax.jit(function, **options)
        if like is not None:
            return jitted

        def call(tensors: Tensors) -> Any:
            with self._wide(tensors):
                return jitted(tensors)

        return call

    @cached_property
    def _quick(self) -> dict[str, Any]:
        """`QUICK`, as far as this version of JAX knows it."""
        try:
            self.jax.jit(lambda: 0, compiler_options=QUICK).lower().compile()
        except (TypeError, self.jax.errors.JaxRuntimeError):
            return {}
        return QUICK

    def vjp(
        self, function: Function, inputs: Tensors, leaves: Iterable[str], cotangent: Any = None
    ) -> tuple[Any, dict[str, Any]]:
        with self._wide(inputs):
            return self._vjp(function, inputs, tuple(leaves), cotangent)

    def _vjp(
        self, function: Function, inputs: Tensors, leaves: tuple[str, ...], cotangent: Any
    ) -> tuple[Any, dict[str, Any]]:
        jnp = self.jax.numpy
        into = {name: inputs[name] for name in leaves if jnp.issubdtype(inputs[name].dtype, jnp.inexact)}
        value, pullback = self.jax.vjp(lambda chosen: function({**inputs, **chosen}), into)
        along = cotangent(value) if callable(cotangent) else cotangent
        (gradients,) = pullback(jnp.ones_like(value) if along is None else along)
        return value, {name: gradients.get(name) for name in leaves}

    def jvp(self, function: Function, inputs: Tensors, tangents: Tensors) -> tuple[Any, Any]:
        chosen = {name: inputs[name] for name in tangents}
        with self._wide(inputs):
            value, tangent = self.jax.jvp(lambda moved: function({**inputs, **moved}), (chosen,), (dict(tangents),))
            return value, tangent

    def hvp(self, function: Function, inputs: Tensors, leaf: str, cotangent: Any, direction: Any) -> Any:
        """Forward over reverse: the derivative of the gradient along the direction."""

        def gradient(x: Any) -> Any:
            return self._vjp(function, {**inputs, leaf: x}, (leaf,), cotangent)[1][leaf]

        with self._wide(inputs):
            return self.jax.jvp(gradient, (inputs[leaf],), (direction,))[1]

    def passes(self, losses: Losses, inputs: Tensors, wanted: Wanted) -> Callable[[], Passed]:
        """A pass for each loss: a joint one would be given zeros for the others, and 0 * inf is NaN."""
        return separate(self, losses, inputs, wanted)

    def twice(
        self, function: Function, inputs: Tensors, leaves: Iterable[str], cotangent: Any
    ) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        jnp, names = self.jax.numpy, tuple(leaves)
        with self._wide(inputs):
            into = {name: inputs[name] for name in names if jnp.issubdtype(inputs[name].dtype, jnp.inexact)}
            value, pullback = self.jax.vjp(lambda chosen: function({**inputs, **chosen}), into)
            along = cotangent(value) if callable(cotangent) else cotangent
            (first,), (second,) = pullback(along), pullback(along)
        return value, {name: first.get(name) for name in names}, {name: second.get(name) for name in names}

    def traced(self, function: Function, inputs: Tensors) -> bool:
        with self._wide(inputs):
            self.jax.eval_shape(function, dict(inputs))
        return True

    def wait(self, tensors: Any) -> None:
        self.jax.block_until_ready(tensors)

    def precision(self, dtype: str | None) -> AbstractContextManager[Any]:
        """64 bits for float64 and, for all else, JAX as users have it."""
        if dtype != "float64":
            return nullcontext()
        # A context and no process-wide flag: the setting is part of the key of every cache of JAX, traces included.
        switch = (self.jax if hasattr(self.jax, "enable_x64") else self.jax.experimental).enable_x64
        context: AbstractContextManager[Any] = switch(True)
        return context

    def scope(self, dtype: str | None, device: str) -> AbstractContextManager[Any]:
        return self.precision(dtype)

    def _wide(self, tensors: Tensors) -> AbstractContextManager[Any]:
        wide = any(getattr(x, "dtype", None) == np.float64 for x in tensors.values())
        return self.precision("float64" if wide else None)
