"""The primitives of the closed forms over double-double numbers: with them a variant's `closed` gives the reference.

`bounds.py` has the same names over (value, error) pairs; a variant is written once and evaluated over both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lossvet.reference.double_double import Number, exp, log1p
from lossvet.reference.types import Array


def exact(x: Any) -> Number:
    """An input, or a constant, taken as it stands."""
    return x if isinstance(x, Number) else Number(x)


leaf = exact  # an input that enters with an error, where errors are counted


def ratio(a: int, b: int) -> Number:
    """The number a / b, which need not be a double."""
    return Number(float(a)) / float(b)


def ones(n: int) -> Number:
    return Number(np.ones(n))


def one_hot(indices: Any, classes: int) -> Number:
    """[N, C] from integers [N]."""
    return Number(np.equal.outer(indices, np.arange(classes)).astype(np.float64))


def all_but(indices: Any, classes: int) -> Number:
    """1 less that."""
    return 1.0 - one_hot(indices, classes)


@dataclass(frozen=True)
class Binary:
    """The loss q t softplus(-x) + (1 - t) softplus(x) and its derivatives, each [N, C]."""

    loss: Number
    dx: Number
    dt: Number
    dq: Number
    dxx: Number


def binary(x: Number, t: Number, q: Number) -> Binary:
    size = Number(-np.abs(x.hi))
    small = exp(size)  # e^-|x|
    tail = log1p(small)
    softplus_minus = tail + Number(np.maximum(-x.hi, 0.0))
    softplus_plus = tail + Number(np.maximum(x.hi, 0.0))
    likely, unlikely = 1.0 / (1.0 + small), small / (1.0 + small)
    positive = x.hi >= 0
    s_plus, s_minus = _choose(positive, likely, unlikely), _choose(positive, unlikely, likely)
    rest = 1.0 - t
    return Binary(
        loss=q * t * softplus_minus + rest * softplus_plus,
        dx=rest * s_plus - q * t * s_minus,
        dt=q * softplus_minus - softplus_plus,
        dq=t * softplus_minus + Number(np.zeros(np.shape(x.hi))),
        dxx=(q * t + rest) * s_plus * s_minus,
    )


def _choose(condition: Any, a: Number, b: Number) -> Number:
    return Number(np.where(condition, a.hi, b.hi), np.where(condition, a.lo, b.lo))


@dataclass(frozen=True)
class Softmax:
    """Everything that a softmax by row gives, from logits [N, C]."""

    x: Number

    @cached_property
    def _largest(self) -> tuple[Array, Number]:
        """Where the largest logit stands, as booleans [N, C] with one true a row, and that logit, [N, 1]."""
        at = self.x.hi.argmax(1) if self.x.hi.size else np.zeros(len(self.x.hi), int)
        chosen = np.equal.outer(at, np.arange(self.x.hi.shape[1]))
        rows = np.arange(len(at))
        return chosen, Number(self.x.hi[rows, at], self.x.lo[rows, at]).column()

    @cached_property
    def _powers(self) -> Number:
        """e^(x - max), [N, C]."""
        return exp(self.x - self._largest[1])

    @cached_property
    def nll(self) -> Number:
        """lse - x, [N, C]. The largest term is left out of the sum, the rest enters by log1p: that keeps the tail."""
        chosen, largest = self._largest
        others = _choose(chosen, Number(np.zeros(chosen.shape)), self._powers).sum(1)
        return largest - self.x + log1p(others).column()

    @cached_property
    def p(self) -> Number:
        return self._powers / self._powers.sum(1).column()

    def class_sum(self, k: Number) -> Number:
        """sum_c k_c (lse - x_c), [N]."""
        return (k * self.nll).sum(1)

    def complement(self) -> tuple[Number, Number]:
        """log(1 - p_j), [N, C], and the softmax without the jth logit, [N, C (j), C (k)], 0 at k = j.

        Both from the exponentials of the other logits, never from 1 - p.
        """
        n, classes = self.x.hi.shape
        off = np.broadcast_to(~np.eye(classes, dtype=bool), (n, classes, classes))
        hi = np.broadcast_to(self.x.hi[:, None, :], off.shape)
        lo = np.broadcast_to(self.x.lo[:, None, :], off.shape)
        at = np.where(off, hi, -np.inf).argmax(2)[..., None] if classes else np.zeros((n, 0, 1), int)
        largest = Number(np.take_along_axis(hi, at, 2)[..., 0], np.take_along_axis(lo, at, 2)[..., 0])
        powers = exp(Number(hi, lo) - largest.column())
        powers = Number(np.where(off, powers.hi, 0.0), np.where(off, powers.lo, 0.0))
        total = powers.sum(2)
        gap = self.x - largest
        small = exp(Number(-np.abs(gap.hi), np.where(gap.hi < 0, gap.lo, -gap.lo)))
        unlikely = -log1p(small / total)
        likely = log1p(total - 1.0) - gap - log1p(small * total)
        log_complement = _choose(gap.hi < 0, unlikely, likely)
        if classes == 1:
            log_complement = Number(np.full((n, 1), -np.inf))
        return log_complement, powers / total.column()

    def widen(self, value: Number, magnitude: Any) -> Number:
        """Nothing to do where errors are not counted: see `bounds.py`."""
        return value

    loosen = widen


softmax = Softmax


def plain(x: Number) -> Array:
    """The value as float64."""
    return x.hi
