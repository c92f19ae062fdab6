"""What a softmax by row gives, from powers, gaps and one logarithm a row."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from lossvet.reference.double_double import Number
from lossvet.reference.fast.carried import Carried
from lossvet.reference.fast.complement import Complement
from lossvet.reference.fast.kernels import EXP, LOG1P, exp_negative, log1p_any
from lossvet.reference.fast.matrix import Matrix
from lossvet.reference.fast.pairs import SECOND, Pair, normalised, product, total, two_sum
from lossvet.reference.fast.terms import Factor, Given, Rows, Sums, Term, blocks
from lossvet.reference.types import Array

_LOGIT = 2.0**-102
"""What products w x lose, relative to the largest of a row, as logits and as differences of logits."""


@dataclass(frozen=True, eq=False)
class Worked:
    """What every output is made of: `first`, the column of the largest logit, [N], and that logit as a pair; the powers
    e^(x - max), [N, C]; and the sum of the others, [N]. The power of the first is 1, and is left out of the sum: that
    keeps the tail."""

    first: Any
    largest: Pair
    powers: Given
    others: Carried


@dataclass(frozen=True, eq=False)
class Softmax:
    """From logits [N, C]: an input, or an input times numbers of the classes."""

    x: Matrix

    @cached_property
    def _logits(self) -> Logits:
        (term,) = self.x.terms
        return Logits(term.factors[0], term.classes)

    @cached_property
    def _worked(self) -> Worked:
        n, c = self._logits.x.shape
        first, largest, lower = np.empty(n, np.int64), np.empty(n), np.zeros(n)
        hi, lo = np.empty((n, c)), np.empty((n, c))
        others, rest = np.empty(n), np.empty(n)
        for rows in blocks(n, c):
            x = self._logits.block(rows)
            first[rows] = at = x[0].argmax(1)
            index = np.arange(len(at)), at
            largest[rows], lower[rows] = x[0][index], 0.0 if x[1] is None else x[1][index]
            power, left = exp_negative(*_gaps(x, largest[rows, None], lower[rows, None]))
            power[index] = 0.0
            others[rows], rest[rows] = total((power, left), 1, power.max(1, keepdims=True))
            power[index] = 1.0
            hi[rows], lo[rows] = power, left
        off = self._logits.error * float(np.abs(largest).max())
        size = Carried(Number(others, rest), (EXP + off + SECOND) * others)
        return Worked(first, (largest, lower), Given(hi, lo, EXP + off), size)

    @cached_property
    def nll(self) -> Matrix:
        """lse - x = (max - x) + log(1 + the sum of all powers but the first): neither is negative.

        What a logit w x loses, it loses of a result that is at least log(2), but for the first, which is max - max.
        """
        worked = self._worked
        hi, lo = log1p_any(worked.others.pair)
        inherited = (worked.others.e / worked.others.value.hi).max(initial=0.0, where=worked.others.size > 0)
        error = LOG1P + float(inherited) + 2 * self._logits.error * float(np.abs(worked.largest[0]).max())
        return Matrix((Term(Carried(1.0), factors=(Nll(self._logits, worked.largest, (hi, lo), error),)),))

    @cached_property
    def p(self) -> Matrix:
        return Matrix((Term(1.0 / (self._worked.others + 1.0), factors=(self._worked.powers,)),))

    def class_sum(self, k: Matrix) -> Carried:
        """sum_c k_c (lse - x_c), [N]."""
        found: Matrix = k * self.nll
        return found.sum(1)

    def complement(self) -> tuple[Matrix, Complement]:
        """log(1 - p_j), and what takes sums over the softmaxes without one logit."""
        found = Complement(self._worked.powers, self._worked.first, self._worked.others)
        return found.logarithm, found

    def widen(self, value: Any, magnitude: Any) -> Any:
        """Nothing to do: errors are counted as they are made."""
        return value


@dataclass(frozen=True, eq=False)
class Logits:
    """An input [N, C], times numbers of the classes if there are any, as pairs."""

    x: Factor
    classes: Carried | None

    @property
    def error(self) -> float:
        """Relative to the largest of a row, of the logits and of their differences."""
        return 0.0 if self.classes is None else _LOGIT

    def block(self, rows: Rows) -> Pair:
        found = self.x.block(rows)
        return found if self.classes is None else product(found, self.classes.pair)

    def picked(self, columns: Any) -> Pair:
        found = self.x.picked(columns)
        return found if self.classes is None else product(found, self.classes.take(columns).pair)


@dataclass(frozen=True, eq=False)
class Nll:
    """lse - x, [N, C]: worked out for all elements as soon as blocks are asked for, and kept."""

    logits: Logits
    largest: Pair
    logarithm: Pair
    error: float
    sums: Sums = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.logits.x.shape

    @cached_property
    def _every(self) -> tuple[Array, Array]:
        hi, lo = np.empty(self.shape), np.empty(self.shape)
        for rows in blocks(*self.shape):
            largest, logarithm = (tuple(_column(part, rows) for part in p) for p in (self.largest, self.logarithm))
            hi[rows], lo[rows] = _added(_gaps(self.logits.block(rows), *largest), logarithm)
        return hi, lo

    def block(self, rows: Rows) -> Pair:
        hi, lo = self._every
        return hi[rows], lo[rows]

    def picked(self, columns: Any) -> Pair:
        return _added(_gaps(self.logits.picked(columns), *self.largest), self.logarithm)


def _column(part: Array | None, rows: slice) -> Any:
    return None if part is None else part[rows, None]


def _added(a: Any, b: Any) -> tuple[Array, Array]:
    whole, left = two_sum(a[0], b[0])
    left += a[1]
    left += b[1]
    return normalised(whole, left)


def _gaps(x: Pair, largest: Array, lower: Any) -> tuple[Array, Array]:
    gap, left = two_sum(largest, -x[0])
    if x[1] is not None:
        return normalised(gap, left + (lower - x[1]))
    if np.isinf(gap.max(initial=0.0)):
        left[np.isinf(gap)] = 0.0
    return gap, left
