"""The numbers that a pipeline is evaluated over: plain doubles for the answer, doubles with an error for the bound.

Both offer the same few operations on their arrays; + - * / are the arrays' own. A `Number` of running error analysis
(`reference.running_error`) carries how far sound rounding may have moved it, so the bound of a loss follows from the
stages that it passes through, and is not chosen.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from lossvet.reference import bounds, constants
from lossvet.reference.dtypes import DTYPES
from lossvet.reference.running_error import Number
from lossvet.reference.types import Array

SOUND = 10.0
"""Roundings, in units of u relative to the result, that a sound exp, log, tanh or power may make of it."""


def rounded(x: Array, dtype: str) -> Array:
    """The numbers of a dtype nearest to x, as float64."""
    return np.asarray(x).astype(DTYPES[dtype].numpy).astype(np.float64)


class Arithmetic(Protocol):
    """`x` are this arithmetic's own arrays, shapes as in NumPy."""

    def exact(self, x: Any) -> Any: ...
    def plain(self, x: Any) -> Array: ...
    def sum(self, x: Any, axes: tuple[int, ...]) -> Any: ...
    def reshape(self, x: Any, shape: tuple[int, ...]) -> Any: ...
    def take(self, x: Any, index: Any) -> Any: ...
    def place(self, x: Any, index: Any, shape: tuple[int, ...]) -> Any:
        """Zeros of this shape, with x added at the index: the transpose of `take`."""

    def where(self, condition: Array, x: Any, y: Any) -> Any: ...
    def exp(self, x: Any) -> Any: ...
    def log(self, x: Any) -> Any: ...
    def tanh(self, x: Any) -> Any: ...
    def unlikely(self, x: Any) -> Any:
        """1 - e^x for x <= 0, without cancelling."""

    def cancelled(self, x: Any) -> Any:
        """x, which sound code may have computed as 1 less a number near 1."""

    def power(self, x: Any, exponent: float) -> Any: ...
    def log_softmax(self, x: Any, axis: int) -> Any: ...
    def log_sigmoid(self, x: Any) -> Any: ...


class Plain:
    """Doubles, as NumPy computes them."""

    def exact(self, x: Any) -> Array:
        return np.asarray(x, np.float64)

    def plain(self, x: Any) -> Array:
        return np.asarray(x)

    def sum(self, x: Any, axes: tuple[int, ...]) -> Any:
        return x.sum(axes)

    def reshape(self, x: Any, shape: tuple[int, ...]) -> Any:
        return x.reshape(shape)

    def take(self, x: Any, index: Any) -> Any:
        return x[index]

    def place(self, x: Any, index: Any, shape: tuple[int, ...]) -> Any:
        found = np.zeros(shape)
        np.add.at(found, index, x)
        return found

    def where(self, condition: Array, x: Any, y: Any) -> Any:
        return np.where(condition, x, y)

    def exp(self, x: Any) -> Any:
        return np.exp(x)

    def log(self, x: Any) -> Any:
        return np.log(x)

    def tanh(self, x: Any) -> Any:
        return np.tanh(x)

    def unlikely(self, x: Any) -> Any:
        return -np.expm1(x)

    def cancelled(self, x: Any) -> Any:
        return x

    def power(self, x: Any, exponent: float) -> Any:
        return np.power(x, exponent)

    def log_softmax(self, x: Any, axis: int) -> Any:
        return _log_softmax(x, axis)

    def log_sigmoid(self, x: Any) -> Any:
        return np.minimum(x, 0.0) - np.log1p(np.exp(-np.abs(x)))


class Bounded:
    """Doubles with the error that sound code in `dtype` may have made of them, at the scale of the inputs (`W`)."""

    def __init__(self, dtype: str = "float64") -> None:
        of = DTYPES[dtype]
        self.u, self.tiny = of.u, of.flushed
        self.numbers = bounds.Arithmetic((bounds.Profile(of.u, of.accumulator, shift=1.0, relative=False),))

    def exact(self, x: Any) -> Number:
        return x if isinstance(x, Number) else self.numbers.exact(np.asarray(x, np.float64))

    def plain(self, x: Any) -> Array:
        return x.v if isinstance(x, Number) else np.asarray(x)

    def error(self, x: Any) -> Array:
        """How far a sound result may be from this one: what it carries, twice, and once more what may underflow."""
        found: Array = constants.HEAD_ROOM * (x.e[0] + 4 * self.tiny * np.nan_to_num(x.k))
        return found

    def sum(self, x: Any, axes: tuple[int, ...]) -> Any:
        return x.sum(tuple(axis % x.v.ndim for axis in axes))

    def reshape(self, x: Any, shape: tuple[int, ...]) -> Any:
        return Number(self.numbers, x.v.reshape(shape), x.e.reshape(1, *shape), np.reshape(x.k, shape))

    def take(self, x: Any, index: Any) -> Any:
        behind = (slice(None), *index) if isinstance(index, tuple) else (slice(None), index)
        return Number(self.numbers, x.v[index], x.e[behind], x.k[index])

    def place(self, x: Any, index: Any, shape: tuple[int, ...]) -> Any:
        v, e, k = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        for whole, part in ((v, x.v), (e, x.e[0]), (k, x.k)):
            np.add.at(whole, index, part)
        counts = np.zeros(shape)
        np.add.at(counts, index, np.abs(x.v))
        return Number(self.numbers, v, (e + self.u * x.v.size * counts)[None], k)

    def where(self, condition: Array, x: Any, y: Any) -> Any:
        a, b = self.exact(x), self.exact(y)
        shape = np.broadcast_shapes(np.shape(condition), a.v.shape, b.v.shape)
        ea, eb = (np.broadcast_to(n.e[0], shape) for n in (self._wide(a, shape), self._wide(b, shape)))
        return Number(
            self.numbers,
            np.where(condition, a.v, b.v),
            np.where(condition, ea, eb)[None],
            np.where(condition, a.k, b.k),
        )

    def exp(self, x: Any) -> Any:
        v = np.exp(x.v)
        with np.errstate(all="ignore"):
            e = np.where(v == 0, 0.0, v * (np.expm1(np.minimum(x.e[0], 700.0)) + SOUND * self.u))
        return Number(self.numbers, v, e[None], 1 + v * x.k)

    def log(self, x: Any) -> Any:
        with np.errstate(all="ignore"):
            v = np.log(x.v)
            left = x.v - x.e[0]
            e = np.where(x.e[0] == 0, 0.0, np.where(left > 0, x.e[0] / left, np.inf)) + SOUND * self.u * np.abs(v)
        return Number(self.numbers, v, np.where(np.isfinite(v), e, 0.0)[None], 1 + np.abs(v))

    def tanh(self, x: Any) -> Any:
        v = np.tanh(x.v)
        return Number(self.numbers, v, ((1 - v * v + self.u) * x.e[0] + SOUND * self.u * np.abs(v))[None], 1 + x.k)

    def cancelled(self, x: Any) -> Any:
        return Number(self.numbers, x.v, x.e + SOUND * self.u, x.k)

    def unlikely(self, x: Any) -> Any:
        v = -np.expm1(x.v)
        return Number(self.numbers, v, (np.exp(x.v) * (x.e[0] + self.u) + SOUND * self.u * v)[None], 1 + x.k)

    def power(self, x: Any, exponent: float) -> Any:
        with np.errstate(all="ignore"):
            v = np.power(x.v, exponent)
            far = np.abs(np.power(np.maximum(x.v + x.e[0], 0.0), exponent) - v)
            near = np.abs(np.power(np.maximum(x.v - x.e[0], 0.0), exponent) - v)
            e = np.where(np.isfinite(v), np.nan_to_num(np.maximum(far, near), nan=0.0, posinf=0.0), 0.0)
        return Number(self.numbers, v, (e + SOUND * self.u * np.abs(np.nan_to_num(v)))[None], 1 + x.k)

    def log_softmax(self, x: Any, axis: int) -> Any:
        largest = x.v.max(axis, keepdims=True)
        gaps = largest - x.v
        powers = np.exp(-gaps)
        total = powers.sum(axis, keepdims=True)
        scale = np.log(x.v.shape[axis]) + np.abs(largest) + gaps + 1
        own = (powers / total * x.e[0]).sum(axis, keepdims=True) + x.e[0]
        e = constants.C_LOSS * self.u * scale + self.u * x.v.shape[axis] + own
        v = _log_softmax(x.v, axis)
        return Number(self.numbers, v, e[None], 1 + np.abs(v))

    def log_sigmoid(self, x: Any) -> Any:
        v = np.minimum(x.v, 0.0) - np.log1p(np.exp(-np.abs(x.v)))
        e = constants.C_LOSS * self.u * (np.abs(x.v) + 1) + x.e[0]
        return Number(self.numbers, v, e[None], 1 + np.abs(v))

    def _wide(self, x: Number, shape: tuple[int, ...]) -> Number:
        """With as many axes as the shape has, so that errors broadcast as values do."""
        missing = len(shape) - x.v.ndim
        return x if missing <= 0 else self.reshape(x, (1,) * missing + x.v.shape)


def _log_softmax(x: Array, axis: int) -> Array:
    """The largest term is left out of the sum and the rest enters by log1p: that keeps a tail of 1e-300."""
    if x.size == 0:
        return x
    shifted = x - x.max(axis, keepdims=True)
    powers = np.exp(shifted)
    places = np.arange(x.shape[axis]).reshape([-1 if i == axis % x.ndim else 1 for i in range(x.ndim)])
    largest = places == x.argmax(axis, keepdims=True)
    found: Array = shifted - np.log1p(np.where(largest, 0.0, powers).sum(axis, keepdims=True))
    return found
