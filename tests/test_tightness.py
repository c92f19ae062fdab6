"""How tight the bounds are: what is 4 bounds away is killed, and sound code comes within a hundred of them.

In every variant and dtype, on inputs of full precision. The sound code is the composed recipe in PyTorch.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")  # the sound code is PyTorch's
sys.path.insert(0, str(Path(__file__).parent))  # the mutants are no part of the package

from mutants import judged
from mutants.frames import ADAPTER, BOTH

from lossvet.adapters.types import Measured, Outcome, recipes
from lossvet.conformance.judge import judge
from lossvet.conformance.types import Agrees, Differs
from lossvet.reference import variants
from lossvet.reference.bounds import Bound, bounds
from lossvet.reference.types import output_names
from lossvet.reference.vectors import Golden

TIGHT = 1 / 100
"""Of the bound: sound code is off by more than this somewhere."""
SEED = 20261128


def full_precision(variant: str, dtype: str) -> list[Golden]:
    return [g for g in judged.goldens(variant, dtype) if "full_precision" in g.case.hazards and g.case.logits.size < 50]


def answers(variant: str, golden: Golden, dtype: str) -> dict[str, Outcome]:
    """Every output of the case, by the composed recipe."""
    recipe = recipes(ADAPTER, variants.load(variant))["composed"]
    names = output_names(recipe.variant, golden.case)
    return ADAPTER.read(ADAPTER.prepare(recipe, golden.case, "eager", dtype, "cpu", names)())


def moved(golden: Golden, output: str, bound: Bound, by: float, at: int) -> Measured:
    """The truth, but for one element, which is so many bounds away."""
    value = golden.outputs[output].copy()
    value.flat[at] += by * bound.W.flat[at]
    return Measured(value)


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("variant", variants.names())
def test_bounds_are_tight(variant: str, dtype: str) -> None:
    draw, worst, outputs = np.random.default_rng(SEED), 0.0, 0
    for golden in full_precision(variant, dtype):
        allowed = bounds(variants.load(variant), golden.case, (dtype,))[dtype]
        for output, outcome in answers(variant, golden, dtype).items():
            true, bound = golden.outputs[output], allowed[output]
            verdict = judge(outcome, true, bound, dtype)
            assert isinstance(verdict, Agrees), f"{golden.case.id} {output}: {verdict}"
            worst, outputs, at = max(worst, verdict.ratio), outputs + 1, int(draw.integers(true.size))
            mutant, control = (
                judge(Measured(moved(golden, output, bound, by, at).value.astype(dtype)), true, bound, dtype)
                for by in (4.0, 0.5)
            )
            assert isinstance(mutant, Differs), f"{golden.case.id} {output}: {mutant}"
            assert isinstance(control, Agrees), f"{golden.case.id} {output}: {control}"
    assert outputs > 20
    assert worst > TIGHT, f"sound code comes to {worst:.4f} of the bound at most: is the bound too wide?"
