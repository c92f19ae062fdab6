"""TensorFlow 2's primitives: tapes for reverse mode, accumulators for forward mode, in a tf.function or without."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from lossvet.adapters.protocol import Function, Mode, Tensors, host, mode_of, plain

MODES = (Mode("eager"), Mode("graph"), Mode("xla", compiles=True))


@dataclass(frozen=True)
class TensorFlowPrimitives:
    """`adapters.protocol.Primitives` over eager tensors and those of a tf.function."""

    tf: Any
    autograph: bool = True
    """Whether tf.function rewrites Python's `if` and `for` over tensors, as it does unless told otherwise."""
    name: str = "tensorflow"
    modes: tuple[Mode, ...] = MODES

    def put(self, array: Any, dtype: str | None = None, device: str = "cpu") -> Any:
        with self.tf.device(device):
            return self.tf.constant(host(array, dtype))

    def read(self, tensor: Any) -> NDArray[Any]:
        """IndexedSlices are made dense by TensorFlow, which refuses an index that is out of range."""
        return plain(self.tf.convert_to_tensor(tensor).numpy() if self.tf.is_tensor(tensor) else tensor)

    def dtype(self, tensor: Any) -> str:
        return str(tensor.dtype.name)

    def compile(self, function: Function, mode: str) -> Function:
        if mode_of(self, mode).name == "eager":
            return function
        compiled: Function = self.tf.function(function, jit_compile=mode == "xla", autograph=self.autograph)
        return compiled

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
        if self.tf.config.list_physical_devices("GPU"):
            self.tf.test.experimental.sync_devices()

    def precision(self, dtype: str | None) -> AbstractContextManager[Any]:
        return nullcontext()

    def _tape(self, watched: Tensors) -> Any:
        return Watching(self.tf.GradientTape(watch_accessed_variables=False), dict(watched))

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
