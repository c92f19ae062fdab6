"""The Rosetta table holds code that runs: what is printed is what was judged, to the bit."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from lossvet.adapters import spelling
from lossvet.reference import variants
from lossvet.reports.site import rosetta

PASTED = """
import dataclasses, json, sys
import numpy as np
from lossvet import adapters
from lossvet.adapters.types import recipes
from lossvet.reference import variants, vectors
from lossvet.reports.site import rosetta

name = sys.argv[1]
adapter = adapters.load(name)

def answer(function, given):
    cast = [a.astype("float32") if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a for a in given]
    if name == "torch":
        import torch
        return function(*(torch.tensor(a) if isinstance(a, np.ndarray | np.generic) else a for a in cast)).numpy()
    if name == "tensorflow_v1":
        import tensorflow as tf
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            arrays = [a for a in cast if isinstance(a, np.ndarray)]
            fed = {tf.compat.v1.placeholder(a.dtype, a.shape): a for a in map(np.asarray, arrays)}  # else it is folded
            tensors = iter(fed)
            return session.run(function(*(next(tensors) if isinstance(a, np.ndarray) else a for a in cast)), fed)
    if name == "jax":
        import jax.numpy as jnp
        return np.asarray(function(*(jnp.asarray(a) if isinstance(a, np.ndarray) else a for a in cast)))
    import tensorflow as tf
    return function(*(tf.constant(a) if isinstance(a, np.ndarray) else a for a in cast)).numpy()

found = {}
for variant in map(variants.load, variants.names()):
    space = {}
    exec(rosetta.code(variant.name, name), space)
    mode = {"tensorflow_v1": "session"}.get(name, "eager")
    recipe = recipes(adapter, variant)["composed"]
    same = 0
    for golden in vectors.load(variant.name):
        case = golden.case
        ignores = variant.family == "sparse" and (case.labels == case.params.ignore_index).any()
        weighted = getattr(case.params, "sample_weight", None) is not None
        if case.bits > 24 or ignores or weighted or case.logits.shape != (3, 3):
            continue
        if variant.family == "sparse" and not ((case.labels >= 0) & (case.labels < 3)).all():
            continue
        call = adapter.prepare(recipe, case, mode, "float32", "cpu", ("loss/none",))
        judged = adapter.read(call())["loss/none"].value
        given = [case.logits, case.labels, *(getattr(case.params, p) for p in rosetta.taken(variant.losses))]
        pasted = answer(space["losses"], given)
        np.testing.assert_array_equal(pasted, judged, err_msg=case.id)
        same += 1
    found[variant.name] = same

variant, space = variants.load("sparse_class_weight"), {}
exec(rosetta.code(variant.name, name) + rosetta.reductions(name), space)

def reduced(reduction):
    def whole(logits, labels, w, v, ignore_index):
        ignored = space["left_out"](labels, ignore_index)
        logits, labels = (space[f"clean_{k}"](x, ignored) for k, x in (("logits", logits), ("labels", labels)))
        losses = space["kept"](space["losses"](logits, labels, w) * v, ignored)
        if reduction == "mean":
            return space["mean"](losses, space["count"](logits, ignored))
        weights = space["kept"](space["weights"](logits, labels, w) * v, ignored)
        more = (logits,) if reduction == "nonzero_mean" else ()
        return space[reduction](losses, weights, *more)
    return whole

for reduction in ("mean", "weighted_mean", "nonzero_mean"):
    found[reduction] = 0
    for golden in vectors.load(variant.name):
        case, p = golden.case, golden.case.params
        if case.bits > 24 or p.sample_weight is None and not (case.labels == p.ignore_index).any():
            continue
        output = f"loss/{reduction}"
        call = adapter.prepare(recipes(adapter, variant)["composed"], case, mode, "float32", "cpu", (output,))
        judged = adapter.read(call())[output].value
        v = np.ones(len(case.logits)) if p.sample_weight is None else p.sample_weight
        given = [case.logits, case.labels, p.class_weight, v, p.ignore_index]
        np.testing.assert_array_equal(answer(reduced(reduction), given), judged, err_msg=f"{case.id} {reduction}")
        found[reduction] += 1
print(json.dumps(found))
"""


@pytest.mark.parametrize(
    "framework",
    [pytest.param(f, marks=pytest.mark.slow if f == "torch" else pytest.mark.sweep) for f in spelling.composed()],
)
def test_what_is_printed_computes_what_was_judged(framework: str) -> None:
    """In a process of its own: the TF1 API takes the whole process."""
    pytest.importorskip({"tensorflow_v1": "tensorflow"}.get(framework, framework))
    done = subprocess.run([sys.executable, "-c", PASTED, framework], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    compared: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert set(compared) == {*variants.names(), "mean", "weighted_mean", "nonzero_mean"}
    assert all(count > 0 for count in compared.values()), compared


@pytest.mark.parametrize("framework", spelling.composed())
def test_nothing_of_ours_is_left_in_it(framework: str) -> None:
    for name in (*variants.names(), ""):
        text = rosetta.code(name, framework) if name else rosetta.reductions(framework)
        for words in ("ops", "params", "self", "composed", "lossvet", "Any"):
            assert not any(token == words for token in text.replace(".", " ").replace("(", " ").split()), text
        assert "def losses(logits, labels" in text or (not name and "def weighted_mean(losses, weights)" in text)


def test_the_code_follows_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe that changes changes its code: here, the operation that it calls."""

    own = spelling.dialect("torch").operations_class()

    def log_softmax(self: Any, x: Any) -> Any:
        return self.torch.nn.functional.log_softmax(x, dim=1)

    before = rosetta.code("sparse", "torch")
    rosetta.code.cache_clear()
    monkeypatch.setattr(own, "log_softmax", log_softmax)
    after = rosetta.code("sparse", "torch")
    rosetta.code.cache_clear()
    assert "log_softmax(logits, dim=1)" in after
    assert "log_softmax(logits, dim=1)" not in before


SAFELY = """
import sys
from lossvet.reports.site import rosetta
space = {}
exec(rosetta.reductions(sys.argv[1]), space)
def quotient(w, safe):
    divide = space["safely"] if safe else (lambda total, number: total / number)
    return divide((w * w).sum() if sys.argv[1] != "tensorflow" else space["tf"].reduce_sum(w * w),
                  w.sum() if sys.argv[1] != "tensorflow" else space["tf"].reduce_sum(w))
def both(w, safe):
    if sys.argv[1] == "torch":
        w = space["torch"].tensor(w, requires_grad=True)
        value = quotient(w, safe)
        value.backward()
        return float(value.detach()), w.grad.tolist()
    if sys.argv[1] == "jax":
        value, gradient = __import__("jax").value_and_grad(quotient)(space["jnp"].array(w), safe)
        return float(value), gradient.tolist()
    tf = space["tf"]
    w = tf.constant(w)
    with tf.GradientTape() as tape:
        tape.watch(w)
        value = quotient(w, safe)
    return float(value), tape.gradient(value, w).numpy().tolist()
print(both([0.0, 0.0], True), both([0.0, 0.0], False), both([1.0, 3.0], True))
"""


@pytest.mark.parametrize("framework", ["torch", "jax", pytest.param("tensorflow", marks=pytest.mark.sweep)])
def test_the_safe_division_keeps_a_batch_of_zero_weights_harmless(framework: str) -> None:
    pytest.importorskip(framework)
    done = subprocess.run([sys.executable, "-c", SAFELY, framework], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    printed = done.stdout.splitlines()[-1]
    assert printed == "(0.0, [0.0, 0.0]) (nan, [nan, nan]) (2.5, [-0.125, 0.875])"
