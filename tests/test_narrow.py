"""16 bits: what computes in float32 and rounds once is inside the bounds with room; what adds up in 16 bits is not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from lossvet.adapters.types import Measured, recipes
from lossvet.conformance.judge import judge
from lossvet.conformance.plan import says_something
from lossvet.conformance.types import Agrees, Differs
from lossvet.reference import variants, vectors
from lossvet.reference.bounds import bounds
from lossvet.reference.cancelling import uncancelled
from lossvet.reference.dtypes import DTYPES, NARROW
from lossvet.reference.types import Case, output_names
from lossvet.reference.values import values
from lossvet.reference.vectors import Golden
from lossvet.workers import messages

sys.path.insert(0, str(Path(__file__).parent))  # the operations of NumPy are no part of the package

from numpy_adapter import Operations

QUICK = ("pos_weight", "sparse_class_weight", "cost_complement")
ROOM = 0.55
"""Of a bound: no sound loss that rounds once is off by more."""


def cases(variant: str, dtype: str) -> list[Golden]:
    return [g for g in vectors.load(variant) if says_something(g, dtype) and not g.case.undefined]


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.sweep) for n in variants.names()]
)
def test_float32_inside_and_one_rounding_is_sound_with_room(
    name: str, dtype: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every output of every case that 16 bits are run on, by PyTorch in float32. Prints the worst error over bound."""
    pytest.importorskip("torch")
    from lossvet import adapters

    torch = adapters.load("torch")
    variant = variants.load(name)
    recipe, worst, where = recipes(torch, variant)["composed"], 0.0, ""
    for golden in cases(name, dtype):
        names = output_names(variant, golden.case)
        found = torch.read(torch.prepare(recipe, golden.case, "eager", "float32", "cpu", names)())
        allowed = bounds(variant, golden.case, (dtype,))[dtype]
        for output, outcome in found.items():
            assert isinstance(outcome, Measured), f"{golden.case.id} {output}: {outcome}"
            once = Measured(outcome.value.astype(DTYPES[dtype].numpy))
            verdict = judge(once, golden.outputs[output], allowed[output], dtype, "any")
            assert isinstance(verdict, Agrees), f"{golden.case.id} {output}: {verdict}"
            if verdict.ratio > worst:
                worst, where = verdict.ratio, f"{golden.case.id} {output}"
    with capsys.disabled():
        print(f"\n{name} {dtype}: worst error over bound {worst:.3f} at {where}", end="")
    assert 0 < worst < ROOM


def batch(rows: int) -> Case:
    """Rows of three logits, of which 16 bits hold every one."""
    draw = np.random.default_rng(20261128)
    logits = draw.integers(-12, 13, (rows, 3)) / 8
    labels = draw.integers(0, 3, rows)
    params = variants.load("sparse").params(ignore_index=-100)
    return Case("sparse/batch", 8, logits, labels, params, np.ones(rows), np.zeros((rows, 3)))


def added(losses: Any) -> Any:
    """One after another, each sum rounded to the dtype of the losses."""
    total = losses[0]
    for loss in losses[1:]:
        total = (total + loss).astype(losses.dtype)
    return total


@pytest.mark.parametrize(("dtype", "rows"), [("bfloat16", 4096), ("float16", 16384)])
def test_a_sum_of_many_rows_in_16_bits_is_killed(dtype: str, rows: int) -> None:
    variant, case, of = variants.load("sparse"), batch(rows), DTYPES[dtype].numpy
    names = ("loss/none", "loss/sum", "loss/mean")
    true = {name: np.asarray(found.value) for name, found in values(variant, case, names).items()}
    allowed = bounds(variant, case, (dtype,), names)[dtype]
    ops, x = Operations(), case.logits.astype(np.float32)
    losses = (ops.logsumexp(x) - ops.pick(x, case.labels)).astype(of)

    def said(output: str, got: Any) -> Agrees | Differs:
        verdict = judge(Measured(np.asarray(got, of)), true[output], allowed[output], dtype)
        assert isinstance(verdict, Agrees | Differs)
        return verdict

    assert isinstance(said("loss/none", losses), Agrees)
    for output, divisor in (("loss/sum", 1), ("loss/mean", rows)):
        control = losses.astype(np.float32).sum() / divisor
        assert isinstance(said(output, control), Agrees)
        mutant = said(output, np.float32(added(losses)) / divisor)
        assert isinstance(mutant, Differs), f"{output}: {mutant}"
        assert mutant.ratio > 1.5


def test_below_the_smallest_normal_number_float16_is_not_taken_for_0() -> None:
    """The bound of float16 allows a step of its subnormal numbers, and not, as that of bfloat16, all of them."""
    variant, names = variants.load("sparse"), ("gradient/sum/logits",)
    case = Case("sparse/x", 8, np.array([[-12.0, 0.0]]), np.array([1]), batch(1).params, np.ones(1), np.zeros((1, 2)))
    allowed = bounds(variant, case, NARROW, names)
    wide = {dtype: allowed[dtype][names[0]].underflow[0, 0] for dtype in NARROW}
    assert wide["float16"] < 2.0**-18
    assert wide["bfloat16"] < 2.0**-120


@pytest.mark.parametrize("dtype", NARROW)
def test_answers_come_back_in_16_bits_and_travel(dtype: str) -> None:
    """A loss of 9.1e-4, and its gradient, are 0 in PyTorch in bfloat16, and lost; in float16 some digits are right."""
    pytest.importorskip("torch")
    from lossvet import adapters

    torch, variant = adapters.load("torch"), variants.load("sparse")
    golden = next(g for g in vectors.load("sparse") if g.case.id == "sparse/gap")
    names = ("loss/none", "gradient/none/logits")
    recipe = recipes(torch, variant)["native"]
    found = torch.read(torch.prepare(recipe, golden.case, "eager", dtype, "cpu", names)())
    allowed = bounds(variant, golden.case, (dtype,), names)[dtype]
    for name in names:
        sent = msgspec.msgpack.encode(messages.outcome_message(found[name]))
        outcome = messages.outcome(msgspec.msgpack.decode(sent, type=messages.OutcomeMessage))
        assert isinstance(outcome, Measured)
        assert outcome.value.dtype == DTYPES[dtype].numpy
        known = uncancelled(variant, golden.case, name)
        verdict = judge(outcome, golden.outputs[name], allowed[name], dtype, "nan", known)
        assert isinstance(verdict, Agrees)
        assert (verdict.lost is not None) == (dtype == "bfloat16"), f"{name}: {verdict}"
