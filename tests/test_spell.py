"""Losses spelled in another framework compute what the contract means, and keep the edges or say that they do not.

What TF1 does is asked of TF1 itself here, in a session, and compared number by number: nothing of identify takes part.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from lossvet import adapters
from lossvet.adapters import spelling
from lossvet.verify.batches import Domain
from lossvet.verify.contract import Contract
from lossvet.verify.pipeline import evaluate
from lossvet.verify.spell import spelled_and_verified
from lossvet.verify.spelling.function import shown, written
from lossvet.verify.spelling.writer import Unspellable

TF1_DOMAIN = Domain(("logits", "labels", "class_weight"), "sparse")
TF1 = Contract.of(
    weighting=("class_weight",),
    denominator="nonzero_weights",
    zero_denominator="zero",
    empty_batch="zero",
    invalid_label="too large: raises, -1: raises, -100: raises",
)
"""tf.compat.v1.losses.sparse_softmax_cross_entropy(labels, logits, weights=tf.gather(w, labels)), on a CPU."""

X = [[2.0, 0.5, -1.0], [0.25, 1.0, 0.0], [-0.5, 0.0, 3.0], [1.0, -2.0, 0.75]]
BATCHES = {
    "ordinary": (X, [0, 2, 1, 2], [0.5, 2.0, 3.25]),
    "a weight of 0": (X, [0, 2, 1, 2], [0.5, 2.0, 0.0]),
    "all weights 0": (X, [0, 2, 1, 2], [0.0, 0.0, 0.0]),
    "empty": ([], [], [0.5, 2.0, 3.25]),
    "label too large": (X, [0, 3, 1, 2], [0.5, 2.0, 3.25]),
    "label -1": (X, [0, -1, 1, 2], [0.5, 2.0, 3.25]),
}

ASK_TF1 = """
import json, sys
import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
v1.disable_v2_behavior()
found = {}
for name, (x, y, w) in json.load(sys.stdin).items():
    with tf.Graph().as_default(), v1.Session() as session:
        logits = v1.placeholder(tf.float64, [None, 3])
        labels, weight = v1.placeholder(tf.int64, [None]), v1.placeholder(tf.float64, [3])
        loss = v1.losses.sparse_softmax_cross_entropy(labels, logits, weights=tf.gather(weight, labels))
        gradients = [tf.convert_to_tensor(g) for g in v1.gradients(loss, [logits, weight])]
        fed = {logits: np.reshape(x, (-1, 3)), labels: y, weight: w}
        try:
            found[name] = [np.asarray(a).tolist() for a in session.run([loss, *gradients], fed)]
        except tf.errors.InvalidArgumentError:
            found[name] = "raises"
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def tf1() -> Any:
    """By batch, TF1's loss and its gradients in logits and weights, or "raises"."""
    pytest.importorskip("tensorflow")
    done = subprocess.run(
        [sys.executable, "-c", ASK_TF1], input=json.dumps(BATCHES), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def function(text: str) -> Any:
    space: dict[str, Any] = {}
    exec(text, space)
    return space["loss"]


def in_torch(loss: Any, x: Any, y: Any, w: Any) -> Any:
    torch = pytest.importorskip("torch")
    logits = torch.tensor(np.reshape(x, (-1, 3)), dtype=torch.float64, requires_grad=True)
    weight = torch.tensor(w, dtype=torch.float64, requires_grad=True)
    try:
        value = loss(logits, torch.tensor(y, dtype=torch.int64), weight)
    except (IndexError, RuntimeError):
        return "raises"
    return [a.detach().tolist() for a in (value, *torch.autograd.grad(value, [logits, weight]))]


def in_jax(loss: Any, x: Any, y: Any, w: Any) -> Any:
    jax = pytest.importorskip("jax")
    with adapters.primitives("jax").precision("float64"):
        value, gradients = jax.jit(jax.value_and_grad(loss, (0, 2)))(
            np.reshape(x, (-1, 3)).astype(np.float64), np.array(y, np.int64), np.array(w, np.float64)
        )
    return [np.asarray(a).tolist() for a in (value, *gradients)]


def same(got: Any, expected: Any) -> None:
    assert got != "raises"
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(np.ravel(one), np.ravel(other), rtol=2e-6, atol=1e-7)  # TF1 computes it in float32


@pytest.mark.sweep
def test_tf1_does_at_the_edges_what_the_contract_says(tf1: Any) -> None:
    for name in ("all weights 0", "empty"):
        assert tf1[name][0] == 0
        assert not np.any(np.ravel(tf1[name][1]))
        assert not np.any(tf1[name][2])
    assert tf1["label too large"] == tf1["label -1"] == "raises"
    assert tf1["a weight of 0"][0] > 0


@pytest.mark.sweep
@pytest.mark.parametrize("name", BATCHES)
def test_tf1_spelled_in_pytorch_is_tf1(tf1: Any, name: str) -> None:
    pytest.importorskip("torch")
    got = in_torch(function(written(TF1, TF1_DOMAIN, "torch").text), *BATCHES[name])
    if tf1[name] == "raises":
        assert got == "raises"
    else:
        same(got, tf1[name])


@pytest.mark.sweep
@pytest.mark.parametrize("name", BATCHES)
def test_tf1_spelled_in_jax_is_tf1_or_nan_where_tf1_raises(tf1: Any, name: str) -> None:
    pytest.importorskip("jax")
    got = in_jax(function(written(TF1, TF1_DOMAIN, "jax").text), *BATCHES[name])
    if tf1[name] == "raises":
        assert np.isnan(got[0])
        assert np.isnan(np.ravel(got[1])).any()
    else:
        same(got, tf1[name])


def test_without_the_facet_the_batch_of_zero_weights_is_nan() -> None:
    """The guard is what the test above sees: the same contract with PyTorch's answer to 0/0 gives NaN."""
    pytest.importorskip("torch")
    loss = function(written(TF1.with_(zero_denominator="nan", empty_batch="nan"), TF1_DOMAIN, "torch").text)
    got = in_torch(loss, *BATCHES["all weights 0"])
    assert np.isnan(got[0])
    assert np.isnan(np.ravel(got[1])).any()


def test_what_pytorch_keeps_is_verified_and_nothing_differs() -> None:
    pytest.importorskip("torch")
    found = spelled_and_verified(TF1, TF1_DOMAIN, "torch")
    assert not found.failed
    assert found.differs == ()
    assert any("zero_denominator: zero" in claim for claim in found.verified)


@pytest.mark.sweep
def test_what_jax_cannot_keep_stands_in_the_answer() -> None:
    pytest.importorskip("jax")
    found = spelled_and_verified(TF1, TF1_DOMAIN, "jax")
    assert not found.failed
    assert [edge.facet for edge in found.differs] == ["invalid_label"]
    text = shown(found)
    assert "# Differs: invalid_label: too large: raises" in text
    assert "compiled code cannot raise" in text
    function(text)  # comments and all, it is a module that runs


def test_code_that_means_another_thing_is_told() -> None:
    """The verification can fail: code of one contract, held against another."""
    from dataclasses import replace

    from lossvet.verify import spell

    domain = Domain(("logits", "labels", "class_weight"), "sparse", differentiable=False)
    weights = TF1.with_(denominator="weights")

    def wrong(contract: Contract, domain: Domain, framework: str) -> Any:
        return replace(written(weights, domain, framework), framework=framework)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spell, "written", wrong)
        found = spell.spelled_and_verified(TF1, domain, "numpy")
    assert "it differs from the contract" in found.failed


def dense(*roles: str) -> Domain:
    return Domain(("logits", "labels", *roles), "dense", differentiable=False)


def sparse(*roles: str) -> Domain:
    return Domain(("logits", "labels", *roles), "sparse", differentiable=False)


MEANINGS: dict[str, tuple[Domain, Contract]] = {
    "plain": (dense(), Contract.of()),
    "probabilities": (dense(), Contract.of(input="probabilities")),
    "log-probabilities": (sparse(), Contract.of(input="log_probabilities")),
    "clamped": (dense(), Contract.of(input="probabilities", clip="clamped", clip_epsilon=1e-7)),
    "floored": (sparse(), Contract.of(clip="floored", clip_epsilon=1e-3)),
    "added": (sparse(), Contract.of(clip="added", clip_epsilon=1e-2)),
    "capped": (sparse(), Contract.of(clip="capped", clip_epsilon=2.0)),
    "focal": (sparse(), Contract.of(modulation="focal", gamma=2.0)),
    "terms": (dense("class_weight"), Contract.of(weighting=("class_weight_terms",), denominator="weights")),
    "smoothed first": (
        sparse("class_weight"),
        Contract.of(weighting=("class_weight",), smoothing="over_classes", smoothing_alpha=0.1,
                    smoothing_order="sample", denominator="weights"),
    ),
    "smoothed after": (
        sparse("class_weight"),
        Contract.of(weighting=("class_weight",), smoothing="over_others", smoothing_alpha=0.1,
                    smoothing_order="after", denominator="nonzero_weights", zero_denominator="zero"),
    ),
    "predicted": (sparse("class_weight"), Contract.of(weighting=("predicted_weight",))),
    "cost realized": (sparse("cost_matrix"), Contract.of(weighting=("cost_realized",))),
    "cost expected": (
        dense("cost_matrix"), Contract.of(weighting=("cost_expected",), cost_orientation="predicted_rows")
    ),
    "cost complement": (sparse("cost_matrix"), Contract.of(weighting=("cost_complement",))),
    "ignored": (
        sparse("class_weight"),
        Contract.of(weighting=("class_weight",), denominator="weights", ignored="label", ignored_label=-100),
    ),
    "ignored, safe": (
        sparse(), Contract.of(ignored="label", ignored_label=-1, zero_denominator="zero", all_ignored="zero")
    ),
    "ignored, counted": (sparse(), Contract.of(ignored="label", ignored_label=255, counted="all")),
    "sum to one": (
        sparse("class_weight"),
        Contract.of(weighting=("class_weight",), weight_scale="sum_to_one", denominator="sum"),
    ),
    "guarded": (
        sparse("sample_weight"),
        Contract.of(weighting=("sample_weight",), denominator="weights", denominator_guard="floored", guard=1.0),
    ),
    "count": (sparse("count"), Contract.of(denominator="argument")),
    "temperature": (sparse(), Contract.of(logits_map="scaled", temperature=2.0)),
    "z-loss": (sparse(), Contract.of(extra_terms="z_loss", z_scale=0.01)),
    "next token": (sparse(), Contract.of(label_shift="next_token")),
    "plus": (sparse(), Contract.of(sign="plus", denominator="unreduced")),
    "counts": (
        sparse(),
        Contract.of(weighting=("class_weight",), weights_from="batch_counts", weights_formula="balanced"),
    ),
    "sigmoid": (dense(), Contract.of(family="sigmoid", denominator="elements")),
    "pos_weight": (
        dense("pos_weight"), Contract.of(family="sigmoid", weighting=("pos_weight",), denominator="elements")
    ),
    "both sides": (dense("binary_weights"), Contract.of(family="sigmoid", weighting=("both_sides",))),
    "binary clamp": (
        dense(),
        Contract.of(family="sigmoid", input="probabilities", clip="clamped", clip_epsilon=1e-7,
                    denominator="elements"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MEANINGS)
def test_a_meaning_spelled_in_numpy_is_that_meaning(name: str) -> None:
    domain, contract = MEANINGS[name]
    found = spelled_and_verified(contract, domain, "numpy")
    assert not found.failed, found.text
    assert found.verified


@pytest.mark.sweep
@pytest.mark.parametrize("framework", ["torch", "jax"])
@pytest.mark.parametrize("name", ["terms", "focal", "ignored, safe", "smoothed after", "pos_weight", "guarded"])
def test_a_meaning_spelled_elsewhere_has_its_gradients(name: str, framework: str) -> None:
    from dataclasses import replace

    pytest.importorskip(framework)
    domain, contract = MEANINGS[name]
    found = spelled_and_verified(contract, replace(domain, differentiable=True), framework)
    assert not found.failed, found.text
    assert "gradients" in found.verified[0]


@pytest.mark.parametrize(
    ("departure", "facet"),
    [
        ({"broadcast": "class_for_batch", "weighting": ("class_weight",)}, "broadcast"),
        ({"denominator": "microbatches"}, "denominator"),
        ({"upstream": "ignored"}, "upstream"),
        ({"ignored": "leaking", "ignored_label": -1.0}, "ignored"),
    ],
)
def test_what_cannot_be_spelled_is_refused_by_its_facet(departure: Any, facet: str) -> None:
    with pytest.raises(Unspellable, match=f"^{facet}="):
        written(Contract.of(departure), TF1_DOMAIN, "torch")


def test_an_unknown_framework_is_refused_with_those_there_are() -> None:
    with pytest.raises(KeyError, match="expected one of: jax, numpy, tensorflow, tensorflow_v1, torch"):
        written(TF1, TF1_DOMAIN, "paddle")


def test_every_dialect_spells_every_operation() -> None:
    for framework in spelling.frameworks():
        assert set(spelling.dialect(framework).operations) == set(spelling.OPERATIONS), framework


def test_every_dialect_writes_every_meaning_as_python() -> None:
    for framework in spelling.frameworks():
        for domain, contract in MEANINGS.values():
            compile(written(contract, domain, framework).text, framework, "exec")


def test_a_default_loss_is_short() -> None:
    text = written(Contract.of(), dense(), "torch").text
    assert text.count("\n") < 12
    x = np.array([[0.5, 0.25], [1.0, -1.0]])
    t = np.array([[1.0, 0.0], [0.25, 0.75]])
    value = function(written(Contract.of(), dense(), "numpy").text)(x, t)
    assert value == pytest.approx(float(evaluate(Contract.of(), {"logits": x, "labels": t}).value), rel=1e-14)
