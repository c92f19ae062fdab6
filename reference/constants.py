"""The constants that the bounds are derived from: those that were chosen, and what was measured to choose them.

Everything else in a bound follows from them (`bounds.py`). docs/reference.md shows this table.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lossvet.reference.types import Array


class Constant(NamedTuple):
    """A number that was chosen: what it allows, and the measurement that it rests on."""

    name: str
    value: float
    allows: str
    measured: str


CONSTANTS = tuple(
    Constant(name, **row) for name, row in tomllib.loads(Path(__file__).with_suffix(".toml").read_text()).items()
)
"""In the order of the file."""

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
