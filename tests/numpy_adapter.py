"""NumPy as a framework, as somebody else would write it in a package of their own.

Their `pyproject.toml` says `[project.entry-points."lossvet.adapters"]` and `numpy = "numpy_adapter:adapter"`. NumPy has
no losses and no derivatives, so it brings operations, and the losses composed of them are judged. lossvet has its
primitives; of another framework they would be written here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lossvet.adapters import computing
from lossvet.adapters.numpy_primitives import NumpyPrimitives
from lossvet.adapters.types import Adapter


def adapter() -> Adapter:
    return computing.adapter(NumpyPrimitives(), np.__version__, Operations(), native={})


class Operations:
    """`lossvet.adapters.types.Ops`, over arrays."""

    def sum(self, x: Any, axis: int | None = None) -> Any:
        return np.sum(x, axis=axis)

    def exp(self, x: Any) -> Any:
        return np.exp(x)

    def log(self, x: Any) -> Any:
        return np.log(x)

    def log1p(self, x: Any) -> Any:
        return np.log1p(x)

    def sigmoid(self, x: Any) -> Any:
        small = np.exp(-np.abs(x))
        return np.where(x >= 0, 1 / (1 + small), small / (1 + small))

    def softplus(self, x: Any) -> Any:
        return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))

    def softmax(self, x: Any) -> Any:
        powers = np.exp(x - x.max(-1, keepdims=True))
        return powers / powers.sum(-1, keepdims=True)

    def log_softmax(self, x: Any) -> Any:
        return x - self.logsumexp(x)[..., None]

    def logsumexp(self, x: Any) -> Any:
        largest = x.max(-1)
        return largest + np.log(np.exp(x - largest[..., None]).sum(-1))

    def where(self, condition: Any, x: Any, y: Any) -> Any:
        tensor = x if isinstance(x, np.ndarray) else y
        return np.where(condition, x, y).astype(tensor.dtype)

    def equal(self, x: Any, y: Any) -> Any:
        return np.equal(x, y)

    def argmax(self, x: Any) -> Any:
        return x.argmax(-1)

    def stop_gradient(self, x: Any) -> Any:
        return x

    def take(self, x: Any, indices: Any) -> Any:
        return x[indices]

    def pick(self, x: Any, indices: Any) -> Any:
        at = np.asarray(indices)
        if ((at < 0) | (at >= x.shape[1])).any():  # NumPy would count a negative label from the end
            raise IndexError(f"a label is no class from 0 to {x.shape[1] - 1}: {at.tolist()}")
        return np.take_along_axis(x, at[:, None], -1)[:, 0]

    def one_hot(self, indices: Any, like: Any) -> Any:
        return (np.arange(like.shape[1]) == np.asarray(indices)[:, None]).astype(like.dtype)

    def ones(self, like: Any) -> Any:
        return np.ones(len(like), like.dtype)

    def size(self, x: Any, axis: int) -> Any:
        return x.dtype.type(x.shape[axis])
