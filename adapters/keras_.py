"""Keras 3 on PyTorch, eager: keras.ops and keras.losses over PyTorch's tensors and its autograd.

What is done with tensors is in `torch_primitives`; only the operations and the losses are those of Keras. They are not
compiled: on PyTorch, Keras compiles nothing unless its users ask for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from lossvet.adapters import computing, keras_losses, torch_
from lossvet.adapters.hidden import hidden
from lossvet.adapters.presence import Presence
from lossvet.adapters.protocol import Cost, Mode
from lossvet.adapters.torch_primitives import MODES, TorchPrimitives
from lossvet.adapters.types import Adapter, Native
from lossvet.reference.dtypes import NAMES
from lossvet.reference.types import Reduction

BACKEND = "KERAS_BACKEND"
"""The environment variable that names the framework that Keras computes with, read when Keras is imported."""
PRESENCE = Presence(
    "keras",
    packages=(),
    extra="keras",
    alone="a Keras loss is called in the framework that is Keras's backend in this process",
)
IN_FLOAT32 = ("float32",)
"""The dtypes of the losses that reduce: on PyTorch, Keras takes means and divides in float32 whatever it is given."""
IN_PLACE = ("being used in an in-place operation",)
"""What PyTorch says where Keras changes, in place, the sample weights in which a gradient is to be taken."""


@dataclass(frozen=True)
class KerasPrimitives(TorchPrimitives):
    """PyTorch's, on the device of the tensors: Keras moves what it is given to one of its own choice."""

    name: str = "keras"
    modes: tuple[Mode, ...] = (replace(MODES[0], cost=Cost(operation=5e-5)),)
    keras: Any = None

    def scope(self, dtype: str | None, device: str) -> AbstractContextManager[Any]:
        found: AbstractContextManager[Any] = self.keras.device(device)
        return found


def primitives(isolated: bool = False) -> KerasPrimitives:
    """Import PyTorch and Keras; in an isolated process with PyTorch on one thread.

    Raises RuntimeError where Keras computes with another framework in this process.
    """
    torch = torch_.primitives(isolated).torch
    with _on_torch(isolated), hidden() if isolated else nullcontext():
        import keras
    if (found := keras.backend.backend()) != "torch":
        raise RuntimeError(
            f"Keras's backend in this process is {found}, expected torch: set {BACKEND}=torch before Keras is "
            "imported, or use a separate process"
        )
    return KerasPrimitives(torch, keras=keras)


@contextmanager
def _on_torch(isolated: bool) -> Iterator[None]:
    """The environment in which Keras, where it is imported for the first time, computes with PyTorch; it ends as it
    began. A process that is not isolated may name another framework, and Keras then gets that one."""
    before = dict(os.environ)
    os.environ[BACKEND] = "torch" if isolated else before.get(BACKEND, "torch")
    try:
        yield
    finally:
        os.environ |= before
        for name in os.environ.keys() - before.keys():
            del os.environ[name]


def adapter() -> Adapter:
    """Keras on PyTorch with its losses, in a process that is set up for it."""
    own = primitives(isolated=True)
    keras, torch = own.keras, own.torch
    return computing.adapter(
        own,
        keras.__version__,
        _Ops(keras.ops),
        natives(keras),
        computing.Habits(refusal=own.refusal, no_derivative=IN_PLACE),
        dtypes=NAMES,
        devices=torch_.devices(torch),
        measured=torch_.measured(torch),
        details={"torch": torch.__version__, **torch_.details(torch)},
    )


def natives(keras: Any) -> Mapping[str, Mapping[str, Native]]:
    """Variant -> recipe -> the loss: `native_keras` is a class of keras.losses, with the reductions that it has,
    `native_function` a function of that module and `native_ops` one of keras.ops, which have none."""
    ops = keras.ops
    own = partial(keras_losses.native, keras.losses, "keras.losses", dtypes=IN_FLOAT32)
    dense, sparse = partial(own, "CategoricalCrossentropy"), partial(own, "SparseCategoricalCrossentropy")
    return {
        "sigmoid": {
            "native_keras": keras_losses.binary(keras.losses, "keras.losses", IN_FLOAT32),
            "native_ops": _function(ops, "keras.ops", "binary_crossentropy", "t, x"),
        },
        "softmax": {
            "native_keras": dense("t, x, sample_weight=v", lambda x, t, p: (t, p.sample_weight)),
            "native_function": _function(keras.losses, "keras.losses", "categorical_crossentropy", "t, x"),
            "native_ops": _function(ops, "keras.ops", "categorical_crossentropy", "t, x"),
        },
        "sparse": {
            "native_keras": sparse(
                "y, x, sample_weight=v",
                lambda x, y, p: (y, p.sample_weight),
                {"ignore_class": "ignore_index"},
                ignore_index=True,
            ),
            "native_function": _function(
                keras.losses,
                "keras.losses",
                "sparse_categorical_crossentropy",
                "y, x",
                {"ignore_class": "ignore_index"},
                ignore_index=True,
            ),
            "native_ops": _function(ops, "keras.ops", "sparse_categorical_crossentropy", "y, x"),
        },
        "class_weight": {
            "native_keras": dense(
                "t, x, sample_weight=keras.ops.sum(w * t, 1) * v",
                lambda x, t, p: (t, ops.sum(p.class_weight * t, 1) * p.sample_weight),
            ),
        },
        "sparse_class_weight": {
            "native_keras": sparse(
                "y, x, sample_weight=keras.ops.take(w, y) * v",
                lambda x, y, p: (y, ops.take(p.class_weight, y) * p.sample_weight),
            ),
        },
        "smooth_after": {
            "native_keras": dense(
                "keras.ops.one_hot(y, C), x, sample_weight=keras.ops.take(w, y) * v",
                lambda x, y, p: (ops.one_hot(y, x.shape[1]), ops.take(p.class_weight, y) * p.sample_weight),
                {"label_smoothing": "label_smoothing"},
            ),
        },
    }


def _function(
    module: Any,
    path: str,
    name: str,
    arguments: str,
    settings: Mapping[str, str] | None = None,
    ignore_index: bool = False,
) -> Native:
    """The function `name` of a module that users call `path`, unreduced; `settings` as in `keras_losses.native`."""
    keywords, function = settings or {}, getattr(module, name)

    def call(x: Any, labels: Any, params: Any, reduction: Reduction) -> Any:
        own = {keyword: getattr(params, param) for keyword, param in keywords.items()}
        return function(labels, x, from_logits=True, **own)

    given = "".join(f", {keyword}={param}" for keyword, param in keywords.items())
    return Native(call, f"{path}.{name}({arguments}, from_logits=True{given})", ignore_index=ignore_index)


@dataclass(frozen=True)
class _Ops:
    """The operations as keras.ops spells them (`adapters.types.Ops` says what each one is)."""

    ops: Any

    def sum(self, x: Any, axis: int | None = None) -> Any:
        return self.ops.sum(x, axis)

    def exp(self, x: Any) -> Any:
        return self.ops.exp(x)

    def log(self, x: Any) -> Any:
        return self.ops.log(x)

    def log1p(self, x: Any) -> Any:
        return self.ops.log1p(x)

    def sigmoid(self, x: Any) -> Any:
        return self.ops.sigmoid(x)

    def softplus(self, x: Any) -> Any:
        return -self.ops.log_sigmoid(-x)  # softplus is PyTorch's, and x itself above 20

    def softmax(self, x: Any) -> Any:
        return self.ops.softmax(x)

    def log_softmax(self, x: Any) -> Any:
        return self.ops.log_softmax(x)

    def logsumexp(self, x: Any) -> Any:
        return self.ops.logsumexp(x, -1)

    def where(self, condition: Any, x: Any, y: Any) -> Any:
        return self.ops.where(condition, x, y)

    def equal(self, x: Any, y: Any) -> Any:
        return self.ops.equal(x, y)

    def argmax(self, x: Any) -> Any:
        return self.ops.argmax(x, -1)

    def stop_gradient(self, x: Any) -> Any:
        return self.ops.stop_gradient(x)

    def take(self, x: Any, indices: Any) -> Any:
        return self.ops.take(x, indices, 0)

    def pick(self, x: Any, indices: Any) -> Any:
        return self.ops.take_along_axis(x, indices[:, None], -1)[:, 0]

    def one_hot(self, indices: Any, like: Any) -> Any:
        return self.ops.one_hot(indices, like.shape[-1], dtype=like.dtype)

    def ones(self, like: Any) -> Any:
        return self.ops.ones(like.shape[0], like.dtype)

    def size(self, x: Any, axis: int) -> Any:
        return self.ops.cast(x.shape[axis], x.dtype)
