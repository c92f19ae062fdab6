"""The pipeline of contracts against golden: every variant is the contract of its name, loss and gradients."""

from __future__ import annotations

import numpy as np
import pytest

from lossvet.reference import variants, vectors
from lossvet.reference.types import array_params
from lossvet.verify.contract import Contract
from lossvet.verify.pipeline import evaluate
from lossvet.verify.questions import cotangent
from lossvet.verify.variants import contract


def _inputs(golden):
    params = array_params(golden.case.params)
    return {"logits": golden.case.logits, "labels": golden.case.labels, **params}


def _settings(golden):
    params = golden.case.params
    ignore = getattr(params, "ignore_index", None)
    return {
        "sample_weight": getattr(params, "sample_weight", None) is not None,
        "ignore_index": ignore if ignore is not None and golden.case.labels.ndim == 1 else None,
        "label_smoothing": getattr(params, "label_smoothing", 0.0),
    }


def _valid(golden):
    """Whether every label is a class, or the one that is ignored."""
    y = golden.case.labels
    return ((y == golden.case.params.ignore_index) | ((y >= 0) & (y < golden.case.logits.shape[1]))).all()


@pytest.mark.parametrize("name", variants.names())
def test_a_variant_is_the_contract_of_its_name(name):
    """Loss and gradients of every reduction, wherever logits are finite and golden is defined, within the bound."""
    checked = 0
    for golden in vectors.load(name):
        if not np.isfinite(golden.case.logits).all() or golden.case.logits.size == 0:
            continue
        for reduction in variants.load(name).reductions:
            if reduction == "none":
                continue  # golden's cotangent is the case's own; the other reductions go through the same rows
            if golden.case.labels.dtype.kind == "i" and not _valid(golden):
                continue
            meant = evaluate(
                contract(name, reduction, **_settings(golden)),
                _inputs(golden),
                tuple(n.rpartition("/")[2] for n in golden.outputs if n.startswith(f"gradient/{reduction}/")),
                bounds_for="float64",
            )
            expected = golden.outputs[f"loss/{reduction}"]
            if not np.isfinite(expected).all():
                continue
            assert abs(meant.value - expected) <= meant.bound, (golden.case.id, reduction, meant.value, expected)
            checked += 1
            for leaf, found in meant.gradients.items():
                truth = golden.outputs[f"gradient/{reduction}/{leaf}"] * cotangent(())
                if found is None or not np.isfinite(truth).all():
                    continue
                within = np.abs(found - truth) <= meant.gradient_bounds[leaf]
                assert within.all(), (golden.case.id, reduction, leaf, found[~within], truth[~within])
                checked += 1
    assert checked > 20, "too few cases were compared for this to mean anything"


def test_a_departure_from_a_contract_is_outside_its_bound():
    x, y = np.array([[1.0, 0.0, -1.0], [0.5, 2.0, 0.25]]), np.array([0, 2])
    inputs = {"logits": x, "labels": y, "class_weight": np.array([0.5, 2.0, 4.0])}
    by_weights = evaluate(Contract.of(weighting="class_weight", denominator="weights"), inputs, bounds_for="float64")
    by_batch = evaluate(Contract.of(weighting="class_weight"), inputs)
    assert abs(by_weights.value - by_batch.value) > 1e6 * by_weights.bound
