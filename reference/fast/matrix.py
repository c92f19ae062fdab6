"""Matrices [N, C] as sums of terms: what the closed forms compute with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from lossvet.reference.fast.carried import Carried
from lossvet.reference.fast.sums import by_label, over_classes, over_rows
from lossvet.reference.fast.terms import Given, Taken, Term, times


@dataclass(frozen=True, eq=False)
class Matrix:
    """A sum of terms, [N, C]; a number [C] beside it counts for every row, and one [] for every element."""

    terms: tuple[Term, ...]

    __array_ufunc__ = None  # so that ndarray * Matrix asks Matrix

    def __add__(self, other: Any) -> Matrix:
        return Matrix((*self.terms, *matrix(other).terms))

    def __neg__(self) -> Matrix:
        return Matrix(tuple(replace(term, rows=-term.rows) for term in self.terms))

    def __sub__(self, other: Any) -> Matrix:
        return self + -matrix(other)

    def __rsub__(self, other: Any) -> Matrix:
        return matrix(other) + -self

    def __mul__(self, other: Any) -> Matrix:
        return Matrix(tuple(times(a, b) for a in self.terms for b in matrix(other).terms))

    __radd__ = __add__
    __rmul__ = __mul__

    def sum(self, axis: int | tuple[int, ...]) -> Carried:
        n, c = self.shape
        if axis == 1:
            return reduce(add, (over_classes(term, c) for term in self.terms))
        by_class = reduce(add, (over_rows(term, n) for term in self.terms))
        return by_class if axis == 0 else by_class.sum(0)

    @property
    def shape(self) -> tuple[int, int]:
        """[N, C], which are 1 where no term has such an axis."""
        n, c = zip(*(term.shape for term in self.terms), strict=True)
        return max(n), max(c)

    def scatter(self, labels: Any, size: int) -> Carried:
        """Rows [N, C] added up in [size, C], each at its label."""
        return reduce(add, (by_label(term, labels, size) for term in self.terms))

    def column(self) -> Choices:
        return Choices(self)

    def take(self, labels: Any) -> Matrix:
        """Rows [N, C] of a square matrix that is an input."""
        (term,) = self.terms
        (factor,) = term.factors
        assert isinstance(factor, Given), "only an input has rows to take"
        return Matrix((replace(term, factors=(Taken(factor.hi, labels),)),))


def matrix(x: Any) -> Matrix:
    """A number [C] or [], or a matrix, as a matrix."""
    if isinstance(x, Matrix):
        return x
    number = x if isinstance(x, Carried) else Carried(x)
    return Matrix((Term(Carried(1.0), number) if number.value.hi.ndim else Term(number),))


def column(rows: Carried) -> Matrix:
    """[N] as numbers that every class of a row shares."""
    return Matrix((Term(rows),))


def given(array: Any) -> Matrix:
    return Matrix((Term(Carried(1.0), factors=(Given(np.asarray(array, np.float64)),)),))


@dataclass(frozen=True, eq=False)
class Choices:
    """A matrix a as [N, C (j), 1]: what the closed form multiplies by the softmaxes without the jth logit."""

    a: Matrix
    others: Any = None

    def __mul__(self, others: Any) -> Choices:
        return Choices(self.a, others)

    def sum(self, axis: int) -> Matrix:
        """Over j, the axis 1."""
        found: Matrix = self.others.mixed(self.a)
        return found
