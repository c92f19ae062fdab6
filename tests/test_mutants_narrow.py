"""In 16 bits the judge kills 95 of 100 mutants that change more than a rounding, and every control survives."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

pytest.importorskip("torch")  # every mutant is a loss in PyTorch
sys.path.insert(0, str(Path(__file__).parent))  # the mutants are no part of the package

from mutants import judged

from lossvet.reference.dtypes import NARROW

EXACT: Mapping[str, tuple[str, ...]] = {
    "cast_to_float16": NARROW,
    "sum_in_float16": NARROW,
    "weight_in_bfloat16": NARROW,
    "product_in_tensor_cores": NARROW,
    "cast_to_bfloat16": ("bfloat16",),
    "mean_in_bfloat16": ("bfloat16",),
    "gradient_in_bfloat16": ("bfloat16",),
}
"""Mutants that change nothing, or less than a rounding: they cast to what 16 bits hold."""
SURVIVORS: Mapping[str, tuple[str, ...]] = {
    "cast_to_bfloat16": ("float16",),
    "mean_in_bfloat16": ("float16",),
    "gradient_in_bfloat16": ("float16",),
    "sparse_constant_added": NARROW,
    "gradient_second_only": ("bfloat16",),
}
"""Those that survive: a rounding to bfloat16, 8 u of float16, is inside the bound; so is a constant of 1e-3 beside
losses of 1; and what a Hessian has beside its diagonal, in bfloat16."""
SHARE = 0.95
CHOSEN = {"sparse_sign", "sparse_constant_added", "gradient_in_bfloat16"}
"""What is tried every day; the others in the sweep."""
TRIED = [
    (name, dtype)
    for name, mutant in judged.MUTANTS.items()
    for dtype in NARROW
    if "float32" in mutant.dtypes and dtype not in EXACT.get(name, ())
]


def kills(name: str, dtype: str) -> bool:
    """Whether some case kills the mutant; the first that does is enough."""
    mutant = judged.MUTANTS[name]
    checked = (one for g in judged.goldens(mutant.variant, dtype) for one in judged.checks(mutant, g, dtype))
    return any(one.factor > 0 for one in checked)


@pytest.mark.parametrize(
    ("name", "dtype"), [t if t[0] in CHOSEN else pytest.param(*t, marks=pytest.mark.sweep) for t in TRIED]
)
def test_a_mutant_is_killed_but_for_those_that_are_named(name: str, dtype: str) -> None:
    assert kills(name, dtype) == (dtype not in SURVIVORS.get(name, ()))


@pytest.mark.parametrize("dtype", NARROW)
def test_few_survive(dtype: str) -> None:
    tried = [name for name, of in TRIED if of == dtype]
    alive = [name for name in tried if dtype in SURVIVORS.get(name, ())]
    assert len(tried) > 100
    assert 1 - len(alive) / len(tried) >= SHARE


@pytest.mark.parametrize(
    "name",
    [n if n == "quarters" else pytest.param(n, marks=pytest.mark.sweep) for n in judged.CONTROLS],
)
def test_a_control_survives(name: str) -> None:
    for dtype in NARROW:
        assert judged.failures(judged.all_checks(judged.CONTROLS[name], dtype)) == []


def test_only_mutants_are_named() -> None:
    assert EXACT.keys() | SURVIVORS.keys() | CHOSEN <= judged.MUTANTS.keys()
