"""Labels between 0 and 1: what they do to factors and weights is told, or it is said that only hard labels are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lossvet import adapters
from lossvet.verify import loss, probes, refine
from lossvet.verify.batches import Domain
from lossvet.verify.bound import domain
from lossvet.verify.contract import Contract
from lossvet.verify.identify import identify
from lossvet.verify.matching import Asked, applies
from lossvet.verify.sides import ContractSide


def bce(x: Any, t: Any) -> Any:
    return np.logaddexp(0, x) - t * x


def focal_of_elements(logits: Any, onehot: Any) -> Any:
    p = 1 / (1 + np.exp(-logits))
    factor = (p * (1 - onehot) + (1 - p) * onehot) ** 2
    return ((0.25 * onehot + 0.75 * (1 - onehot)) * factor * bce(logits, onehot)).mean()


def focal_of_terms(logits: Any, onehot: Any) -> Any:
    p = 1 / (1 + np.exp(-logits))
    ones, zeros = bce(logits, 1.0) * (1 - p) ** 2, bce(logits, 0.0) * p**2
    return (0.25 * onehot * ones + 0.75 * (1 - onehot) * zeros).mean()


def weights_by_comparison(logits: Any, onehot: Any) -> Any:
    return (np.where(onehot == 1, 2.5, 0.5) * bce(logits, onehot)).mean()


def one_hot_inside(logits: Any, labels: Any) -> Any:
    return bce(logits, np.eye(logits.shape[1])[labels]).mean()


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (focal_of_elements, {"modulation": "focal", "constants": [0.75, 0.25], "label_mixing": "interpolated"}),
        pytest.param(
            focal_of_terms,
            {"modulation": "focal", "constants": [0.75, 0.25], "label_mixing": None},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            weights_by_comparison,
            {"modulation": None, "constants": [0.5, 2.5], "label_mixing": "other"},
            marks=pytest.mark.slow,
        ),
        (one_hot_inside, {"family": "sigmoid", "denominator": "elements", "label_mixing": None}),
    ],
)
def test_a_loss_is_identified_with_what_it_does_to_soft_labels(
    function: Callable[..., Any], expected: dict[str, object]
) -> None:
    bound = loss.subjects(adapters.primitives("numpy"), function).bound[0]
    found = identify(bound.subject, domain(bound.binding, differentiable=False))
    assert found.status == "confirmed", found.reason
    assert found.contract is not None
    record = found.contract.record()
    assert {name: record.get(name) for name in expected} == expected


def test_the_gradient_in_labels_tells_them_apart() -> None:
    meant = Contract.of(family="sigmoid", modulation="focal", gamma=2.0, label_mixing="interpolated")
    found = identify(ContractSide(meant), Domain(("logits", "labels"), "dense"))
    assert found.status == "confirmed"
    assert found.contract is not None
    assert found.contract.with_(upstream="exact") == meant  # a contract has no second derivative to give


def test_where_hard_labels_alone_are_told_nothing_is_said_of_others() -> None:
    told = Contract.of(family="sigmoid", label_mixing="other")
    x = np.zeros((2, 2))
    assert applies(told, {"logits": x, "labels": np.array([[0.0, 1.0], [1.0, 1.0]])})
    assert not applies(told, {"logits": x, "labels": np.array([[0.0, 0.5], [1.0, 1.0]])})
    assert applies(Contract.of(family="sigmoid"), {"logits": x, "labels": np.full((2, 2), 0.5)})


def test_of_a_gradient_that_is_not_told_there_is_one_reading() -> None:
    domain = Domain(("logits", "labels"), "dense")
    told = set(refine.hard_labels_alone(domain, Contract.of(family="sigmoid"), [asked(domain)]))
    assert told
    assert {c["label_mixing"] for c in told} == {"other"}
    assert {c["gradient_labels"] for c in told} == {"exact"}


def asked(domain: Domain) -> Asked:
    """A weighted probe with the answer of a plain sigmoid loss."""
    probe = probes.weighted(domain)[0]
    (answer,) = ContractSide(Contract.of(family="sigmoid")).ask([probe.question])
    return Asked(probe, answer)
