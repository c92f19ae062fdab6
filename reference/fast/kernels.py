"""e^-a and log(1 + s) of blocks, as pairs with an error of a thirtieth of a unit roundoff at most, from tables.

The exponential and logarithm of a platform are off by an ulp or so, how far is documented by few, and an ulp is two
units of roundoff: with such terms no sum could be within four. These are made of float64 additions and multiplications
alone, so that their error follows from IEEE 754 on every machine. The method, a table of short steps and a polynomial
for what is left, is P. T. P. Tang's (Table-driven implementation of the exponential function in IEEE floating-point
arithmetic, ACM TOMS 15, 1989; of the logarithm function, ACM TOMS 16, 1990).
"""

from __future__ import annotations

from functools import cache

import numpy as np

from lossvet.reference import double_double
from lossvet.reference.double_double import Number
from lossvet.reference.fast.pairs import Pair, normalised, two_sum
from lossvet.reference.types import Array

EXP, LOG1P = 2.0**-59, 2.0**-58
"""Largest errors of the two, relative to the result. Derived in their docstrings."""

_STEPS = 256
_ROUND = 1.5 * 2.0**52  # a number below 2^51, added to this, is rounded to an integer, and stands in its last bits
_FAR = 800.0  # e^-800 is 0
_LOG2 = Number(0.6931471805599453, 2.3190468138462996e-17)


@cache
def _powers() -> tuple[float, float, Array, Array]:
    """log(2) / 256 as a sum of two, the first of 34 bits; 2^(-i / 256); and r_i, with 2^(-i / 256) e^(r_i) rounded."""
    step = _LOG2 * (1.0 / _STEPS)
    scale = 2.0**43
    first = float(np.rint(step.hi * scale)) / scale
    second = float((step - first).hi)
    exact = double_double.exp(-(step * np.arange(float(_STEPS))))
    return first, second, exact.hi, -exact.lo / exact.hi


def exp_negative(a: Array, low: Array | None = None) -> tuple[Array, Array]:
    """e^-(a + low) for a >= 0, |low| <= u a; 0 where a is infinite. Relative error at most EXP where it is normal.

    a + low is k log(2) / 256 + r with an integer k and |r| < 0.00136. k times the first 34 bits of the step is exact
    (k < 2^19), and so is its difference with a (Sterbenz); the other terms of r are rounded four times at the scale
    of r, u |r| < 2^-62.5 each. The series of e^-r - 1 to r^5 leaves out r^6 / 720 < 2^-66, and rounds its value, of the
    same size as r, twice; its product with the power once more: 7 * 2^-62.5 < 2^-59.
    """
    first, second, table, left = _powers()
    a = np.minimum(a, _FAR)
    shifted = a * (1.0 / (first + second))
    shifted += _ROUND
    bits = shifted.view(np.int64)
    shifted_back = shifted - _ROUND
    r = a
    r -= shifted_back * first
    r -= shifted_back * second
    if low is not None:
        r += low
    index = bits & (_STEPS - 1)
    r += left[index]
    power = table[index]
    halvings = bits >> 8
    if shifted_back.size and shifted_back.max() < 1000 * _STEPS:
        np.left_shift(halvings, 52, out=halvings)
        whole = power.view(np.int64)
        whole -= halvings
    else:
        power = np.ldexp(power, -(halvings & 0xFFF))
    series = r * (-1.0 / 120)
    for coefficient in (1.0 / 24, -1.0 / 6, 0.5, -1.0):
        series += coefficient
        series *= r
    series *= power
    return normalised(power, series)


@cache
def _logarithms() -> tuple[Array, Array, Array]:
    """For s in [i, i + 1) / 256: a number c of 11 bits near 1 / (1 + s), and log(1 / c) as a sum of two, the first a
    multiple of 2^-42. At both ends log(1 / c) is exact: c is 1 at i = 0, and 1/2 at s = 1."""
    middle = 1.0 + (np.arange(257.0) + 0.5) / 256
    c = np.rint(1024 / middle) / 1024
    c[0], c[256] = 1.0, 0.5
    # -log(c) = log1p((1 - c) / c)
    exact = double_double.log1p(Number(1.0 - c) / Number(c))
    high = np.rint(exact.hi * 2.0**42) / 2.0**42
    return c, high, (exact - high).hi


def log1p(s: Array, low: Array) -> tuple[Array, Array]:
    """log(1 + s + low) for 0 <= s <= 1, |low| <= u s. Relative error at most LOG1P where s is normal.

    With h, the multiples of 2^-28 in s, and c from the table, (c - 1) + c h is exact, a multiple of 2^-38, and so is
    its sum with the first part of log(1 / c). c (s - h), below 2^-28, is exact where c is 1, that is below 1/256, and
    else rounded by 2^-82. r is what both make, |r| < 2^-8: the intervals are 2^-8 wide, and c is off by 2^-11. What is
    left of the series of log1p(r) starts with r^2 / 2 < 2^-17; it and low are rounded at most eight times at that
    scale, 2^-67 in all, of a result above 2^-8 where s is; where s is below, by 8 u r^2 / 2 < 2^-59 r. The terms after
    r^8 are below 2^-66 of the result.
    """
    c_table, log_table, log_left = _logarithms()
    index = (s * 256.0).astype(np.int64)
    c, log_c = c_table[index], log_table[index]
    h = (s + _ROUND * 2.0**-28) - _ROUND * 2.0**-28
    rest = s - h
    rest *= c
    h *= c
    h += c - 1.0
    r = h + rest
    small = low * c
    series = r * (-1.0 / 8)
    for coefficient in (1.0 / 7, -1.0 / 6, 1.0 / 5, -1.0 / 4, 1.0 / 3, -0.5):
        series += coefficient
        series *= r
    series *= r
    series += small
    series += log_left[index]
    h += log_c
    whole, left = two_sum(h, rest)
    left += series
    return normalised(whole, left)


def log1p_any(pair: Pair) -> tuple[Array, Array]:
    """log(1 + x) of a pair x >= 0 of any size, [N]: log(1 + x) is j log(2) + log(1 + s), 2^j (1 + s) = 1 + x."""
    hi, lo = pair[0], np.zeros_like(pair[0]) if pair[1] is None else pair[1]
    large = hi > 1.0
    one_more = Number(hi, lo) + 1.0
    exponent = np.where(large, np.frexp(one_more.hi)[1] - 1, 0)
    scaled = Number(np.ldexp(one_more.hi, -exponent), np.ldexp(one_more.lo, -exponent)) - 1.0
    s, low = np.where(large, scaled.hi, hi), np.where(large, scaled.lo, lo)
    found = Number(*log1p(np.clip(s, 0.0, 1.0), low)) + _LOG2 * exponent.astype(np.float64)
    return found.hi, found.lo
