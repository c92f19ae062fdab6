"""The closed forms over numbers that carry the sum of the magnitudes of the terms they add up, in plain float64.

What the error of the default reference is measured by. A sum has the magnitudes of its parts added, a product
multiplied; a quotient divides, and counts the denominator's own cancellation. It shares nothing with `reference/fast/`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lossvet.reference.types import Array


class Number:
    """A value, and the sum of the magnitudes of its terms, of the same shape."""

    __array_ufunc__ = None

    def __init__(self, v: Any, m: Any = None) -> None:
        self.v: Array = np.asarray(v, np.float64)
        self.m: Array = np.abs(self.v) if m is None else np.broadcast_to(m, self.v.shape)

    def __add__(self, other: Any) -> Number:
        b = exact(other)
        return Number(self.v + b.v, self.m + b.m)

    def __neg__(self) -> Number:
        return Number(-self.v, self.m)

    def __sub__(self, other: Any) -> Number:
        return self + -exact(other)

    def __rsub__(self, other: Any) -> Number:
        return exact(other) + -self

    def __mul__(self, other: Any) -> Number:
        b = exact(other)
        return Number(self.v * b.v, self.m * b.m)

    def __truediv__(self, other: Any) -> Number:
        b = exact(other)
        return Number(self.v / b.v, self.m / np.abs(b.v) * (b.m / np.abs(b.v)))

    def __rtruediv__(self, other: Any) -> Number:
        return exact(other) / self

    __radd__ = __add__
    __rmul__ = __mul__

    def sum(self, axis: Any) -> Number:
        return Number(self.v.sum(axis), self.m.sum(axis))

    def column(self) -> Number:
        return Number(self.v[..., None], self.m[..., None])

    def take(self, indices: Any) -> Number:
        return Number(self.v[indices], self.m[indices])

    def scatter(self, indices: Any, size: int) -> Number:
        v, m = (np.zeros((size, part.shape[1])) for part in (self.v, self.m))
        np.add.at(v, indices, self.v)
        np.add.at(m, indices, self.m)
        return Number(v, m)


def exact(x: Any) -> Number:
    return x if isinstance(x, Number) else Number(x)


leaf = exact


def ratio(a: int, b: int) -> Number:
    return Number(a / b)


def ones(n: int) -> Number:
    return Number(np.ones(n))


def one_hot(indices: Any, classes: int) -> Number:
    return Number(np.equal.outer(indices, np.arange(classes)).astype(np.float64))


def all_but(indices: Any, classes: int) -> Number:
    return Number(1.0 - one_hot(indices, classes).v)


def plain(x: Number) -> Array:
    return x.v


class Binary:
    """The labels' two parts, t and 1 - t, are inputs, and so is each softplus and sigmoid a term as it stands."""

    def __init__(self, x: Number, t: Number, q: Number) -> None:
        small = np.exp(-np.abs(x.v))
        tail = np.log1p(small)
        minus, plus = Number(tail + np.maximum(-x.v, 0)), Number(tail + np.maximum(x.v, 0))
        up, down = (Number(np.where(sign * x.v >= 0, 1.0, small) / (1 + small)) for sign in (1, -1))
        rest = Number(1.0 - t.v)
        self.loss = q * t * minus + rest * plus
        self.dx = rest * up - q * t * down
        self.dt = q * minus - plus
        self.dq = t * minus


binary = Binary


class Softmax:
    """Every log-probability and probability is a term as it stands."""

    def __init__(self, x: Number) -> None:
        shifted = x.v - x.v.max(1, keepdims=True)
        self.powers = np.exp(shifted)
        first = np.equal.outer(shifted.argmax(1), np.arange(shifted.shape[1]))
        others = np.where(first, 0.0, self.powers).sum(1, keepdims=True)
        self.nll = Number(np.log1p(others) - shifted)
        self.p = Number(self.powers / (1.0 + others))

    def class_sum(self, k: Number) -> Number:
        return (k * self.nll).sum(1)

    def complement(self) -> tuple[Number, Number]:
        powers = np.broadcast_to(self.powers[:, None, :], (*self.powers.shape, self.powers.shape[1]))
        others = np.where(np.eye(self.powers.shape[1], dtype=bool), 0.0, powers)
        rest = others.sum(2)
        return Number(-np.log1p(self.powers / rest)), Number(others / rest[..., None])

    def widen(self, value: Number, magnitude: Any) -> Number:
        return value


softmax = Softmax
