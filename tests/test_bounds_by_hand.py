"""The bounds of the primitives against formulas for one element at a time, in plain Python."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pytest

from lossvet.reference import variants
from lossvet.reference.bounds import CLASSES, Arithmetic, Softmax, _bound, bounds, profiles
from lossvet.reference.constants import C_GRADIENT, C_LOSS, HEAD_ROOM, KAPPA
from lossvet.reference.running_error import Number
from lossvet.reference.types import Case

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of infinities, which `bounds` silences

INF = float("inf")
U = 2.0**-24
ARITHMETIC = Arithmetic(tuple(profiles("float32")))


class Of(NamedTuple):
    """What an accuracy class counts."""

    shift: float
    relative: bool


KINDS = {"W": Of(1.0, False), "S": Of(0.0, False), "R": Of(0.0, True)}


def number(v: Any, e: float = 0.0, k: float = 1.0) -> Number:
    """With an error, the same in every class and element, that is e of it."""
    x = np.array(v, np.float64)
    size = np.where(np.isfinite(x), np.abs(x), 0.0)
    return Number(ARITHMETIC, x, np.broadcast_to(e * size, (3, *x.shape)), np.full(x.shape, k))


def same(found: Number, expected: Any) -> None:
    """`expected` has (v, e, k) by element, for each class: a value is the same in all."""
    for i, (name, kind) in enumerate(KINDS.items()):
        for index in np.ndindex(found.v.shape):
            v, e, k = expected(kind, *index)
            got = (found.v[index], found.e[(i, *index)], found.k[index])
            assert got == pytest.approx((v, e, k), rel=1e-12, abs=1e-300), (name, index)


@pytest.mark.parametrize(
    ("dtype", "u", "accumulator"),
    [("float64", 2.0**-53, 2.0**-53), ("float32", 2.0**-24, 2.0**-24), ("float16", 2.0**-11, 2.0**-24)],
)
def test_what_the_classes_of_a_dtype_count(dtype: str, u: float, accumulator: float) -> None:
    found = profiles(dtype)
    assert [(p.u, p.accumulator) for p in found] == [(u, accumulator)] * 3
    assert [(p.shift, p.relative) for p in found] == [KINDS[name] for name in CLASSES]
    many = np.array(1 << 16)
    assert [float(p.additions(many)) for p in found] == [256 + 8192, 128 + 16, 128 + 16]


# Plain numbers --------------------------------------------------------------------------------------------------------


def test_numbers_that_are_given() -> None:
    exact = ARITHMETIC.exact([2.0, -3.0])
    same(exact, lambda _, i: ([2.0, -3.0][i], 0.0, 1.0))
    assert ARITHMETIC.exact(exact) is exact
    same(ARITHMETIC.leaf([2.0, -3.0]), lambda _, i: ([2.0, -3.0][i], KAPPA * U * [2, 3][i], [3.0, 4.0][i]))
    same(ARITHMETIC.leaf(number(2.0, 0.5)), lambda _: (2.0, 1.0 + KAPPA * U * 2, 3.0))
    same(ARITHMETIC.ratio(1, 4), lambda _: (0.25, 0.0, 1.0))
    same(ARITHMETIC.ones(2), lambda _, i: (1.0, 0.0, 1.0))
    classes = np.array([1, 0])
    assert ARITHMETIC.one_hot(classes, 3).v.tolist() == [[0, 1, 0], [1, 0, 0]]
    assert ARITHMETIC.all_but(classes, 3).v.tolist() == [[1, 0, 1], [0, 1, 1]]
    assert ARITHMETIC.plain(exact).tolist() == [2.0, -3.0]


def test_sums() -> None:
    in_half = Arithmetic(tuple(profiles("float16")))
    assert in_half.rows(np.array([1, 5])).tolist() == [[0.0, 4 * U]] * 3
    assert in_half.additions(np.array([1, 5])).tolist() == [[0.0, 4 * U]] * 3


# Binary ---------------------------------------------------------------------------------------------------------------

X = [[0.75, -1.5, 0.0], [30.0, -40.0, 2.0], [INF, -INF, 0.5], [-0.25, 3.0, -2.0]]
T = [[0.25, 1.0, 0.5], [-0.5, 0.0, 2.0], [1.0, 0.0, 0.0], [0.0, 0.75, 1.0]]
Q = [3.0, 0.5, 1.25]


class Parts(NamedTuple):
    """Of one element: log(1 + e^x) and log(1 + e^-x), their derivatives, |x| where finite, and the scale of errors."""

    plus: float
    minus: float
    s_plus: float
    s_minus: float
    far: float
    size: float


def parts(x: float) -> Parts:
    tail, far = math.log1p(math.exp(-abs(x))), abs(x) if math.isfinite(x) else 0.0
    low = math.exp(-abs(x)) / (1 + math.exp(-abs(x)))
    high = 1 / (1 + math.exp(-abs(x)))
    s_plus, s_minus = (high, low) if x >= 0 else (low, high)
    return Parts(tail + max(x, 0.0), tail + max(-x, 0.0), s_plus, s_minus, far, far + tail)


def times(a: float, b: float) -> float:
    return 0.0 if 0.0 in (a, b) else a * b


@pytest.mark.parametrize("error", [0.0, 2.0**-10])
def test_binary(error: float) -> None:
    q = number(Q, error, 2.0)
    found = ARITHMETIC.binary(number(X), number(T), q)

    def expected(which: str, kind: Of, i: int, j: int) -> tuple[float, float, float]:
        t, w, p = T[i][j], Q[j], parts(X[i][j])
        a, qt, along = abs(t), abs(w * t), error * w
        scale = kind.shift * p.far * (abs(1 - t) + qt)
        slope = 1 + 2 * a + qt + scale
        v, c, size, dq = {
            "loss": (times(w * t, p.minus) + times(1 - t, p.plus), C_LOSS, (1 + 2 * a + qt) * p.size + scale,
                     times(a, p.minus)),
            "dx": ((1 - t) * p.s_plus - w * t * p.s_minus, C_GRADIENT, slope, a * p.s_minus),
            "dt": (w * p.minus - p.plus, C_LOSS, p.far + (1 + w) * p.size, p.minus),
            "dq": (times(t, p.minus), C_LOSS, a * (p.size + kind.shift * p.far), 0.0),
            "dxx": ((w * t + 1 - t) * p.s_plus * p.s_minus, C_GRADIENT, slope, a * p.s_plus * p.s_minus),
        }[which]  # fmt: skip
        e = c * U * (abs(v) if kind.relative else size) + times(along, dq)
        return v, e, 1 + (1 + 2.0) * (1 + a) * (1 + p.size)

    for which in ("loss", "dx", "dt", "dq", "dxx"):
        same(getattr(found, which), lambda kind, i, j, which=which: expected(which, kind, i, j))


def test_binary_with_one_weight_by_element() -> None:
    weights = np.outer([1.0, 2.0, 3.0, 4.0], Q)
    by_element = ARITHMETIC.binary(number(X), number(T), number(weights, 2.0**-10))
    for i, scale in enumerate([1.0, 2.0, 3.0, 4.0]):
        by_class = ARITHMETIC.binary(number(X), number(T), number(scale * np.array(Q), 2.0**-10))
        assert by_element.dx.e[:, i].tolist() == by_class.dx.e[:, i].tolist()


# Softmax --------------------------------------------------------------------------------------------------------------

LOGITS = [[0.5, -2.0, 0.25, 1.5], [-3.0, -1.0, -8.0, -1.0], [2.0, -INF, 1.0, 0.0]]
OWN = 2.0**-12
ADDITIONS = U * 3


class Row(NamedTuple):
    largest: float
    gaps: list[float]
    powers: list[float]
    total: float
    inherited: float


def row(i: int, own: float) -> Row:
    x = LOGITS[i]
    largest = max(x)
    gaps = [largest - one for one in x]
    powers = [math.exp(-gap) for gap in gaps]
    errors = [times(own, abs(one)) if math.isfinite(one) else 0.0 for one in x]
    inherited = sum(times(power, error) for power, error in zip(powers, errors, strict=True)) / sum(powers)
    return Row(largest, gaps, powers, sum(powers), inherited)


def unit(kind: Of, i: int, j: int, own: float) -> float:
    """The error of p relative to it."""
    r, x = row(i, own), LOGITS[i][j]
    if math.isinf(x):
        return 0.0
    e = C_GRADIENT * U * (2 + r.gaps[j] + math.log(4) + kind.shift * abs(r.largest)) + ADDITIONS
    return (C_GRADIENT * U if kind.relative else e) + r.inherited + own * abs(x)


def nll(kind: Of, i: int, j: int, own: float) -> tuple[float, float, float]:
    r, x = row(i, own), LOGITS[i][j]
    v = r.gaps[j] + math.log(r.total)
    if math.isinf(v):
        return v, 0.0, 1.0
    e = C_LOSS * U * (r.gaps[j] + 1 + math.log(4) + kind.shift * abs(r.largest)) + ADDITIONS
    return v, (C_LOSS * U * v if kind.relative else e) + r.inherited + own * abs(x), 1 + v


@pytest.mark.parametrize("own", [0.0, OWN])
def test_softmax(own: float) -> None:
    found = ARITHMETIC.softmax(number(LOGITS, own))

    def probability(kind: Of, i: int, j: int) -> tuple[float, float, float]:
        p = row(i, own).powers[j] / row(i, own).total
        return p, unit(kind, i, j, own) * p, 1 + p

    same(found.nll, lambda kind, i, j: nll(kind, i, j, own))
    same(found.p, probability)


def test_a_weighted_sum_over_classes() -> None:
    """Of 4, 2 and 1 weights that are not 0."""
    k = [[1.0, -2.0, 0.5, 3.0], [0.0, 1.0, 0.0, -2.0], [2.0, 0.0, 0.0, 0.0]]
    found = ARITHMETIC.softmax(number(LOGITS)).class_sum(number(k))

    def expected(kind: Of, i: int) -> tuple[float, float, float]:
        terms = [(w, *nll(kind, i, j, 0.0)) for j, w in enumerate(k[i])]
        r, spread = row(i, 0.0), math.log(4) + kind.shift * abs(row(i, 0.0).largest)
        scale = sum(times(abs(w), gap + spread) for w, gap in zip(k[i], r.gaps, strict=True))
        e = sum(times(abs(w), e) + U * abs(times(w, v)) for w, v, e, _ in terms)
        more = 2 * U * (sum(w != 0 for w in k[i]) - 1) * scale
        return sum(times(w, v) for w, v, _, _ in terms), e + more, sum(k for *_, k in terms)

    same(found, expected)


def test_the_complement_of_a_softmax() -> None:
    log_complement, softmax = ARITHMETIC.softmax(number(LOGITS)).complement()

    def others(i: int, j: int) -> tuple[list[float], float, float]:
        x = [-INF if k == j else one for k, one in enumerate(LOGITS[i])]
        return [math.exp(one - max(x)) for one in x], max(x), max(LOGITS[i])

    def of_complement(kind: Of, i: int, j: int) -> tuple[float, float, float]:
        _, second, first = others(i, j)
        every = [math.exp(one - first) for one in LOGITS[i]]
        v = math.log1p(-every[j] / sum(every))
        e = C_LOSS * U * (first - second + 2 * (math.log(4) + kind.shift * abs(first)) + kind.shift * abs(second) + 2)
        return v, C_LOSS * U * abs(v) if kind.relative else e + 2 * ADDITIONS, 1 + abs(v)

    def of_softmax(kind: Of, i: int, j: int, k: int) -> tuple[float, float, float]:
        powers, second, first = others(i, j)
        p = powers[k] / sum(powers)
        gap = 0.0 if p == 0 else second - LOGITS[i][k]
        e = C_GRADIENT * U * (2 + gap + math.log(4) + kind.shift * (abs(first) + abs(second))) + ADDITIONS
        return p, (C_GRADIENT * U if kind.relative else e) * p, 1 + p

    same(log_complement, of_complement)
    same(softmax, of_softmax)


def test_the_complement_of_the_only_class_is_nothing() -> None:
    one = Softmax(ARITHMETIC, number([[0.5]]))
    log_complement, softmax = one.complement()
    same(log_complement, lambda *_: (-INF, 0.0, 1.0))
    same(softmax, lambda *_: (0.0, 0.0, 1.0))


def test_second_spellings_are_joined() -> None:
    softmax = ARITHMETIC.softmax(number(LOGITS))
    value, magnitude = number([[1.0] * 4] * 3, 2.0**-20, 2.0), [[0.5, -4.0, 1.0, 2.0], [0.0, 3.0, 0.25, 1.0], [1.0] * 4]

    def loosened(kind: Of, i: int, j: int) -> tuple[float, float, float]:
        rounding = 0.0 if kind.relative else C_GRADIENT * U * max(abs(m) for m in magnitude[i])
        return 1.0, 2.0**-20 + rounding, 2.0

    def widened(kind: Of, i: int, j: int) -> tuple[float, float, float]:
        m = magnitude[i][j]
        return 1.0, 2.0**-20 + unit(kind, i, j, 0.0) * abs(m), 2.0 * (1 + m)

    same(softmax.loosen(value, number(magnitude)), loosened)
    same(softmax.widen(value, lambda: number(magnitude)), widened)


# What a bound is made of ----------------------------------------------------------------------------------------------


def test_a_bound_has_head_room_and_what_may_be_flushed() -> None:
    eta = 2.0**-126
    e = np.array([[9.0, 9.0, 9.0]] * 3 + [[3.0, 1.0, 0.0], [2.0, 2.0, 0.0], [1.0, 4.0, 0.0]])
    both = Arithmetic((*profiles("float64"), *profiles("float32")))
    found = _bound(Number(both, np.ones(3), e, np.array([1.0, 2.0, INF])), 3, "float32")
    flushed = np.array([4 * eta, 8 * eta, INF])
    assert found.W.tolist() == (HEAD_ROOM * (np.array([3.0, 1.0, 0.0]) + flushed)).tolist()
    assert found.S.tolist() == (HEAD_ROOM * (np.array([2.0, 1.0, 0.0]) + flushed)).tolist()
    assert found.R.tolist() == (HEAD_ROOM * (np.array([1.0, 1.0, 0.0]) + flushed)).tolist()
    assert found.underflow.tolist() == (HEAD_ROOM * flushed).tolist()


def test_bounds_of_several_dtypes_are_those_of_each() -> None:
    case = Case("by/hand", 24, np.array(LOGITS[:2]), np.array([0, 3]), variants.load("sparse").params(), np.ones(2),
                np.ones((2, 4)))  # fmt: skip
    dtypes = ("float16", "float32", "float64")
    together = bounds(variants.load("sparse"), case, dtypes, ("loss/none",))
    assert tuple(together) == dtypes
    for dtype in dtypes:
        (alone,) = bounds(variants.load("sparse"), case, (dtype,), ("loss/none",))[dtype].values()
        (found,) = together[dtype].values()
        assert [getattr(found, name).tolist() for name in CLASSES] == [
            getattr(alone, name).tolist() for name in CLASSES
        ]
