"""Rows of 50,000 classes: their golden results by another way, and which orders of adding up the judge lets pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from tests import oracle

from lossvet.adapters.types import Measured
from lossvet.conformance.judge import judge
from lossvet.conformance.types import Agrees, Differs
from lossvet.reference import variants, vectors
from lossvet.reference.bounds import bounds
from lossvet.reference.output import HVP, parse
from lossvet.reference.vectors import Golden

UNIT = 2.0**-24
WIDE = {"sparse": 1.0, "sparse_class_weight": 3.0}
"""By variant, the weight of the label's class."""


def wide(name: str) -> Golden:
    (found,) = (golden for golden in vectors.load(name) if golden.case.id == f"{name}/wide_classes")
    return found


@pytest.mark.parametrize("name", WIDE)
def test_golden_is_the_closed_form_of_two_different_logits(name: str) -> None:
    """By mpmath, to the bit: S = (C - 1) e^-16.75 beside 1, loss w log(1 + S), p = (1, e^-16.75) / (1 + S)."""
    golden, weight = wide(name), WIDE[name]
    case = golden.case
    classes, direction = case.logits.shape[1], case.direction[0]
    assert set(case.logits[0, 1:]) == {0.0} and case.logits[0, 0] == 16.75  # noqa: PT018  # one statement: two logits
    with mpmath.workdps(60):
        small = mpmath.exp(-16.75)
        total = 1 + (classes - 1) * small
        p = [1 / total] + [small / total] * (classes - 1)
        along = mpmath.fsum(a * mpmath.mpf(float(u)) for a, u in zip(p, direction, strict=True))
        loss = mpmath.log(total)
        unweighted = {
            "loss": [loss],
            "logits": [p[0] - 1, *p[1:]],
            "class_weight": [loss / weight] + [mpmath.mpf(0)] * (classes - 1),
            "hvp": [a * (float(u) - along) for a, u in zip(p, direction, strict=True)],
        }
        for output, value in golden.outputs.items():
            of = parse(output)
            # A weighted mean of one row is its loss without the weight, in which it has no derivative.
            factor = weight if of.reduction != "weighted_mean" else 0.0 if of.leaf == "class_weight" else 1.0
            numbers = unweighted["hvp" if of == HVP else of.leaf or "loss"]
            rounded = {number: oracle.rounded(factor * number) for number in set(numbers)}
            assert value.ravel().tolist() == [rounded[number] for number in numbers], output


def one_by_one(powers: Any) -> Any:
    return np.add.accumulate(powers, dtype=np.float32)[-1]


def in_partial_sums(lanes: int) -> Callable[[Any], Any]:
    def total(powers: Any) -> Any:
        padded = np.append(powers, np.zeros(-len(powers) % lanes, np.float32))
        return np.add.accumulate(padded.reshape(-1, lanes), axis=0, dtype=np.float32)[-1].sum(dtype=np.float32)

    return total


SOUND = {"4 lanes": in_partial_sums(4), "8 lanes": in_partial_sums(8), "16 lanes": in_partial_sums(16)}
"""As vectors of 128, 256 and 512 bits add up."""


def answers(total: Callable[[Any], Any], name: str, golden: Golden) -> dict[str, Any]:
    """A kernel in float32 that adds up the powers in this way: the unreduced loss and its gradient."""
    x = golden.case.logits[0].astype(np.float32)
    powers = np.exp(x - x.max())
    added = np.float32(total(powers))
    gradient = powers / added
    gradient[0] -= 1
    weight = np.float32(WIDE[name])
    return {
        "loss/none": np.array([weight * (np.log(added) + x.max() - x[0])]),
        "gradient/none/logits": (weight * gradient)[None],
    }


@pytest.mark.parametrize("name", WIDE)
@pytest.mark.parametrize("order", SOUND)
def test_partial_sums_agree(name: str, order: str) -> None:
    golden = wide(name)
    allowed = bounds(variants.load(name), golden.case, ("float32",))["float32"]
    for output, value in answers(SOUND[order], name, golden).items():
        verdict = judge(Measured(value), golden.outputs[output], allowed[output], "float32")
        assert isinstance(verdict, Agrees)
        assert 0.1 < verdict.ratio < 0.85
        assert verdict.uninformative == ""


@pytest.mark.parametrize("name", WIDE)
def test_one_after_another_differs_by_three_times_the_bound(name: str) -> None:
    golden = wide(name)
    allowed = bounds(variants.load(name), golden.case, ("float32",))["float32"]
    for output, value in answers(one_by_one, name, golden).items():
        verdict = judge(Measured(value), golden.outputs[output], allowed[output], "float32")
        assert isinstance(verdict, Differs)
        assert verdict.ratio > 3
