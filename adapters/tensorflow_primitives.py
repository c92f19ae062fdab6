"""TensorFlow 2's primitives: tapes for reverse mode, accumulators for forward mode, in a tf.function or without."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from numpy.typing import NDArray

from lossvet.adapters.protocol import (
    SECOND,
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
)

MODES = (
    Mode("eager", Cost(operation=1e-4)),
    Mode("graph", Cost(function=0.03)),
    Mode("xla", Cost(function=0.3, shapes=0.3)),
)


@dataclass(frozen=True)
class TensorFlowPrimitives:
    """`adapters.protocol.Primitives` over eager tensors and those of a tf.function."""

    tf: Any
    autograph: bool = True
    """Whether tf.function rewrites Python's `if` and `for` over tensors, as it does unless told otherwise."""
    name: str = "tensorflow"
    modes: tuple[Mode, ...] = MODES
    open_lengths: bool = True

    def put(self, array: Any, dtype: str | None = None, device: str = "cpu") -> Any:
        with self.tf.device(device):
            return self.tf.constant(host(array, dtype))

    def read(self, tensor: Any) -> NDArray[Any]:
        """IndexedSlices are made dense by TensorFlow, which refuses an index that is out of range."""
        return plain(self.tf.convert_to_tensor(tensor).numpy() if self.tf.is_tensor(tensor) else tensor)

    def dtype(self, tensor: Any) -> str:
        return str(tensor.dtype.name)

    def compile(self, function: Function, mode: str, like: Tensors | None = None, quickly: bool = False) -> Function:
        if mode_of(self, mode).eager:
            return function
        compiled = self.tf.function(function, jit_compile=mode == "xla", autograph=self.autograph)
        if like is None:
            own: Function = compiled
            return own
        specs = {name: self.tf.TensorSpec([None] * x.shape.rank, x.dtype) for name, x in like.items()}
        traced: Function = compiled.get_concrete_function(specs)
        return traced

    def vjp(
        self, function: Function, inputs: Tensors, leaves: Iterable[str], cotangent: Any = None
    ) -> tuple[Any, dict[str, Any]]:
        chosen = {name: inputs[name] for name in leaves}
        with self._tape(self._floats(chosen)) as tape:
            value = function(inputs)
        return value, self._gradients(tape, value, chosen, cotangent)

    def jvp(self, function: Function, inputs: Tensors, tangents: Tensors) -> tuple[Any, Any]:
        primals = [inputs[name] for name in tangents]
        with self.tf.autodiff.ForwardAccumulator(primals, list(tangents.values())) as forward:
            value = function(inputs)
        return value, forward.jvp(value) if self.tf.is_tensor(value) else None

    def hvp(self, function: Function, inputs: Tensors, leaf: str, cotangent: Any, direction: Any) -> Any:
        x = {leaf: inputs[leaf]}
        with self._tape(x) as second:
            with self._tape(x) as first:
                value = function(inputs)
            gradient = self._gradients(first, value, x, cotangent)[leaf]
        return self._gradients(second, gradient, x, direction)[leaf]

    def passes(self, losses: Losses, inputs: Tensors, wanted: Wanted) -> Callable[[], Passed]:
        """One tape for all losses, and one way back for each. A tape that nobody needs is not there: it is timed."""
        by_loss = {name: {leaf: inputs[leaf] for leaf in leaves} for name, leaves in wanted.leaves.items()}
        if wanted.second is not None:
            name, leaf, direction = wanted.second
            by_loss.setdefault(name, {})[leaf] = inputs[leaf]
        leaves = {leaf: x for own in by_loss.values() for leaf, x in own.items()}
        several = sum(map(bool, by_loss.values())) > 1
        compute = losses(inputs, tuple(by_loss))

        def gradients(tape: Any, values: Any, name: str) -> dict[str, Any]:
            return self._gradients(tape, values[name], by_loss[name], wanted.cotangents.get(name))

        def first() -> tuple[Any, Any, Passed]:
            with self._tape(leaves, several) as tape:
                values = compute()
            return tape, values, {}

        def call() -> Passed:
            if not leaves:
                return {name: (value, {}) for name, value in compute().items()}
            if wanted.second is None:
                tape, values, found = first()
            else:
                with self._tape({leaf: inputs[leaf]}) as over:
                    tape, values, found = first()
                    found[name] = values[name], gradients(tape, values, name)
                found[SECOND] = self._gradients(over, found[name][1][leaf], {leaf: inputs[leaf]}, direction)[leaf], {}
            for other in by_loss:
                if other not in found:
                    found[other] = values[other], gradients(tape, values, other)
            return found

        return call

    def twice(
        self, function: Function, inputs: Tensors, leaves: Iterable[str], cotangent: Any
    ) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        chosen = {name: inputs[name] for name in leaves}
        tape = self.tf.GradientTape(persistent=True, watch_accessed_variables=False)
        with Watching(tape, self._floats(chosen)):
            value = function(inputs)
        first = self._gradients(tape, value, chosen, cotangent)
        return value, first, self._gradients(tape, value, chosen, cotangent)

    def traced(self, function: Function, inputs: Tensors) -> bool:
        return False

    def wait(self, tensors: Any) -> None:
        if self._gpu:
            self.tf.test.experimental.sync_devices()

    def precision(self, dtype: str | None) -> AbstractContextManager[Any]:
        return nullcontext()

    def scope(self, dtype: str | None, device: str) -> AbstractContextManager[Any]:
        context: AbstractContextManager[Any] = self.tf.device(device)
        return context

    @cached_property
    def _gpu(self) -> bool:
        return bool(self.tf.config.list_physical_devices("GPU"))

    def _tape(self, watched: Tensors, persistent: bool = False) -> Any:
        return Watching(self.tf.GradientTape(persistent, watch_accessed_variables=False), dict(watched))

    def _floats(self, tensors: Tensors) -> dict[str, Any]:
        return {name: x for name, x in tensors.items() if x.dtype.is_floating}

    def _gradients(self, tape: Any, value: Any, leaves: dict[str, Any], cotangent: Any) -> dict[str, Any]:
        found: dict[str, Any] = dict.fromkeys(leaves)
        into = self._floats(leaves)
        if not into or not self.tf.is_tensor(value):
            return found
        along = cotangent(value) if callable(cotangent) else cotangent
        return {**found, **tape.gradient(value, into, output_gradients=along)}


@dataclass(frozen=True)
class Watching:
    """A tape that watches these tensors as soon as it is entered."""

    tape: Any
    tensors: dict[str, Any]

    def __enter__(self) -> Any:
        entered = self.tape.__enter__()
        entered.watch(self.tensors)
        return entered

    def __exit__(self, *exception: Any) -> None:
        self.tape.__exit__(*exception)
