"""Functions as graphs of placeholders: how they are built, fed and run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lossvet.adapters.protocol import Function, Tensors


@dataclass(frozen=True)
class Fed:
    """An array to be fed, and the device on which the graph that it is fed to is placed."""

    array: NDArray[Any]
    device: str

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape


def fed(tensors: Tensors) -> dict[str, Fed]:
    """Those that are to be fed; the others are tensors of a graph that is being built, or plain numbers."""
    return {name: tensor for name, tensor in tensors.items() if isinstance(tensor, Fed)}


class Graph:
    """A function over placeholders of these shapes, None for an open length; the inputs that are not fed are constants.

    A session runs it with so many threads within an operation and between them, and every operation on the device that
    the inputs are on.
    """

    def __init__(
        self, tf: Any, function: Function, inputs: Tensors, shapes: Mapping[str, Sequence[int | None]], threads: int
    ) -> None:
        self.tf, v1, given = tf, tf.compat.v1, fed(inputs)
        graph = v1.Graph()
        (device,) = {tensor.device for tensor in given.values()}
        with graph.as_default(), graph.device(device):
            self.placeholders = {name: v1.placeholder(given[name].dtype.name, shape) for name, shape in shapes.items()}
            self.outputs = tf.nest.map_structure(self._dense, function({**inputs, **self.placeholders}))
            start = v1.global_variables_initializer() if v1.global_variables() else None
        self.session = v1.Session(graph=graph, config=config(tf, threads))
        if start is not None:
            self.session.run(start)
        self.fetches = [x for x in tf.nest.flatten(self.outputs) if tf.is_tensor(x)]

    def __call__(self, tensors: Tensors) -> Any:
        """The outputs as arrays, in the containers that the function returned; what is no tensor comes as it is."""
        feed = {placeholder: tensors[name].array for name, placeholder in self.placeholders.items()}
        answers = iter(self.session.run(self.fetches, feed))
        flat = [next(answers) if self.tf.is_tensor(x) else x for x in self.tf.nest.flatten(self.outputs)]
        return self.tf.nest.pack_sequence_as(self.outputs, flat)

    def _dense(self, x: Any) -> Any:
        return self.tf.convert_to_tensor(x) if self.tf.is_tensor(x) else x  # IndexedSlices too


class Graphs:
    """A function as users have it: a graph for each set of dtypes and shapes that it is fed."""

    def __init__(self, tf: Any, function: Function, threads: int) -> None:
        self.tf, self.function, self.threads = tf, function, threads
        self.graphs: dict[Any, Graph] = {}

    def __call__(self, tensors: Tensors) -> Any:
        """What is fetched can be fed again."""
        given = fed(tensors)
        if not given:  # called while a graph is built: it becomes a part of that
            return self.function(tensors)
        key = tuple((name, tensor.device, tensor.dtype.name, tensor.shape) for name, tensor in given.items())
        if key not in self.graphs:
            shapes = {name: tensor.shape for name, tensor in given.items()}
            self.graphs[key] = Graph(self.tf, self.function, tensors, shapes, self.threads)
        device = next(iter(given.values())).device
        arrays = (np.ndarray, np.generic)
        return self.tf.nest.map_structure(
            lambda x: Fed(np.asarray(x), device) if isinstance(x, arrays) else x, self.graphs[key](tensors)
        )


def config(tf: Any, threads: int) -> Any:
    """Every operation on the device that it was given; 0 threads leave the number to TensorFlow."""
    both = {"intra_op_parallelism_threads": threads, "inter_op_parallelism_threads": threads}
    return tf.compat.v1.ConfigProto(allow_soft_placement=False, **both)
