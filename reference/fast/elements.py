"""The elements of a matrix as float64, and how far each may be from the truth.

A term's element is rounded where it is multiplied by its class's number and by its row's, once each; terms are added up
with what the additions leave, and the whole is rounded once. That is 3 u times the sum of the magnitudes of the terms,
u = 2^-53, and what the factors carry with them, below u / 4.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lossvet.reference.fast.carried import Carried
from lossvet.reference.fast.matrix import Matrix
from lossvet.reference.fast.pairs import SECOND, UNIT, Pair, scaled, two_sum
from lossvet.reference.fast.terms import Given, Term, blocks
from lossvet.reference.types import Array


def rounded(x: Carried | Matrix, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """The value as float64, and a bound on its error, both of this shape."""
    if isinstance(x, Carried):
        value, error = np.array(np.broadcast_to(x.value.hi, shape)), x.e + np.abs(x.value.lo)
        return value, np.array(np.broadcast_to(error, shape))
    if (as_given := _given(x)) is not None:
        return as_given.copy(), np.zeros(as_given.shape)
    return _elements(x, *shape)


def _given(x: Matrix) -> Any:
    """The input that this matrix is, if it is one."""
    (term, *others) = x.terms
    if others or term.classes or len(term.factors) != 1 or term.rows.value.hi.shape or term.rows.value.hi != 1.0:
        return None
    factor = term.factors[0]
    return factor.hi if isinstance(factor, Given) and factor.lo is None else None


def _elements(x: Matrix, n: int, c: int) -> tuple[Array, Array]:
    value, error = np.empty((n, c)), np.empty((n, c))
    every = [_folded(term) for term in x.terms]
    dense = [_Dense(term) for term in every if term.at is None]
    single = [(term.at.indices, term.single()) for term in every if term.at is not None]
    for rows in blocks(n, c):
        shape = rows.stop - rows.start, c
        off = error[rows]
        whole, left = _sum_of(dense, rows, shape, off)
        for columns, number in single:
            at = np.arange(shape[0]), columns[rows]
            whole[at], rest = two_sum(whole[at], number.value.hi[rows])
            left[at] += rest + number.value.lo[rows]
            off[at] += number.e[rows] + (SECOND + UNIT) * number.size[rows]
        np.add(whole, left, out=value[rows])
    return value, error


def _sum_of(terms: list[_Dense], rows: slice, shape: tuple[int, int], error: Array) -> tuple[Array, Any]:
    """Of terms that stand in every column: their sum, what that leaves, and, written into `error`, what they err."""
    if not terms:
        error[...] = 0.0
        return np.zeros(shape), np.zeros(shape)
    whole, left = terms[0].block(rows, shape, error)
    if whole.shape != shape:
        whole = np.array(np.broadcast_to(whole, shape))
    left = np.zeros(shape) if left is None else np.array(np.broadcast_to(left, shape)) if left.shape != shape else left
    for term in terms[1:]:
        off = np.empty(shape)
        hi, lo = term.block(rows, shape, off)
        whole, rest = two_sum(whole, hi)
        left += rest
        if lo is not None:
            left += lo
        error += off
    return whole, left


def _folded(term: Term) -> Term:
    """A number that all rows share is multiplied into those of the classes, where there are any."""
    if term.classes is None or term.rows.value.hi.ndim:
        return term
    return Term(Carried(1.0), term.rows * term.classes, term.factors, term.at, term.but)


class _Dense:
    """The elements of one term that stands in every column, or in all but one a row."""

    def __init__(self, term: Term) -> None:
        self.term = term
        self.rows, self.classes = _multiplier(term.rows), None if term.classes is None else _multiplier(term.classes)
        multiplied = sum(m is not None for m in (self.rows, self.classes))
        if not term.factors:
            multiplied = max(0, multiplied - 1)  # the first of them is multiplied by 1
        self.rounded = max(0, 2 - multiplied - any(f.error >= UNIT for f in term.factors))
        loss = term.error(self.rounded) + SECOND + UNIT * (multiplied + 1)  # and a rounding of the sum
        # Of the row's numbers, with their own errors; what the classes' numbers err is in `unsure`.
        self.loss = term.rows.size * loss + term.rows.e
        unsure = None if term.classes is None else term.classes.e
        self.unsure = unsure if unsure is not None and unsure.any() else None
        self.largest = term.rows.size + term.rows.e

    def block(self, rows: slice, shape: tuple[int, int], error: Array) -> tuple[Array, Array | None]:
        """The elements as pairs; what they err is written into `error`."""
        hi, lo = self.term.block(rows, self.rounded) if self.term.factors else (np.ones((1, 1)), None)
        bare = hi
        if self.classes is not None:
            hi, lo = scaled((hi, lo), self.classes)
        np.multiply(hi, _of(self.loss, rows), out=error)
        np.abs(error, out=error)
        if self.unsure is not None:
            error += np.abs(bare) * self.unsure * _of(self.largest, rows)
        if self.rows is not None:
            first, second = self.rows
            hi, lo = scaled((hi, lo), (_of(first, rows), None if second is None else _of(second, rows)))
        if hi is bare:  # which may be a factor's own memory, and is written to
            hi, lo = hi.copy(), None if lo is None else lo.copy()
        return hi, lo


def _multiplier(x: Carried) -> Pair | None:
    """The numbers, or None where all of them are 1."""
    return None if (x.value.hi == 1.0).all() and not x.value.lo.any() else x.pair


def _of(x: Array, rows: slice) -> Array:
    """These rows' numbers as a column."""
    return x[rows, None] if x.ndim else x
