"""How far from the truth a sound implementation may be: derived, element by element, for every variant alike.

The closed forms are evaluated over numbers that carry, beside a value, the error that rounding can have made of it. The
primitives (softmax, binary) enter with the error that sound kernels make; everything built on them follows the
rules of running error analysis. So a variant needs no tolerance of its own: what was chosen are a few constants, for
all variants alike (`constants.toml`).

u is the unit roundoff 2^-p of the dtype, ua that of its accumulator: sums are to be computed in float32 or better, and
rounded once. A bound is HEAD_ROOM (e + 4 eta k): e the error, k how often a result may have passed through a number
flushed to zero, eta the smallest number that is not (`dtypes.py` has all three). Three classes are
evaluated together. W: errors at the scale of the inputs, what any sound kernel keeps. S: the same with the common
shift of the logits (|max|, or |x|) left out. R: errors relative to each primitive's result.

Sources: Blanchard, Higham, Higham, "Accurately computing the log-sum-exp and softmax functions", IMA J. Numer. Anal. 41
(2021), for the primitives; Higham, "Accuracy and Stability of Numerical Algorithms", 3.1 and 3.3, for the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lossvet.reference.constants import C_GRADIENT, C_LOSS, HEAD_ROOM, KAPPA, in_any_order, in_lanes, pairwise
from lossvet.reference.dtypes import DTYPES
from lossvet.reference.outputs import outputs
from lossvet.reference.running_error import Number, finite, times
from lossvet.reference.types import Array, Case, Variant

CLASSES = ("W", "S", "R")


@dataclass(frozen=True)
class Profile:
    """One dtype and one accuracy class, as what errors are counted in.

    `additions` is how many additions in a row a sum over so many classes may take.
    """

    u: float
    accumulator: float
    shift: float
    relative: bool
    additions: Callable[[Any], Array] = in_any_order


def profiles(dtype: str) -> list[Profile]:
    """The accuracy classes of a dtype, in the order of `CLASSES`."""
    of = DTYPES[dtype]
    return [
        Profile(of.u, of.accumulator, float(name == "W"), name == "R", in_lanes if name == "W" else pairwise)
        for name in CLASSES
    ]


@dataclass(frozen=True)
class Binary:
    loss: Number
    dx: Number
    dt: Number
    dq: Number
    dxx: Number


@dataclass(frozen=True)
class Arithmetic:
    """The names of `closed.py`, over numbers that carry their errors."""

    profiles: tuple[Profile, ...]

    def column(self, name: str, axes: int) -> Array:
        """One field of the profiles, as [P, 1, 1...] with so many axes behind."""
        values = np.array([getattr(p, name) for p in self.profiles], np.float64)
        return values.reshape(-1, *(1,) * axes)

    def additions(self, terms: Any) -> Array:
        """The error of a sum over so many classes, relative to the magnitude of what is added, [P, ...]."""
        return np.stack([p.accumulator * p.additions(terms) for p in self.profiles])

    def rows(self, terms: Any) -> Array:
        """The same of a sum over rows: in any order, for kernels that add up a million of them do so one by one."""
        return self.column("accumulator", np.ndim(terms)) * in_any_order(terms)

    def exact(self, x: Any) -> Number:
        if isinstance(x, Number):
            return x
        return Number(self, x, np.zeros((len(self.profiles), *np.shape(x))), np.ones(np.shape(x)))

    def leaf(self, x: Any) -> Number:
        n = self.exact(x)
        return Number(self, n.v, n.e + self.column("u", n.v.ndim) * KAPPA * np.abs(n.v), 1 + np.abs(n.v))

    def ratio(self, a: int, b: int) -> Number:
        return self.exact(a / b)

    def ones(self, n: int) -> Number:
        return self.exact(np.ones(n))

    def one_hot(self, indices: Any, classes: int) -> Number:
        return self.exact(np.equal.outer(indices, np.arange(classes)).astype(np.float64))

    def all_but(self, indices: Any, classes: int) -> Number:
        return self.exact(1.0) - self.one_hot(indices, classes)

    def plain(self, x: Number) -> Array:
        return x.v

    def softmax(self, x: Number) -> Softmax:
        return Softmax(self, x)

    def relative(self, value: Array, error: Array, factor: float) -> Array:
        """The error, but factor * u * |value| in class R."""
        chosen = self.column("relative", value.ndim) > 0
        return np.where(chosen, factor * self.column("u", value.ndim) * np.abs(value), error)

    def binary(self, x: Number, t: Number, q: Number) -> Binary:
        """Errors at the scale of the inputs: a kernel that cancels (1 - t) x against its log-sigmoid is sound, as W."""
        u, shift = self.column("u", 2), self.column("shift", 2)
        xs, ts, qs = x.v, t.v, np.broadcast_to(q.v, x.v.shape)
        q_error = np.broadcast_to(q.e.reshape(len(q.e), *(1,) * (2 - q.v.ndim), *q.v.shape), (len(q.e), *x.v.shape))
        small = np.exp(-np.abs(xs))
        tail = np.log1p(small)
        plus, minus = tail + np.maximum(xs, 0), tail + np.maximum(-xs, 0)
        s_plus, s_minus = np.where(xs >= 0, 1, small) / (1 + small), np.where(xs >= 0, small, 1) / (1 + small)
        # At an infinite logit the terms are exact limits: nothing is rounded but their coefficients.
        far = finite(xs)
        size = far + tail
        at, qt = np.abs(ts), np.abs(qs * ts)
        magnitude = (1 + at + at + qt) * size + shift * far * (np.abs(1 - ts) + qt)
        slope = 1 + 2 * at + qt + shift * far * (np.abs(1 - ts) + qt)
        q_k = np.broadcast_to(q.k, xs.shape)
        k = 1 + (1 + q_k) * (1 + at) * (1 + size)

        def made(v: Array, error: Array, factor: float, along_q: Array) -> Number:
            return Number(self, v, self.relative(v, error, factor) + times(q_error, along_q), k)

        ones = np.ones(xs.shape)
        curvature = times(qs * ts + 1 - ts, s_plus * s_minus)
        return Binary(
            loss=made(times(qs * ts, minus) + times(1 - ts, plus), C_LOSS * u * magnitude, C_LOSS, times(at, minus)),
            dx=made((1 - ts) * s_plus - qs * ts * s_minus, C_GRADIENT * u * slope, C_GRADIENT, at * s_minus),
            dt=made(times(qs, minus) - plus, C_LOSS * u * (far + (1 + qs) * size), C_LOSS, minus * ones),
            dq=made(times(ts, minus), C_LOSS * u * at * (size + shift * far), C_LOSS, 0 * q_k),
            dxx=made(curvature, C_GRADIENT * u * slope, C_GRADIENT, at * s_plus * s_minus),
        )


@dataclass(frozen=True)
class Softmax:
    """The primitives of a softmax by row, from logits [N, C] that may carry errors of their own."""

    a: Arithmetic
    x: Number

    @cached_property
    def _largest(self) -> Array:
        largest: Array = self.x.v.max(1, keepdims=True, initial=-np.inf)
        return largest

    @cached_property
    def _scale(self) -> tuple[Array, Array, Array]:
        """Powers e^(x - max), gaps |x - max|, and ln C + shift |max|, [P, N, 1]: what every error is measured by."""
        largest = self._largest
        spread = np.log(self.x.v.shape[1]) + self.a.column("shift", 2) * np.abs(largest)
        with np.errstate(invalid="ignore"):
            gaps = np.where(self.x.v == largest, 0.0, np.abs(self.x.v - largest))
        return np.exp(-gaps), gaps, spread

    @cached_property
    def _inherited(self) -> tuple[Array, Array]:
        """What errors of the logits themselves do to lse, [P, N, 1], and to each logit, [P, N, C]."""
        powers = self._scale[0]
        return times(powers / powers.sum(1, keepdims=True), self.x.e).sum(2, keepdims=True), self.x.e

    def _additions(self) -> Array:
        """[P, 1, 1]"""
        return self.a.additions(self.x.v.shape[1])[:, None, None]

    @cached_property
    def nll(self) -> Number:
        powers, gaps, spread = self._scale
        others = np.where(np.arange(powers.shape[1]) == powers.argmax(1)[:, None], 0.0, powers).sum(1, keepdims=True)
        v = gaps + np.log1p(others)
        e = C_LOSS * self.a.column("u", 2) * (gaps + 1 + spread) + self._additions()
        e = self.a.relative(v, e, C_LOSS) + sum(self._inherited)
        return Number(self.a, v, np.where(np.isfinite(v), e, 0.0), 1 + finite(v))

    @cached_property
    def _unit(self) -> Array:
        """The error of p relative to it, [P, N, C]; 0 where a logit is -inf, since p is exact there."""
        _, gaps, spread = self._scale
        unit = C_GRADIENT * self.a.column("u", 2) * (2 + gaps + spread) + self._additions()
        unit = np.where(self.a.column("relative", 2) > 0, C_GRADIENT * self.a.column("u", 2), unit)
        lse, own = self._inherited
        return np.where(np.isfinite(gaps), unit + lse + own, 0.0)

    @cached_property
    def p(self) -> Number:
        powers = self._scale[0]
        v = powers / powers.sum(1, keepdims=True)
        return Number(self.a, v, times(self._unit, v), 1 + v)

    def class_sum(self, k: Number) -> Number:
        """sum_c k_c (lse - x_c), [N]. A kernel may add k_c lse and k_c x_c apart: additions err at their scale."""
        products = k * self.nll
        _, gaps, spread = self._scale
        scale = times(np.abs(k.v), gaps + spread).sum(2)
        e = products.e.sum(2) + 2 * self.a.additions((k.v != 0).sum(1)) * scale
        v = products.v.sum(1)
        return Number(self.a, v, np.where(np.isfinite(v), e, 0.0), products.k.sum(1))

    def complement(self) -> tuple[Number, Number]:
        """log(1 - p_j) as a difference of two log-sum-exps, and the softmax without the jth, [N, C (j), C (k)]."""
        n, classes = self.x.v.shape
        others = np.where(
            np.eye(classes, dtype=bool), -np.inf, np.broadcast_to(self.x.v[:, None, :], (n, classes, classes))
        )
        largest = others.max(2, initial=-np.inf)
        powers = np.where(np.isfinite(others), np.exp(others - largest[..., None]), 0.0)
        total = powers.sum(2)
        gap = self.x.v - largest
        log_complement = np.where(
            gap < 0,
            -np.log1p(np.exp(-np.abs(gap)) / total),
            np.log(total) - gap - np.log1p(np.exp(-np.abs(gap)) * total),
        )
        log_complement = np.where(np.isfinite(largest), log_complement, -np.inf)
        u, spread = self.a.column("u", 2), self._scale[2]
        shift = self.a.column("shift", 2) * np.abs(largest)
        apart = np.abs(self._largest - largest)
        e = C_LOSS * u * (apart + 2 * spread + shift + 2) + 2 * self._additions()
        e = np.where(np.isfinite(largest), self.a.relative(log_complement, e, C_LOSS), 0.0)
        gaps = np.where(np.isfinite(others), np.abs(others - largest[..., None]), 0.0)
        unit = C_GRADIENT * u[..., None] * (2 + gaps + (spread + shift)[..., None]) + self._additions()[..., None]
        unit = np.where(self.a.column("relative", 3) > 0, C_GRADIENT * u[..., None], unit)
        softmax = powers / np.where(total == 0, 1.0, total)[..., None]
        return (
            Number(self.a, log_complement, e, 1 + finite(log_complement)),
            Number(self.a, softmax, times(unit, softmax), 1 + softmax),
        )

    def loosen(self, value: Number, magnitude: Number) -> Number:
        """The bound of a spelling that has p from 1 - p: a rounding of 1, by row, times this magnitude."""
        largest = np.abs(magnitude.v).max(1, keepdims=True, initial=0.0)
        rounding = np.where(self.a.column("relative", 2) > 0, 0.0, C_GRADIENT * self.a.column("u", 2) * largest)
        return Number(self.a, value.v, value.e + rounding, value.k)

    def widen(self, value: Number, magnitude: Callable[[], Number]) -> Number:
        """The bound of a second spelling, whose parts of this magnitude cancel, joined with that of the first."""
        apart = magnitude()
        return Number(self.a, value.v, value.e + times(self._unit, np.abs(apart.v)), value.k * (1 + apart.v))


@dataclass(frozen=True)
class Bound:
    """The largest error allowed, by element and accuracy class; infinite where nothing can be said.

    `underflow` is the part of each that flushing to zero may take.
    """

    W: Array
    S: Array
    R: Array
    underflow: Array


def bounds(
    variant: Variant, case: Case, dtypes: tuple[str, ...], names: tuple[str, ...] | None = None
) -> Mapping[str, Mapping[str, Bound]]:
    """By dtype and output name, how far an answer may be from golden; where names are given, for those alone."""
    arithmetic = Arithmetic(tuple(p for dtype in dtypes for p in profiles(dtype)))
    with np.errstate(all="ignore"):
        found = outputs(arithmetic, variant, case, names)
        return {
            dtype: {name: _bound(number, 3 * i, dtype) for name, number in found.items()}
            for i, dtype in enumerate(dtypes)
        }


def _bound(number: Number, first: int, dtype: str) -> Bound:
    flushed: NDArray[Any] = np.where(np.isfinite(number.k), 4 * DTYPES[dtype].flushed * number.k, np.inf)
    W, S, R = (HEAD_ROOM * (number.e[first + i] + flushed) for i in range(3))
    underflow = np.asarray(HEAD_ROOM * flushed)
    # R leaves out what sound kernels do, not what exact ones must: it is never wider than the class that holds it.
    return Bound(W=W, S=np.minimum(S, W), R=np.minimum(R, W), underflow=underflow)
