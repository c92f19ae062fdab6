"""Products of which a matrix [N, C] is a sum: a number a row, a number a class, and factors [N, C].

They are not worked out until somebody wants a sum or the elements, and then in blocks of rows that a cache holds. The
numbers of rows and classes are double-double, whatever they were multiplied from, so that a product loses a rounding
for a row's number, one for a class's, and none for what a factor rounds away, which is carried along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lossvet.reference.double_double import Number
from lossvet.reference.fast.carried import DOUBLE, Carried
from lossvet.reference.fast.pairs import UNIT, Pair, product, scaled
from lossvet.reference.types import Array

BLOCK = 2**15
"""Numbers in a block: a dozen arrays of so many fit a cache, and each outlasts the calls of NumPy that make it."""


def blocks(n: int, c: int) -> Iterator[slice]:
    """Slices of the rows of [N, C], each of about BLOCK numbers."""
    step = max(1, BLOCK // max(1, c))
    return (slice(i, min(i + step, n)) for i in range(0, n, step))


Rows = slice | NDArray[np.intp]
"""A block: rows one after the other, or rows picked."""
Sums = dict[Any, Carried]


class Factor(Protocol):
    """A matrix [N, C] that can be had by rows, as pairs, and at one column a row, [N]."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def error(self) -> float:
        """Of the pairs, relative to them."""

    @property
    def sums(self) -> Sums:
        """Sums over classes of products that begin with this factor, by what they are sums of."""

    def block(self, rows: Rows) -> Pair: ...
    def picked(self, columns: Any) -> Pair: ...


@dataclass(frozen=True, eq=False)
class Given:
    """Numbers as they stand, or pairs."""

    hi: Array
    lo: Array | None = None
    error: float = 0.0
    sums: Sums = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.hi.shape

    def block(self, rows: Rows) -> Pair:
        return self.hi[rows], None if self.lo is None else self.lo[rows]

    def picked(self, columns: Any) -> Pair:
        at = np.arange(len(columns)), columns
        return self.hi[at], None if self.lo is None else self.lo[at]


@dataclass(frozen=True, eq=False)
class Taken:
    """Rows [N, C] of a square matrix, one for each index, which are not copied until they are wanted."""

    matrix: Array
    indices: Any
    error: float = 0.0
    sums: Sums = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.indices), self.matrix.shape[1]

    def block(self, rows: Rows) -> Pair:
        return self.matrix[self.indices[rows]], None

    def picked(self, columns: Any) -> Pair:
        return self.matrix[self.indices, columns], None


@dataclass(frozen=True, eq=False)
class Made:
    """Pairs that are made from a block of rows whenever they are wanted."""

    shape: tuple[int, ...]
    error: float
    block: Callable[[Rows], Pair]
    sums: Sums = field(default_factory=dict)

    def picked(self, columns: Any) -> Pair:
        raise TypeError("no closed form wants single elements of this")


@dataclass(frozen=True, eq=False)
class Columns:
    """One column a row, [N], of so many."""

    indices: Any
    size: int


@dataclass(frozen=True, eq=False)
class Term:
    """rows [N] or [], times classes [C] or none, times factors.

    With `at` it stands in these columns alone, with `but` in all but these.
    """

    rows: Carried
    classes: Carried | None = None
    factors: tuple[Factor, ...] = ()
    at: Columns | None = None
    but: Columns | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """[N, C], either 1 where the term has no such axis."""
        if self.factors:
            n, c = self.factors[0].shape
            return n, c
        columns = self.at or self.but
        by_class = columns.size if columns else self.classes.value.hi.size if self.classes else 1
        return len(columns.indices) if columns else self.rows.value.hi.size, by_class

    def error(self, roundings: int = 1) -> float:
        """Of the product of the factors as pairs, relative to it, where so many products may be rounded."""
        products = len(self.factors) - 1
        return sum(f.error for f in self.factors) + UNIT * min(roundings, max(0, products)) + DOUBLE * (2 + products)

    def block(self, rows: Rows, roundings: int = 1) -> Pair:
        """The product of the factors, of which there is one at least; of the products so many may be rounded."""
        first, *others = self.factors
        found = first.block(rows)
        for i, factor in enumerate(others):
            found = (scaled if i < roundings else product)(found, factor.block(rows))
        if self.but is None:
            return found
        at = self.but.indices[rows]
        return _without(found[0], at), None if found[1] is None else _without(found[1], at)

    def single(self) -> Carried:
        """Of a term that stands in one column a row: all of it, [N]."""
        assert self.at is not None, "a term that stands in every column is no single number a row"
        at = self.at.indices
        found = self.rows if self.classes is None else self.rows * self.classes.take(at)
        for factor in self.factors:
            hi, lo = factor.picked(at)
            found = found * Carried(Number(hi, 0.0 if lo is None else lo), factor.error * np.abs(hi))
        if self.but is not None:
            found = found * (at != self.but.indices).astype(np.float64)
        return found if found.value.hi.ndim else found * np.ones(len(at))


def _without(a: Array, columns: Any) -> Array:
    """A copy with 0 in one column a row."""
    found = a.copy()
    found[np.arange(len(a)), columns] = 0.0
    return found


def times(a: Term, b: Term) -> Term:
    """Raises TypeError where the two stand in, or leave out, different columns: no closed form has such products."""
    if any(i is not None and j is not None and i is not j for i, j in ((a.at, b.at), (a.but, b.but))):
        raise TypeError("no closed form multiplies two choices")
    classes = b.classes if a.classes is None else a.classes if b.classes is None else a.classes * b.classes
    at, but = (b.at if a.at is None else a.at), (b.but if a.but is None else a.but)
    return Term(a.rows * b.rows, classes, a.factors + b.factors, at, but)
