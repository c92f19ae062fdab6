"""The dtypes that losses are computed in, one record each: precision, range, and what a sound kernel adds up in.

Infinity and NaN apart, a number of a dtype is m 2^(e - p + 1) with p bits of m, and e from `e_min` to `e_max`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np


@dataclass(frozen=True)
class DType:
    """`accumulates_in` names the dtype that sums are to be computed in before they are rounded once."""

    name: str
    precision: int
    """p, the bits of a significand, the leading one included: what `Case.bits` is held against."""
    e_min: int
    e_max: int
    accumulates_in: str
    gradual: bool = False
    """Whether all frameworks keep numbers below the smallest normal one, and none takes them for 0."""

    @property
    def numpy(self) -> np.dtype[Any]:
        """NumPy's type. Raises ModuleNotFoundError for bfloat16 where ml_dtypes, which adds it, is not installed."""
        if self.name == "bfloat16":
            import ml_dtypes  # not above: another interpreter than ours may serve other dtypes without it

            added: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
            return added
        return np.dtype(self.name)

    @property
    def u(self) -> float:
        """The unit roundoff 2^-p: the largest relative error of one rounding."""
        return 2.0**-self.precision

    @property
    def accumulator(self) -> float:
        """The unit roundoff of sums."""
        return DTYPES[self.accumulates_in].u

    @property
    def smallest(self) -> float:
        """The smallest normal number."""
        return 2.0**self.e_min

    @property
    def flushed(self) -> float:
        """What is smaller may be taken for 0, or be off by as much."""
        return 2.0 ** (self.e_min - self.precision + 1) if self.gradual else self.smallest

    @property
    def largest(self) -> float:
        return math.ldexp(2.0 - 2.0 ** (1 - self.precision), self.e_max)

    @property
    def overflow(self) -> float:
        """The smallest number that rounds to infinity; for float64, infinity."""
        return math.inf if self.e_max == 1023 else math.ldexp(2.0 - 2.0**-self.precision, self.e_max)


# Below 2^-14 float16 is kept by PyTorch, TensorFlow and JAX on x86, eager and compiled (tests/test_narrow.py): they
# compute in float32, whose subnormals are far below. Those of the others are flushed by XLA and by TensorFlow.
DTYPES: Mapping[str, DType] = MappingProxyType(
    {
        dtype.name: dtype
        for dtype in (
            DType("float32", 24, -126, 127, "float32"),
            DType("float64", 53, -1022, 1023, "float64"),
            DType("bfloat16", 8, -126, 127, "float32"),
            DType("float16", 11, -14, 15, "float32", gradual=True),
        )
    }
)
NAMES = tuple(DTYPES)
WIDE = tuple(name for name, dtype in DTYPES.items() if dtype.accumulates_in == name)
"""Those that sums are computed in as well."""
NARROW = tuple(name for name in NAMES if name not in WIDE)
"""Those of 16 bits."""
