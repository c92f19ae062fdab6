"""The facets: complete, in readable words, and with examples whose losses are the ones that the values have."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lossvet.verify.contract import Contract, Setting
from lossvet.verify.facet import Example, Facet
from lossvet.verify.facets import ORDER, facets
from lossvet.verify.pipeline import evaluate

FACETS = tuple(facets().values())
WITH_EXAMPLE = tuple(facet for facet in FACETS if facet.example is not None)

SEEN_IN_GRADIENTS_OR_CALLS_ALONE = {
    "gradient_logits", "gradient_labels", "gradient_weights", "upstream", "precision", "side_effects",
    "invalid_label", "empty_batch", "shape",
}  # fmt: skip


NO_LOSS_BY_DEFAULT = {"weights_formula"}
"""The example has weights from counts, which the default (no formula) cannot give."""

SPELLED: dict[tuple[str, str], dict[str, Setting]] = {
    ("smoothing_order", "terms"): {"weighting": ("class_weight_terms",)},
    ("broadcast", "outer"): {"weighting": ()},
}
"""Where one meaning could be spelled in two ways, the way that contracts spell it."""

NOT_IN_THE_PIPELINE = {("broadcast", "class_for_batch"), ("zero_denominator", "zero"), ("all_ignored", "zero")}
"""Answers at edges, which are asked for and not computed; and rows weighted by position."""


def contract_of(facet: Facet, value: str) -> Contract:
    assert facet.example is not None
    setting = (value,) if facet.name == "weighting" else value
    return Contract.of({**facet.example.settings, facet.name: setting, **SPELLED.get((facet.name, value), {})})


def test_there_is_one_file_a_facet_in_the_order_that_is_told() -> None:
    assert tuple(facets()) == ORDER
    assert all(name == facet.name for name, facet in facets().items())


@pytest.mark.parametrize("facet", FACETS, ids=lambda f: f.name)
def test_every_value_has_its_words(facet: Facet) -> None:
    assert facet.asks.endswith("?")
    names = [value.name for value in facet.values]
    assert len(set(names)) == len(names) >= 2
    assert len({value.says for value in facet.values}) == len(names)
    for value in facet.values:
        assert re.fullmatch(r"[a-z]+", value.says.split()[0]), f"{value.name}: 'the loss {value.says}' is no sentence"
        assert not value.says.endswith((".", " "))
        for text in (value.training, value.change):
            assert text.endswith((".", ")", "`")), f"{value.name}: {text!r} is no sentence"
            assert text.count("`") % 2 == 0, f"{value.name}: a piece of code in {text!r} does not end"
            assert "  " not in text


@pytest.mark.parametrize("facet", FACETS, ids=lambda f: f.name)
def test_a_facet_has_an_example_where_a_loss_can_show_it(facet: Facet) -> None:
    assert (facet.example is None) == (facet.name in SEEN_IN_GRADIENTS_OR_CALLS_ALONE)


@pytest.mark.parametrize("facet", WITH_EXAMPLE, ids=lambda f: f.name)
def test_the_losses_of_an_example_part(facet: Facet) -> None:
    assert facet.example is not None
    shown = facet.example.losses
    assert facet.default in shown or facet.name in NO_LOSS_BY_DEFAULT
    assert set(shown) <= {value.name for value in facet.values}
    printed = {f"{loss:.4g}" for loss in shown.values()}
    assert len(printed) == len(shown), f"values of {facet.name} cannot be told apart: {shown}"
    assert len(facet.example.logits) == len(facet.example.labels) <= 4


def log_softmax(x: Any, axis: int = 1) -> Any:
    shifted = x - x.max(axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


def softmax(x: Any) -> Any:
    return np.exp(log_softmax(x))


def cross_entropy(x: Any, t: Any) -> Any:
    """The row losses, [N]."""
    return -(t * log_softmax(x)).sum(1)


def probability_loss(p: Any, t: Any) -> Any:
    """The row losses of probabilities, [N]."""
    return -(t * np.log(p)).sum(1)


def bce(x: Any, t: Any) -> Any:
    return t * np.logaddexp(0, -x) + (1 - t) * np.logaddexp(0, x)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


class Batch:
    """An example as arrays: x [N, C], t [N, C] (all 0 for a label that is no class), y [N], and the weights."""

    def __init__(self, example: Example) -> None:
        self.x = np.array(example.logits)
        labels = np.array(example.labels)
        classes = np.arange(self.x.shape[1])
        self.t = labels if labels.ndim == 2 else (labels[:, None] == classes).astype(float)
        self.y = labels.argmax(1) if labels.ndim == 2 else labels
        self.numbers = {name: n for name, n in example.settings.items() if isinstance(n, float)}
        self.of_rows = "sample_weight" in example.weights
        self.w = np.array(example.weights.get("class_weight", example.weights.get("sample_weight", ())))
        self.costs = np.array(example.weights.get("cost_matrix", ()))

    @property
    def ce(self) -> Any:
        return cross_entropy(self.x, self.t)

    @property
    def row_weights(self) -> Any:
        return self.w if self.of_rows else (self.w * self.t).sum(1)


def smoothed(b: Batch) -> Any:
    a = b.numbers["smoothing_alpha"]
    return (1 - a) * b.t + a / b.t.shape[1]


def mean(losses: Any) -> float:
    return float(np.mean(losses))


def entropy(t: Any) -> Any:
    return -np.where(t > 0, t * np.log(np.where(t > 0, t, 1)), 0).sum(1)


def with_scale(scale: Callable[[Any], Any]) -> Callable[[Batch], float]:
    return lambda b: mean(scale(b.w)[b.y] * b.ce)


def from_counts(formula: Callable[[Any], Any]) -> Callable[[Batch], float]:
    return lambda b: mean((formula(b.t.sum(0)) * b.t).sum(1) * b.ce)


def divided(denominator: Callable[[Batch], float]) -> Callable[[Batch], float]:
    return lambda b: float((b.row_weights * b.ce).sum() / denominator(b))


def clip(change: Callable[[Any, float], Any]) -> Callable[[Batch], float]:
    return lambda b: mean(probability_loss(change(b.x, b.numbers["clip_epsilon"]), b.t))


def plain(b: Batch) -> float:
    return mean(b.ce)


PLAIN: dict[str, dict[str, Callable[[Batch], float]]] = {
    "family": {"softmax": plain, "sigmoid": lambda b: mean(bce(b.x, b.t).sum(1))},
    "input": {
        "logits": plain,
        "probabilities": lambda b: mean(probability_loss(b.x, b.t)),
        "log_probabilities": lambda b: mean(-(b.t * b.x).sum(1)),
    },
    "activation": {"once": plain, "twice": lambda b: mean(cross_entropy(softmax(b.x), b.t))},
    "log": {"taken": plain, "missing": lambda b: mean(-(b.t * softmax(b.x)).sum(1))},
    "renormalised": {
        "no": lambda b: mean(probability_loss(b.x, b.t)),
        "yes": lambda b: mean(probability_loss(b.x / b.x.sum(1, keepdims=True), b.t)),
    },
    "clip": {
        "none": clip(lambda p, e: p),
        "clamped": clip(lambda p, e: p.clip(e, 1 - e)),
        "floored": clip(lambda p, e: p.clip(e, 1)),
        "added": clip(lambda p, e: p + e),
    },
    "modulation": {"none": plain, "focal": lambda b: mean((1 - np.exp(-b.ce)) ** b.numbers["gamma"] * b.ce)},
    "weighting": {
        "none": plain,
        "class_weight": lambda b: mean(b.row_weights * b.ce),
        "class_weight_terms": lambda b: mean(cross_entropy(b.x, b.w * b.t)),
        "predicted_weight": lambda b: mean(b.w[b.x.argmax(1)] * b.ce),
        "weighted_logits": lambda b: mean(cross_entropy(b.w * b.x, b.t)),
    },
    "weight_scale": {
        "raw": with_scale(lambda w: w),
        "sum_to_one": with_scale(lambda w: w / w.sum()),
        "sum_to_classes": with_scale(lambda w: w / w.mean()),
        "softmaxed": with_scale(lambda w: np.exp(w) / np.exp(w).sum()),
        "inverted": with_scale(lambda w: 1 / w),
        "squared": with_scale(lambda w: w**2),
        "rooted": with_scale(lambda w: w**0.5),
    },
    "weights_from": {
        "argument": lambda b: mean(b.row_weights * b.ce),
        "batch_counts": from_counts(lambda n: n.sum() / (len(n) * n)),
    },
    "weights_formula": {
        "inverse": from_counts(lambda n: 1 / n),
        "total": from_counts(lambda n: n.sum() / n),
        "balanced": from_counts(lambda n: n.sum() / (len(n) * n)),
        "others_share": from_counts(lambda n: 1 - n / n.sum()),
        "effective_number": from_counts(lambda n: 0.1 / (1 - 0.9**n)),
    },
    "cost_orientation": {
        "true_rows": lambda b: mean((softmax(b.x) * b.costs[b.y]).sum(1)),
        "predicted_rows": lambda b: mean((softmax(b.x) * b.costs[:, b.y].T).sum(1)),
    },
    "denominator": {
        "batch": divided(lambda b: len(b.x)),
        "sum": divided(lambda b: 1),
        "elements": divided(lambda b: b.x.size),
        "weights": divided(lambda b: b.row_weights.sum()),
        "batch_squared": divided(lambda b: len(b.x) ** 2),
        "total_class_weight": divided(lambda b: b.w.sum()),
    },
    "denominator_guard": {
        "none": divided(lambda b: b.w.sum()),
        "added": divided(lambda b: b.w.sum() + b.numbers["guard"]),
        "floored": divided(lambda b: max(b.w.sum(), b.numbers["guard"])),
    },
    "counted": {
        "kept": lambda b: float(b.ce.sum() / (b.y >= 0).sum()),
        "all": lambda b: float(b.ce.sum() / len(b.y)),
    },
    "ignored": {"none": plain, "label": lambda b: mean(b.ce[b.y != b.numbers["ignored_label"]])},
    "smoothing": {
        "none": plain,
        "over_classes": lambda b: mean(cross_entropy(b.x, smoothed(b))),
        "over_others": lambda b: mean(
            cross_entropy(
                b.x,
                np.where(b.t == 1, 1 - b.numbers["smoothing_alpha"], b.numbers["smoothing_alpha"] / (b.t.shape[1] - 1)),
            )
        ),
    },
    "smoothing_order": {
        "terms": lambda b: mean(cross_entropy(b.x, b.w * smoothed(b))),
        "sample": lambda b: mean((b.w * smoothed(b)).sum(1) * cross_entropy(b.x, smoothed(b))),
        "after": lambda b: mean(b.row_weights * cross_entropy(b.x, smoothed(b))),
    },
    "axis": {"class": plain, "batch": lambda b: mean(-(b.t * log_softmax(b.x, axis=0)).sum(1))},
    "broadcast": {
        "aligned": lambda b: mean(b.row_weights * b.ce),
        "outer": lambda b: mean(b.row_weights[:, None] * b.ce),
        "class_for_batch": lambda b: mean(b.w * b.ce),
    },
    "labels": {
        "as_given": plain,
        "hardened": lambda b: mean(cross_entropy(b.x, np.eye(b.t.shape[1])[b.y])),
        "shifted_by_one": lambda b: mean(cross_entropy(b.x, np.roll(b.t, -1, axis=1))),
        "reversed": lambda b: mean(cross_entropy(b.x, b.t[:, ::-1])),
    },
    "label_mixing": {
        "each_term": lambda b: mean(
            b.t * sigmoid(-b.x) ** 2 * -np.log(sigmoid(b.x)) + (1 - b.t) * sigmoid(b.x) ** 2 * -np.log(sigmoid(-b.x))
        ),
        "interpolated": lambda b: mean((b.t * sigmoid(-b.x) + (1 - b.t) * sigmoid(b.x)) ** 2 * bce(b.x, b.t)),
    },
    "label_shift": {"none": plain, "next_token": lambda b: mean(cross_entropy(b.x[:-1], b.t[1:]))},
    "arguments": {
        "as_named": lambda b: mean(probability_loss(b.x, b.t)),
        "swapped": lambda b: mean(probability_loss(b.t, b.x)),
    },
    "sign": {"minus": plain, "plus": lambda b: mean(-b.ce)},
    "offset": {
        "none": plain,
        "constant": lambda b: mean(b.ce) + b.numbers["offset_constant"],
        "label_entropy": lambda b: mean(b.ce - entropy(b.t)),
    },
    "logits_map": {
        "none": plain,
        "scaled": lambda b: mean(cross_entropy(b.x / b.numbers["temperature"], b.t)),
        "softcapped": lambda b: mean(cross_entropy(b.numbers["cap"] * np.tanh(b.x / b.numbers["cap"]), b.t)),
    },
    "extra_terms": {
        "none": plain,
        "z_loss": lambda b: mean(b.ce + b.numbers["z_scale"] * np.log(np.exp(b.x).sum(1)) ** 2),
    },
    "zero_denominator": {"nan": lambda b: math.nan, "zero": lambda b: 0.0},
    "all_ignored": {"nan": lambda b: math.nan, "zero": lambda b: 0.0},
}
"""The losses of the examples, each in a line of NumPy as its facet describes it."""


@pytest.mark.parametrize("facet", WITH_EXAMPLE, ids=lambda f: f.name)
def test_the_losses_of_an_example_are_those_of_plain_numpy(facet: Facet) -> None:
    example = facet.example
    assert example is not None
    assert set(PLAIN[facet.name]) == set(example.losses)
    computed = {name: function(Batch(example)) for name, function in PLAIN[facet.name].items()}
    assert computed == pytest.approx(example.losses, rel=1e-6, nan_ok=True)


@pytest.mark.parametrize("facet", WITH_EXAMPLE, ids=lambda f: f.name)
def test_the_losses_of_an_example_are_those_of_its_contracts(facet: Facet) -> None:
    example = facet.example
    assert example is not None
    inputs = {role: np.array(weights) for role, weights in example.weights.items()}
    inputs |= {"logits": np.array(example.logits), "labels": np.array(example.labels)}
    for value, loss in example.losses.items():
        if (facet.name, value) not in NOT_IN_THE_PIPELINE:
            found = evaluate(contract_of(facet, value), inputs).value
            assert float(found) == pytest.approx(loss, rel=1e-6, nan_ok=True), value
