"""Arrays of double-double numbers: about 106 bits, made of a rounded value and the remainder of the rounding.

The arithmetic over which the closed forms give the reference. Plain float64 would be off by an ulp or two in the last
place, and the error of the reference has to be smaller (DESIGN.md, "The reference for proofs is double-double").
Error-free sums and products are those of Knuth and of Dekker (Numerische Mathematik 18, 1971). Extended reals follow
the project's convention: 0 * inf is 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lossvet.reference.spread import spread
from lossvet.reference.types import Array

_SPLIT = 134217729.0  # 2^27 + 1 cuts a double into two halves of 26 bits
_LARGE = 2.0**990  # beyond this the cut overflows; such products are kept to one double
_LOG2 = (0.6931471805599453, 2.3190468138462996e-17)  # log 2, and what the first leaves of it


class Number:
    """A float64 array `hi` and a correction `lo` of at most half an ulp of it; not finite in `hi` only."""

    __slots__ = ("hi", "lo")
    __array_ufunc__ = None  # so that ndarray * Number asks Number

    def __init__(self, hi: Any, lo: Any = 0.0) -> None:
        self.hi: Array = np.asarray(hi, np.float64)
        self.lo = spread(lo, self.hi.shape)

    def __add__(self, other: Any) -> Number:
        b = _number(other)
        s, e = _two_sum(self.hi, b.hi)
        t, f = _two_sum(self.lo, b.lo)
        s, e = _quick_two_sum(s, e + t)
        return _clean(*_quick_two_sum(s, e + f))

    def __neg__(self) -> Number:
        return Number(-self.hi, -self.lo)

    def __sub__(self, other: Any) -> Number:
        return self + -_number(other)

    def __rsub__(self, other: Any) -> Number:
        return _number(other) + -self

    def __mul__(self, other: Any) -> Number:
        b = _number(other)
        p, e = _two_product(self.hi, b.hi)
        with np.errstate(invalid="ignore", over="ignore", under="ignore"):
            crossed = self.hi * b.lo + self.lo * b.hi
        return _clean(*_quick_two_sum(p, e + np.where(np.isfinite(crossed), crossed, 0.0)))

    def __truediv__(self, other: Any) -> Number:
        b = _number(other)
        first = self.hi / b.hi
        rest = self - b * first
        second = rest.hi / b.hi
        third = (rest - b * second).hi / b.hi
        quotient = Number(*_quick_two_sum(first, second)) + third
        settled = np.isfinite(first) & np.isfinite(quotient.hi)
        return _clean(np.where(settled, quotient.hi, first), quotient.lo)

    def __rtruediv__(self, other: Any) -> Number:
        return _number(other) / self

    __radd__ = __add__
    __rmul__ = __mul__

    def sum(self, axis: int | tuple[int, ...]) -> Number:
        """The sum over an axis, by halves, or over all of them one after another."""
        if isinstance(axis, tuple):
            return self.sum(axis[-1]).sum(axis[:-1]) if axis else self
        hi, lo = np.moveaxis(self.hi, axis, 0), np.moveaxis(self.lo, axis, 0)
        while len(hi) > 1:
            if len(hi) % 2:
                hi, lo = (np.concatenate([part, np.zeros_like(part[:1])]) for part in (hi, lo))
            half = len(hi) // 2
            total = Number(hi[:half], lo[:half]) + Number(hi[half:], lo[half:])
            hi, lo = total.hi, total.lo
        return Number(hi[0], lo[0]) if len(hi) else Number(np.zeros(hi.shape[1:]))

    def column(self) -> Number:
        """[N] as [N, 1]."""
        return Number(self.hi[..., None], self.lo[..., None])

    def take(self, indices: Any) -> Number:
        """Entries [N] of [C], or rows [N, C] of [C, C]."""
        return Number(self.hi[indices], self.lo[indices])

    def scatter(self, indices: Any, size: int) -> Number:
        """Rows [N, C] added up in [size, C], each at its index."""
        chosen = np.equal.outer(np.arange(size), indices)[..., None]
        return Number(np.where(chosen, self.hi, 0.0), np.where(chosen, self.lo, 0.0)).sum(1)


def exp(x: Number) -> Number:
    """e^x to about 100 bits: x is cut to |r| < log(2) / 512, the series of e^r - 1 summed, squared back nine times.

    Where t is e^r - 1, e^2r - 1 is t (t + 2).
    """
    k = np.rint(np.clip(x.hi, -800.0, 800.0) / _LOG2[0])
    r = (x - Number(k) * Number(*_LOG2)) * 2.0**-9
    series = _INVERSE_FACTORIALS[-1] * r
    for coefficient in _INVERSE_FACTORIALS[-2::-1]:
        series = (series + coefficient) * r
    for _ in range(9):
        series = series * (series + 2.0)
    power = series + 1.0
    with np.errstate(over="ignore", under="ignore"):
        hi, lo = np.ldexp(power.hi, k.astype(int)), np.ldexp(power.lo, k.astype(int))
        plain = np.exp(x.hi)
    inside = np.abs(x.hi) < 745.0
    return _clean(np.where(inside, hi, plain), np.where(inside, lo, 0.0))


def log1p(x: Number) -> Number:
    """log(1 + x) for x >= 0, within 2^-104 of the result where it is over 1, and absolutely below that.

    Where x is small a series keeps as many bits relative to the result; elsewhere exp is inverted by two Newton steps.
    """
    small = x * (1.0 - x * (0.5 - x * (_ratio(1, 3) - x * (0.25 - x * 0.2))))
    bounded = Number(np.minimum(x.hi, 1e300), np.where(x.hi < 1e300, x.lo, 0.0))
    y = bounded + 1.0
    guess = Number(np.log(y.hi))
    for _ in range(2):
        guess = guess + (y * exp(-guess) - 1.0)
    series = np.abs(x.hi) < 2.0**-22
    infinite = np.isinf(x.hi)
    hi = np.where(infinite, x.hi, np.where(series, small.hi, guess.hi))
    return _clean(hi, np.where(series, small.lo, guess.lo))


def _number(x: Any) -> Number:
    return x if isinstance(x, Number) else Number(x)


def _ratio(a: int, b: int) -> Number:
    return Number(float(a)) / float(b)


def _two_sum(a: Any, b: Any) -> tuple[Any, Any]:
    with np.errstate(invalid="ignore", over="ignore"):
        s = a + b
        c = s - a
        return s, (a - (s - c)) + (b - c)


def _quick_two_sum(a: Any, b: Any) -> tuple[Any, Any]:
    with np.errstate(invalid="ignore", over="ignore"):
        s = a + b
        return np.where(np.isfinite(a), s, a), b - (s - a)


def _two_product(a: Any, b: Any) -> tuple[Any, Any]:
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        product = np.where((a == 0) | (b == 0), 0.0, a * b)
        a1, b1 = _SPLIT * a, _SPLIT * b
        ah, bh = a1 - (a1 - a), b1 - (b1 - b)
        al, bl = a - ah, b - bh
        error = ((ah * bh - product) + ah * bl + al * bh) + al * bl
        exact = (np.abs(a) < _LARGE) & (np.abs(b) < _LARGE) & (np.abs(product) < _LARGE)
        return product, np.where(exact, error, 0.0)


def _clean(hi: Any, lo: Any) -> Number:
    return Number(hi, np.where(np.isfinite(hi) & np.isfinite(lo), lo, 0.0))


_INVERSE_FACTORIALS = tuple(_ratio(1, math.factorial(n)) for n in range(1, 12))
