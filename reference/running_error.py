"""Numbers that carry the error that rounding may have made of them, by the rules of running error analysis.

Source: Higham, "Accuracy and Stability of Numerical Algorithms", section 3.3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lossvet.reference.spread import spread
from lossvet.reference.types import Array


class Number:
    """A value, the errors it may have by profile [P, ...], and the count k of flushed numbers in it, like the value."""

    __slots__ = ("arithmetic", "e", "k", "v")
    __array_ufunc__ = None

    def __init__(self, arithmetic: Any, v: Any, e: Any, k: Any) -> None:
        self.arithmetic = arithmetic
        self.v: Array = np.asarray(v, np.float64)
        self.e: Array = spread(e, (len(arithmetic.profiles), *self.v.shape))
        self.k: Array = spread(k, self.v.shape)

    def __add__(self, other: Any) -> Number:
        b = self._like(other)
        v = self.v + b.v
        error, other_error = aligned(self, b)
        return self._rounded(v, error + other_error, self.k + b.k)

    def __neg__(self) -> Number:
        return Number(self.arithmetic, -self.v, self.e, self.k)

    def __sub__(self, other: Any) -> Number:
        return self + -self._like(other)

    def __rsub__(self, other: Any) -> Number:
        return self._like(other) + -self

    def __mul__(self, other: Any) -> Number:
        b = self._like(other)
        error, other_error = aligned(self, b)
        e = times(np.abs(self.v), other_error) + times(np.abs(b.v), error) + times(error, other_error)
        return self._rounded(times(self.v, b.v), e, self.k * b.k)

    def __truediv__(self, other: Any) -> Number:
        b = self._like(other)
        error, other_error = aligned(self, b)
        v = self.v / b.v
        left = np.abs(b.v) - other_error
        # Where the error of a denominator reaches it, nothing can be said of the quotient.
        e = np.where(left > 0, (error + np.abs(v) * other_error) / left, np.inf)
        return self._rounded(v, e, self.k * (1 + 1 / np.abs(b.v)))

    def __rtruediv__(self, other: Any) -> Number:
        return self._like(other) / self

    __radd__ = __add__
    __rmul__ = __mul__

    def sum(self, axis: int | tuple[int, ...]) -> Number:
        """The sum: each addition in a row may err by the accumulator's unit of all that is added.

        Over rows, axis 0, in any order; over classes alone, behind it, as the profile has it.
        """
        if axis == ():
            return self
        axes = (axis,) if isinstance(axis, int) else axis
        return self._added(axes, self.arithmetic.rows if 0 in axes else self.arithmetic.additions)

    def _added(self, axes: tuple[int, ...], additions: Callable[[Array], Array]) -> Number:
        behind = tuple(i + 1 for i in axes)
        terms = ((self.v != 0) | (self.e[0] != 0)).sum(axes)
        e = self.e.sum(behind)
        e = e + additions(terms) * (np.abs(self.v).sum(axes) + e)
        return Number(self.arithmetic, self.v.sum(axes), e, self.k.sum(axes))

    def column(self) -> Number:
        return Number(self.arithmetic, self.v[..., None], self.e[..., None], self.k[..., None])

    def take(self, indices: Any) -> Number:
        return Number(self.arithmetic, self.v[indices], self.e[:, indices], self.k[indices])

    def scatter(self, indices: Any, size: int) -> Number:
        chosen = np.equal.outer(np.arange(size), indices)[..., None]
        v, e, k = (np.where(chosen, part, 0.0) for part in (self.v, self.e[:, None], self.k))
        return Number(self.arithmetic, v, e, k)._added((1,), self.arithmetic.rows)

    def _like(self, x: Any) -> Number:
        return x if isinstance(x, Number) else self.arithmetic.exact(x)

    def _rounded(self, v: Array, e: Array, k: Any) -> Number:
        return Number(self.arithmetic, v, e + self.arithmetic.column("u", v.ndim) * np.abs(v), k)


def aligned(a: Number, b: Number) -> tuple[Array, Array]:
    """The errors of both, with as many axes as the result of an operation on them has."""
    axes = max(a.v.ndim, b.v.ndim)
    return tuple(  # type: ignore[return-value]  # two of them, as a and b are two
        n.e.reshape(len(n.e), *(1,) * (axes - n.v.ndim), *n.v.shape) for n in (a, b)
    )


def finite(v: Array) -> Array:
    """|v|, and 0 where it is infinite: an infinite number has passed through nothing that was flushed."""
    return np.where(np.isfinite(v), np.abs(v), 0.0)


def times(a: Array, b: Array) -> Array:
    """a * b, where 0 * inf is 0."""
    return np.where((a == 0) | (b == 0), 0.0, a * b)
