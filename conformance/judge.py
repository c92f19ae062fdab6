"""The judge: the only function that compares a result with golden.

It has no tolerance of its own: `reference.bounds` says how far a result may be from golden.
"""

from __future__ import annotations

from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

from lossvet.adapters.types import Measured, Missing, Outcome, Raised
from lossvet.conformance.documented import Outcome as Documented
from lossvet.conformance.types import Absent, AccuracyClass, Agrees, Differs, Errored, Lost, Verdict
from lossvet.conformance.ulp import ulp_errors
from lossvet.reference.bounds import Bound
from lossvet.reference.dtypes import DTYPES
from lossvet.reference.types import Array


def judge(
    outcome: Outcome,
    golden: Array,
    bound: Bound,
    dtype: str,
    expected: Documented = "nan",
    uncancelled: NDArray[np.bool_] | None = None,
) -> Verdict:
    """The verdict on one output of one case.

    `golden` is float64 with NaN where the mathematics is undefined, `bound` has its shape, `dtype` is that of the cell.
    An answer agrees where it has golden's shape and the cell's dtype, is within the bound in every element, infinite
    where golden is, and as documented, `expected`, where golden is undefined. Elements that are `uncancelled`
    (`reference.cancelling`) can be lost.
    """
    match outcome:
        case Missing(reason):
            return Absent(reason)
        case Raised(error, message):
            undefined = np.isnan(golden)
            if expected in ("raises", "refused", "anything") and undefined.any():
                any_answer = "any result would do" if expected == "anything" else ""
                return Agrees(0.0, 0.0, 0.0, "relative", 0.0, (f"raises {error}",), uninformative=any_answer)
            return Errored(error, message)
        case Measured(value):
            return _judge_value(value, golden, bound, dtype, expected, uncancelled)


def _judge_value(
    value: Any, golden: Array, bound: Bound, dtype: str, expected: Documented, uncancelled: Any
) -> Verdict:
    if value.shape != golden.shape:
        return Differs(f"has shape {list(value.shape)}, expected {list(golden.shape)}")
    if str(value.dtype) != dtype:
        return Differs(f"is {value.dtype}, expected {dtype}")
    with np.errstate(all="ignore"):
        return _compare(value.astype(np.float64), golden, bound, dtype, expected, uncancelled)


def _compare(got: Array, golden: Array, bound: Bound, dtype: str, expected: Documented, uncancelled: Any) -> Verdict:
    finite = np.isfinite(golden)
    if not (np.isfinite(bound.W) | ~finite).all():
        return Absent(
            "the bound is infinite, since the error of a denominator reaches the denominator: nothing can be judged"
        )
    error = np.abs(got - golden)
    overflows = _overflows(got, golden, bound.W, dtype)
    # Right however large the bound: infinite where golden is, as documented where it is undefined, or overflowed.
    right = np.where(finite, overflows, np.where(np.isnan(golden), _as_expected(got, expected), got == golden))
    # Written so that an error that is NaN is not within any bound.
    wrong = ~(right | ((error <= bound.W) & finite))
    ratio = np.where(right | (error == 0), 0.0, error / bound.W)
    if wrong.any():
        return _differs(got, golden, np.where(np.isnan(ratio), np.inf, ratio), wrong, expected)
    relative, shifted = (bool((right | (error <= b)).all()) for b in (bound.R, bound.S))
    accuracy: AccuracyClass = "relative" if relative else "shift-invariant" if shifted else "absolute"
    judged = finite & ~overflows
    ulp, flushed = ulp_errors(got[judged], golden[judged], dtype)
    worst = np.argwhere(judged)[flushed.argmax()] if flushed.size else ()
    return Agrees(
        ratio=float(ratio.max(initial=0.0, where=judged)),
        ulp=float(ulp.max(initial=0.0)),
        ulp_flushed=float(flushed.max(initial=0.0)),
        accuracy=accuracy,
        resolution=_resolution(golden[judged], bound.W[judged]),
        index=tuple(int(i) for i in worst),
        uninformative=_uninformative(golden, bound, expected),
        lost=_lost(got, golden, bound, dtype, judged & uncancelled) if uncancelled is not None else None,
    )


def _uninformative(golden: Array, bound: Bound, expected: Documented) -> str:
    """Why every answer of the right shape would agree, or one of 0 that is wrong; empty where none would."""
    if not golden.size:
        return "the result is empty"
    undefined, lenient = np.isnan(golden), expected in ("any", "anything")
    if undefined.all() and lenient:
        return "the result is undefined, and any value would do"
    zero = (np.abs(golden) <= bound.W) | (undefined & (lenient or expected == "zero"))
    return "a result of 0 would agree" if zero.all() and np.nan_to_num(golden).any() else ""


def _lost(got: Array, golden: Array, bound: Bound, dtype: str, known: Any) -> Lost | None:
    normal = np.abs(golden) >= np.maximum(DTYPES[dtype].smallest, 2 * bound.underflow)
    lost = known & normal & (np.abs(got - golden) >= np.abs(golden) / 2)
    if not lost.any():
        return None
    largest = tuple(int(i) for i in np.unravel_index(np.where(lost, np.abs(golden), 0.0).argmax(), golden.shape))
    return Lost(int(lost.sum()), largest, float(got[largest]), float(golden[largest]))


def _overflows(got: Array, golden: Array, bound: Array, dtype: str) -> Any:
    """Where the answer is infinite, and sound rounding of a finite result may be so: at the edge of the range."""
    infinite = np.isinf(got)
    if not infinite.any():
        return infinite
    at_edge = np.abs(golden) + bound >= DTYPES[dtype].overflow
    return infinite & np.isfinite(golden) & at_edge & (np.sign(got) == np.sign(golden))


def _as_expected(got: Array, expected: Documented) -> Any:
    match expected:
        case "nan" | "refused":
            return np.isnan(got)
        case "zero":
            return got == 0
        case "raises":
            return np.zeros(got.shape, bool)
        case "any" | "anything":
            return np.ones(got.shape, bool)
    assert_never(expected)


def _differs(got: Array, golden: Array, ratio: Array, wrong: Any, expected: Documented) -> Differs:
    index = tuple(int(i) for i in np.unravel_index(np.where(wrong, ratio, 0.0).argmax(), golden.shape))
    g = float(golden[index])
    why = f"is undefined here, expected {expected}" if np.isnan(g) else "is outside the bound"
    if np.isnan(got[index]) and not np.isnan(g):
        why = "is NaN"
    elif np.isinf(g):
        why = "is not infinite"
    return Differs(f"{why} in {int(wrong.sum())} of {golden.size}", index, float(got[index]), g, float(ratio[index]))


def _resolution(golden: Array, bound: Array) -> float:
    """The median of the bound over |golden|; 0 where golden is 0 throughout and so bounded by nothing relative."""
    known = golden != 0
    relative = np.sort(bound[known] / np.abs(golden[known]))
    return float((relative[(len(relative) - 1) // 2] + relative[len(relative) // 2]) / 2) if len(relative) else 0.0
