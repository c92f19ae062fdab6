"""Run as a program, one framework a process: every primitive on a weighted cross-entropy in its own operations.

    python primitives_asked.py first FRAMEWORK       its first mode, what needs no mode, and how the process is set
    python primitives_asked.py compiled FRAMEWORK    its other modes
    python primitives_asked.py load FRAMEWORK        what the process is set to before and after `adapters.load`

The answer is pickled to standard output.
"""

from __future__ import annotations

import importlib
import os
import pickle
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from lossvet import adapters
from lossvet.adapters.protocol import Primitives, Tensors, run

DTYPES = ("float32", "float64")
ARRAYS: dict[str, Any] = {
    "logits": np.array([[2.0, 0.0, -1.0], [0.5, 1.0, 0.0], [-3.0, 2.0, 1.0], [0.25, -0.75, 4.0], [1.5, 1.5, -2.0]]),
    "labels": np.array([0, 2, 1, 1, 0]),
    "weight": np.array([0.5, 2.0, 4.0]),
    "scale": np.array(1.5),
    "cotangent": np.array([1.0, -2.0, 0.5, 3.0, 0.25]),
    "direction": np.array([[1.0, 0, 2], [0, -1, 1], [0.5, 0.5, 0], [2, 1, -1], [0, 0, 1]]),
}
LEAVES = ("logits", "weight", "scale", "direction", "labels")
"""The last two in vain: the loss does not depend on the direction, and integers have no derivative."""


def torch_rows(t: Tensors) -> Any:
    import torch

    rows = torch.nn.functional.cross_entropy(t["logits"], t["labels"], reduction="none")
    return t["scale"] * t["weight"][t["labels"]] * rows


def torch_mean(t: Tensors) -> Any:
    return torch_rows(t).sum() / t["weight"][t["labels"]].sum()


def jax_rows(t: Tensors) -> Any:
    import jax

    log_p = jax.nn.log_softmax(t["logits"])
    return -t["scale"] * t["weight"][t["labels"]] * jax.numpy.take_along_axis(log_p, t["labels"][:, None], 1)[:, 0]


def jax_mean(t: Tensors) -> Any:
    return jax_rows(t).sum() / t["weight"][t["labels"]].sum()


def tensorflow_rows(t: Tensors) -> Any:
    import tensorflow as tf

    rows = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=t["labels"], logits=t["logits"])
    return t["scale"] * tf.gather(t["weight"], t["labels"]) * rows


def tensorflow_mean(t: Tensors) -> Any:
    import tensorflow as tf

    return tf.reduce_sum(tensorflow_rows(t)) / tf.reduce_sum(tf.gather(t["weight"], t["labels"]))


def keras_rows(t: Tensors) -> Any:
    import keras

    rows = keras.ops.sparse_categorical_crossentropy(t["labels"], t["logits"], from_logits=True)
    return t["scale"] * keras.ops.take(t["weight"], t["labels"]) * rows


def keras_mean(t: Tensors) -> Any:
    import keras

    return keras.ops.sum(keras_rows(t)) / keras.ops.sum(keras.ops.take(t["weight"], t["labels"]))


def numpy_rows(t: Tensors) -> Any:
    x, y = t["logits"], t["labels"]
    return t["scale"] * t["weight"][y] * (np.log(np.exp(x).sum(1)) - x[np.arange(len(y)), y])


def numpy_mean(t: Tensors) -> Any:
    return numpy_rows(t).sum() / t["weight"][t["labels"]].sum()


LOSSES: dict[str, tuple[Callable[[Tensors], Any], Callable[[Tensors], Any]]] = {
    "torch": (torch_rows, torch_mean),
    "jax": (jax_rows, jax_mean),
    "tensorflow": (tensorflow_rows, tensorflow_mean),
    "tensorflow_v1": (tensorflow_rows, tensorflow_mean),
    "keras": (keras_rows, keras_mean),
    "numpy": (numpy_rows, numpy_mean),
}


def compiled(name: str) -> dict[str, Any]:
    """By mode and dtype, what each primitive gives: arrays, None, or the name of an exception."""
    p = adapters.primitives(name)
    return {f"{mode.name}/{dtype}": cell(p, mode.name, dtype) for mode in p.modes[1:] for dtype in DTYPES}


def first(name: str) -> dict[str, Any]:
    """The same of the first mode; and how arrays are placed, what is refused, and how the process was and is set."""
    before = settings(name)
    p = adapters.primitives(name)
    rows, mode = LOSSES[name][0], p.modes[0].name
    found: dict[str, Any] = {f"{mode}/{dtype}": cell(p, mode, dtype) for dtype in DTYPES}
    found |= {"settings before": before, "settings after": settings(name), "modes": [m.name for m in p.modes]}
    with p.precision("float64"):  # without run: placed by hand, computed at once
        tensors = {key: p.put(array, "float64") for key, array in ARRAYS.items()}
        found["dtypes"] = {key: p.dtype(tensor) for key, tensor in tensors.items()}
        found["shapes"] = {key: p.read(tensor).shape for key, tensor in tensors.items()}
        found["number"] = p.read(2.5)
    if name != "numpy":
        found["half"] = p.read(p.put(np.array([1.0, 1 + 2.0**-9]), "bfloat16"))
        found["apart"] = apart(p, rows)
        found["raises"] = failing(p)
    if name == "torch":
        found["refused"] = refused(p)
    if name == "jax":
        found |= quickly(p)
    if name.startswith("tensorflow"):
        found["other behaviour"] = other_behaviour(name)
    try:
        p.compile(rows, "quantum")
    except ValueError as error:
        found["no such mode"] = str(error)
    return found


def cell(p: Primitives, mode: str, dtype: str) -> dict[str, Any]:
    """Of one mode and dtype; "NAME raised" where a primitive was refused."""
    rows, mean = LOSSES[p.name]
    found: dict[str, Any] = {}
    for ask in (forward, gradients, reduced, second, tangent):
        function = mean if ask is reduced else rows
        try:
            found |= run(p, function, lambda f, t, ask=ask: ask(p, f, t), ARRAYS, mode, dtype)
        except Exception as error:
            found[f"{ask.__name__} raised"] = f"{type(error).__name__}: {error}"
    return found


def forward(p: Primitives, f: Any, t: Tensors) -> dict[str, Any]:
    return {"forward": f(t)}


def gradients(p: Primitives, f: Any, t: Tensors) -> dict[str, Any]:
    """Along a cotangent, along ones where there is none, and along one that is made of the value."""
    value, into = p.vjp(f, t, LEAVES, t["cotangent"])
    return {
        "value": value,
        **{f"gradient {leaf}": gradient for leaf, gradient in into.items()},
        "along ones": p.vjp(f, t, ("logits",))[1]["logits"],
        "along itself": p.vjp(f, t, ("logits",), lambda value: 2 * value)[1]["logits"],
    }


def reduced(p: Primitives, f: Any, t: Tensors) -> dict[str, Any]:
    value, into = p.vjp(f, t, ("logits", "weight"))
    return {"mean": value, **{f"mean gradient {leaf}": gradient for leaf, gradient in into.items()}}


def second(p: Primitives, f: Any, t: Tensors) -> dict[str, Any]:
    return {
        "hvp": p.hvp(f, t, "logits", t["cotangent"], t["direction"]),
        "hvp along ones": p.hvp(f, t, "logits", None, t["direction"]),
    }


def tangent(p: Primitives, f: Any, t: Tensors) -> dict[str, Any]:
    value, along = p.jvp(f, t, {"logits": t["direction"], "scale": t["scale"]})
    return {"jvp value": value, "jvp": along}


def apart(p: Primitives, rows: Any) -> Any:
    """The gradient without `run`, where JAX is in no context for float64."""
    tensors = {key: p.put(array, "float64") for key, array in ARRAYS.items()}
    value, into = p.vjp(p.compile(rows, p.modes[0].name), tensors, ("logits",), tensors["cotangent"])
    p.wait((value, into))
    return p.read(into["logits"])


def quickly(p: Primitives) -> dict[str, Any]:
    """The gradient and a logarithm of e^800 as JAX compiles them, as it does so quickly, and as a version would that
    does not know the options for that; and whether these are used."""
    from lossvet.adapters import jax_primitives

    rows, tensors = LOSSES["jax"][0], {key: p.put(array, "float64") for key, array in ARRAYS.items()}
    far = {"x": p.put(np.array(800.0))}

    def computed(quick: bool) -> tuple[Any, float]:
        def gradient(t: Tensors) -> Any:
            return p.vjp(rows, t, ("logits",), t["cotangent"])[1]["logits"]

        def naive(t: Tensors) -> Any:
            return p.jax.numpy.log(p.jax.numpy.exp(t["x"]))

        both = [p.compile(f, "jit", quickly=quick)(t) for f, t in ((gradient, tensors), (naive, far))]
        return p.read(both[0]), float(both[1])

    found = {"as users have it": computed(False), "quickly": computed(True), "quick options": dict(p._quick)}
    jax_primitives.QUICK["xla_no_such_option"] = 1
    try:
        p = adapters.primitives("jax")
        return {**found, "unknown": computed(True), "unknown options": dict(p._quick)}
    finally:
        del jax_primitives.QUICK["xla_no_such_option"]


def failing(p: Primitives) -> str:
    def broken(t: Tensors) -> Any:
        raise ZeroDivisionError("broken")

    try:
        p.vjp(broken, {"x": p.put(np.ones(2))}, ("x",))
    except ZeroDivisionError as error:
        return str(error)
    return "nothing was raised"


def refused(p: Primitives) -> str:
    """PyTorch's own loss has no derivative in its weights, and says so."""
    import torch

    def loss(t: Tensors) -> Any:
        return torch.nn.functional.cross_entropy(t["logits"], t["labels"], t["weight"])

    try:
        p.vjp(loss, {key: p.put(array, "float32") for key, array in ARRAYS.items()}, ("weight",))
    except RuntimeError as error:
        return str(error)
    return "nothing was raised"


def other_behaviour(name: str) -> str:
    """What is said to who wants TF1 where TensorFlow is used eagerly, and the other way round."""
    try:
        adapters.primitives("tensorflow" if name == "tensorflow_v1" else "tensorflow_v1")
    except RuntimeError as error:
        return str(error)
    return "nothing was raised"


def load(name: str) -> dict[str, Any]:
    before = settings(name)
    adapters.load(name)
    return {"settings before": before, "settings after": settings(name)}


def settings(name: str) -> dict[str, Any]:
    found: dict[str, Any] = {"numpy": np.geterr()}
    if name == "keras":
        adapters.primitives(
            name
        )  # to import Keras, which filters warnings; what becomes of the environment: test_keras
    if name in ("torch", "keras"):
        import torch

        found |= {"threads": torch.get_num_threads(), "between": torch.get_num_interop_threads()}
        found |= {"dtype": str(torch.get_default_dtype()), "grad": torch.is_grad_enabled()}
        importlib.import_module("torch._dynamo")  # forward mode loads it, and it sets a variable of the environment
    if name == "jax":
        import jax

        found |= {"x64": jax.config.jax_enable_x64, "cache": jax.config.jax_compilation_cache_dir}
        found["dtype"] = str(jax.numpy.ones(1).dtype)
    if name == "tensorflow":
        import tensorflow as tf

        threads = tf.config.threading
        found |= {"eager": tf.executing_eagerly(), "dtype": tf.keras.config.floatx()}
        found |= {
            "threads": threads.get_intra_op_parallelism_threads(),
            "between": threads.get_inter_op_parallelism_threads(),
        }
    return {**found, "environment": dict(os.environ), "warnings": len(warnings.filters)}  # after the import


if __name__ == "__main__":
    what, framework = sys.argv[1:]
    sys.stdout.buffer.write(pickle.dumps({"first": first, "compiled": compiled, "load": load}[what](framework)))
