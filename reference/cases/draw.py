"""Random numbers of full precision that never change: they are made from hashes, not by a library's generator."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from itertools import pairwise
from math import ldexp, prod

import numpy as np

from lossvet.reference.types import Array


def draw(
    name: str, shape: tuple[int, ...], bits: int, exponents: tuple[int, int] = (-2, 1), signed: bool = True
) -> Array:
    """Numbers whose significands are odd integers of exactly so many bits: a cast to fewer bits changes every one.

    Their magnitudes are from 2 ** exponents[0] up to 2 ** (exponents[1] + 1).
    """
    low, high = exponents
    integers = _integers(name)

    def number() -> float:
        significand = next(integers) % 2 ** (bits - 1) | 2 ** (bits - 1) | 1
        exponent = low + next(integers) % (high - low + 1)
        sign = -1 if signed and next(integers) % 2 else 1
        return ldexp(sign * significand, exponent - bits + 1)

    return np.array([number() for _ in range(prod(shape))], dtype=np.float64).reshape(shape)


def draw_simplex(name: str, shape: tuple[int, int], bits: int) -> Array:
    """Soft labels [N, C] in multiples of 2 ** -bits, the sum of every row exactly 1: the gaps between random cuts."""
    rows, classes = shape
    integers = _integers(name)

    def row() -> list[float]:
        cuts = sorted(next(integers) % 2**bits for _ in range(classes - 1))
        ends = [0, *cuts, 2**bits]
        return [ldexp(end - start, -bits) for start, end in pairwise(ends)]

    return np.array([row() for _ in range(rows)])


def _integers(name: str) -> Iterator[int]:
    """An endless stream of 64-bit integers, determined by the name alone."""
    count = 0
    while True:
        yield int.from_bytes(blake2b(f"{name}/{count}".encode(), digest_size=8).digest(), "big")
        count += 1
