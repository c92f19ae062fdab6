"""The table of dtypes is what NumPy and ml_dtypes say of them."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest

from lossvet.adapters import protocol
from lossvet.reference.dtypes import DTYPES, NAMES, NARROW, WIDE


@pytest.mark.parametrize("name", NAMES)
def test_a_record_says_what_ml_dtypes_says(name: str) -> None:
    of, info = DTYPES[name], ml_dtypes.finfo(name)
    assert of.numpy.name == of.name == name
    assert (of.precision, of.e_min, of.e_max) == (info.nmant + 1, info.minexp, info.maxexp - 1)
    assert (of.smallest, of.largest) == (float(info.smallest_normal), float(info.max))
    assert of.u == float(info.eps) / 2
    assert of.flushed == float(info.smallest_subnormal if of.gradual else info.smallest_normal)


@pytest.mark.parametrize("name", NAMES)
def test_a_number_rounds_to_infinity_from_half_a_step_beyond_the_largest(name: str) -> None:
    of = DTYPES[name]
    if math.isinf(of.overflow):
        assert name == "float64", "no float64 number rounds to infinity in float64"
        return
    with np.errstate(over="ignore"):
        beyond, within = (
            float(np.float64(x).astype(of.numpy)) for x in (of.overflow, of.largest + (of.overflow - of.largest) / 2)
        )
    assert (beyond, within) == (math.inf, of.largest)


def test_sums_of_16_bits_are_computed_in_float32() -> None:
    assert (WIDE, NARROW) == (("float32", "float64"), ("bfloat16", "float16"))
    assert [DTYPES[name].accumulator for name in NARROW] == [2.0**-24] * 2
    assert [DTYPES[name].accumulator for name in WIDE] == [DTYPES[name].u for name in WIDE]


@pytest.mark.parametrize("name", NARROW)
def test_arrays_are_put_in_16_bits(name: str) -> None:
    found = protocol.host([1.0, 1 + DTYPES[name].u * 0.9, -(2.0**-13)], name)
    assert (found.dtype, found.astype(np.float64).tolist()) == (DTYPES[name].numpy, [1.0, 1.0, -(2.0**-13)])
