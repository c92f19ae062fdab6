"""What left the range of float16 is told apart by name: the sum, what it is divided by, a value on the way."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from lossvet.adapters.types import Measured
from lossvet.conformance import overflow
from lossvet.conformance.judge import judge
from lossvet.conformance.types import Agrees, Differs
from lossvet.reference import variants, vectors
from lossvet.reference.bounds import bounds
from lossvet.reference.dtypes import DTYPES
from lossvet.reference.vectors import Golden

INF, NAN = math.inf, math.nan
SUM, WEIGHTS = "the sum of the losses", "the sum of the weights"


def golden(variant: str, case: str) -> Golden:
    return next(g for g in vectors.load(variant) if g.case.id == f"{variant}/{case}")


def notes(variant: str, case: str, output: str, got: float, dtype: str = "float16") -> tuple[str, ...]:
    """Of an answer that is this number throughout."""
    proven = golden(variant, case)
    true = proven.outputs[output]
    allowed = bounds(variants.load(variant), proven.case, (dtype,), (output,))[dtype][output]
    verdict = judge(Measured(np.full(true.shape, got, DTYPES[dtype].numpy)), true, allowed, dtype)
    assert isinstance(verdict, Differs)
    return overflow.explained(verdict, proven, output, dtype).notes


@pytest.mark.parametrize(
    ("variant", "case", "output", "got", "left"),
    [
        ("sparse", "sum_past_range", "loss/mean", INF, SUM),
        ("sigmoid", "sum_past_range", "loss/mean", INF, SUM),
        ("sparse_class_weight", "weights_past_range", "loss/weighted_mean", NAN, WEIGHTS),
        ("sparse_class_weight", "weights_past_range", "loss/weighted_mean", 0.0, WEIGHTS),
        ("sparse", "sum_past_range", "gradient/mean/logits", INF, SUM),
        ("sparse", "sum_past_range", "loss/none", INF, "a value on the way"),
        ("sparse", "hard", "loss/mean", INF, "a value on the way"),
        ("sparse", "hard", "gradient/none/logits", NAN, "a value on the way"),
    ],
)
def test_what_left_the_range_is_named(variant: str, case: str, output: str, got: float, left: str) -> None:
    assert notes(variant, case, output, got) == (f"{left} left the range of float16",)


def test_all_that_left_the_range_is_named() -> None:
    one = golden("sparse_class_weight", "weights_past_range")
    both = dataclasses.replace(one, outputs={"loss/sum": np.array(131072.0), "loss/weighted_mean": np.array(1.5)})
    found = overflow.explained(Differs("is NaN", (), NAN, 1.5), both, "loss/weighted_mean", "float16")
    assert found.notes == (f"{SUM} and {WEIGHTS} left the range of float16",)


@pytest.mark.parametrize(("output", "got"), [("loss/mean", 2.0), ("loss/none", 0.0)])
def test_an_answer_in_range_left_nothing(output: str, got: float) -> None:
    assert notes("sparse", "sum_past_range", output, got) == ()


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_where_sums_have_no_more_range_nothing_is_named(dtype: str) -> None:
    assert notes("sparse", "hard", "loss/mean", INF, dtype) == ()


def test_a_sum_that_is_itself_past_the_range_agrees_as_infinite() -> None:
    proven = golden("sparse", "sum_past_range")
    allowed = bounds(variants.load("sparse"), proven.case, ("float16",), ("loss/sum",))["float16"]["loss/sum"]
    true = proven.outputs["loss/sum"]
    assert isinstance(judge(Measured(np.array(INF, np.float16)), true, allowed, "float16"), Agrees)
    for wrong in (-INF, NAN, 65504.0):
        assert isinstance(judge(Measured(np.array(wrong, np.float16)), true, allowed, "float16"), Differs)
