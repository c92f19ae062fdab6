"""The reference held to the golden results, and the golden results to an independent oracle.

Every seed is fixed, and named where something fails.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from tests import oracle

from lossvet.reference import variants, vectors
from lossvet.reference.bounds import bounds
from lossvet.reference.types import Array
from lossvet.reference.values import exact_outputs
from lossvet.reference.vectors import Golden

SEED = 20261121
UNIT = 2.0**-53

LARGEST_RATIO = 2.0**-7
"""Of the float64 bound: the reference may take up so little of it that no verdict could hang on its own error."""

NOTHING_CANCELS = 2.0**7
"""In units of u |golden|, where the bound of class R says that nothing cancels.

Class R gives every primitive an error relative to itself, 16 u (C_LOSS) at most, and every input 4 u (KAPPA). The
longest product in any formula is v w t nll / D: a primitive, three inputs, a denominator of products of two inputs, and
a dozen roundings: 16 + 3 * 4 + 2 * 4 + 12 = 48, and the head-room is 2. Sums of terms of one sign keep that; a
difference multiplies it by (|a| + |b|) / |a - b|. So whatever is within the next power of two above 96 has lost no bit
to speak of. (Results near the smallest normal number are beyond it too: a bound counts in what may be flushed.)"""


@dataclass(frozen=True)
class Element:
    """One number of one output: where it is, what the reference gives, what is golden, and how far that is."""

    output: str
    index: tuple[int, ...]
    found: float
    golden: float
    ratio: float
    ulps: float
    cancels: bool
    bounded: bool

    def __str__(self) -> str:
        return f"{self.output}{list(self.index)}: {self.found!r}, golden {self.golden!r}"


@dataclass(frozen=True)
class Measured:
    """Every element of a variant's cases that is not right to the last bit, and how many there were."""

    cases: int
    elements: int
    straight: int  # of which nothing cancels
    inexact: tuple[Element, ...]
    unbounded: tuple[Element, ...]


def goldens(name: str) -> tuple[Golden, ...]:
    return tuple(golden for golden in vectors.load(name) if "invalid_label" not in golden.case.hazards)


@pytest.fixture(scope="module", params=variants.names())
def measured(request: pytest.FixtureRequest) -> Measured:
    """Each variant in turn, for all tests that look at it."""
    parts = [_measured(request.param, golden) for golden in goldens(request.param)]
    return Measured(
        len(parts),
        sum(part.elements for part in parts),
        sum(part.straight for part in parts),
        tuple(element for part in parts for element in part.inexact),
        tuple(element for part in parts for element in part.unbounded),
    )


def _measured(name: str, golden: Golden) -> Measured:
    variant, case = variants.load(name), golden.case
    found = exact_outputs(variant, case)
    bounded_in = bounds(variant, case, ("float32", "float64"))
    allowed = bounded_in["float64"]
    elements = straight = 0
    inexact, unbounded = [], []
    for output, expected in golden.outputs.items():
        actual = found[output]
        assert actual.shape == expected.shape, f"{case.id} {output}"
        wide, relative = (np.broadcast_to(getattr(allowed[output], c), expected.shape) for c in "WR")
        with np.errstate(all="ignore"):
            same = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
            cancels = ~(relative <= NOTHING_CANCELS * UNIT * np.abs(expected))
            ratios = np.where(same, 0.0, np.abs(actual - expected) / wide)
        widths = [b[output].W for b in bounded_in.values()]
        bounded = np.logical_and.reduce([np.isfinite(w) for w in widths]) | ~np.isfinite(expected)
        elements += expected.size
        straight += int((~cancels).sum())
        for index in map(tuple, np.argwhere(~same | ~bounded)):
            a, e = float(actual[index]), float(expected[index])
            element = Element(
                f"{case.id} {output}", tuple(map(int, index)), a, e, float(ratios[index]), oracle.ulps(a, e),
                bool(cancels[index]), bool(bounded[index]),
            )  # fmt: skip
            (inexact if not same[index] else unbounded).append(element)
    return Measured(1, elements, straight, tuple(inexact), tuple(unbounded))


# (1) The reference against golden ------------------------------------------------------------------------------------


def test_undefined_and_infinite_results_are_exactly_those_of_golden(measured: Measured) -> None:
    wrong = [e for e in measured.inexact if not (np.isfinite(e.golden) and np.isfinite(e.found))]
    assert not wrong, _list(wrong)


def test_reference_is_within_a_fraction_of_the_bound(measured: Measured, capsys: pytest.CaptureFixture[str]) -> None:
    """Prints the largest share of the bound, and the largest error in ulp."""
    finite = [e for e in measured.inexact if np.isfinite(e.golden)]
    ratio = max((e.ratio for e in finite), default=0.0)
    ulps = max((e.ulps for e in finite if not e.cancels), default=0.0)
    with capsys.disabled():
        print(
            f"\nreference against golden: {measured.elements:,} elements of {measured.cases} cases, {len(finite)} not "
            f"equal to the bit; largest error {ratio:.2g} of the float64 bound (allowed: {LARGEST_RATIO:.2g}), "
            f"{ulps:g} ulp where nothing cancels ({measured.straight:,} elements; allowed: 1)"
        )
    wrong = [e for e in finite if not e.ratio <= LARGEST_RATIO]
    assert not wrong, _list(wrong)


def test_reference_is_within_one_ulp_where_nothing_cancels(measured: Measured) -> None:
    assert measured.straight > measured.elements / 3, "too few elements for this to say anything"
    wrong = [e for e in measured.inexact if np.isfinite(e.golden) and not e.cancels and not e.ulps <= 1.0]
    assert not wrong, _list(wrong)


def test_every_finite_result_has_a_finite_bound(measured: Measured) -> None:
    assert not measured.unbounded, _list(measured.unbounded)


def _list(elements: Any) -> str:
    return f"{len(elements)} elements: " + "; ".join(
        f"{e} ({e.ratio:.2g} of the bound, {e.ulps:.3g} ulp)" for e in elements[:8]
    )


# (2) and (3) The oracle against golden -------------------------------------------------------------------------------


def differing(found: dict[str, Array], golden: Golden) -> Iterator[str]:
    """Where the oracle and golden are not the same double."""
    for output, value in found.items():
        expected = golden.outputs[output]
        assert value.shape == expected.shape, f"{golden.case.id} {output}"
        for index in np.ndindex(expected.shape):
            a, e = float(value[index]), float(expected[index])
            if oracle.ulps(a, e) != 0:
                yield f"{golden.case.id} {output}{list(index)}: oracle {a!r}, golden {e!r}, {oracle.ulps(a, e):.3g} ulp"


@pytest.mark.parametrize("name", variants.names())
def test_losses_of_the_oracle_are_golden(name: str) -> None:
    """To the bit: both are said to be the double nearest to the truth."""
    wrong = []
    for golden in goldens(name):
        found = oracle.losses(name, golden.case)
        assert set(found) == {output for output in golden.outputs if output.startswith("loss/")}
        wrong += differing(found, golden)
    assert not wrong, "\n".join(wrong[:8])


MASKED = {"softmax": "masked", "sparse": "masked", "cost_complement": "masked_two", "class_weight": "masked_label"}
"""Infinite logits are slow for the oracle; these few stand for all. (All agreed when the cases were made.)"""


def sample(name: str) -> list[Golden]:
    """A few cases drawn with SEED, and among them all leaves that the variant has."""
    every = [g for g in goldens(name) if np.isfinite(g.case.logits).all() and np.ptp([0.0, *g.case.logits.flat]) < 150]
    small = [golden for golden in every if golden.case.logits.size <= 15]
    drawn = random.Random(f"{SEED}/{name}").sample(small, 4)
    with_leaf = [g for g in small if "gradient/sum/sample_weight" in g.outputs]
    masked = [g for g in goldens(name) if g.case.id == f"{name}/{MASKED.get(name)}"]
    return [*drawn, *with_leaf[:1], *masked]


@pytest.mark.parametrize("name", variants.names())
def test_derivatives_of_the_oracle_are_golden(name: str) -> None:
    """Every reduction with respect to every leaf, and the Hessian product, from differences of the oracle's losses."""
    chosen, wrong, seen = sample(name), [], set()
    for golden in chosen:
        found = oracle.derivatives(name, golden.case)
        assert {*found} == {output for output in golden.outputs if not output.startswith("loss/")}
        seen |= found.keys()
        wrong += differing(found, golden)
    assert not wrong, f"seed {SEED}: " + "\n".join(wrong[:8])
    assert seen == {output for golden in goldens(name) for output in golden.outputs if not output.startswith("loss/")}


def test_the_comparison_with_the_oracle_can_fail() -> None:
    golden = goldens("sparse")[0]
    case = golden.case
    nudged = Golden(replace(case, logits=np.nextafter(case.logits, np.inf)), golden.outputs)
    assert list(differing(oracle.losses("sparse", nudged.case), nudged))
    assert list(differing(oracle.derivatives("sparse", nudged.case), nudged))
