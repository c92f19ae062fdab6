"""log(1 - p_j), and sums over the softmaxes without the jth logit, in memory for N x C numbers.

With e_k = e^(x_k - max) and S their sum, the softmax without the jth logit is A_jk = e_k / (S - e_j), 0 at k = j.
S - e_j is at least S / 2 for every j but the first, the largest; of the first the sum of the other powers stands in its
place. So sum_j a_j A_jk = e_k (B - b_k) + a_first A_first,k, where b_j = a_j / (S - e_j) is 0 at the first and B is
the sum of all b_j.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lossvet.reference.double_double import Number
from lossvet.reference.fast.carried import DOUBLE, Carried, divided
from lossvet.reference.fast.inputs import SMALLEST_REST, OutOfRangeError
from lossvet.reference.fast.kernels import LOG1P, log1p, log1p_any
from lossvet.reference.fast.matrix import Matrix
from lossvet.reference.fast.pairs import SECOND, Pair, normalised, total, two_product, two_sum
from lossvet.reference.fast.terms import Columns, Given, Made, Rows, Term, blocks
from lossvet.reference.types import Array

_QUOTIENT = 2.0**-57
"""Of a quotient by S - e_j: both have the error of e, e_j no more than half of S; and 2^-100 of its own."""


@dataclass(frozen=True, eq=False)
class Complement:
    """From the powers e [N, C], the column of the largest [N], and the sum of the others [N]."""

    powers: Given
    first: Array
    others: Carried

    @cached_property
    def _first(self) -> Columns:
        return Columns(self.first, self.powers.shape[1])

    @cached_property
    def _whole(self) -> Number:
        """S, [N]."""
        found: Number = (self.others + 1.0).value
        return found

    def _over_rest(self, numerator: Pair, rows: slice) -> tuple[Array, Array]:
        """The numerator over S - e, and 0 at the first."""
        e, low = self.powers.block(rows)
        assert low is not None, "powers are pairs"
        rest, left = two_sum(self._whole.hi[rows, None], -e)
        left += self._whole.lo[rows, None]
        left -= low
        at = np.arange(len(e)), self.first[rows]
        rest[at], left[at] = 1.0, 0.0
        quotient = numerator[0] / rest
        p, missed = two_product(quotient, rest)
        remainder = (numerator[0] - p) - missed
        remainder -= quotient * left
        if numerator[1] is not None:
            remainder += numerator[1]
        hi, lo = normalised(quotient, remainder / rest)
        hi[at], lo[at] = 0.0, 0.0
        return hi, lo

    @cached_property
    def logarithm(self) -> Matrix:
        """log(1 - p_j) = -log(1 + e_j / (S - e_j)), of the first -log(1 + 1 / the sum of the others)."""
        n, c = self.powers.shape
        if self.others.value.hi.min() < SMALLEST_REST:  # the first is 69 above all others
            raise OutOfRangeError
        hi, lo = np.empty((n, c)), np.empty((n, c))
        for rows in blocks(n, c):
            hi[rows], lo[rows] = log1p(*self._over_rest(self.powers.block(rows), rows))
        odds_of_first = divided(Carried(1.0), self.others)
        value, left = log1p_any(odds_of_first.pair)
        at = np.arange(n), self.first
        hi[at], lo[at] = value, left
        return -Matrix((Term(Carried(1.0), factors=(Given(hi, lo, LOG1P + _QUOTIENT),)),))

    def mixed(self, a: Matrix) -> Matrix:
        """sum_j a_j A_jk, [N, C], for a matrix of one term."""
        (term,) = a.terms
        assert term.classes is None, "no closed form has a number a class here"
        n, c = self.powers.shape
        hi, lo = np.empty((n, c)), np.empty((n, c))
        size = np.empty(n)
        whole, rest = np.empty(n), np.empty(n)
        for rows in blocks(n, c):
            hi[rows], lo[rows] = b = self._over_rest(term.block(rows, 0), rows)
            size[rows] = np.abs(b[0]).sum(1)
            whole[rows], rest[rows] = total(b, 1)
        error = (term.error(0) + _QUOTIENT + SECOND) * size

        def without(rows: Rows) -> Pair:
            difference, left = two_sum(whole[rows, None], -hi[rows])
            return normalised(difference, left + (rest[rows, None] - lo[rows]))

        # What B - b_k errs is at the scale of B, and stands in a term of its own, whose value is 0.
        unsure = Term(term.rows * Carried(np.zeros(n), 2 * error), factors=(self.powers,))
        mixed = Term(term.rows, factors=(self.powers, Made((n, c), DOUBLE, without)))
        of_first = divided(replace(term, at=self._first).single(), self.others)
        return Matrix((mixed, unsure, Term(of_first, factors=(self.powers,), but=self._first)))
