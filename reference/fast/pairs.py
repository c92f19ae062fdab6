"""Arrays of float64 as unevaluated pairs: a rounded value and what the rounding left, for blocks that a cache holds.

The transformations are those of Knuth and of Dekker (Numerische Mathematik 18, 1971), bare: there is no convention for
what is not finite, and nothing is renormalised that need not be. `double_double.py` has both, at ten times the price. A
pair is hi + lo with |lo| <= 4 u |hi|, u = 2^-53, or one number, with a `lo` of None.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lossvet.reference.types import Array

Pair = tuple[Array, Array | None]

UNIT = 2.0**-53
SECOND = 2.0**-66
"""What a sum loses, relative to the sum of the magnitudes, with head-room.

Of n numbers, n <= 2^11, the largest m, the leading parts are added up exactly; the rests, each at most 10 n u m and
with what was low, are added up in any order, with an error of n u times the sum of their magnitudes: 10 n^3 u^2 m,
below 2^-69 m; and of the low parts, at most 4 n u^2 times the sum. Products lose 4 u^2, and sums of sums as much."""

_LONGEST = 2**11
_SPLIT = 2.0**27 + 1.0  # cuts a double into two halves of 26 bits


def two_sum(a: Any, b: Any) -> tuple[Any, Any]:
    """a + b rounded, and what that left."""
    s = a + b
    c = s - a
    left = c - s
    left += a
    left += b - c
    return s, left


def normalised(hi: Any, lo: Any) -> tuple[Any, Any]:
    """The same pair with a rounded sum in front; |hi| is not below |lo|."""
    s = hi + lo
    left = hi - s
    left += lo
    return s, left


def halves(a: Any) -> tuple[Any, Any]:
    """a as a sum of two numbers of 26 bits."""
    t = _SPLIT * a
    high = a - t
    high += t
    return high, a - high


def two_product(a: Any, b: Any) -> tuple[Any, Any]:
    """a * b rounded, and what that left."""
    p = a * b
    ah, al = halves(a)
    bh, bl = halves(b)
    left = ah * bh
    left -= p
    left += ah * bl
    left += al * bh
    left += al * bl
    return p, left


def product(a: Pair, b: Pair) -> tuple[Array, Array]:
    """The product of two pairs."""
    p, e = two_product(a[0], b[0])
    for low, high in ((a[1], b[0]), (b[1], a[0])):
        if low is not None:
            e += low * high
    return p, e


def scaled(a: Pair, b: Pair) -> Pair:
    """The same, its first product rounded: an error of u, relative to it."""
    low = None
    for part, other in ((a[1], b[0]), (b[1], a[0])):
        if part is not None:
            low = part * other if low is None else low + part * other
    return a[0] * b[0], low


def total(pair: Pair, axis: int, largest: Any = None) -> tuple[Array, Array]:
    """The sum over an axis, by extraction: what all have in common in their leading bits is added up exactly.

    `largest` is the largest magnitude, or more, where it is known.

    S. M. Rump, T. Ogita, S. Oishi, Accurate floating-point summation, SIAM J. Sci. Comput. 31 (2008), algorithm 3.2.
    """
    hi, lo = pair
    n = hi.shape[axis]
    if n > _LONGEST:
        whole, left = np.zeros(()), np.zeros(())
        for first in range(0, n, _LONGEST):
            part = total((_part(hi, first, axis), None if lo is None else _part(lo, first, axis)), axis, largest)
            s, e = two_sum(whole, part[0])
            whole, left = normalised(s, e + (left + part[1]))
        return whole, left
    if n < 2:
        return hi.sum(axis), np.zeros(hi.sum(axis).shape) if lo is None else lo.sum(axis)
    if largest is None:
        largest = np.abs(hi).max(axis, keepdims=True)
    # More than 4 n times the largest: the leading parts are multiples of a unit, and their sum is no 2^53 of these.
    above = largest * 2.0 ** (n.bit_length() + 2)
    leading = hi + above
    leading -= above
    rest = hi - leading
    if lo is not None:
        rest += lo
    return normalised(leading.sum(axis), rest.sum(axis))


def _part(a: Array, first: int, axis: int) -> Array:
    return np.moveaxis(np.moveaxis(a, axis, 0)[first : first + _LONGEST], 0, axis)


def merged(at: Any, hi: Array, lo: Array) -> tuple[Any, Array, Array]:
    """Rows [M, ...] with sorted indices [M], those of the same index added up: by a tree in each group.

    The rows may be overwritten.
    """
    while len(at) > 1 and (same := at[1:] == at[:-1]).any():
        first = np.ones(len(at), bool)
        np.logical_not(same, out=first[1:])
        starts = np.flatnonzero(first)
        place = np.arange(len(at)) - starts[np.cumsum(first) - 1]
        left = np.flatnonzero((place[:-1] % 2 == 0) & same)
        s, e = two_sum(hi[left], hi[left + 1])
        e += lo[left]
        e += lo[left + 1]
        hi[left], lo[left] = normalised(s, e)
        kept = place % 2 == 0
        hi, lo, at = hi[kept], lo[kept], at[kept]
    return at, hi, lo
