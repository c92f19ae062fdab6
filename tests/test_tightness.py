"""How tight the bounds are: what is 4 bounds off is killed, and sound code is off by more than a hundredth of one.

In every variant and dtype; on inputs of full precision, where 16 bits do not hold them. Sound code is the composed
recipe in PyTorch and the controls.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")  # the sound code is PyTorch's
sys.path.insert(0, str(Path(__file__).parent))  # the mutants are no part of the package

from mutants import judged
from mutants.frames import ADAPTER

from lossvet.adapters.types import Measured, Outcome, Recipe, exact_in, recipes
from lossvet.conformance.judge import judge
from lossvet.conformance.types import Agrees, Differs
from lossvet.reference import variants
from lossvet.reference.bounds import Bound, bounds
from lossvet.reference.dtypes import DTYPES, NAMES, NARROW
from lossvet.reference.types import Array, output_names
from lossvet.reference.vectors import Golden

TIGHT = 1 / 100
"""Of the bound: the worst sound code is off by more."""
SEED = 20261128


DESIGNED = ("hard", "soft", "hard_square", "one_zero", "ties")
"""Cases that say most in 16 bits: small, and of ordinary numbers."""


def telling(variant: str, dtype: str) -> list[Golden]:
    """The cases of full precision; of 16 bits those that are designed."""
    if dtype in NARROW:
        return [g for g in judged.goldens(variant, dtype) if g.case.id.partition("/")[2] in DESIGNED]
    return [g for g in judged.goldens(variant, dtype) if "full_precision" in g.case.hazards and g.case.logits.size < 50]


@cache
def allowed(variant: str, golden: Golden) -> Mapping[str, Mapping[str, Bound]]:
    return bounds(variants.load(variant), golden.case, tuple(d for d in NAMES if exact_in(golden.case, d)))


def sound(variant: str) -> list[Recipe]:
    controls = [control.recipe for control in judged.CONTROLS.values() if control.variant == variant]
    return [recipes(ADAPTER, variants.load(variant))["composed"], *controls]


def answers(recipe: Recipe, golden: Golden, dtype: str) -> dict[str, Outcome]:
    """Every output of the case."""
    names = output_names(recipe.variant, golden.case)
    return ADAPTER.read(ADAPTER.prepare(recipe, golden.case, "eager", dtype, "cpu", names)())


def moved(true: Array, bound: Bound, dtype: str, by: float, at: int) -> Measured:
    """The truth, but for one element, which is so many bounds away."""
    value = true.copy()
    value.flat[at] += by * bound.W.flat[at]
    return Measured(value.astype(DTYPES[dtype].numpy))


@pytest.mark.parametrize("dtype", NAMES)
@pytest.mark.parametrize("variant", variants.names())
def test_an_error_of_four_bounds_is_killed(variant: str, dtype: str) -> None:
    draw = np.random.default_rng(SEED)
    for golden in telling(variant, dtype):
        for output, bound in allowed(variant, golden)[dtype].items():
            true = golden.outputs[output]
            at = int(draw.integers(true.size))
            mutant, control = (judge(moved(true, bound, dtype, by, at), true, bound, dtype) for by in (4.0, 0.5))
            assert isinstance(mutant, Differs), f"{golden.case.id} {output}: {mutant}"
            assert isinstance(control, Agrees), f"{golden.case.id} {output}: {control}"


@pytest.mark.parametrize("dtype", NAMES)
@pytest.mark.parametrize("variant", variants.names())
def test_the_worst_sound_code_is_off_by_more_than_a_hundredth_of_a_bound(variant: str, dtype: str) -> None:
    worst = 0.0
    for golden in telling(variant, dtype):
        for recipe in sound(variant):
            for output, outcome in answers(recipe, golden, dtype).items():
                verdict = judge(outcome, golden.outputs[output], allowed(variant, golden)[dtype][output], dtype)
                if isinstance(outcome, Measured):  # a control has the reductions that it spells
                    assert isinstance(verdict, Agrees), f"{recipe.name}, {golden.case.id} {output}: {verdict}"
                    worst = max(worst, verdict.ratio)
    assert worst > TIGHT, f"sound code is off by {worst:.4f} of a bound at most: are they too wide?"
