"""The gate's error rates, simulated with noise of three kinds; the simulation decides as the gate does."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

pytest.importorskip("scipy")

from lossvet.benchmarks import decide
from lossvet.benchmarks.pairs import Ratios

BASE = 1_000_000.0
"""Nanoseconds of a subject."""
RUNS = 4000
"""Of the gate, for each kind of noise: with 5 subjects, 20,000 comparisons."""
SUBJECTS = 5


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_normal(shape)


def heavy(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Student's t with 3 degrees of freedom, of variance 1."""
    return rng.standard_t(3, shape) / math.sqrt(3)


def bimodal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Two states of a machine, each side of a pair in one of them, of variance 1 in all."""
    states = rng.integers(0, 2, shape) - rng.integers(0, 2, shape)
    return 0.8 * states / math.sqrt(0.5) + 0.6 * rng.standard_normal(shape)


def p_values(pairs: int) -> np.ndarray:
    """Of the signed-rank test, two-sided, by the sum of the ranks of one sign: all 2^pairs signs counted."""
    ways = np.zeros(pairs * (pairs + 1) // 2 + 1)
    ways[0] = 1
    for rank in range(1, pairs + 1):
        ways[rank:] = ways[rank:] + ways[:-rank]
    tail = np.cumsum(ways) / 2.0**pairs
    return np.minimum(1, 2 * np.minimum(tail, tail[::-1]))


def fast_p(logs: np.ndarray) -> np.ndarray:
    ranks = np.abs(logs).argsort(-1).argsort(-1) + 1
    return p_values(logs.shape[-1])[(ranks * (logs > 0)).sum(-1)]


def fast_suspicious(logs: np.ndarray) -> np.ndarray:
    shows = (fast_p(logs) < decide.SCREEN_LEVEL) & (np.abs(np.median(logs, -1)) > decide.SCREEN_CHANGE)
    return shows | (np.abs(logs).max(-1) >= decide.MARGIN)


def fast_confirmed(logs: np.ndarray, subjects: int) -> np.ndarray:
    """1 slower, -1 faster, 0 unchanged, 2 inconclusive."""
    middle, ordered = np.median(logs, -1), np.sort(logs, -1)
    shows = (fast_p(logs) < decide.CONFIRM_LEVEL / decide.LOOKS / subjects) & (np.abs(middle) > decide.CONFIRM_CHANGE)
    low, high = {20: (5, 14), 40: (13, 26)}[logs.shape[-1]]  # of the interval of the median, at 95 %
    within = (ordered[..., low] > -decide.MARGIN) & (ordered[..., high] < decide.MARGIN)
    return np.where(shows, np.sign(middle), np.where(within, 0, 2)).astype(int)


CODES = {"slower": 1, "faster": -1, "unchanged": 0, "inconclusive": 2}


@pytest.mark.parametrize("noise", [normal, heavy, bimodal])
def test_the_simulation_decides_as_the_gate_does(noise: Callable[..., np.ndarray]) -> None:
    rng = np.random.default_rng(11)
    seen = set()
    for change, scale in product((0.0, 0.02, 0.05, -0.05), (0.01, 0.05)):
        first, fresh = (math.log1p(change) + scale * noise(rng, (8, n)) for n in (decide.SCREEN, decide.CONFIRM))
        for row, suspicious in zip(first, fast_suspicious(first), strict=True):
            assert decide.suspicious(Ratios(tuple(row), BASE, BASE)) == suspicious, f"seed 11, {change}, {scale}"
        more = np.concatenate([fresh, math.log1p(change) + scale * noise(rng, (8, decide.CONFIRM))], -1)
        both = [*zip(fresh, fast_confirmed(fresh, SUBJECTS), strict=True)]
        for row, code in [*both, *zip(more, fast_confirmed(more, SUBJECTS), strict=True)]:
            found = decide.confirmed("s", Ratios(tuple(row), BASE, BASE), SUBJECTS).verdict
            assert CODES[found] == code, f"seed 11, {change}, {scale}"
            seen.add(found)
    assert seen == CODES.keys()


@pytest.mark.slow
@pytest.mark.parametrize("noise", [normal, heavy, bimodal])
@pytest.mark.parametrize("scale", [0.01, 0.02])
def test_no_false_alarm_and_power_at_5_per_cent(
    noise: Callable[..., np.ndarray], scale: float, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = 3
    rng = np.random.default_rng(seed)
    shares = {}
    for change in (0.0, 0.05):
        first, fresh, more = (
            math.log1p(change) + scale * noise(rng, (RUNS, SUBJECTS, n)) for n in (decide.SCREEN, *[decide.CONFIRM] * 2)
        )
        look, again = fast_confirmed(fresh, SUBJECTS), fast_confirmed(np.concatenate([fresh, more], -1), SUBJECTS)
        said = np.where(fast_suspicious(first), np.where(look == CODES["inconclusive"], again, look), 0)
        shares[change] = {name: float((said == code).mean()) for name, code in CODES.items()}
    alarms = round((shares[0.0]["slower"] + shares[0.0]["faster"]) * RUNS * SUBJECTS)
    with capsys.disabled():
        print(
            f"\n  {noise.__name__:8} {100 * scale:.0f} %: {alarms} false alarms in {RUNS * SUBJECTS:,}, "
            f"power at +5 % {100 * shares[0.05]['slower']:.2f} %, open {100 * shares[0.05]['inconclusive']:.2f} % "
            f"(unchanged against itself {100 * shares[0.0]['unchanged']:.2f} %)"
        )
    assert alarms == 0, f"seed {seed}"
    assert shares[0.05]["slower"] >= 0.95, f"seed {seed}: {shares}"
    assert shares[0.05]["faster"] == 0, f"seed {seed}"


def test_the_simulation_finds_a_gate_that_is_too_eager() -> None:
    """Confirmed by the pairs that raised the suspicion, at their level, many are condemned that have not changed."""
    logs = 0.03 * normal(np.random.default_rng(3), (RUNS, decide.SCREEN))
    assert np.mean((fast_p(logs) < decide.SCREEN_LEVEL) & (np.abs(np.median(logs, -1)) > decide.SCREEN_CHANGE)) > 0.02
