"""Run as a program, one framework a process: an example of the documentation, and what the process is set to after it.

    python testing_asked.py example FRAMEWORK     {ran, changed, random, cpu}: settings that are other than before
    python testing_asked.py refused tensorflow    the words with which TF1 graphs are refused
    python testing_asked.py on_backend keras      how a loss of Keras differs from one with smoothed labels

The answer is JSON, the last line of standard output.
"""

from __future__ import annotations

import importlib
import json
import random
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

EXAMPLES = Path(__file__).resolve().parent.parent / "docs" / "examples"


def unusual(framework: str) -> Any:
    """Settings that are nobody's defaults, after operations have run; and a loss that uses random numbers."""
    np.seterr(divide="raise")
    if framework == "torch":
        import torch

        torch.set_num_threads(2)
        torch.set_default_dtype(torch.float64)
        torch.autograd.set_detect_anomaly(True)
        (torch.ones(3) * 2).sum()
        return lambda logits, labels: torch.nn.functional.cross_entropy(logits, labels) + 0 * torch.rand(())
    if framework == "jax":
        import jax

        jax.config.update("jax_debug_nans", True)
        jax.numpy.ones(3).sum()
        return lambda logits, labels: (
            -jax.numpy.mean(
                jax.numpy.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1) + 0 * np.random.random()
            )
        )
    if framework == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(2)
        tf.reduce_sum(tf.random.normal([3]))
        rows = tf.nn.sparse_softmax_cross_entropy_with_logits
        return lambda logits, labels: tf.reduce_mean(
            rows(labels, logits) + 0 * tf.random.normal([], dtype=logits.dtype)
        )
    return lambda logits, labels: numpy_rows(logits, labels).mean() + 0 * np.random.random()


def numpy_rows(logits: Any, labels: Any) -> Any:
    z = logits - logits.max(1, keepdims=True)
    return np.log(np.exp(z).sum(1)) - np.take_along_axis(z, labels[:, None], 1)[:, 0]


def drawn(framework: str) -> list[float]:
    """The next random numbers."""
    found = [random.random(), float(np.random.random())]
    if framework == "torch":
        import torch

        found.append(float(torch.rand(())))
    if framework == "tensorflow":
        import tensorflow as tf

        found.append(float(tf.random.normal([])))
    return found


def example(framework: str) -> dict[str, Any]:
    from lossvet.adapters import global_state
    from lossvet.testing import assert_same_loss

    noisy = unusual(framework)
    _reseed(framework)  # as imports draw random numbers too
    expected = drawn(framework)
    sys.path.insert(0, str(EXAMPLES))
    module = importlib.import_module(f"{framework}_losses")
    _reseed(framework)
    before, filters = global_state.snapshot(), list(warnings.filters)
    ran, start = {}, time.process_time()
    for name, test in list(vars(module).items()):
        if name.startswith("test_"):
            one = time.process_time()
            test()
            ran[name] = time.process_time() - one
    cpu = time.process_time() - start
    assert_same_loss(noisy, lambda logits, labels: noisy(logits, labels))
    changed = global_state.changes(before, global_state.snapshot())
    changed += ["warning filters"] if list(warnings.filters) != filters else []
    again = drawn(framework)
    return {"ran": ran, "changed": changed, "random": again == expected, "cpu": cpu, "set up": _set_up(framework)}


def _reseed(framework: str) -> None:
    random.seed(3)
    np.random.seed(4)
    if framework == "torch":
        import torch

        torch.manual_seed(5)
    if framework == "tensorflow":
        import tensorflow as tf

        tf.random.set_seed(6)
        tf.reduce_sum(tf.random.normal([3]))


def _set_up(framework: str) -> list[str]:
    """What a worker's set-up would have changed, or the error with which it fails."""
    from lossvet import adapters
    from lossvet.adapters import global_state

    before = global_state.snapshot()
    try:
        adapters.primitives(framework, isolated=True)
    except RuntimeError as error:
        return [f"RuntimeError: {error}"]
    return global_state.changes(before, global_state.snapshot())


def refused(what: str) -> list[str]:
    from lossvet.testing import assert_same_loss

    def words(old: Any, new: Any, **options: Any) -> str:
        try:
            assert_same_loss(old, new, **options)
        except ValueError as error:
            return str(error)
        return "not refused"

    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default():
        scale = v1.placeholder("float64", [])

    def closed_over(logits: Any, labels: Any) -> Any:
        return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels, logits)) * scale

    def session(logits: Any, labels: Any) -> Any:
        x = v1.placeholder("float64", [None, 3])
        return v1.Session().run(tf.reduce_sum(x), {x: logits})

    def plain(logits: Any, labels: Any) -> Any:
        return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels, logits))

    found = [words(closed_over, plain), words(session, plain), words(plain, session, framework="tensorflow_v1")]
    with tf.Graph().as_default():
        found.append(words(plain, session))
    return found


def on_backend(what: str) -> str:
    import keras

    from lossvet.testing import assert_same_loss

    made = keras.losses.CategoricalCrossentropy
    try:
        assert_same_loss(made(from_logits=True), made(from_logits=True, label_smoothing=0.25))
    except AssertionError as error:
        return str(error)
    return "the same"


if __name__ == "__main__":
    print(json.dumps({"example": example, "refused": refused, "on_backend": on_backend}[sys.argv[1]](sys.argv[2])))
