"""Products of weights and logits, rounded by more than exp can take: what fusing them does, and what the judge says.

By fractions and by NumPy's float32, which share nothing with the ledger's double-double numbers.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from lossvet.adapters.types import Measured
from lossvet.conformance import rounded_product
from lossvet.conformance.judge import judge
from lossvet.conformance.types import Agrees, Differs
from lossvet.reference import variants, vectors
from lossvet.reference.bounds import bounds
from lossvet.reference.types import Case
from lossvet.reference.vectors import Golden

CASES = {"products_24": "float32", "products_24_square": "float32", "products_53": "float64"}
"""By name, the dtype in which the products are rounded."""
EXP = {"float32": (-104.0, 88.8), "float64": (-745.2, 709.8)}
"""Outside of these exp is 0, or infinite."""


def golden(name: str) -> Golden:
    (found,) = (one for one in vectors.load("weighted_logits") if one.case.id == f"weighted_logits/{name}")
    return found


def left(case: Case, dtype: str) -> list[float]:
    """What rounding takes from the largest product of each row."""
    found = []
    for row in case.logits:
        products = [Fraction(float(w)) * Fraction(float(x)) for w, x in zip(case.params.class_weight, row, strict=True)]
        rounded = np.multiply(case.params.class_weight.astype(dtype), row.astype(dtype))
        at = products.index(max(products))
        found.append(float(products[at] - Fraction(float(rounded[at]))))
    return found


@pytest.mark.parametrize(("name", "dtype"), CASES.items())
def test_every_row_is_rounded_by_far_more_than_exp_can_take(name: str, dtype: str) -> None:
    """So that neither flushed powers nor the last bits of exp decide what is seen. In float64, float32's are exact."""
    case, (low, high) = golden(name).case, EXP[dtype]
    found = left(case, dtype)
    assert all(one < 1.5 * low or one > 1.5 * high for one in found), found
    assert rounded_product.rows(case, dtype).all()
    assert rounded_product.rounded_up(case, dtype).tolist() == [one < 0 for one in found]
    assert 0 < sum(one < 0 for one in found) < len(found), "in both directions"
    assert dtype == "float64" or not (rounded_product.rows(case, "float64").any() or any(left(case, "float64")))


def losses(case: Case, dtype: str, fused: bool) -> Any:
    """As it is usually written; `fused` does not round the products from which the largest is subtracted."""
    x, w, t = (one.astype(dtype) for one in (case.logits, case.params.class_weight, case.labels))
    products = w * x
    largest = products.max(1, keepdims=True)
    shifted = products - largest
    if fused:
        at = products.argmax(1)
        shifted[np.arange(len(x)), at] = left(case, dtype)
    with np.errstate(all="ignore"):
        log_softmax = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
        return -(t * log_softmax).sum(1)


@pytest.mark.parametrize(("name", "dtype"), CASES.items())
def test_the_judge_tells_a_fused_product_from_a_rounded_one(name: str, dtype: str) -> None:
    one = golden(name)
    bound = bounds(variants.load("weighted_logits"), one.case, (dtype,))[dtype]["loss/none"]
    rounded, fused = (losses(one.case, dtype, how) for how in (False, True))
    assert isinstance(judge(Measured(rounded), one.outputs["loss/none"], bound, dtype), Agrees)
    assert not np.isfinite(fused).any()
    assert isinstance(judge(Measured(fused), one.outputs["loss/none"], bound, dtype), Differs)
