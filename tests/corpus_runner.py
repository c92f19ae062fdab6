"""Calls losses of the corpus in their framework, in a process of their own: JSON in, JSON out.

A job names a file, a loss, its constructor's arguments, its parameters by role, and inputs by case. The answer has, for
each case, the value, the gradients of <cotangent, value> by role, the roles that the call changed in place, or an
error. The cotangent of a scalar is 3 and not 1, so that a backward pass that ignores it is seen.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

CORPUS = Path(__file__).parent.parent / "verify" / "corpus"
LEAVES = ("logits", "labels", "weights", "pos_weight", "cost_matrix", "sample_weight")


def cotangent(shape: tuple[int, ...]) -> np.ndarray:
    """Fixed numbers, none of them 1: 3 for a scalar, else 3, -2, 0.5, 3, ... in order."""
    return np.resize([3.0, -2.0, 0.5], shape) if shape else np.asarray(3.0)


def leaves(values: dict[str, Any]) -> list[str]:
    """The roles with respect to which there may be a gradient: float inputs among LEAVES."""
    return [r for r in LEAVES if r in values and np.asarray(values[r]).dtype.kind == "f"]


def call(module: Any, job: dict[str, Any], values: dict[str, Any]) -> Any:
    """The loss, constructed where it is a class, with its arguments by the job's parameters."""
    loss = getattr(module, job["name"])
    if inspect.isclass(loss):
        arguments = re.sub(r"@(\w+)", r"_values['\1']", job.get("init", ""))
        loss = eval(f"_loss({arguments})", {"_loss": loss, "_values": values})
    placed, named = [], {}
    for role in job["roles"]:
        parameter, _, source = role.rpartition("=")
        if parameter:
            named[parameter] = values[source]
        else:
            placed.append(values[source])
    return loss(*placed, **named)


def torch_case(module: Any, job: dict[str, Any], arrays: dict[str, Any]) -> dict[str, Any]:
    import torch

    def run(leaf: str | None) -> Any:
        values = {r: torch.tensor(a) if isinstance(a, np.ndarray) else a for r, a in arrays.items()}
        before = {r: v.clone() for r, v in values.items() if isinstance(v, torch.Tensor)}
        state = torch.random.get_rng_state()
        if leaf:
            values[leaf].requires_grad_(True)
        out = torch.as_tensor(call(module, job, values))
        changed = [r for r, v in before.items() if not torch.equal(v, values[r].detach())]
        changed += [] if torch.equal(state, torch.random.get_rng_state()) else ["random_state"]
        return values, out, changed

    torch.manual_seed(11)
    _, out, changed = run(None)
    answer = {"value": out.detach().numpy(), "changed": changed, "gradient": {}}
    for leaf in leaves(arrays):
        try:
            values, out, _ = run(leaf)
            (got,) = torch.autograd.grad(out, values[leaf], torch.tensor(cotangent(tuple(out.shape))).to(out.dtype))
            answer["gradient"][leaf] = got.numpy()
        except Exception as error:
            answer["gradient"][leaf] = f"{type(error).__name__}: {str(error)[:120]}"
    if job.get("second"):
        values, out, _ = run("logits")
        (first,) = torch.autograd.grad(out, values["logits"], create_graph=True)
        try:
            torch.autograd.grad(first.sum(), values["logits"])
            answer["second"] = "given"
        except RuntimeError:
            answer["second"] = "refused"
    return answer


def jax_case(module: Any, job: dict[str, Any], arrays: dict[str, Any]) -> dict[str, Any]:
    import jax
    import jax.numpy as jnp

    names = leaves(arrays)
    fixed = {r: a for r, a in arrays.items() if not isinstance(a, np.ndarray)}

    def both(values: dict[str, Any]) -> tuple[Any, Any]:
        out, pull = jax.vjp(
            lambda given: call(module, job, {**fixed, **values, **given}), {r: values[r] for r in names}
        )
        return out, pull(jnp.asarray(cotangent(out.shape), out.dtype))[0]

    compiled = job.setdefault("compiled", jax.jit(both))  # once a loss: eager JAX costs a second a shape
    out, given = compiled({r: jnp.asarray(a) for r, a in arrays.items() if isinstance(a, np.ndarray)})
    return {"value": np.asarray(out), "changed": [], "gradient": {r: np.asarray(g) for r, g in given.items()}}


def tensorflow_case(module: Any, job: dict[str, Any], arrays: dict[str, Any]) -> dict[str, Any]:
    import tensorflow as tf

    names = leaves(arrays)
    values = {r: tf.constant(a) if isinstance(a, np.ndarray) else a for r, a in arrays.items()}
    with tf.GradientTape() as tape:
        tape.watch([values[r] for r in names])
        out = call(module, job, values)
        scaled = tf.reduce_sum(out * tf.constant(cotangent(tuple(out.shape)), out.dtype))
    gradients = tape.gradient(scaled, [values[r] for r in names])
    given = {r: None if g is None else tf.convert_to_tensor(g).numpy() for r, g in zip(names, gradients, strict=True)}
    return {"value": out.numpy(), "changed": [], "gradient": given}


def graph_case(module: Any, job: dict[str, Any], arrays: dict[str, Any]) -> dict[str, Any]:
    import tensorflow.compat.v1 as tf

    names = leaves(arrays)
    with tf.Graph().as_default(), tf.Session() as session:
        places = {r: tf.placeholder(a.dtype, a.shape) for r, a in arrays.items() if isinstance(a, np.ndarray)}
        out = call(module, job, {**arrays, **places})
        up = tf.constant(cotangent(tuple(out.shape)), out.dtype)
        gradients = tf.gradients(out, [places[r] for r in names], up)
        asked = {r: tf.convert_to_tensor(g) for r, g in zip(names, gradients, strict=True) if g is not None}
        value, given = session.run((out, asked), {p: arrays[r] for r, p in places.items()})
    return {"value": value, "changed": [], "gradient": {**dict.fromkeys(names), **given}}


def numpy_case(module: Any, job: dict[str, Any], arrays: dict[str, Any]) -> dict[str, Any]:
    with np.errstate(all="ignore"):
        return {"value": np.asarray(call(module, job, arrays)), "changed": [], "gradient": {}}


RUNNERS: dict[str, Callable[[Any, dict[str, Any], dict[str, Any]], dict[str, Any]]] = {
    "torch": torch_case,
    "jax": jax_case,
    "tensorflow": tensorflow_case,
    "tensorflow_v1": graph_case,
    "numpy": numpy_case,
}


def load(file: str) -> Any:
    """The module of a file of the corpus, which is not imported as part of a package."""
    spec = importlib.util.spec_from_file_location(file.removesuffix(".py"), CORPUS / file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def unpacked(value: Any) -> Any:
    """An input as the framework's runner takes it: an array, or a number."""
    return np.array(value["data"], value["dtype"]).reshape(value["shape"]) if isinstance(value, dict) else value


def plain(value: Any) -> Any:
    """JSON has no arrays: those become nested lists."""
    return np.asarray(value, np.float64).tolist() if isinstance(value, np.ndarray | np.generic) else value


def main(framework: str) -> None:
    """Answers the jobs on standard input on standard output."""
    if framework == "jax":
        import jax

        jax.config.update("jax_enable_x64", True)
    if framework == "torch":
        import torch

        torch.set_num_threads(1)
    jobs = json.load(sys.stdin)
    answers = []
    for job in jobs:
        module = load(job["file"])
        here = {}
        for name, inputs in job["cases"].items():
            arrays = {role: unpacked(value) for role, value in inputs.items()}
            try:
                here[name] = RUNNERS[framework](module, job, arrays)
            except Exception as error:
                here[name] = {"error": f"{type(error).__name__}: {str(error)[:200]}"}
        answers.append(here)
    json.dump(answers, sys.stdout, default=plain)


if __name__ == "__main__":
    main(sys.argv[1])
