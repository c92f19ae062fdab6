"""Double-double numbers that carry a bound on their error: what has one number a row, a class or in all.

There are N + C of these where there are N x C logits, so they may be dear: the rounding of what they are made of is
all that counts. Products, quotients and sums pass errors on as in running error analysis (Higham, "Accuracy and
Stability of Numerical Algorithms", 3.3), and add DOUBLE times their result.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lossvet.reference.double_double import Number
from lossvet.reference.fast.inputs import SMALLEST, OutOfRangeError
from lossvet.reference.fast.pairs import SECOND, Pair, merged, total
from lossvet.reference.spread import spread
from lossvet.reference.types import Array

DOUBLE = 2.0**-100
"""Largest error of a double-double operation, relative to its result, or to the sum of the magnitudes for a sum:
tests/test_double_double.py holds them to 2^-105."""


class Carried:
    """A double-double array and a bound [same shape] on the magnitude of its error."""

    __slots__ = ("e", "value")
    __array_ufunc__ = None  # so that ndarray * Carried asks Carried

    def __init__(self, value: Any, e: Any = 0.0) -> None:
        self.value = value if isinstance(value, Number) else Number(value)
        self.e: Array = spread(e, self.value.hi.shape)

    @property
    def size(self) -> Array:
        """The magnitude."""
        return np.abs(self.value.hi)

    @property
    def pair(self) -> Pair:
        return self.value.hi, self.value.lo if self.value.lo.any() else None

    def __add__(self, other: Any) -> Any:
        if not isinstance(b := carried(other), Carried):
            return NotImplemented
        return Carried(self.value + b.value, self.e + b.e + DOUBLE * (self.size + b.size))

    def __neg__(self) -> Carried:
        return Carried(-self.value, self.e)

    def __sub__(self, other: Any) -> Any:
        return self + -carried(other)

    def __rsub__(self, other: Any) -> Any:
        return carried(other) + -self

    def __mul__(self, other: Any) -> Any:
        if not isinstance(b := carried(other), Carried):
            return NotImplemented
        e = self.size * b.e + b.size * self.e + self.e * b.e
        return Carried(self.value * b.value, e + DOUBLE * self.size * b.size)

    def __truediv__(self, other: Any) -> Carried:
        """Raises OutOfRangeError where a denominator is so small that what underflowed before might show."""
        b: Carried = carried(other)
        if ((b.size < SMALLEST) & (b.size > 0)).any():
            raise OutOfRangeError
        return divided(self, b)

    def __rtruediv__(self, other: Any) -> Carried:
        found: Carried = carried(other) / self
        return found

    __radd__ = __add__
    __rmul__ = __mul__

    def sum(self, axis: int) -> Carried:
        """The sum over an axis."""
        e = self.e.sum(axis) + SECOND * self.size.sum(axis)
        return Carried(Number(*total((self.value.hi, self.value.lo), axis)), e)

    def sum_by(self, indices: Any, size: int) -> Carried:
        """[N] added up in [size], each number at its index."""
        e = np.bincount(indices, self.e + SECOND * self.size, size)
        order = np.argsort(indices, kind="stable")
        at, hi, lo = merged(indices[order], self.value.hi[order], self.value.lo[order])
        found = np.zeros(size), np.zeros(size)
        found[0][at], found[1][at] = hi, lo
        return Carried(Number(*found), e)

    def column(self) -> Any:
        """[N] as numbers that every class of a row shares."""
        from lossvet.reference.fast.matrix import column

        return column(self)

    def take(self, indices: Any) -> Carried:
        return Carried(self.value.take(indices), self.e[indices])


def divided(a: Carried, b: Carried) -> Carried:
    """The quotient, however small the denominator."""
    quotient = a.value / b.value
    size, left = np.abs(quotient.hi), b.size - b.e
    # Where the error of a denominator reaches it, nothing can be said of the quotient.
    e = np.where(left > 0, (a.e + size * b.e) / left, np.inf)
    return Carried(quotient, e + DOUBLE * size)


def carried(x: Any) -> Any:
    """A number or array as a Carried; what has a sum of its own, as it is."""
    return x if hasattr(x, "sum") and not isinstance(x, np.ndarray | np.generic) else Carried(x)
