"""The public function: shapes, gradients, errors, and what it does at the edges."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import time
from typing import Any

import numpy as np
import pytest

from lossvet import reference
from lossvet.reference import variants
from lossvet.reference.types import REDUCTIONS

X = np.array([[1.5, -0.5, 0.25], [-1.0, 2.0, 0.75], [0.5, 1.25, -2.0], [3.0, -0.375, 1.0]])
Y = np.array([2, 0, 1, 1])
T = np.array([[0.5, 0.375, 0.125], [0.25, 0.0, 0.75], [0.0625, 0.6875, 0.25], [0.0, 1.0, 0.0]])
PARAMS: dict[str, Any] = {
    "pos_weight": [3.0, 0.5, 1.25],
    "class_weight": [0.5, 3.0, 1.25],
    "cost_matrix": [[0.25, 1.0, 2.0], [4.0, 0.125, 0.5], [3.0, 8.0, 0.75]],
    "label_smoothing": 0.125,
    "sample_weight": [0.5, 2.0, 1.0, 3.0],
}


def arguments(name: str) -> tuple[Any, Any, dict[str, Any]]:
    variant = variants.load(name)
    known = [field for field in PARAMS if field in variant.params.__dataclass_fields__]
    return X, Y if variant.family == "sparse" else T, {field: PARAMS[field] for field in known}


# What it gives -------------------------------------------------------------------------------------------------------


def test_as_the_documentation_shows_it() -> None:
    w = np.array([0.5, 3.0, 1.25])
    labels = np.array([2, -100, 1, 1])
    golden = reference.evaluate(
        "sparse_class_weight", X, labels, class_weight=w, reduction="weighted_mean", ignore_index=-100
    )
    kept = labels != -100
    classes = np.array([2, 0, 1, 1])
    losses = w[classes] * (np.log(np.exp(X).sum(1)) - X[np.arange(4), classes])
    assert golden.loss.dtype == np.float64
    assert golden.loss.shape == ()
    np.testing.assert_allclose(golden.loss, losses[kept].sum() / w[classes[kept]].sum(), rtol=1e-14)
    assert set(golden.gradients) == {"logits", "class_weight"}
    assert golden.gradients["logits"].shape == X.shape
    assert not golden.gradients["logits"][1].any()
    assert golden.gradients["class_weight"].shape == (3,)


EXPECTED_LEAVES = {
    "sigmoid": {"logits", "labels"},
    "pos_weight": {"logits", "labels", "pos_weight"},
    "dynamic_pos_weight": {"logits", "labels"},
    "softmax": {"logits", "labels", "sample_weight"},
    "class_weight": {"logits", "labels", "class_weight", "sample_weight"},
    "class_weight_terms": {"logits", "labels", "class_weight", "sample_weight"},
    "weighted_logits": {"logits", "labels", "class_weight", "sample_weight"},
    "sparse": {"logits", "sample_weight"},
    "sparse_class_weight": {"logits", "class_weight", "sample_weight"},
    "predicted_weight": {"logits", "class_weight", "sample_weight"},
    "smooth_terms": {"logits", "class_weight", "sample_weight"},
    "smooth_sample": {"logits", "class_weight", "sample_weight"},
    "smooth_after": {"logits", "class_weight", "sample_weight"},
    "cost_realized": {"logits", "cost_matrix", "sample_weight"},
    "cost_expected": {"logits", "cost_matrix", "sample_weight"},
    "cost_complement": {"logits", "cost_matrix", "sample_weight"},
}
WITHOUT_WEIGHT = {"sigmoid", "pos_weight", "dynamic_pos_weight", "cost_expected", "cost_complement"}


def test_every_variant_is_known_here() -> None:
    assert set(variants.names()) == EXPECTED_LEAVES.keys()


@pytest.mark.parametrize("name", variants.names())
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_shapes_and_leaves(name: str, reduction: Any) -> None:
    x, labels, params = arguments(name)
    if reduction in ("weighted_mean", "nonzero_mean") and name in WITHOUT_WEIGHT:
        with pytest.raises(ValueError, match=rf"{name} has no reduction '{reduction}'; it has: none, sum, mean$"):
            reference.evaluate(name, x, labels, reduction=reduction, **params)
        return
    found = reference.evaluate(name, x, labels, reduction=reduction, **params)
    binary = variants.load(name).family == "binary"
    assert found.loss.shape == ((x.shape if binary else (len(x),)) if reduction == "none" else ())
    assert found.loss.dtype == np.float64
    assert set(found.gradients) == EXPECTED_LEAVES[name]
    for leaf, gradient in found.gradients.items():
        given = x if leaf == "logits" else labels if leaf == "labels" else np.array(params[leaf])
        assert gradient.shape == given.shape, leaf
        assert gradient.dtype == np.float64, leaf
        assert np.isfinite(gradient).all(), leaf


@pytest.mark.parametrize("name", variants.names())
def test_reductions_are_of_the_same_losses(name: str) -> None:
    x, labels, params = arguments(name)
    by_reduction = {
        r: reference.evaluate(name, x, labels, reduction=r, exact=True, **params)
        for r in variants.load(name).reductions
    }
    none, total, mean = (by_reduction[r] for r in ("none", "sum", "mean"))
    np.testing.assert_allclose(none.loss.sum(), total.loss, rtol=1e-15)
    np.testing.assert_allclose(none.loss.mean(), mean.loss, rtol=1e-15)
    for leaf, gradient in total.gradients.items():
        assert np.array_equal(none.gradients[leaf], gradient), "without a cotangent, `none` is the gradient of the sum"
        np.testing.assert_allclose(mean.gradients[leaf] * none.loss.size, gradient, rtol=1e-15)
    default = reference.evaluate(name, x, labels, exact=True, **params)
    assert np.array_equal(default.loss, mean.loss), "the default is mean"


@pytest.mark.sweep
@pytest.mark.parametrize("name", variants.names())
def test_gradients_are_those_of_the_loss(name: str) -> None:
    """Central differences in doubles: coarse, and independent of everything (tests/oracle.py is fine)."""
    x, labels, params = arguments(name)
    for reduction in variants.load(name).reductions:
        found = reference.evaluate(name, x, labels, reduction=reduction, **params)
        for leaf, gradient in found.gradients.items():
            given = np.array(x if leaf == "logits" else labels if leaf == "labels" else params[leaf])

            def total(value: Any, leaf: str = leaf, reduction: Any = reduction) -> float:
                changed = {**params, **({leaf: value} if leaf in params else {})}
                moved_x, moved_t = value if leaf == "logits" else x, value if leaf == "labels" else labels
                return float(reference.evaluate(name, moved_x, moved_t, reduction=reduction, **changed).loss.sum())

            index = tuple(i // 2 for i in gradient.shape)
            step = np.zeros_like(given)
            step[index] = 2.0**-18
            slope = (total(given + step) - total(given - step)) / 2.0**-17
            np.testing.assert_allclose(gradient[index], slope, rtol=1e-7, atol=1e-8, err_msg=f"{reduction} {leaf}")


def test_lists_integers_and_float32_are_taken() -> None:
    expected = reference.evaluate("sparse_class_weight", X, Y, class_weight=[1.0, 2.0, 3.0])
    for x, y, w in (
        (X.tolist(), Y.tolist(), [1, 2, 3]),
        (X.astype(np.float32), Y.astype(np.int32), np.array([1, 2, 3], np.float16)),
        (X, Y.astype(np.uint8), (1, 2, 3)),
    ):
        found = reference.evaluate("sparse_class_weight", x, y, class_weight=w)
        assert found.loss == expected.loss
        assert np.array_equal(found.gradients["logits"], expected.gradients["logits"])


def test_inputs_are_left_alone() -> None:
    for name in variants.names():
        x, labels, params = arguments(name)
        before = x.copy(), labels.copy()
        found = reference.evaluate(name, x, labels, **params)
        found.gradients["logits"][...] = 0
        assert np.array_equal(x, before[0])
        assert np.array_equal(labels, before[1])


# Ignored rows and sample weights -------------------------------------------------------------------------------------


def test_ignored_rows_do_not_count() -> None:
    marked = np.array([2, -100, 1, -100])
    found = reference.evaluate("sparse", X, marked, reduction="none")
    assert found.loss[[1, 3]].tolist() == [0.0, 0.0]
    assert not found.gradients["logits"][[1, 3]].any()
    mean = reference.evaluate("sparse", X, marked, reduction="mean")
    assert mean.loss == reference.evaluate("sparse", X[[0, 2]], [2, 1], reduction="mean").loss
    other = reference.evaluate("sparse", X, np.where(marked < 0, 1, marked), reduction="sum", ignore_index=1)
    assert other.loss == reference.evaluate("sparse", X[:1], [2], reduction="sum").loss


@pytest.mark.parametrize("name", [n for n in variants.names() if variants.load(n).family == "sparse"])
def test_what_an_ignored_row_holds_is_not_looked_at(name: str) -> None:
    _, _, params = arguments(name)
    strange = X.copy()
    strange[1] = [np.nan, np.inf, 1e300]
    marked = np.array([2, -100, 1, 1])
    with pytest.raises(ValueError, match=r"a logit is \+inf"):
        reference.evaluate(name, strange, np.where(marked < 0, 0, marked), reduction="sum", **params)
    for reduction in variants.load(name).reductions:
        found = reference.evaluate(name, strange, marked, reduction=reduction, **params)
        plain = reference.evaluate(name, X, marked, reduction=reduction, **params)
        assert np.array_equal(found.loss, plain.loss), reduction
        for leaf, gradient in found.gradients.items():
            assert np.array_equal(gradient, plain.gradients[leaf]), f"{reduction} {leaf}"


def test_sample_weights_multiply_losses_and_weights() -> None:
    v, w = np.array([0.5, 2.0, 0.0, 3.0]), np.array([0.5, 3.0, 1.25])
    plain = reference.evaluate("sparse_class_weight", X, Y, class_weight=w, reduction="none")
    none = reference.evaluate("sparse_class_weight", X, Y, class_weight=w, sample_weight=v, reduction="none")
    np.testing.assert_allclose(none.loss, v * plain.loss, rtol=1e-15)
    assert np.array_equal(none.gradients["sample_weight"], plain.loss)
    by = {"sum": 1.0, "mean": 4.0, "weighted_mean": (v * w[Y]).sum(), "nonzero_mean": 3.0}
    for reduction, denominator in by.items():
        found = reference.evaluate("sparse_class_weight", X, Y, class_weight=w, sample_weight=v, reduction=reduction)  # type: ignore[arg-type]  # any name
        np.testing.assert_allclose(found.loss, none.loss.sum() / denominator, rtol=1e-15)


# Edges ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "undefined"),
    [
        ({"labels": [-100] * 4}, ("mean", "weighted_mean", "nonzero_mean")),
        ({"class_weight": [0.0, 0.0, 0.0]}, ("weighted_mean", "nonzero_mean")),
        ({"sample_weight": [0.0] * 4}, ("weighted_mean", "nonzero_mean")),
    ],
    ids=["all_ignored", "no_class_weight", "no_sample_weight"],
)
def test_nothing_over_nothing_is_nan(given: dict[str, Any], undefined: tuple[str, ...]) -> None:
    params: dict[str, Any] = {"labels": Y, "class_weight": PARAMS["class_weight"], **given}
    labels = np.array(params.pop("labels"))
    for reduction in REDUCTIONS:
        found = reference.evaluate("sparse_class_weight", X, labels, reduction=reduction, **params)
        values = [found.loss, *found.gradients.values()]
        if reduction in undefined:
            assert all(np.isnan(value).all() for value in values), reduction
        else:
            assert not found.loss.any()
            assert all(np.isfinite(value).all() for value in values), reduction


@pytest.mark.parametrize("name", variants.names())
def test_an_empty_batch(name: str) -> None:
    _, _, params = arguments(name)
    params.pop("sample_weight", None)
    variant = variants.load(name)
    labels = np.empty(0, np.int64) if variant.family == "sparse" else np.empty((0, 3))
    for reduction in variant.reductions:
        found = reference.evaluate(name, np.empty((0, 3)), labels, reduction=reduction, **params)
        assert found.gradients["logits"].shape == (0, 3)
        match reduction:
            case "none":
                assert found.loss.shape == ((0, 3) if variant.family == "binary" else (0,))
            case "sum":
                assert found.loss == 0.0
            case _:
                assert np.isnan(found.loss)


def test_an_empty_batch_of_lists() -> None:
    """An empty list has no dtype to be judged by."""
    assert reference.evaluate("sparse", np.empty((0, 3)), [], reduction="sum").loss == 0.0


def test_one_class_has_nothing_to_choose() -> None:
    found = reference.evaluate("sparse", [[3.0], [-1.0]], [0, 0], reduction="sum")
    assert found.loss == 0.0
    assert not found.gradients["logits"].any()


def test_infinite_logits_follow_the_limits() -> None:
    inf = np.inf
    right = reference.evaluate("sigmoid", [[inf, -inf]], [[1.0, 0.0]], reduction="none")
    assert right.loss.tolist() == [[0.0, 0.0]]
    assert right.gradients["logits"].tolist() == [[0.0, 0.0]]
    wrong = reference.evaluate("sigmoid", [[inf, -inf]], [[0.0, 1.0]], reduction="none")
    assert wrong.loss.tolist() == [[inf, inf]]
    assert wrong.gradients["logits"].tolist() == [[1.0, -1.0]]
    masked = reference.evaluate("sparse", [[1.0, -inf, 2.0]], [2], reduction="sum")
    assert masked.loss == reference.evaluate("sparse", [[1.0, 2.0]], [1], reduction="sum").loss
    assert masked.gradients["logits"][0, 1] == 0.0
    lost = reference.evaluate("sparse", [[1.0, -inf, 2.0]], [1], reduction="sum")
    assert lost.loss == inf
    assert lost.gradients["logits"][0, 1] == -1.0
    dense = reference.evaluate("softmax", [[1.0, -inf, 2.0]], [[0.25, 0.0, 0.75]], reduction="sum")
    assert np.isfinite(dense.loss)


def test_the_derivative_in_a_label_of_an_infinite_term_is_undefined() -> None:
    """0 * inf = 0 is a convention, and a convention has no derivative: as in the golden results."""
    for name, given in (("softmax", {}), ("class_weight", {"class_weight": [1.0, 2.0]})):
        found = reference.evaluate(name, [[-np.inf, 0.0]], [[0.0, 1.0]], reduction="sum", **given)
        assert np.isnan(found.gradients["labels"][0, 0])
    assert np.isnan(reference.evaluate("sigmoid", [[np.inf]], [[1.0]], reduction="sum").gradients["labels"][0, 0])


def test_hard_inputs_are_right_to_the_last_digits() -> None:
    """Numbers anybody can check: asymptotics, and the worked examples of the documentation."""
    assert reference.evaluate("sigmoid", [[-40.0]], [[0.0]], reduction="sum").loss == np.exp(-40.0)
    assert reference.evaluate("sigmoid", [[800.0]], [[0.0]], reduction="sum").loss == 800.0
    assert reference.evaluate("sparse", [[1000.0, 0.0]], [1], reduction="sum").loss == 1000.0
    at_zero = reference.evaluate("pos_weight", [[0.0, 0.0]], [[0.0, 1.0]], reduction="sum", pos_weight=3.0)
    assert at_zero.gradients["logits"].tolist() == [[0.5, -1.5]]
    unnormalised = reference.evaluate("softmax", [[0.0, 0.0]], [[2.0, 1.0]], reduction="sum")
    assert unnormalised.gradients["logits"].tolist() == [[-0.5, 0.5]], "p sum(t) - t, and not p - t"
    tie = reference.evaluate("predicted_weight", [[4.0, 4.0]], [1], reduction="sum", class_weight=[5.0, 7.0])
    np.testing.assert_allclose(tie.loss, 5 * np.log(2), rtol=1e-15)


@pytest.mark.sweep
def test_ten_thousand_rows_take_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    draw = np.random.default_rng(20261121)
    n, c = 10_000, 10
    given = {
        "pos_weight": np.linspace(0.5, 3, c),
        "class_weight": np.linspace(0.5, 3, c),
        "cost_matrix": draw.uniform(0, 4, (c, c)),
        "label_smoothing": 0.1,
    }
    took = {}
    for name in ("pos_weight", "softmax", "sparse_class_weight", "smooth_terms", "cost_complement"):
        variant = variants.load(name)
        params = {field: value for field, value in given.items() if field in variant.params.__dataclass_fields__}
        labels = draw.integers(0, c, n) if variant.family == "sparse" else draw.uniform(0, 1, (n, c))
        start = time.perf_counter()
        found = reference.evaluate(name, draw.normal(size=(n, c)), labels, **params)
        took[name] = time.perf_counter() - start
        assert np.isfinite(found.loss)
    with capsys.disabled():
        print("\nevaluate, 10,000 x 10:", ", ".join(f"{name} {seconds:.2f} s" for name, seconds in took.items()))
    assert max(took.values()) < 20, took


# Errors --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "x", "labels", "params", "error", "words"),
    [
        (
            "nonsense",
            X,
            Y,
            {},
            KeyError,
            r"no such variant: 'nonsense'; the variants are: class_weight, .*weighted_logits",
        ),
        (
            "sparse",
            X,
            Y,
            {"reduction": "avg"},
            ValueError,
            r"sparse has no reduction 'avg'; it has: none, sum, mean, wei",
        ),
        ("sigmoid", X, T, {"reduction": "weighted_mean"}, ValueError, r"sigmoid has no reduction 'weighted_mean'"),
        (
            "sparse",
            X,
            Y,
            {"weight": [1.0]},
            TypeError,
            r"has no parameter weight; its parameters: ignore_index, sample",
        ),
        ("sigmoid", X, T, {"pos_weight": 2.0}, TypeError, r"sigmoid has no parameter pos_weight; its parameters: none"),
        ("pos_weight", X, T, {}, TypeError, r"pos_weight"),
        ("class_weight", X, T, {}, TypeError, r"class_weight"),
        ("class_weight", X, T, {"class_weight": None}, (TypeError, ValueError), r"class_weight"),
        ("pos_weight", X, T, {"pos_weight": None}, (TypeError, ValueError), r"pos_weight"),
        ("smooth_terms", X, Y, {"class_weight": [1.0] * 3, "label_smoothing": 2.0}, ValueError, r"label_smoothing"),
        ("sparse", X[0], Y, {}, ValueError, r"logits have shape \[3\]; expected \[N, C\] with C >= 1"),
        ("sparse", np.empty((4, 0)), Y, {}, ValueError, r"logits have shape \[4, 0\]; expected \[N, C\]"),
        ("sparse", X, Y[:3], {}, ValueError, r"labels are int64 of shape \[3\]; expected integers of shape \[4\]"),
        ("sparse", X, T, {}, ValueError, r"labels are float64 of shape \[4, 3\]; expected integers of shape \[4\]"),
        ("sparse", X, Y.astype(float), {}, ValueError, r"labels are float64 of shape \[4\]; expected integers"),
        (
            "sparse",
            X,
            [2, 3, -1, 1],
            {},
            ValueError,
            r"labels \[-1, 3\] are outside \[0, 3\) and not ignore_index \(-100\)",
        ),
        ("sparse", X, [2, 255, 0, 1], {"ignore_index": 254}, ValueError, r"labels \[255\] .* ignore_index \(254\)"),
        ("softmax", X, Y, {}, ValueError, r"labels have shape \[4\]; expected that of the logits, \[4, 3\]"),
        ("sigmoid", X, T.T, {}, ValueError, r"labels have shape \[3, 4\]; expected that of the logits, \[4, 3\]"),
        (
            "pos_weight",
            X,
            T,
            {"pos_weight": [1.0, 2.0]},
            ValueError,
            r"pos_weight has shape \[2\]; expected \[\] or \[3\]",
        ),
        ("class_weight", X, T, {"class_weight": 2.0}, ValueError, r"class_weight has shape \[\]; expected \[3\]"),
        ("class_weight", X, T, {"class_weight": np.ones((1, 3))}, ValueError, r"has shape \[1, 3\]; expected \[3\]"),
        ("cost_expected", X, Y, {"cost_matrix": np.ones((4, 3))}, ValueError, r"has shape \[4, 3\]; expected \[3, 3\]"),
        ("sparse", X, Y, {"sample_weight": [1.0] * 3}, ValueError, r"sample_weight has shape \[3\]; expected \[4\]"),
        ("sparse", X, Y, {"sample_weight": np.ones((4, 1))}, ValueError, r"has shape \[4, 1\]; expected \[4\]"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_errors_name_what_was_found_and_what_expected(
    name: str,
    x: Any,
    labels: Any,
    params: dict[str, Any],
    error: type[Exception] | tuple[type[Exception], ...],
    words: str,
) -> None:
    with pytest.raises(error, match=words):
        reference.evaluate(name, x, labels, **params)


# Doctests ------------------------------------------------------------------------------------------------------------


def _modules() -> list[str]:
    return sorted(m.name for m in pkgutil.walk_packages(reference.__path__, "lossvet.reference."))


@pytest.mark.parametrize("name", _modules())
def test_examples_in_the_documentation_hold(name: str) -> None:
    if name.rpartition(".")[2] in ("balls", "certify", "freeze"):
        pytest.importorskip("flint")
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder()
    module = importlib.import_module("lossvet.reference.evaluate")
    assert sum(len(test.examples) for test in finder.find(module)) >= 1
