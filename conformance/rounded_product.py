"""What a compiler makes of the largest product of a weight and a logit where it fuses it with the subtraction of it.

A softmax of products w x subtracts the largest of them, m, before exp. XLA rounds m, and computes w x - m in one step
without rounding w x again: of the largest product is left what rounding m took from it, in place of 0. From products of
2^31 on in float32, and of 2^63 in float64, that can be more than exp can take.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lossvet.reference.double_double import Number
from lossvet.reference.dtypes import DTYPES
from lossvet.reference.types import Array, Case


def rows(case: Case, dtype: str) -> Any:
    """Rows [N] in which exp of what is left overflows or vanishes: no log of a sum of powers is finite."""
    return _overflows(case, dtype) | _vanishes(case, dtype)


def rounded_up(case: Case, dtype: str) -> Any:
    """Rows [N] in which it vanishes: the sum of all powers is 0."""
    return _vanishes(case, dtype)


def undefined_softmax(case: Case, dtype: str) -> Any:
    """Classes [N, C] whose power over the sum of all is inf / inf or 0 / 0."""
    largest = np.equal.outer(_products(case).hi.argmax(1), np.arange(case.logits.shape[1]))
    return (_overflows(case, dtype)[:, None] & largest) | _vanishes(case, dtype)[:, None]


def _overflows(case: Case, dtype: str) -> Any:
    return _left(case, dtype) > math.log(DTYPES[dtype].largest)


def _vanishes(case: Case, dtype: str) -> Any:
    of = DTYPES[dtype]
    return _left(case, dtype) < (of.e_min - of.precision + 1) * math.log(2)


def _left(case: Case, dtype: str) -> Array:
    """The largest product of each row less what it is rounded to, exactly, [N]."""
    products = _products(case)
    left = (products.hi - products.hi.astype(DTYPES[dtype].numpy)) + products.lo
    return np.asarray(np.take_along_axis(left, products.hi.argmax(1)[:, None], 1)[:, 0])


def _products(case: Case) -> Number:
    """[N, C], exact: two doubles hold all bits of a product of two."""
    return Number(case.logits) * Number(case.params.class_weight)
