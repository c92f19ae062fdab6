"""TF1's primitives: placing is feeding, compiling is building a graph of placeholders, which a session runs.

What `put` returns is `Fed`, an array to be fed. A primitive that is given such builds a graph, runs it and returns what
it fetched, also `Fed`; within a graph it adds operations. So the same code works at both levels.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Never

import numpy as np
from numpy.typing import NDArray

from lossvet.adapters.protocol import Function, Mode, Tensors, host, mode_of, plain

MODES = (Mode("session", forward_mode=False),)
ALONG, DIRECTION = "cotangent of vjp", "direction of hvp"
"""Names of placeholders beside those of the function's inputs."""


@dataclass(frozen=True)
class Fed:
    """An array, and the device on which the graph that it is fed to is placed."""

    array: NDArray[Any]
    device: str

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape


@dataclass(frozen=True)
class TensorFlowV1Primitives:
    """`adapters.protocol.Primitives` over placeholders and what is fed to them."""

    tf: Any
    threads: int = 0
    """Of a session, within an operation and between them; 0 leaves the choice to TensorFlow."""
    name: str = "tensorflow_v1"
    modes: tuple[Mode, ...] = MODES

    def put(self, array: Any, dtype: str | None = None, device: str = "cpu") -> Any:
        return Fed(host(array, dtype), device)

    def read(self, tensor: Any) -> NDArray[Any]:
        return plain(tensor.array if isinstance(tensor, Fed) else tensor)

    def dtype(self, tensor: Any) -> str:
        return str(tensor.dtype.name)

    def compile(self, function: Function, mode: str) -> Function:
        mode_of(self, mode)
        return Graphs(self, function)

    def vjp(
        self, function: Function, inputs: Tensors, leaves: Iterable[str], cotangent: Any = None
    ) -> tuple[Any, dict[str, Any]]:
        names = tuple(leaves)
        if fed(inputs):
            more = {ALONG: cotangent} if isinstance(cotangent, Fed) else {}
            value, gradients = Graphs(
                self, lambda given: self.vjp(function, inner(given), names, given.get(ALONG, cotangent))
            )({**inputs, **more})
            return value, gradients
        value = function(inputs)
        return value, self._gradients(value, {name: inputs[name] for name in names}, cotangent)

    def jvp(self, function: Function, inputs: Tensors, tangents: Tensors) -> Never:
        raise NotImplementedError("the TF1 API has no forward mode")

    def hvp(self, function: Function, inputs: Tensors, leaf: str, cotangent: Any, direction: Any) -> Any:
        if fed(inputs):
            more = {ALONG: cotangent} if isinstance(cotangent, Fed) else {}
            return Graphs(
                self,
                lambda given: self.hvp(function, inner(given), leaf, given.get(ALONG, cotangent), given[DIRECTION]),
            )({**inputs, **more, DIRECTION: direction})
        x = {leaf: inputs[leaf]}
        gradient = self._gradients(function(inputs), x, cotangent)[leaf]
        return self._gradients(gradient, x, direction)[leaf]

    def twice(self, function: Function, inputs: Tensors, leaves: Iterable[str], cotangent: Any) -> Never:
        raise NotImplementedError("a graph has no second pass back through a result")

    def traced(self, function: Function, inputs: Tensors) -> bool:
        return False

    def wait(self, tensors: Any) -> None:
        """A session waits by itself."""

    def precision(self, dtype: str | None) -> AbstractContextManager[Any]:
        return nullcontext()

    def _gradients(self, value: Any, leaves: dict[str, Any], cotangent: Any) -> dict[str, Any]:
        found: dict[str, Any] = dict.fromkeys(leaves)
        into = {name: x for name, x in leaves.items() if x.dtype.is_floating}
        if not into or not self.tf.is_tensor(value):
            return found
        along = cotangent(value) if callable(cotangent) else cotangent
        grads = self.tf.compat.v1.gradients(value, list(into.values()), grad_ys=along)
        return {**found, **dict(zip(into, grads, strict=True))}


def fed(inputs: Tensors) -> bool:
    """Whether these are to be fed, and no tensors of a graph."""
    return any(isinstance(tensor, Fed) for tensor in inputs.values())


def inner(given: Tensors) -> Tensors:
    """What the function itself takes."""
    return {name: tensor for name, tensor in given.items() if name not in (ALONG, DIRECTION)}


class Graphs:
    """A function over placeholders: a graph and a session for each set of dtypes and shapes that it is fed."""

    def __init__(self, primitives: TensorFlowV1Primitives, function: Function) -> None:
        self.tf, self.threads, self.function = primitives.tf, primitives.threads, function
        self.graphs: dict[Any, Any] = {}

    def __call__(self, tensors: Tensors) -> Any:
        if not fed(tensors):  # compiled within a graph: it becomes a part of that
            return self.function(tensors)
        device = next(tensor.device for tensor in tensors.values() if isinstance(tensor, Fed))
        arrays = {name: tensor.array for name, tensor in tensors.items() if isinstance(tensor, Fed)}
        key = (device, *((name, array.dtype.name, array.shape) for name, array in arrays.items()))
        if key not in self.graphs:
            self.graphs[key] = self._build(tensors, device)
        session, placeholders, outputs = self.graphs[key]
        flat = self.tf.nest.flatten(outputs)
        answers = iter(self._fetch(session, placeholders, arrays, [x for x in flat if self.tf.is_tensor(x)]))
        return self.tf.nest.pack_sequence_as(
            outputs, [Fed(next(answers), device) if self.tf.is_tensor(x) else x for x in flat]
        )

    def _build(self, tensors: Tensors, device: str) -> Any:
        v1 = self.tf.compat.v1
        graph = v1.Graph()
        with graph.as_default(), graph.device(device):
            placeholders = {
                name: v1.placeholder(tensor.array.dtype.name, tensor.array.shape) if isinstance(tensor, Fed) else tensor
                for name, tensor in tensors.items()
            }
            found = self.function(placeholders)
            outputs = self.tf.nest.map_structure(
                lambda x: self.tf.convert_to_tensor(x) if self.tf.is_tensor(x) else x,
                found,  # IndexedSlices too
            )
            variables = v1.global_variables()
            start = v1.global_variables_initializer() if variables else None
        session = v1.Session(graph=graph, config=self._config())
        if start is not None:
            session.run(start)
        return session, placeholders, outputs

    def _fetch(self, session: Any, placeholders: Tensors, arrays: Tensors, fetches: list[Any]) -> list[Any]:
        with session.graph.as_default():  # outside, with the behaviour of TF2, a tensor is no key
            answers: list[Any] = session.run(fetches, {placeholders[name]: array for name, array in arrays.items()})
            return answers

    def _config(self) -> Any:
        threads = {"intra_op_parallelism_threads": self.threads, "inter_op_parallelism_threads": self.threads}
        return self.tf.compat.v1.ConfigProto(allow_soft_placement=False, **threads)
