"""TF1's primitives: placing is feeding, compiling is building a graph of placeholders, which a session runs.

`put` returns `Fed`, an array to be fed. A primitive that gets `Fed` arrays builds a graph, runs it and returns the
fetched results, also as `Fed`; within a graph it adds operations. So the same code works at both levels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Never

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
from lossvet.adapters.tensorflow_v1_graphs import Fed, Graph, Graphs, fed

MODES = (Mode("session", Cost(function=0.03), forward_mode=False),)
ALONG, DIRECTION = "cotangent of vjp", "direction of hvp"
"""Names of placeholders beside those of the function's inputs."""


@dataclass(frozen=True)
class TensorFlowV1Primitives:
    """`adapters.protocol.Primitives` over placeholders and what is fed to them."""

    tf: Any
    threads: int = 0
    """Of a session, within an operation and between them; 0 leaves the number to TensorFlow."""
    name: str = "tensorflow_v1"
    modes: tuple[Mode, ...] = MODES
    open_lengths: bool = True

    def put(self, array: Any, dtype: str | None = None, device: str = "cpu") -> Any:
        return Fed(host(array, dtype), device)

    def read(self, tensor: Any) -> NDArray[Any]:
        return plain(tensor.array if isinstance(tensor, Fed) else tensor)

    def dtype(self, tensor: Any) -> str:
        return str(tensor.dtype.name)

    def compile(self, function: Function, mode: str, like: Tensors | None = None, quickly: bool = False) -> Function:
        mode_of(self, mode)
        if like is None:
            return Graphs(self.tf, function, self.threads)
        shapes = {name: [None] * tensor.array.ndim for name, tensor in fed(like).items()}
        return Graph(self.tf, function, like, shapes, self.threads)

    def vjp(
        self, function: Function, inputs: Tensors, leaves: Iterable[str], cotangent: Any = None
    ) -> tuple[Any, dict[str, Any]]:
        names = tuple(leaves)
        if fed(inputs):
            more = {ALONG: cotangent} if isinstance(cotangent, Fed) else {}

            def whole(given: Tensors) -> Any:
                return self.vjp(function, _own(given), names, given.get(ALONG, cotangent))

            value, gradients = Graphs(self.tf, whole, self.threads)({**inputs, **more})
            return value, gradients
        value = function(inputs)
        return value, self._gradients(value, {name: inputs[name] for name in names}, cotangent)

    def jvp(self, function: Function, inputs: Tensors, tangents: Tensors) -> Never:
        raise NotImplementedError("the TF1 API has no forward mode")

    def hvp(self, function: Function, inputs: Tensors, leaf: str, cotangent: Any, direction: Any) -> Any:
        if fed(inputs):
            more = {ALONG: cotangent} if isinstance(cotangent, Fed) else {}

            def whole(given: Tensors) -> Any:
                return self.hvp(function, _own(given), leaf, given.get(ALONG, cotangent), given[DIRECTION])

            return Graphs(self.tf, whole, self.threads)({**inputs, **more, DIRECTION: direction})
        x = {leaf: inputs[leaf]}
        gradient = self._gradients(function(inputs), x, cotangent)[leaf]
        return self._gradients(gradient, x, direction)[leaf]

    def passes(self, losses: Losses, inputs: Tensors, wanted: Wanted) -> Callable[[], Passed]:
        """One way forward for all losses, as users build a graph. It is called while one is built."""
        along, second = wanted.cotangents, wanted.second
        reductions = tuple(dict.fromkeys((*wanted.leaves, *(second[:1] if second else ()))))

        def call() -> Passed:
            values = losses(inputs, reductions)()
            found: Passed = {
                name: (
                    values[name],
                    self._gradients(values[name], {leaf: inputs[leaf] for leaf in own}, along.get(name)),
                )
                for name, own in wanted.leaves.items()
            }
            if second is not None:
                name, leaf, direction = second
                known, x = found.get(name, (None, {})), {leaf: inputs[leaf]}
                gradient = known[1] if leaf in known[1] else self._gradients(values[name], x, along.get(name))
                found[SECOND] = self._gradients(gradient[leaf], x, direction)[leaf], {}
            return found

        return call

    def twice(self, function: Function, inputs: Tensors, leaves: Iterable[str], cotangent: Any) -> Never:
        raise NotImplementedError("a graph has no second backward pass")

    def traced(self, function: Function, inputs: Tensors) -> bool:
        return False

    def wait(self, tensors: Any) -> None:
        """A session waits by itself."""

    def precision(self, dtype: str | None) -> AbstractContextManager[Any]:
        return nullcontext()

    def scope(self, dtype: str | None, device: str) -> AbstractContextManager[Any]:
        return nullcontext()

    def _gradients(self, value: Any, leaves: dict[str, Any], cotangent: Any) -> dict[str, Any]:
        found: dict[str, Any] = dict.fromkeys(leaves)
        into = {name: x for name, x in leaves.items() if x.dtype.is_floating}
        if not into or not self.tf.is_tensor(value):
            return found
        along = cotangent(value) if callable(cotangent) else cotangent
        grads = self.tf.compat.v1.gradients(value, list(into.values()), grad_ys=along)
        return {**found, **dict(zip(into, grads, strict=True))}


def _own(given: Tensors) -> Tensors:
    """What the function itself takes."""
    return {name: tensor for name, tensor in given.items() if name not in (ALONG, DIRECTION)}
