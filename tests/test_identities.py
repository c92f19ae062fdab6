"""The reference held to what must be so, on drawn inputs: identities of the losses, whatever their formula is.

Every example is fixed: hypothesis draws without chance here.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import hypothesis.extra.numpy as arrays
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from lossvet import reference
from lossvet.reference import variants
from lossvet.reference.types import REDUCTIONS, Array, Reduction

pytestmark = pytest.mark.sweep

evaluate = partial(reference.evaluate, exact=True)
UNIT = 2.0**-53
MEANS: tuple[Reduction, ...] = ("mean", "weighted_mean", "nonzero_mean")
reductions = st.sampled_from(tuple(REDUCTIONS))
means = st.sampled_from(MEANS)
FIXED = settings(derandomize=True, deadline=None, max_examples=12, database=None)

eighths = st.integers(-240, 240).map(lambda n: n / 8)  # multiples of 1/8: sums and differences are exact
shares = st.integers(0, 16).map(lambda n: n / 16)
factors = st.integers(0, 40).map(lambda n: n / 8)
positive = st.integers(1, 40).map(lambda n: n / 8)


@dataclass(frozen=True)
class Batch:
    """An input that fits every variant: logits that differ within a row, hard and soft labels, weights, costs."""

    x: Array
    y: Any
    t: Array
    w: Array
    costs: Array
    v: Array

    def rows(self, which: Any) -> Batch:
        """These rows of it, in this order."""
        return Batch(self.x[which], self.y[which], self.t[which], self.w, self.costs, self.v[which])

    def call(self, name: str, reduction: Reduction, **given: Any) -> Any:
        """The variant's evaluation on this batch, apart from what is given."""
        params = {"class_weight": self.w, "pos_weight": self.w, "cost_matrix": self.costs, "label_smoothing": 0.25}
        params["sample_weight"] = self.v
        variant = variants.load(name)
        known = {f for f in variant.params.__dataclass_fields__ if f in params}
        labels = self.y if variant.family == "sparse" else self.t
        return evaluate(name, self.x, labels, reduction=reduction, **{**{f: params[f] for f in known}, **given})


def having(reduction: Reduction, *families: str) -> list[str]:
    """The variants of these families, or of all, that have the reduction."""
    every = [variants.load(name) for name in variants.names()]
    return [v.name for v in every if reduction in v.reductions and (not families or v.family in families)]


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    n, c = draw(st.integers(1, 5)), draw(st.integers(2, 5))
    rows = [draw(st.lists(eighths, min_size=c, max_size=c, unique=True)) for _ in range(n)]
    return Batch(
        np.array(rows),
        np.array(draw(st.lists(st.integers(0, c - 1), min_size=n, max_size=n))),
        draw(arrays.arrays(np.float64, (n, c), elements=shares)),
        draw(arrays.arrays(np.float64, c, elements=positive)),
        draw(arrays.arrays(np.float64, (c, c), elements=positive)),
        draw(arrays.arrays(np.float64, n, elements=positive)),
    )


def same(a: Any, b: Any) -> None:
    """Equal but for what two orders of summing in double-double may differ by."""
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape
    close = np.abs(a - b) <= np.spacing(np.maximum(np.abs(a), np.abs(b))) + 2.0**-80
    assert (close | (np.isnan(a) & np.isnan(b))).all(), f"{a} and {b}"


def same_evaluation(a: Any, b: Any, leaves: tuple[str, ...] = ("logits",)) -> None:
    same(a.loss, b.loss)
    for leaf in leaves:
        same(a.gradients[leaf], b.gradients[leaf])


@FIXED
@given(batches())
def test_pos_weight_of_one_is_sigmoid(batch: Batch) -> None:
    for reduction in ("none", "sum", "mean"):
        for one in (1.0, np.ones(batch.x.shape[1])):
            weighted = evaluate("pos_weight", batch.x, batch.t, reduction=reduction, pos_weight=one)
            same_evaluation(weighted, evaluate("sigmoid", batch.x, batch.t, reduction=reduction), ("logits", "labels"))


@FIXED
@given(batches())
def test_a_decision_and_its_opposite_mirror_each_other(batch: Batch) -> None:
    """L(x, t) = L(-x, 1 - t)."""
    here = evaluate("sigmoid", batch.x, batch.t, reduction="none")
    there = evaluate("sigmoid", -batch.x, 1 - batch.t, reduction="none")
    same(here.loss, there.loss)
    same(here.gradients["logits"], -there.gradients["logits"])
    same(here.gradients["labels"], -there.gradients["labels"])


@FIXED
@given(batches(), reductions, st.integers(-(2**20), 2**20))
def test_a_constant_added_to_a_row_changes_nothing(batch: Batch, reduction: Reduction, eighths: int) -> None:
    moved = replace(batch, x=batch.x + eighths / 8)
    for name in {*having(reduction, "dense", "sparse")} - {"weighted_logits"}:
        here, there = batch.call(name, reduction), moved.call(name, reduction)
        same_evaluation(here, there, tuple(here.gradients))


@FIXED
@given(batches(), reductions, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_means_nothing(batch: Batch, reduction: Reduction, shuffle: random.Random) -> None:
    order = np.array(shuffle.sample(range(len(batch.x)), len(batch.x)))
    moved = batch.rows(order)
    for name in having(reduction):
        here, there = batch.call(name, reduction), moved.call(name, reduction)
        same(here.loss[order] if reduction == "none" else here.loss, there.loss)
        for leaf, value in here.gradients.items():
            by_row = leaf in ("logits", "labels", "sample_weight")
            same(value[order] if by_row else value, there.gradients[leaf])


@FIXED
@given(batches(), reductions, st.randoms(use_true_random=False))
def test_the_order_of_the_classes_means_nothing(batch: Batch, reduction: Reduction, shuffle: random.Random) -> None:
    order = np.array(shuffle.sample(range(len(batch.w)), len(batch.w)))
    moved = Batch(
        batch.x[:, order], np.argsort(order)[batch.y], batch.t[:, order], batch.w[order],
        batch.costs[np.ix_(order, order)], batch.v,
    )  # fmt: skip
    for name in having(reduction):
        here, there = batch.call(name, reduction), moved.call(name, reduction)
        same(here.loss[:, order] if here.loss.ndim == 2 else here.loss, there.loss)
        for leaf, value in here.gradients.items():
            match leaf:
                case "sample_weight":
                    expected = value
                case "cost_matrix":
                    expected = value[np.ix_(order, order)]
                case _:
                    expected = value[..., order]
            same(expected, there.gradients[leaf])


@FIXED
@given(batches())
def test_two_classes_are_one_decision(batch: Batch) -> None:
    x, y = batch.x[:, :2], batch.y % 2
    chosen = evaluate("sparse", x, y, reduction="sum")
    decided = evaluate("sigmoid", x[:, 1:] - x[:, :1], y[:, None].astype(float), reduction="sum")
    same(chosen.loss, decided.loss)
    same(chosen.gradients["logits"][:, 1:], decided.gradients["logits"])
    same(chosen.gradients["logits"][:, :1], -decided.gradients["logits"])


@FIXED
@given(batches(), reductions)
def test_one_hot_labels_are_classes(batch: Batch, reduction: Reduction) -> None:
    """Dense losses with one-hot labels are the sparse ones; and class weights mean one thing."""
    onehot = np.eye(batch.x.shape[1])[batch.y]
    plain = batch.call("sparse", reduction)
    same_evaluation(evaluate("softmax", batch.x, onehot, reduction=reduction, sample_weight=batch.v), plain)
    weighted = batch.call("sparse_class_weight", reduction)
    for name in ("class_weight", "class_weight_terms"):
        dense = evaluate(name, batch.x, onehot, reduction=reduction, class_weight=batch.w, sample_weight=batch.v)
        same_evaluation(dense, weighted, ("logits", "class_weight", "sample_weight"))


@FIXED
@given(batches(), reductions)
def test_no_smoothing_is_no_smoothing(batch: Batch, reduction: Reduction) -> None:
    plain = batch.call("sparse_class_weight", reduction)
    for name in ("smooth_terms", "smooth_sample", "smooth_after"):
        same_evaluation(batch.call(name, reduction, label_smoothing=0.0), plain, ("logits", "class_weight"))


@FIXED
@given(batches(), reductions)
def test_weights_of_one_are_no_weights(batch: Batch, reduction: Reduction) -> None:
    ones = np.ones(batch.x.shape[1])
    plain = batch.call("sparse", reduction, sample_weight=None)
    same_evaluation(batch.call("sparse", reduction, sample_weight=np.ones(len(batch.x))), plain)
    for name in ("sparse_class_weight", "predicted_weight"):
        same_evaluation(batch.call(name, reduction, sample_weight=None, class_weight=ones), plain)
    costs = np.ones((len(ones), len(ones)))
    same_evaluation(batch.call("cost_realized", reduction, sample_weight=None, cost_matrix=costs), plain)
    soft = batch.call("softmax", reduction, sample_weight=None)
    same_evaluation(batch.call("weighted_logits", reduction, sample_weight=None, class_weight=ones), soft, ("labels",))


@FIXED
@given(batches(), means)
def test_a_batch_and_itself_again_have_the_same_mean(batch: Batch, reduction: Reduction) -> None:
    twice = batch.rows([*range(len(batch.x))] * 2)
    for name in {*having(reduction)} - {"dynamic_pos_weight"}:  # 1e-6 beside the number of positives does not double
        once, doubled = batch.call(name, reduction), twice.call(name, reduction)
        same(once.loss, doubled.loss)
        same(once.gradients["logits"], 2 * doubled.gradients["logits"][: len(batch.x)])


@FIXED
@given(batches(), reductions, st.data())
def test_an_ignored_row_might_as_well_not_be_there(batch: Batch, reduction: Reduction, data: st.DataObject) -> None:
    ignored = np.array(data.draw(st.lists(st.booleans(), min_size=len(batch.x), max_size=len(batch.x))))
    kept = ~ignored
    marked, rest = replace(batch, y=np.where(ignored, -100, batch.y)), batch.rows(kept)
    for name in having(reduction, "sparse"):
        here, there = marked.call(name, reduction), rest.call(name, reduction)
        same(here.loss[kept] if reduction == "none" else here.loss, there.loss)
        same(here.gradients["logits"][kept], there.gradients["logits"])
        undefined = reduction in MEANS and not kept.any()
        assert undefined or not here.gradients["logits"][ignored].any()


@FIXED
@given(batches(), factors)
def test_losses_are_linear_in_their_weights(batch: Batch, factor: float) -> None:
    """And a weighted mean does not care for their scale. Powers of two and eighths keep the products exact."""
    for name, leaf in (("sparse_class_weight", "class_weight"), ("cost_expected", "cost_matrix"),
                       ("cost_complement", "cost_matrix"), ("class_weight_terms", "class_weight")):  # fmt: skip
        weights = batch.costs if leaf == "cost_matrix" else batch.w
        here = batch.call(name, "sum")
        there = batch.call(name, "sum", **{leaf: weights * factor})
        np.testing.assert_allclose(here.loss * factor, there.loss, rtol=4 * UNIT, atol=2.0**-80)
        inner = (here.gradients[leaf] * weights).sum()  # Euler: the loss is the sum of weight times derivative
        np.testing.assert_allclose(inner, here.loss, rtol=64 * UNIT, atol=2.0**-80)
        if factor and name == "sparse_class_weight":
            scaled = batch.call(name, "weighted_mean", class_weight=weights * factor)
            same_evaluation(scaled, batch.call(name, "weighted_mean"))
