"""The constants that the bounds are derived from: those that were chosen, and what was measured to choose them.

Everything else in a bound follows from them (`bounds.py`). docs/reference.md shows this table.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from lossvet.reference.types import Array


class Constant(NamedTuple):
    """A number that was chosen: what it allows, and the measurement that it rests on."""

    name: str
    value: float
    allows: str
    measured: str


CONSTANTS = (
    Constant(
        "HEAD_ROOM",
        2.0,
        "the factor of every bound",
        "without it, the largest error of a sound loss was 0.30 of the bound in 108,000 runs of PyTorch, TensorFlow "
        "and JAX, and 0.24 by hill climbing (`tests/test_bounds.py`)",
    ),
    Constant(
        "KAPPA",
        4.0,
        "an input other than the logits is off by so many u: rounded, cast and rescaled",
        "counted: a rounding, a cast, a product and a quotient; the runs of HEAD_ROOM had it",
    ),
    Constant(
        "ULP_EXP",
        2.0,
        "largest error of exp, in ulp",
        "on JAX's page on accuracy: 1.5 in float32 and 2.0 in float64 on a CPU, 2.0 in float32 on an H100",
    ),
    Constant(
        "ULP_LOG",
        3.0,
        "largest error of log and of log1p, in ulp",
        "on the same page: log1p 3.0 in float32 and 2.0 in float64 on a CPU, 1.0 in float32 on an H100",
    ),
    Constant(
        "LANES",
        8.0,
        "a sum over C classes has so many partial sums, or more: C / 8 additions in a row",
        "float32, in additions in a row at C = 50,000: PyTorch 6,164 with AVX2 and without, 2,667 with AVX-512; XLA in "
        "TensorFlow 3,080 (`tests/wide_rows.py`); HEAD_ROOM covers vectors of four",
    ),
    Constant(
        "WIDE",
        256.0,
        "and so many additions in a row besides: up to 293 classes may be added one after another",
        "at C = 1,000: PyTorch 58 with AVX-512, 126 with AVX2; XLA in TensorFlow 62 (`tests/wide_rows.py`)",
    ),
    Constant(
        "PAIRWISE",
        128.0,
        "in the better accuracy classes, a sum over C classes has 128 + log2 C additions in a row, or fewer",
        "eager TensorFlow 34 at C = 1,000 and 195 at 50,000, JAX 9 and 8 (`tests/wide_rows.py`)",
    ),
)

_VALUES = {constant.name: constant.value for constant in CONSTANTS}
HEAD_ROOM, KAPPA = _VALUES["HEAD_ROOM"], _VALUES["KAPPA"]
LANES, WIDE, PAIRWISE = _VALUES["LANES"], _VALUES["WIDE"], _VALUES["PAIRWISE"]

C_LOSS = 2 * (_VALUES["ULP_EXP"] + _VALUES["ULP_LOG"]) + 6
"""Of u: one ulp is at most 2 u; and six roundings of partial results."""
C_GRADIENT = 2 * _VALUES["ULP_EXP"] + 8
"""Of u: and eight roundings."""


def in_any_order(terms: Any) -> Array:
    """The additions in a row of a sum of so many terms, whatever its order."""
    return np.asarray(np.maximum(np.asarray(terms, np.float64) - 1, 0))


def in_lanes(terms: Any) -> Array:
    """The same where at least `LANES` partial sums are added up apart, from some number of terms on."""
    return np.asarray(np.minimum(in_any_order(terms), WIDE + np.asarray(terms) / LANES))


def pairwise(terms: Any) -> Array:
    """The same where halves are added up apart, from some number of terms on."""
    return np.asarray(np.minimum(in_any_order(terms), PAIRWISE + np.log2(np.maximum(terms, 1))))
