"""Double-double arithmetic against mpmath: how far each operation may be from the truth, at random and hard inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf

from lossvet.reference.double_double import Number, exp, log1p
from lossvet.reference.types import Array

SEED = 20261121
COUNT = 300
DIGITS = 80

SUM = 2.0**-105  # of |a| + |b|
PRODUCT = 2.0**-105  # of the result, as all below
QUOTIENT = 2.0**-105
EXP = 2.0**-105  # times 1 + |x|: 2^-96 at |x| = 600
LOG1P = 2.0**-104  # of the result where x < 2^-22; of 1 where it is larger and the result below 1: 2^-82 at the seam
"""The errors allowed, of results whose low part is no subnormal: measured, and not twice as large."""


def truth(x: Number, i: int) -> Any:
    return mpf(float(x.hi[i])) + mpf(float(x.lo[i]))


def worst(
    found: Number, exact: Callable[[int], Any], relative_to: Callable[[int], Any] | None = None
) -> tuple[float, int]:
    """The largest relative error, and where."""
    with mp.workdps(DIGITS):
        errors = []
        for i in range(len(found.hi)):
            e = exact(i)
            size = abs(e) if relative_to is None else relative_to(i)
            errors.append(float(abs(truth(found, i) - e) / size) if size else float(abs(truth(found, i))))
    return max(errors), int(np.argmax(errors))


def assert_within(allowed: float, found: Number, exact: Callable[[int], Any], **how: Any) -> None:
    error, i = worst(found, exact, **how)
    assert error <= allowed, f"seed {SEED}, element {i}: {error / allowed:.3g} of the {allowed:.3g} allowed"
    normalised = found.hi + found.lo == found.hi
    assert normalised.all(), "lo is more than half an ulp of hi"


def numbers(exponents: tuple[int, int], positive: bool = False, stream: int = 0) -> Number:
    """Random numbers of 106 bits, with hard ones among them: powers of two, all ones, a tiny or no low part."""
    draw = np.random.default_rng([SEED, stream])
    scale = np.ldexp(1.0, draw.integers(*exponents, COUNT, endpoint=True))
    mantissa = draw.uniform(1, 2, COUNT)
    mantissa[: COUNT // 6] = 1.0
    mantissa[COUNT // 6 : COUNT // 3] = np.nextafter(2.0, 0.0)
    sign = 1.0 if positive else draw.choice([-1.0, 1.0], COUNT)
    hi = sign * mantissa * scale
    lo = hi * draw.uniform(-(2.0**-54), 2.0**-54, COUNT)
    lo[::7] = 0.0
    lo[1::7] *= 2.0**-30
    return Number(hi, np.where(hi + lo == hi, lo, 0.0))


RANGES = [(-3, 3), (-40, 40), (-200, 200)]


@pytest.mark.parametrize("exponents", RANGES, ids=str)
def test_sums_and_differences(exponents: tuple[int, int]) -> None:
    a, b = numbers(exponents), numbers(exponents, stream=1)
    with mp.workdps(DIGITS):
        size = [abs(truth(a, i)) + abs(truth(b, i)) for i in range(COUNT)].__getitem__
        assert_within(SUM, a + b, lambda i: truth(a, i) + truth(b, i), relative_to=size)
        assert_within(SUM, a - b, lambda i: truth(a, i) - truth(b, i), relative_to=size)


def test_a_difference_of_close_numbers_keeps_its_bits() -> None:
    """Error relative to the result, as long as no more cancels than the high parts."""
    a = numbers((-3, 3))
    b = Number(np.nextafter(a.hi, np.inf), a.lo * 0.5)
    with mp.workdps(DIGITS):
        assert_within(2.0**-50, b - a, lambda i: truth(b, i) - truth(a, i))
    assert not (a - a).hi.any()
    assert not (a - a).lo.any()


@pytest.mark.parametrize("exponents", RANGES, ids=str)
def test_products(exponents: tuple[int, int]) -> None:
    a, b = numbers(exponents), numbers(exponents, stream=1)
    with mp.workdps(DIGITS):
        assert_within(PRODUCT, a * b, lambda i: truth(a, i) * truth(b, i))


@pytest.mark.parametrize("exponents", RANGES, ids=str)
def test_quotients(exponents: tuple[int, int]) -> None:
    a, b = numbers(exponents), numbers(exponents, stream=1)
    with mp.workdps(DIGITS):
        assert_within(QUOTIENT, a / b, lambda i: truth(a, i) / truth(b, i))
        assert_within(QUOTIENT, 1.0 / b, lambda i: 1 / truth(b, i))


def test_sums_over_an_axis() -> None:
    draw = np.random.default_rng([SEED, 2])
    a = Number(draw.normal(size=(7, 5)) * 10.0 ** draw.integers(-8, 8, (7, 5)))
    with mp.workdps(DIGITS):
        for axis, rows in ((0, a.hi.T), (1, a.hi)):
            found = a.sum(axis)
            size = [sum(map(abs, map(mpf, map(float, row)))) for row in rows]
            exact = [sum(mpf(float(x)) for x in row) for row in rows]
            assert_within(8 * SUM, found, exact.__getitem__, relative_to=size.__getitem__)
    total = a.sum((0, 1))
    assert total.hi.shape == ()
    assert Number(np.ones((0, 3))).sum(0).hi.tolist() == [0.0, 0.0, 0.0]


HARD = ("-0x1.49f33ad2c1c58p+9", "0x1.63e063d87938p-2", "0x1p-1074", "-0x0p+0", "0x1.62e42fefa39efp-1",
        "0x1.62e42fefa39efp+9", "-0x1.5bf0a8b145769p+1")  # fmt: skip
EXPONENTS = {
    "small": lambda: numbers((-30, -1)),
    "ordinary": lambda: numbers((-1, 5)),
    "large": lambda: numbers((5, 8)),
    "negative": lambda: -numbers((0, 8), positive=True),
    # Halves of log 2 apart: where the argument is reduced by one multiple of log 2 or by the next.
    "between": lambda: Number(np.add.outer((np.arange(COUNT // 3) - 50.5) * np.log(2), [-1e-15, 0, 1e-15]).ravel()),
    # Hard to round for libraries in double precision (CORE-MATH, Gladman et al.).
    "hard": lambda: Number(np.array([float.fromhex(x) for x in HARD])),
}


@pytest.mark.parametrize("kind", EXPONENTS)
def test_exp(kind: str) -> None:
    x = EXPONENTS[kind]()
    x = x.take(np.abs(x.hi) < 600)  # beyond, the low part is subnormal: see below
    with mp.workdps(DIGITS):
        size = [(1 + abs(truth(x, i))) * mp.exp(truth(x, i)) for i in range(len(x.hi))].__getitem__
        assert_within(EXP, exp(x), lambda i: mp.exp(truth(x, i)), relative_to=size)


def test_exp_at_the_ends_of_the_range() -> None:
    """Half an ulp and a little as a double, where the low part has no room; then what a double has instead."""
    x = np.concatenate([np.linspace(600, 709.7, 60), -np.linspace(600, 745, 120)])
    found = exp(Number(x))
    with mp.workdps(DIGITS):
        for value, given in zip(found.hi, x, strict=True):
            error = abs(mpf(float(value)) - mp.exp(mpf(float(given)))) / mpf(float(np.spacing(value)))
            allowed = 0.5000001 if value > 1e-307 else 1.0
            assert error <= allowed, f"exp({given!r}) is off by {float(error)} ulp"
    ends = exp(Number(np.array([710.0, 1e300, np.inf, -746.0, -1e300, -np.inf])))
    assert ends.hi.tolist() == [np.inf, np.inf, np.inf, 0.0, 0.0, 0.0]
    assert not ends.lo.any()


ARGUMENTS = {
    "tiny": lambda: numbers((-300, -60), positive=True),
    "around_the_seam": lambda: numbers((-24, -20), positive=True),
    "small": lambda: numbers((-20, 0), positive=True),
    "ordinary": lambda: numbers((0, 10), positive=True),
    "large": lambda: numbers((10, 900), positive=True),
    "edges": lambda: Number(
        np.array([0.0, 2.0**-22, np.nextafter(2.0**-22, 0), 1.0, 2.0**-1022, 2.0**-1074, 2.0**900])
    ),
}


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_log1p(kind: str) -> None:
    x = ARGUMENTS[kind]()
    with mp.workdps(400):
        exact = [mp.log1p(truth(x, i)) for i in range(len(x.hi))]
        size = [e if x.hi[i] < 2.0**-22 else max(e, mpf(1)) for i, e in enumerate(exact)]
    assert_within(LOG1P, log1p(x), exact.__getitem__, relative_to=size.__getitem__)


def test_zero_times_infinity_is_zero() -> None:
    zero, infinite = Number(np.array([0.0, -0.0])), Number(np.array([np.inf, -np.inf]))
    for product in (zero * infinite, infinite * zero, 0.0 * infinite, infinite * 0.0):
        assert not product.hi.any()
        assert not product.lo.any()
    with np.errstate(invalid="ignore"):
        assert (infinite + 1.0).hi.tolist() == [np.inf, -np.inf]
        assert (2.0 * infinite).hi.tolist() == [np.inf, -np.inf]
        assert (1.0 / infinite).hi.tolist() == [0.0, 0.0]
    assert log1p(Number(np.array([np.inf]))).hi.tolist() == [np.inf]


def test_arrays_and_scalars_stand_on_either_side() -> None:
    x: Array = np.array([1.0, 2.0, 4.0])
    n = Number(x)
    for found in (x + n, n + x, 1.0 * n + x, x * 2.0 + n * 0.0):
        assert found.hi.tolist() == [2.0, 4.0, 8.0]
    assert (x / n).hi.tolist() == [1.0, 1.0, 1.0]
    assert (x - n).hi.tolist() == [0.0, 0.0, 0.0]


def test_the_measure_of_error_can_fail() -> None:
    """A product in plain double is far outside."""
    a, b = numbers((-3, 3)), numbers((-3, 3), stream=1)
    with mp.workdps(DIGITS):
        error, _ = worst(Number(a.hi * b.hi), lambda i: truth(a, i) * truth(b, i))
    assert error > 2.0**-55
