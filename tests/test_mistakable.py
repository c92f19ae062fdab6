"""Losses that are easily taken for others: each is told from its neighbour, or said to be none that is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lossvet import adapters
from lossvet.verify import comparing, loss
from lossvet.verify.answer import Identified
from lossvet.verify.bound import domain, identify_bound
from lossvet.verify.contract import Contract
from lossvet.verify.identify import identify
from lossvet.verify.known import Known, of_contract, of_loss
from lossvet.verify.sides import Bound, ContractSide, domain_of


def log_softmax(x: Any) -> Any:
    x = x - x.max(1, keepdims=True)
    return x - np.log(np.exp(x).sum(1, keepdims=True))


def ce(x: Any, y: Any) -> Any:
    return -log_softmax(x)[np.arange(len(y)), y]


def bce(x: Any, t: Any) -> Any:
    return np.logaddexp(0, x) - t * x


def over_positives(logits: Any, onehot: Any) -> Any:
    """Of one-hot labels this is the sum over the batch."""
    return bce(logits, onehot).sum() / max(onehot.sum(), 1)


def by_shares_of_rows(logits: Any, onehot: Any) -> Any:
    """Of one-hot labels the share of positives is the same in each row and in the batch."""
    ones = onehot.mean(1, keepdims=True)
    return (np.where(onehot == 1, 1 - ones, ones) * bce(logits, onehot)).sum()


def padded(logits: Any, labels: Any) -> Any:
    """Every label that is no class adds 0; of these, -1 alone is not counted."""
    kept = (labels >= 0) & (labels < logits.shape[1])
    losses = np.where(kept, ce(logits, np.where(kept, labels, 0)), 0)
    return losses.sum() / max((labels != -1).sum(), 1)


def padded_and_counted(logits: Any, labels: Any) -> Any:
    """Every label that is no class adds 0, and is counted: none in particular is ignored."""
    kept = (labels >= 0) & (labels < logits.shape[1])
    return np.where(kept, ce(logits, np.where(kept, labels, 0)), 0).mean()


def ignoring_zero(logits: Any, labels: Any) -> Any:
    """Where a label is 0, nothing that happens to the row shows."""
    return ((labels != 0) * ce(logits, labels)).mean()


def with_one_number(logits: Any, labels: Any, pos_weight: Any) -> Any:
    """No array is a weight of positives, and several columns are given all the same."""
    assert logits.shape[1] > 1
    return (float(pos_weight) * labels * bce(-logits, 0) + (1 - labels) * bce(logits, 0)).mean()


def ignoring_250(logits: Any, labels: Any, ignore_index: int = 250) -> Any:
    assert (labels[labels != ignore_index] < logits.shape[1]).all()
    kept = labels != ignore_index
    return ce(logits[kept], labels[kept]).mean()


def ignoring_minus_two(logits: Any, labels: Any) -> Any:
    kept = labels != -2
    assert (labels[kept] >= 0).all()
    return ce(logits[kept], labels[kept]).mean()


def in_half(logits: Any, labels: Any) -> Any:
    return ce(logits.astype(np.float16), labels).mean()


def inverted(logits: Any, labels: Any, class_weight: Any) -> Any:
    with np.errstate(divide="ignore"):
        return (ce(logits, labels) / class_weight[labels]).mean()


def constants(logits: Any, labels: Any) -> Any:
    w = np.array([0.3, 0.7, 1.1])[labels]
    return (w * ce(logits, labels)).sum() / w.sum()


def by_confidence(logits: Any, labels: Any) -> Any:
    w = np.exp(log_softmax(logits)).max(1)
    return (w * ce(logits, labels)).sum() / w.sum()


def capped(logits: Any, labels: Any) -> Any:
    x = 5 * np.tanh(logits / 5)
    lse = (x - log_softmax(x))[:, 0]
    return (ce(x, labels) + 1e-3 * lse**2).mean()


def of_clipped_logits(logits: Any, labels: Any) -> Any:
    return ce(np.clip(logits, -10, 10), labels).mean()


def of_the_hardest_eight(logits: Any, labels: Any) -> Any:
    return np.sort(ce(logits, labels))[-8:].mean()


def of_capped_weights(logits: Any, labels: Any, class_weight: Any) -> Any:
    return (np.minimum(class_weight, 10)[labels] * ce(logits, labels)).mean()


def per_row_that_costs(logits: Any, labels: Any) -> Any:
    losses = ce(logits, labels)
    return losses.sum() / max((losses > 1e-12).sum(), 1)


def over_a_hundredth(logits: Any, labels: Any, sample_weight: Any) -> Any:
    return (sample_weight * ce(logits, labels)).sum() / max(sample_weight.sum(), 0.01)


def over_one_below_a_hundredth(logits: Any, labels: Any, sample_weight: Any) -> Any:
    total = sample_weight.sum()
    return (sample_weight * ce(logits, labels)).sum() / (total if total > 0.01 else 1.0)


def nothing_of_a_single_class(logits: Any, labels: Any) -> Any:
    return 0.0 * logits.sum() if (labels == labels[0]).all() and len(labels) > 1 else ce(logits, labels).mean()


def of_shares(logits: Any, onehot: Any) -> Any:
    return -(onehot / onehot.sum(1, keepdims=True) * log_softmax(logits)).sum(1).mean()


def identified(function: Callable[..., Any]) -> Identified:
    bound = loss.subjects(adapters.primitives("numpy"), function).bound[0]
    return identify(bound.subject, domain(bound.binding, differentiable=False))


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (by_shares_of_rows, {"weights_from": "image_counts", "denominator": "sum"}),
        (padded, {"ignored": "label", "ignored_label": -1.0, "counted": "kept"}),
        (padded_and_counted, {"ignored": "none"}),
        (ignoring_zero, {"ignored": "label", "ignored_label": 0.0, "counted": "all"}),
        (with_one_number, {"weighting": ("pos_weight",), "denominator": "elements"}),
        (in_half, {"precision": "float16", "weighting": ()}),
        (ignoring_250, {"ignored": "label", "ignored_label": 250.0}),
        (ignoring_minus_two, {"ignored": "label", "ignored_label": -2.0}),
        (inverted, {"weight_scale": "inverted"}),
        (over_a_hundredth, {"denominator": "weights", "denominator_guard": "floored", "guard": 0.01}),
        (constants, {"weights_from": "constant", "denominator": "weights"}),
        (by_confidence, {"weights_from": "prediction", "denominator": "weights"}),
        pytest.param(capped, {"cap": 5.0, "z_scale": 1e-3}, marks=pytest.mark.slow),
    ],
)
def test_it_is_told_from_its_neighbour(function: Callable[..., Any], told: dict[str, Any]) -> None:
    found = identified(function)
    assert found.status == "confirmed", found.reason
    assert found.contract is not None
    assert {name: found.contract[name] for name in told} == told


def test_a_switch_is_no_weight() -> None:
    def switched(logits: Any, labels: Any, exclusive: bool) -> Any:
        return (-(labels * log_softmax(logits)).sum(1) if exclusive else bce(logits, labels).sum(1)).mean()

    bound = loss.subjects(adapters.primitives("numpy"), switched).bound
    assert {b.binding.call for b in bound} == {
        "switched(logits, labels, exclusive=True)",
        "switched(logits, labels, exclusive=False)",
    }


def test_a_mean_over_the_positives_is_no_sum() -> None:
    assert identified(over_positives).status == "unexplained"


@pytest.mark.parametrize(
    ("function", "where"),
    [
        (of_clipped_logits, "a label that is unlikely, 20 away"),
        (per_row_that_costs, "a label that is likely, 40 away"),
        (of_the_hardest_eight, "73 rows of 20 classes"),
        (of_capped_weights, "73 rows of 20 classes"),
        (over_one_below_a_hundredth, "all weights 0.0009766"),
        (nothing_of_a_single_class, "one class in all rows"),
        (of_shares, "labels that do not sum to 1"),
    ],
)
def test_what_changes_beyond_a_threshold_is_not_taken_for_what_it_is_below(
    function: Callable[..., Any], where: str
) -> None:
    found = identified(function)
    assert (found.status, where in found.reason) == ("unexplained", True), found.reason


@pytest.mark.slow
def test_an_argument_that_is_not_explained_is_not_left_out_in_silence() -> None:
    def partly_weighted(logits: Any, labels: Any, weight: Any = None) -> Any:
        w = 1.0 if weight is None else weight[labels]
        return 0.9 * (w * ce(logits, labels)).mean() - 0.1 * log_softmax(logits).mean()

    bound = loss.subjects(adapters.primitives("numpy"), partly_weighted).bound
    sides = [(one.subject, one.binding) for one in bound]
    known = of_loss(Bound("", "numpy", "", False, tuple(sides)))
    assert "identified without weight: with it, no contract explains the loss" in known.identified.warnings
    smoothed = Contract.of(smoothing="over_classes", smoothing_alpha=0.1)
    assert comparing.compare(known, of_contract(smoothed, "")).verdict == "same"
    weighted = smoothed.with_(weighting="class_weight", smoothing_order="after")
    assert comparing.compare(known, of_contract(weighted, "")).verdict == "unexplained"


def of_torch(function: Callable[..., Any]) -> Contract:
    bound = loss.subjects(adapters.primitives("torch"), function).bound[0]
    found = identify(bound.subject, domain(bound.binding, differentiable=True)).contract
    assert found is not None
    return found


def test_a_backward_pass_that_always_raises_is_none() -> None:
    pytest.importorskip("torch")

    def changing_what_it_needs(logits: Any, labels: Any) -> Any:
        e = logits.exp()
        loss = -(e / e.sum(1, keepdim=True)).log().gather(1, labels[:, None]).mean()
        e += 1
        return loss

    assert of_torch(changing_what_it_needs)["upstream"] == "none"


def test_a_factor_whose_gradient_is_stopped_leaves_the_logits_theirs() -> None:
    pytest.importorskip("torch")

    def focal(logits: Any, labels: Any) -> Any:
        loss = -logits.log_softmax(1).gather(1, labels[:, None])[:, 0]
        return ((1 - (-loss).exp()).detach() ** 2 * loss).mean()

    found = of_torch(focal)
    assert (found["modulation"], found["gradient_logits"]) == ("focal", "factor_stopped")


def test_rows_without_a_gradient_are_no_small_entries_that_are_dropped() -> None:
    torch = pytest.importorskip("torch")

    def of_wrong_rows(logits: Any, labels: Any) -> Any:
        loss = -logits.log_softmax(1).gather(1, labels[:, None])[:, 0]
        return torch.where(logits.argmax(1) == labels, loss.detach(), loss).mean()

    bound = loss.subjects(adapters.primitives("torch"), of_wrong_rows).bound[0]
    assert identify(bound.subject, domain(bound.binding, differentiable=True)).status == "unexplained"


def test_a_probability_of_zero_that_no_label_names_has_a_gradient_by_convention() -> None:
    """Gathered it is 0, and of a product with labels of 0 it is NaN: neither is a fault of the loss."""
    pytest.importorskip("torch")

    def gathered(probs: Any, labels: Any) -> Any:
        return -probs.gather(1, labels[:, None]).log().mean()

    found = of_torch(gathered)
    assert (found["input"], found["gradient_logits"]) == ("probabilities", "exact")


def test_arguments_that_no_name_tells_apart_are_not_swapped_where_another_way_explains_them() -> None:
    pytest.importorskip("torch")

    def odd(cw: Any, foo: Any, bar: Any) -> Any:
        return -(cw[foo] * bar.log_softmax(1).gather(1, foo[:, None])[:, 0]).mean()

    bound = loss.subjects(adapters.primitives("torch"), odd).bound
    sides = [(one.subject, one.binding) for one in bound]
    best = identify_bound(sides, spec="", framework="torch", version="")
    assert best.identified.status == "confirmed"
    assert bound[best.which].binding.roles == {"class_weight": "cw", "labels": "foo", "logits": "bar"}


def test_weights_in_the_code_are_told_up_to_the_scale_that_a_mean_by_weights_does_not_show() -> None:
    found = identified(constants).contract
    assert found is not None
    np.testing.assert_allclose(np.array(found["constants"], float) * 0.3, [0.3, 0.7, 1.1], rtol=1e-9)
    assert found == found.with_(constants=(0.6, 1.4, 2.2))


def test_two_losses_that_take_other_weights_are_never_the_same() -> None:
    """With weights of 1, which is all that both can be asked with, they are."""
    positives, elements = (
        Contract.of(family="sigmoid", weighting=name, denominator="elements") for name in ("pos_weight", "class_weight")
    )
    found = comparing.compare(*(of_contract(c, c["weighting"][0]) for c in (positives, elements)))  # type: ignore[index]  # a tuple of names
    assert found.verdict == "different"
    assert [d.facet for d in found.differences if not d.edge] == ["weighting"]


def test_each_difference_has_an_input_that_shows_it_by_itself() -> None:
    """Of an ignored label that is counted or not, none of the small batches without such a label shows anything."""
    old = Contract.of(ignored="label", ignored_label=-100.0, counted="all")
    new = Contract.of(ignored="label", ignored_label=-100.0, logits_map="scaled", temperature=2.0)
    sides = []
    for contract in (old, new):
        known = of_contract(contract, "a contract")
        asked = domain_of(contract)
        sides.append(Known(ContractSide(contract), replace(asked, labels="sparse"), known.identified))
    found = {d.facet: d.counterexample for d in comparing.compare(*sides).differences if not d.edge}
    assert set(found) == {"counted", "logits_map"}
    assert found["counted"] is not None
    assert found["logits_map"] is not None
    assert -100 in found["counted"].inputs["labels"]
    assert -100 not in found["logits_map"].inputs["labels"]
