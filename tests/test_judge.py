"""The judge, held to account one rule at a time, with golden results and bounds made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lossvet.adapters.types import Measured, Missing, Raised
from lossvet.conformance.judge import judge
from lossvet.conformance.summary import CLASSES, kind
from lossvet.conformance.types import Absent, Agrees, Differs, Errored, Lost, Verdict
from lossvet.reference import variants
from lossvet.reference.bounds import Bound, bounds
from lossvet.reference.cancelling import uncancelled
from lossvet.reference.types import Case

INF, NAN = float("inf"), float("nan")
LARGEST = float(np.finfo(np.float32).max)


def bound(width: Any, s: Any = None, r: Any = None) -> Bound:
    W, S, R = (np.asarray(width if x is None else x, np.float64) for x in (width, s, r))
    return Bound(W=W, S=S, R=R, underflow=np.zeros(W.shape))


def verdict(got: Any, golden: Any, width: Any, dtype: str = "float32", wanted: str = "nan") -> Verdict:
    value = np.asarray(got, dtype) if not isinstance(got, np.ndarray) else got
    return judge(Measured(value), np.asarray(golden, np.float64), bound(width), dtype, wanted)


def test_an_error_exactly_at_the_bound_agrees_and_one_step_beyond_differs() -> None:
    width = 2.0**-20
    at = verdict([1.0 + width], [1.0], [width])
    assert isinstance(at, Agrees)
    assert at.ratio == 1.0
    beyond = verdict([np.nextafter(np.float32(1.0 + width), np.float32(2))], [1.0], [width])
    assert isinstance(beyond, Differs)
    assert beyond.ratio == 1.125
    assert (beyond.index, beyond.golden) == ((0,), 1.0)


def test_the_worst_element_is_named() -> None:
    found = verdict([[0.0, 1.0], [2.0, 3.0]], [[0.0, 1.5], [2.0, 1.0]], np.full((2, 2), 0.25))
    assert isinstance(found, Differs)
    assert (found.index, found.got, found.golden, found.ratio) == ((1, 1), 3.0, 1.0, 8.0)
    assert "2 of 4" in found.why


def test_nothing_wrong_within_no_bound_is_ratio_zero() -> None:
    found = verdict([0.0, -0.0, 4.0], [0.0, 0.0, 4.0], [0.0, 0.0, 0.0])
    assert isinstance(found, Agrees)
    assert (found.ratio, found.ulp, found.accuracy) == (0.0, 0.0, "relative")
    assert isinstance(verdict([2.0**-149], [0.0], [0.0]), Differs)


@pytest.mark.parametrize("got", [[[1.0], [2.0]], 1.0, [1.0, 2.0, 3.0]])
def test_shape(got: Any) -> None:
    found = verdict(got, [1.0, 2.0], [1.0, 1.0])
    assert isinstance(found, Differs)
    assert "shape" in found.why
    assert found.ratio == INF


@pytest.mark.parametrize("other", ["float64", "float16", "int64"])
def test_dtype(other: str) -> None:
    found = verdict(np.array([1, 2], other), [1.0, 2.0], [1.0, 1.0])
    assert isinstance(found, Differs)
    assert found.why == f"is {other}, expected float32"


@pytest.mark.parametrize(
    ("got", "golden", "right"),
    [
        (NAN, 1.0, False),
        (INF, 1.0, False),
        (INF, INF, True),
        (-INF, INF, False),
        (NAN, INF, False),
        (LARGEST, INF, False),
        (NAN, NAN, True),
        (0.0, NAN, False),
    ],
)
def test_nan_and_infinity(got: float, golden: float, right: bool) -> None:
    found = verdict([got, 1.0], [golden, 1.0], [1.0, 1.0])
    assert isinstance(found, Agrees if right else Differs)
    assert found.ratio == (0.0 if right else INF)
    assert not isinstance(found, Agrees) or (found.ulp, found.index) == (0.0, (1,)), "only what is finite has an error"


@pytest.mark.parametrize(
    ("got", "golden", "wanted", "why"),
    [
        (NAN, 1.0, "nan", "is NaN in 1 of 3"),
        (NAN, INF, "nan", "is NaN in 1 of 3"),
        (1.0, INF, "nan", "is not infinite in 1 of 3"),
        (1.0, NAN, "zero", "is undefined here, expected zero in 1 of 3"),
        (NAN, NAN, "raises", "is undefined here, expected raises in 1 of 3"),
        (3.0, 1.0, "nan", "is outside the bound in 1 of 3"),
    ],
)
def test_how_an_answer_is_wrong(got: float, golden: float, wanted: str, why: str) -> None:
    found = verdict([1.0, got, 1.5], [1.0, golden, 1.0], [1.0] * 3, wanted=wanted)
    assert isinstance(found, Differs)
    assert (found.why, found.index) == (why, (1,))


def test_the_worst_element_of_an_answer_that_agrees_is_named_where_it_is_finite() -> None:
    found = verdict([NAN, INF, 1.0, -1.5, 2.0, INF], [NAN, INF, 1.0, -1.0, 2.25, LARGEST], [1.0] * 5 + [2.0**105])
    assert isinstance(found, Agrees)
    assert (found.index, found.ratio, found.ulp) == ((3,), 0.5, 2.0**22)
    none = verdict([INF, NAN], [LARGEST, NAN], [2.0**105, 0.0])
    assert isinstance(none, Agrees)
    assert (none.index, none.ratio, none.ulp, none.ulp_flushed) == ((), 0.0, 0.0, 0.0)


def test_an_answer_of_another_sign_is_as_wrong() -> None:
    assert isinstance(verdict([-1.0], [NAN], [0.0], wanted="zero"), Differs)
    assert isinstance(verdict([INF], [-INF], [0.0]), Differs)


def test_two_rows_that_differ_are_counted_and_the_worse_is_named() -> None:
    found = verdict([0.0, 5.0, 7.0, NAN], [0.0, 1.0, 1.0, 1.0], [1.0, 1.0, 4.0, 1.0])
    assert isinstance(found, Differs)
    assert (found.index, found.why, found.ratio) == ((3,), "is NaN in 3 of 4", INF)


@pytest.mark.parametrize(
    ("wanted", "right"),
    [
        ("nan", {"nan"}),
        ("refused", {"nan"}),
        ("zero", {"0"}),
        ("any", {"nan", "0", "inf", "1"}),
        ("anything", {"nan", "0", "inf", "1"}),
        ("raises", set()),
    ],
)
def test_what_is_expected_of_the_undefined(wanted: str, right: set[str]) -> None:
    for got in ("nan", "0", "inf", "1"):
        found = verdict(float(got), NAN, 0.0, wanted=wanted)
        assert isinstance(found, Agrees if got in right else Differs), got


def test_exceptions() -> None:
    raised, undefined = Raised("ValueError", "label"), np.full(2, NAN)
    assert judge(raised, undefined, bound([0.0, 0.0]), "float32", "raises") == Agrees(
        0.0, 0.0, 0.0, "relative", 0.0, ("raises ValueError",)
    )
    assert isinstance(judge(raised, undefined, bound([0.0, 0.0]), "float32", "refused"), Agrees)
    assert isinstance(judge(raised, undefined, bound([0.0, 0.0]), "float32", "anything"), Agrees)
    assert isinstance(judge(raised, undefined, bound([0.0, 0.0]), "float32", "any"), Errored)
    assert judge(raised, undefined, bound([0.0, 0.0]), "float32", "nan") == Errored("ValueError", "label")
    assert isinstance(judge(raised, np.array([1.0, 2.0]), bound([0.0, 0.0]), "float32", "raises"), Errored)
    assert judge(Missing("no such reduction"), undefined, bound([0.0, 0.0]), "float32") == Absent("no such reduction")


def test_on_the_edge_of_the_range_both_sides_are_right() -> None:
    step = 2.0**104
    assert isinstance(verdict([INF], [LARGEST], [2 * step]), Agrees)
    assert isinstance(verdict([-INF], [-LARGEST], [2 * step]), Agrees)
    assert isinstance(verdict([-INF], [LARGEST], [2 * step]), Differs)
    assert isinstance(verdict([INF], [LARGEST], [step / 4]), Differs)  # too sure to overflow
    assert isinstance(verdict([LARGEST], [LARGEST + step], [2 * step]), Agrees)
    assert isinstance(verdict([INF], [2 * LARGEST], [step]), Agrees)
    assert isinstance(verdict([INF], [LARGEST], [step / 2]), Agrees), (
        "half a step beyond the largest rounds to infinity"
    )
    assert isinstance(verdict([INF], [LARGEST], [step / 2 - 2.0**75]), Differs), "a double less does not"
    assert isinstance(verdict([INF], [65504.0], [16.0], "float16"), Agrees)
    assert isinstance(verdict([NAN], [LARGEST], [2 * step]), Differs)
    assert isinstance(verdict([INF], [LARGEST], [step], "float64"), Differs)
    largest = float(np.finfo(np.float64).max)
    assert isinstance(verdict([INF], [largest], [2.0**969], "float64"), Differs)
    assert isinstance(verdict([INF], [largest], [2.0**970], "float64"), Agrees), "half a step here as well"


def test_a_flushed_subnormal_counts_in_full_and_flushed() -> None:
    tiny = 2.0**-126
    found = verdict([0.0], [tiny / 2], [8 * tiny])
    assert isinstance(found, Agrees)
    assert (found.ulp, found.ulp_flushed) == (2.0**22, 0.0)


@pytest.mark.parametrize(
    ("width", "resolution"),
    [([], 0.0), ([0.5], 0.5), ([0.5, 0.25], 0.375), ([0.25, 0.5, 0.125], 0.25), ([1.0, 0.125, 0.5, 0.25], 0.375)],
)
def test_resolution_is_the_median_bound_over_golden(width: list[float], resolution: float) -> None:
    """Of elements that are not 0, of either sign, however large."""
    golden = [-1.0, 2.0, -4.0, 8.0][: len(width)]
    wide = [w * abs(g) for w, g in zip(width, golden, strict=True)]
    found = verdict([*golden, 0.0], [*golden, 0.0], [*wide, 3.0])
    assert isinstance(found, Agrees)
    assert found.resolution == resolution


def test_a_resolution_too_large_for_a_double_warns_nobody() -> None:
    with np.errstate(all="raise"):
        verdict([0.0], [2.0**-1074], [1.0])


def test_an_unsettled_denominator_is_absent() -> None:
    assert isinstance(verdict([1.0, 2.0], [1.0, 2.0], [1.0, INF]), Absent)
    assert isinstance(
        verdict([INF, 2.0], [INF, 2.0], [INF, 1.0]), Agrees
    )  # golden is infinite there: a bound is no matter


def test_the_class_is_the_strictest_that_every_element_meets() -> None:
    def accuracy(error: float) -> str:
        found = judge(
            Measured(np.array([1.0 + error, 1.0])),
            np.ones(2),
            bound([0.5, 0.5], [0.25, 0.25], [0.125, 0.125]),
            "float64",
        )
        assert isinstance(found, Agrees)
        return found.accuracy

    assert [accuracy(error) for error in (0.0, 0.125, 0.25, 0.5)] == [
        "relative",
        "relative",
        "shift-invariant",
        "absolute",
    ]


def sparse_case(logits: list[float], label: int) -> Case:
    x = np.array([logits])
    params = variants.load("sparse").params()
    return Case("by/hand", 24, x, np.array([label]), params, np.ones(1), np.ones((1, 3)))


def sparse_losses(x: Any, y: int) -> dict[str, Any]:
    """Three sound spellings in float32: of absolute accuracy, shift-invariant, and exact but for one rounding."""
    x = x.astype(np.float32)
    m = x.max()
    total = np.exp(x - m).sum(dtype=np.float32)
    wide = x.astype(np.float64)
    gaps = np.delete(wide - wide[y], y)
    exact = np.logaddexp.reduce([0.0, *gaps])
    return {"W": (m + np.log(total)) - x[y], "S": np.log(total) - (x[y] - m), "R": np.float32(exact)}


@pytest.mark.parametrize("name", ["W", "S", "R"])
def test_accuracy_classes_of_cross_entropies(name: str) -> None:
    """An offset of 1000 costs optax its digits, a sure row PyTorch; one rounding of the exact value keeps them all."""
    classes = []
    for logits in ([1.5, -0.5, 0.25], [1000.375, 999.25, 1001.5], [12.0, 0.25, -1.0]):
        case = sparse_case(logits, 0)
        golden = np.float64(np.logaddexp.reduce([0.0, *(case.logits[0, 1:] - case.logits[0, 0])]))
        allowed = bounds(variants.load("sparse"), case, ("float32",))["float32"]["loss/none"]
        got = np.array([sparse_losses(case.logits[0], 0)[name]], np.float32)
        found = judge(Measured(got), np.array([golden]), allowed, "float32")
        assert isinstance(found, Agrees), found
        classes.append(found.accuracy)
    assert max(classes, key=CLASSES.index) == {"W": "absolute", "S": "shift-invariant", "R": "relative"}[name]


# What a check that agrees is worth ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("golden", "width", "wanted", "why"),
    [
        ([], [], "nan", "the result is empty"),
        ([NAN, NAN], [0.0, 0.0], "any", "the result is undefined, and any value would do"),
        ([NAN, NAN], [0.0, 0.0], "anything", "the result is undefined, and any value would do"),
        ([NAN, NAN], [0.0, 0.0], "nan", ""),
        ([NAN, 2.0], [0.0, 0.5], "any", ""),
        ([NAN, 0.25], [0.0, 0.5], "any", "a result of 0 would agree"),
        ([NAN, 0.25], [0.0, 0.5], "nan", ""),
        ([0.25, -0.5], [0.5, 0.5], "nan", "a result of 0 would agree"),
        ([0.25, -0.75], [0.5, 0.5], "nan", ""),
        ([0.0, 0.0], [0.5, 0.0], "nan", ""),  # where 0 is right, anything else may be wrong
        ([0.25, INF], [0.5, 0.0], "nan", ""),
    ],
)
def test_a_check_that_could_not_have_failed_is_uninformative(
    golden: list[float], width: list[float], wanted: str, why: str
) -> None:
    found = verdict(golden, golden, width, "float64", wanted)
    assert isinstance(found, Agrees)
    assert found.uninformative == why
    assert kind(found) == ("uninformative" if why else "agrees")


def test_where_0_is_documented_an_answer_of_0_may_agree_throughout() -> None:
    for golden, why in ((0.25, "a result of 0 would agree"), (2.0, "")):
        found = verdict([0.0, golden], [NAN, golden], [0.0, 0.5], wanted="zero")
        assert isinstance(found, Agrees)
        assert found.uninformative == why


def test_where_nothing_is_documented_raising_could_not_have_failed() -> None:
    raised, undefined = Raised("ValueError", "label"), np.array([NAN, 1.0])
    found = judge(raised, undefined, bound([0.0, 0.0]), "float32", "anything")
    assert isinstance(found, Agrees)
    assert found.uninformative == "any result would do"


def lost(got: list[float], golden: list[float], uncancelled: list[bool], underflow: float = 0.0) -> Any:
    allowed = replace(bound(np.ones(len(golden))), underflow=np.full(len(golden), underflow))
    found = judge(
        Measured(np.array(got, np.float32)), np.array(golden), allowed, "float32", "nan", np.array(uncancelled)
    )
    assert isinstance(found, Agrees)
    return found.lost


def test_an_element_without_one_right_bit_is_lost() -> None:
    assert lost([0.0, 1e-9, 0.25], [1e-4, -1e-3, 0.25], [True, True, True]) == Lost(
        2, (1,), float(np.float32(1e-9)), -1e-3
    )
    assert lost([1.49e-4], [1e-4], [True]) is None, "less than half of it is wrong"
    assert lost([1.5 * 2.0**-13], [2.0**-13], [True]).count == 1, "half of it is"
    assert lost([0.0], [1e-4], [False]) is None, "where terms cancel, nothing better is to be had"
    assert lost([0.0], [1e-4], [True], underflow=0.5e-4).count == 1
    assert lost([0.0], [1e-4], [True], underflow=0.6e-4) is None, "it may have been flushed to 0"
    assert lost([0.0], [-(2.0**-126)], [True]).count == 1
    assert lost([0.0], [2.0**-127], [True]) is None, "subnormal numbers may be"


def test_where_nothing_cancels_by_nature() -> None:
    params = variants.load("softmax").params()
    soft = Case("by/hand", 24, np.zeros((3, 2)), np.array([[1.0, 0.0], [0.5, 0.5], [0.0, -1.0]]), params, np.ones(3),
                np.ones((3, 2)))  # fmt: skip
    of = variants.load("softmax")
    assert uncancelled(of, soft, "loss/none").tolist() == [True, True, False]  # type: ignore[union-attr]  # it is known
    assert uncancelled(of, soft, "gradient/none/logits").all(1).tolist() == [True, False, True]  # type: ignore[union-attr]  # it is known
    assert uncancelled(of, soft, "loss/mean") is None
    assert uncancelled(variants.load("weighted_logits"), soft, "loss/none") is None
    costs = next(iter(variants.load("cost_expected").cases()))
    assert uncancelled(variants.load("cost_expected"), costs, "loss/none").all()  # type: ignore[union-attr]  # it is known
    assert uncancelled(variants.load("cost_expected"), costs, "gradient/none/logits") is None
