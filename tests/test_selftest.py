"""The self-test of the gate: a loss is slowed by as much as stated, and the answers are counted."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

pytest.importorskip("scipy")

from tests import numpy_adapter

from lossvet.adapters import slowed
from lossvet.adapters.protocol import Cost
from lossvet.adapters.types import Native
from lossvet.benchmarks import decide, selftest, workloads
from lossvet.benchmarks.messages import Sampled
from lossvet.benchmarks.pairs import DRIFT, NAMES, Shot
from lossvet.workers.messages import Hello, NativeSpec

BASE = 1_000_000.0
"""Nanoseconds of a loss."""
SLOWED = {
    slowed.recipe(p): NativeSpec("", {"none": ""}, sample_weight=False, ignore_index=False, dtypes=("float32",))
    for p in selftest.PERCENTS
}
HELLO = Hello(
    name="torch",
    version="2",
    modes=("eager",),
    devices=("cpu",),
    dtypes=("float32",),
    costs={"eager": Cost()},
    natives={variant: SLOWED for variant, _ in selftest.LOSSES},
    no_gradient={},
    measured=("cpu",),
    details={},
    python="",
)
POOL = 64


def test_a_slowed_loss_is_computed_of_more_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """By exactly so many per cent of each loss of the self-test; on the side of base, all are the same."""
    own = Native(lambda logits, labels, params, reduction: (len(logits), len(labels)), "rows", {"mean": ""})
    for side, (variant, at) in product(NAMES, selftest.LOSSES):
        monkeypatch.setenv(slowed.VARIABLE, slowed.environment(selftest._shares(side))[slowed.VARIABLE])
        offered = slowed.added(replace(numpy_adapter.adapter(), native={variant: {"native": own}})).native[variant]
        assert set(offered) == {slowed.recipe(p) for p in selftest.PERCENTS}
        whole = np.zeros(workloads.shape(at).n)
        rows = {p: offered[slowed.recipe(p)].call(whole, whole, {}, "mean") for p in selftest.PERCENTS}
        base = rows[0][0]
        assert max(rows.values()) <= (len(whole), len(whole))
        assert {p: (n / base, m / base) for p, (n, m) in rows.items()} == {
            p: pytest.approx((1 + p / 100 * (side == "head"),) * 2, abs=1e-9) for p in selftest.PERCENTS
        }


def test_a_loss_that_a_framework_has_not_is_composed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(slowed.VARIABLE, slowed.environment({"sparse": {0: 0.5}})[slowed.VARIABLE])
    adapter = slowed.added(numpy_adapter.adapter())
    logits, labels = np.zeros((4, 8), np.float32), np.zeros(4, np.int64)
    losses = adapter.native["sparse"]["slowed_0"].call(logits, labels, {}, "none")
    assert losses == pytest.approx(np.full(2, np.log(8)))


def judged(monkeypatch: pytest.MonkeyPatch, real: Mapping[int, float], noise: float, drift: float) -> selftest.Rates:
    """What a self-test says of a pool in which a recipe slowed by so many per cent really is by another share."""
    monkeypatch.setattr(selftest, "RUNS", 10)
    draw = random.Random(5)
    shots = []
    for pair, turn, side in product(range(POOL), (0, 1), NAMES):
        head = side == "head"
        names = [(DRIFT, drift)] + [
            (str(selftest._subject(HELLO, *loss, p)), real[p]) for loss in selftest.LOSSES for p in real
        ]
        for name, change in names:
            ns = round(BASE * (1 + change * head) * math.exp(draw.gauss(0, noise)))
            shots.append(Shot(name, side, pair, turn, turn, 0, Sampled(1, (ns,))))
    return selftest.judge(HELLO, POOL, 60.0, shots)


AS_MEANT = {0: 0.0, 2: 0.02, 5: 0.05, 10: 0.10}


@pytest.mark.slow
def test_the_selftest_counts_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = judged(monkeypatch, AS_MEANT, noise=0.005, drift=0.0)
    none, two, five, ten = rates.rates
    assert [r.injected for r in rates.rates] == [0.0, 0.02, 0.05, 0.10]
    for rate in rates.rates:
        assert rate.comparisons == 40
        assert rate.slower + rate.faster + rate.unchanged + rate.inconclusive == 40
        within = 5 * 0.0008  # a median of 64 ratios, each with 0.5 %, has 0.08 %
        assert rate.measured == pytest.approx([rate.injected] * len(selftest.LOSSES), abs=within)
    assert (none.slower, none.faster) == (0, 0)
    assert two.faster == 0
    assert (five.slower, ten.slower) == (40, 40)
    assert (rates.uniform, rates.uniform_runs) == (10, 10)
    assert (rates.void, rates.runs) == (0, 40)
    assert all(n == pytest.approx(0.005, rel=0.5) for n in rates.noise.values())
    assert rates.verdict[0] == 0


@pytest.mark.slow
def test_the_selftest_counts_void_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = judged(monkeypatch, AS_MEANT, noise=0.002, drift=0.03)
    assert 30 <= rates.void <= 40  # of a loss against itself the sides are swapped, and the drift with them


@pytest.mark.slow
def test_the_selftest_says_where_the_gate_cannot_be_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    blind = judged(monkeypatch, {0: 0.0, 2: 0.0, 5: 0.0, 10: 0.10}, noise=0.005, drift=0.0)
    assert blind.verdict == (
        1,
        "the gate cannot be trusted on this machine: 0 false alarms in 40; power at 5 %: 0.0 %; 0 of 40 runs void",
    )
    assert blind.uniform == 0


@pytest.mark.slow
def test_the_selftest_can_see_a_false_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gate that condemns at the screening level is found out, although pool and sides are the same throughout."""
    monkeypatch.setattr(decide, "CONFIRM_LEVEL", 5.0)
    monkeypatch.setattr(decide, "CONFIRM_CHANGE", 0.001)
    monkeypatch.setattr(decide, "SCREEN_LEVEL", 1.1)
    monkeypatch.setattr(decide, "SCREEN_CHANGE", 0.0)
    rates = judged(monkeypatch, AS_MEANT, noise=0.02, drift=0.0)
    assert rates.alarms.slower + rates.alarms.faster > 0
    assert rates.verdict[0] == 1
