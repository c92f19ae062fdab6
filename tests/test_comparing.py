"""Verdicts on pairs of NumPy losses, in this process: same, different and in what, equal on probes, cannot judge."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossvet import adapters
from lossvet.verify import comparing, loss
from lossvet.verify.answer import Comparison
from lossvet.verify.contract import Contract
from lossvet.verify.known import Known, of_contract, of_loss
from lossvet.verify.options import Options
from lossvet.verify.sides import Bound
from lossvet.verify.verify import compare

Loss = Callable[..., Any]


def log_softmax(x):
    shifted = x - x.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def by_weights(logits, labels, weight):
    w = weight[labels]
    return -(w * log_softmax(logits)[np.arange(len(labels)), labels]).sum() / w.sum()


def by_weights_otherwise(scores, target, class_weights):
    one_hot = np.eye(scores.shape[1])[target]
    each = -(one_hot * class_weights * log_softmax(log_softmax(scores))).sum(1)
    return each.sum() / (one_hot @ class_weights).sum()


def by_batch(logits, labels, weight):
    return -(weight[labels] * log_softmax(logits)[np.arange(len(labels)), labels]).mean()


def safe(logits, labels, weight):
    w = weight[labels]
    total = w.sum()
    return -(w * log_softmax(logits)[np.arange(len(labels)), labels]).sum() / total if total else 0.0


def with_constant(logits, labels, weight):
    return by_batch(logits, labels, weight) + 0.5


def odd(logits, labels):
    """Nothing that a contract describes: the loss of a row is the square of its cross-entropy, less a cosine."""
    each = -log_softmax(logits)[np.arange(len(labels)), labels]
    return (each**2 - 0.25 * np.cos(3 * logits).sum(1)).mean()


def odd_otherwise(x, y):
    each = log_softmax(x)[np.arange(len(y)), y]
    return (each * each).mean() - 0.25 * np.cos(3 * x).sum() / len(y)


def odder(x, y):
    return odd(x, y) + 0.001 * np.sin(x).sum()


def by_rows(logits, labels):
    assert ((labels >= 0) & (labels < logits.shape[1])).all()
    return -log_softmax(logits)[np.arange(len(labels)), labels].mean()


def counting_ignored(logits, labels):
    assert (labels[labels != -100] >= 0).all()
    kept = labels != -100
    return -(kept * log_softmax(logits)[np.arange(len(labels)), np.where(kept, labels, 0)]).mean()


def at_least_one_row(logits, labels):
    assert ((labels >= 0) & (labels < logits.shape[1])).all()
    return -log_softmax(logits)[np.arange(len(labels)), labels].sum() / max(len(labels), 1)


def leaving_out_negatives(logits, labels):
    kept = labels >= 0
    return by_rows(logits[kept], labels[kept])


def leaving_out_minus_one(logits, labels):
    kept = labels != -1
    return by_rows(logits[kept], labels[kept])


def dead(logits, labels):
    return 1.25


@cache
def known(function: Loss) -> Known:
    """A function of NumPy, identified."""
    probed = loss.subjects(adapters.primitives("numpy"), function)
    ways = tuple((bound.subject, bound.binding) for bound in probed.bound)
    return of_loss(Bound(function.__name__, "numpy", np.__version__, False, ways))


def compared(old: Loss, new: Loss) -> Comparison:
    with np.errstate(all="ignore"):
        return comparing.compare(known(old), known(new))


def weighty(found: Comparison) -> list[tuple[str, str, str]]:
    return [(d.facet, d.source, d.target) for d in found.differences if not d.edge]


def test_two_spellings_are_the_same():
    found = compared(by_weights, by_weights_otherwise)
    assert found.verdict == "same", found.reason
    assert found.exit_code == 0
    assert found.tried >= 8
    assert found.fresh >= 20


def test_another_denominator_is_named_with_both_values_and_shown_by_a_small_input():
    found = compared(by_weights, by_batch)
    assert found.verdict == "different"
    assert weighty(found) == [("denominator", "weights", "batch")]
    example = found.differences[0].counterexample
    assert example is not None
    assert np.shape(example.inputs["logits"])[0] <= 2
    given = [np.array(example.inputs[role]) for role in ("logits", "labels", "class_weight")]
    np.testing.assert_allclose(by_weights(*given), example.source)
    np.testing.assert_allclose(by_batch(*given), example.target)
    assert found.exit_code == 1


def test_a_safe_division_is_a_difference_of_its_own():
    assert weighty(compared(by_weights, safe)) == [("zero_denominator", "nan", "zero")]


@pytest.mark.parametrize(
    ("new", "edges"),
    [
        (counting_ignored, {"counted", "ignored", "invalid_label", "all_ignored", "zero_denominator"}),
        (at_least_one_row, {"zero_denominator", "empty_batch"}),
    ],
)
def test_what_shows_on_labels_that_one_side_refuses_or_without_rows_is_an_edge(new: Loss, edges: set[str]):
    found = compared(by_rows, new)
    assert (found.verdict, weighty(found)) == ("same", [])
    assert {d.facet for d in found.differences} <= edges
    assert found.differences
    zero = [d.training for d in found.differences if d.facet == "zero_denominator"]
    assert all("only in an empty batch" in words for words in zero), "no training step meets it"


def test_two_that_leave_out_the_same_labels_but_for_one_that_raises_are_the_same():
    found = compared(leaving_out_negatives, leaving_out_minus_one)
    assert (found.verdict, weighty(found)) == ("same", [])


def test_against_a_contract_the_remedy_is_for_the_loss():
    agreed = of_contract(Contract.of(weighting="class_weight", denominator="weights"), "agreed")
    (found,) = [d for d in comparing.compare(known(by_batch), agreed).differences if d.facet == "denominator"]
    assert ".mean()" not in found.change
    assert found.change == compared(by_weights, by_batch).differences[0].change


def test_a_constant_is_named():
    facets = [facet for facet, *_ in weighty(compared(by_batch, with_constant))]
    assert facets == ["offset"]


@pytest.mark.slow
def test_outside_the_space_equal_answers_are_no_proof_and_different_ones_are_seen():
    equal = compared(odd, odd_otherwise)
    assert equal.verdict == "equal_on_probes"
    assert equal.source.status == "unexplained"
    assert equal.exit_code == 3
    different = compared(odd, odder)
    assert different.verdict == "unexplained"
    assert different.counterexample is not None
    assert different.exit_code == 1


@pytest.mark.parametrize(("function", "why"), [(dead, "constant")])
def test_a_dead_loss_is_never_the_same_as_itself(function: Loss, why: str):
    found = compared(function, function)
    assert found.verdict == "cannot_judge"
    assert why in found.reason
    assert found.exit_code == 3


def test_nan_on_both_sides_cannot_be_judged(tmp_path: Path):
    for name in ("old", "new"):
        (tmp_path / f"{name}.py").write_text("def loss(logits, labels):\n    return logits.sum() * float('nan')\n")
    found = compare(f"numpy:{tmp_path}/old.py::loss", f"numpy:{tmp_path}/new.py::loss", Options())
    assert found.verdict == "cannot_judge"
    assert "NaN" in found.reason
    assert found.exit_code == 3


def test_two_losses_without_a_gradient_cannot_be_judged():
    without = of_contract(Contract.of(upstream="none"), "a contract without a gradient")
    assert comparing.compare(without, without).verdict == "cannot_judge"


def test_the_same_function_twice_cannot_be_judged():
    found = compare("numpy:here.py::f", "numpy:./here.py::f", Options())
    assert found.verdict == "cannot_judge"
    assert "same function" in found.reason


def test_a_contract_is_the_same_as_a_loss_that_means_it_and_as_no_other():
    meant = of_contract(Contract.of(weighting="class_weight", denominator="weights"), "contract")
    assert comparing.compare(known(by_weights), meant).verdict == "same"
    assert comparing.compare(known(by_batch), meant).verdict == "different"
