"""The loss q t softplus(-x) + (1 - t) softplus(x) and its first derivatives, from one exponential and one logarithm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from lossvet.reference.fast.carried import DOUBLE, Carried
from lossvet.reference.fast.kernels import EXP, LOG1P, exp_negative, log1p
from lossvet.reference.fast.matrix import Matrix
from lossvet.reference.fast.pairs import UNIT, Pair, scaled, two_product, two_sum
from lossvet.reference.fast.terms import Given, Made, Rows, Term, blocks
from lossvet.reference.types import Array

_SOFTPLUS = EXP + LOG1P
_SIGMOID = 2 * EXP + 8 * DOUBLE


@dataclass(frozen=True, eq=False)
class Binary:
    """From logits and labels that are inputs [N, C], and q [C] or []."""

    x: Array
    t: Array
    q: Carried

    @cached_property
    def _worked(self) -> tuple[Given, Given]:
        """e^-|x| and log(1 + e^-|x|)."""
        small, tail = ((np.empty(self.x.shape), np.empty(self.x.shape)) for _ in range(2))
        for rows in blocks(*self.x.shape):
            power, low = exp_negative(np.abs(self.x[rows]))
            small[0][rows], small[1][rows] = power, low
            tail[0][rows], tail[1][rows] = log1p(power, low)
        return Given(*small, EXP), Given(*tail, _SOFTPLUS)

    def _tail(self, sign: float, rows: Rows) -> Pair:
        """softplus(sign x)."""
        hi, lo = self._worked[1].block(rows)
        whole, left = two_sum(hi, np.maximum(sign * self.x[rows], 0.0))
        return whole, left + lo

    def _sigmoid(self, sign: float, rows: Rows) -> Pair:
        """1 / (1 + e^-|x|), times e^-|x| where sign x is negative."""
        small, low = self._worked[0].block(rows)
        assert low is not None, "powers are pairs"
        below, left = two_sum(1.0, small)
        left += low
        likely = sign * self.x[rows] >= 0
        above = np.maximum(small, likely)
        quotient = above / below
        p, missed = two_product(quotient, below)
        remainder = (above - p) - missed
        remainder += low * ~likely
        remainder -= quotient * left
        remainder /= below
        return quotient, remainder

    def _made(self, block: Callable[[Rows], Pair], error: float) -> Matrix:
        return Matrix((Term(Carried(1.0), factors=(Made(self.x.shape, error, block),)),))

    def _missed(self, part: Callable[[float, Rows], Pair], error: float) -> Matrix:
        """t times the part of -x."""
        return self._made(lambda rows: scaled((self.t[rows], None), part(-1.0, rows)), error + UNIT)

    def _raised(self, part: Callable[[float, Rows], Pair], error: float) -> Matrix:
        """1 - t, which is exact as a pair, times the part of x."""
        return self._made(lambda rows: scaled(two_sum(1.0, -self.t[rows]), part(1.0, rows)), error + UNIT)

    @cached_property
    def dq(self) -> Matrix:
        return self._missed(self._tail, _SOFTPLUS)

    @cached_property
    def loss(self) -> Matrix:
        return self.dq * self.q + self._raised(self._tail, _SOFTPLUS)

    @property
    def dx(self) -> Matrix:
        return self._raised(self._sigmoid, _SIGMOID) - self._missed(self._sigmoid, _SIGMOID) * self.q

    @property
    def dt(self) -> Matrix:
        minus, plus = (self._made(partial(self._tail, sign), _SOFTPLUS) for sign in (-1.0, 1.0))
        return minus * self.q - plus
