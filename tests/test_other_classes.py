"""What depends on the number of classes is told from a number that agrees with it at three classes alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lossvet import adapters
from lossvet.verify import loss, probes
from lossvet.verify.batches import Domain
from lossvet.verify.bound import domain
from lossvet.verify.identify import identify


def smoothed_over_others(logits: Any, labels: Any) -> Any:
    n, c = logits.shape
    z = logits - logits.max(1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
    t = np.full((n, c), 0.1 / (c - 1))
    t[np.arange(n), labels] = 0.9
    return -(t * log_p).sum(1).mean()


def smoothed_over_classes(logits: Any, labels: Any) -> Any:
    n, c = logits.shape
    z = logits - logits.max(1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
    t = np.full((n, c), 0.15 / c)
    t[np.arange(n), labels] += 0.85
    return -(t * log_p).sum(1).mean()


@pytest.mark.parametrize(
    ("function", "kind", "alpha"),
    [(smoothed_over_others, "over_others", 0.1), (smoothed_over_classes, "over_classes", 0.15)],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_smoothing_over_the_others_is_not_smoothing_over_all(function: Any, kind: str, alpha: float) -> None:
    bound = loss.subjects(adapters.primitives("numpy"), function).bound[0]
    found = identify(bound.subject, domain(bound.binding, differentiable=False))
    assert found.status == "confirmed", found.reason
    assert found.contract is not None
    assert (found.contract["smoothing"], found.contract["smoothing_alpha"]) == (kind, pytest.approx(alpha))


def test_a_second_number_of_classes_is_asked_where_any_is_taken() -> None:
    def asked(classes: int | None) -> set[int]:
        wanted = Domain(("logits", "labels", "class_weight"), "sparse", classes)
        every = [*probes.core(wanted), *probes.weighted(wanted), *probes.fresh(wanted, 8, 0)]
        return {probe.question.inputs["logits"].shape[1] for probe in every}

    assert asked(None) == {3, 5}
    assert asked(4) == {4}
