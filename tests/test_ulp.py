"""Errors in ulp, by hand: the unit is that of the exact value, and a flushed subnormal is one step from zero."""

from __future__ import annotations

import numpy as np
import pytest

from lossvet.conformance.ulp import ulp_errors

U32, TINY32, STEP32 = 2.0**-23, 2.0**-126, 2.0**-149
U64, TINY64, STEP64 = 2.0**-52, 2.0**-1022, 2.0**-1074
LARGEST32 = float(np.finfo(np.float32).max)


@pytest.mark.parametrize(
    ("dtype", "got", "exact", "ulp", "flushed"),
    [
        ("float32", 1.0, 1.0, 0, 0),
        ("float32", 1 + U32, 1.0, 1, 1),
        ("float32", 1 - U32 / 2, 1.0, 0.5, 0.5),  # the unit above a power of two counts
        ("float32", 1.0, 1 + U32 / 4, 0.25, 0.25),
        ("float32", 2.0, 2 - U32 / 2, 0.5, 0.5),  # the unit of the exact value, below 2
        ("float32", -3.0, -3 + 2 * U32, 1, 1),
        ("float32", 0.0, 0.0, 0, 0),
        ("float32", -0.0, 0.0, 0, 0),
        ("float32", STEP32, 0.0, 1, 0),
        ("float32", 0.0, 3 * STEP32, 3, 0),  # flushed
        ("float32", 0.0, TINY32, 2**23, 1),  # the smallest normal flushed: one step
        ("float32", TINY32, 0.0, 2**23, 1),
        ("float32", TINY32, TINY32 / 2, 2**22, 1),
        ("float32", 0.0, TINY32 * (1 + U32), 2**23 + 1, 2),
        ("float32", float("inf"), LARGEST32, 1, 1),
        ("float32", float("inf"), 2.0**127, 2**23, 2**23),
        ("float64", 1 + U64, 1.0, 1, 1),
        ("float64", 0.0, TINY64 / 4, 2**50, 0),
        ("float64", 5 * STEP64, STEP64, 4, 0),
        ("float64", 0.0, TINY64, 2**52, 1),
    ],
)
def test_ulp_errors(dtype: str, got: float, exact: float, ulp: float, flushed: float) -> None:
    found = ulp_errors(np.array([got]), np.array([exact]), dtype)
    assert (found[0][0], found[1][0]) == (ulp, flushed)
