"""Errors in units of the last place of the exact value.

ulp(r) = 2^(min(max(floor(log2 |r|), emin), emax) - (p - 1)), with infinity standing at 2^(emax + 1): the definition of
JAX's accuracy page. The unit is that of the exact value, never of the computed one, and fractions of it count.
"""

from __future__ import annotations

import numpy as np

from lossvet.reference.dtypes import DTYPES, DType
from lossvet.reference.types import Array


def ulp_errors(got: Array, exact: Array, dtype: str) -> tuple[Array, Array]:
    """The errors of `got` in ulp of `exact`, float64 of their shape; and the same where subnormals are flushed.

    In the second, all numbers below the smallest normal are one step from zero, and a subnormal for a subnormal,
    or a zero, is no error: so a kernel that flushes is not charged millions of ulp for it.
    """
    of = DTYPES[dtype]
    top, smallest = 2.0**of.e_max * 2.0, of.smallest
    with np.errstate(invalid="ignore", over="ignore"):
        placed = np.where(np.isinf(got), np.copysign(top, got), got)
        unit = np.exp2(_exponent(exact, of) - (of.precision - 1))
        errors = np.where(placed == exact, 0.0, np.abs(placed - exact) / unit)
        tiny_got, tiny_exact = np.abs(placed) < smallest, np.abs(exact) < smallest
        if not (tiny_got | tiny_exact).any():
            return errors, errors
        nearest = np.where(tiny_exact, np.copysign(smallest, np.where(exact == 0, placed, exact)), exact)
        from_zero = 1.0 + np.abs(nearest - np.copysign(smallest, nearest)) / unit
        flushed = np.where(tiny_got & tiny_exact, 0.0, np.where(tiny_got, from_zero, errors))
        away = 1.0 + np.abs(placed - np.copysign(smallest, placed)) / unit
        return errors, np.where(tiny_exact & ~tiny_got, away, flushed)


def _exponent(exact: Array, of: DType) -> Array:
    exponent = np.frexp(exact)[1].astype(np.float64) - 1
    return np.clip(np.where(exact == 0, of.e_min, exponent), of.e_min, of.e_max)
