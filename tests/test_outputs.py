"""From a closed form to outputs: a few cases of each kind against golden, at once, and outputs by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lossvet.reference import variants, vectors
from lossvet.reference.bounds import bounds
from lossvet.reference.outputs import undefined_where_infinite
from lossvet.reference.types import Case, Rows, output_names
from lossvet.reference.values import exact_outputs

CASES = {
    "sparse_class_weight": (
        "hard", "sample_weight_zero", "zero_weight", "all_weights_zero", "ignored_first", "ignored_last", "ignored_all",
        "ignored_leak", "ignored_infinite", "ignored_weighted",
    ),
    "pos_weight": ("hard", "soft_square", "positives"),
    "class_weight": ("sample_weight_zero", "all_weights_zero"),
    "cost_expected": ("hard", "ignored_weighted"),
}  # fmt: skip
PAIRS = [(name, f"{name}/{case}") for name, cases in CASES.items() for case in cases]


def golden(name: str, case: str) -> vectors.Golden:
    return next(one for one in vectors.load(name) if one.case.id == case)


@pytest.mark.parametrize(("name", "case"), PAIRS)
def test_every_output_is_golden(name: str, case: str) -> None:
    one = golden(name, case)
    found = exact_outputs(variants.load(name), one.case)
    assert list(found) == [n for n in output_names(variants.load(name), one.case) if n in found]
    assert found.keys() == one.outputs.keys()
    for output, expected in one.outputs.items():
        np.testing.assert_allclose(found[output], expected, rtol=4e-16, atol=0, err_msg=output)
        assert found[output].shape == np.shape(expected), output


@pytest.mark.parametrize(("name", "case"), [PAIRS[0], PAIRS[9], PAIRS[10], PAIRS[13]])
def test_an_output_by_its_name_is_the_same_and_alone(name: str, case: str) -> None:
    one = golden(name, case)
    every = exact_outputs(variants.load(name), one.case)
    for output, expected in every.items():
        found = exact_outputs(variants.load(name), one.case, (output,))
        assert list(found) == [output]
        np.testing.assert_array_equal(found[output], expected)
    both = ("hvp", "loss/mean")
    assert tuple(exact_outputs(variants.load(name), one.case, both)) == both


@pytest.mark.parametrize(("name", "case"), [PAIRS[0], PAIRS[10]])
def test_numbers_that_carry_errors_have_the_shapes_of_golden(name: str, case: str) -> None:
    """Sums over rows and over classes differ there: each has an error of its own."""
    one = golden(name, case)
    found = bounds(variants.load(name), one.case, ("float32",))["float32"]
    assert {output: bound.W.shape for output, bound in found.items()} == {o: v.shape for o, v in one.outputs.items()}


def test_a_variant_without_a_hessian_has_no_product_of_it() -> None:
    variant = variants.load("sparse_class_weight")

    def closed(*given: Any) -> Rows:
        return replace(variant.closed(*given), hessian=None)

    case = golden("sparse_class_weight", "sparse_class_weight/hard").case
    assert list(exact_outputs(replace(variant, closed=closed), case, ("hvp", "loss/mean"))) == ["loss/mean"]


def test_a_row_may_be_ignored_where_there_is_one_class() -> None:
    """Whatever takes the place of its label has to be a class."""
    case = Case(
        "by/hand",
        24,
        np.array([[0.5], [1.0]]),
        np.array([0, -100]),
        variants.load("sparse_class_weight").params(class_weight=np.array([2.0])),
        np.ones(2),
        np.ones((2, 1)),
    )
    found = exact_outputs(variants.load("sparse_class_weight"), case, ("loss/none", "gradient/weighted_mean/logits"))
    assert found["loss/none"].tolist() == [0.0, 0.0]
    assert found["gradient/weighted_mean/logits"].tolist() == [[0.0], [0.0]]


@pytest.mark.parametrize(
    ("output", "undefined"),
    [
        ("loss/none", False),
        ("loss/weighted_mean", False),
        ("hvp", False),
        ("gradient/sum/logits", False),
        ("gradient/sum/labels", True),
        ("gradient/sum/class_weight", False),
        ("gradient/weighted_mean/logits", False),
        ("gradient/weighted_mean/labels", True),
        ("gradient/weighted_mean/class_weight", True),
    ],
)
def test_where_an_infinite_element_is_undefined(output: str, undefined: bool) -> None:
    assert undefined_where_infinite(output) == undefined
