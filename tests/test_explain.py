"""Everything that has a name can be explained, and what has none is met with the nearest."""

from __future__ import annotations

import pytest

from lossvet.conformance import deviations, explain
from lossvet.conformance.summary import CLASSES
from lossvet.reference import variants
from lossvet.reference.hazards import HAZARDS
from lossvet.reference.types import REDUCTIONS

NAMES = (
    *variants.names(),
    *HAZARDS,
    *REDUCTIONS,
    *CLASSES,
    "agrees",
    "lost",
    "uninformative",
    *(d.id for d in deviations.read()),
)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_explained(name: str) -> None:
    first, blank, *rest = explain.explain(name).splitlines()
    assert first.startswith(f"{name}: ")
    assert not blank
    assert any(rest)


def test_a_variant_shows_two_rows_with_numbers() -> None:
    text = explain.explain("sparse_class_weight")
    assert "w_y (lse(x) - x_y)" in text
    assert "weighted_mean: 1.512445" in text


def test_an_unknown_name_is_met_with_the_nearest() -> None:
    with pytest.raises(KeyError, match="pos_weight"):
        explain.explain("pos_wieght")
