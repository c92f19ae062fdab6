"""What the default reference is built of, against mpmath: exponential and logarithm, and sums that cancel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from mpmath import mp, mpf

from lossvet.reference.fast import kernels, pairs

SEED = 20261128
UNIT = 2.0**-53


def _worst(found: tuple[Any, Any], true: list[Any]) -> float:
    hi, lo = found
    return max(float(abs((mpf(float(h)) + mpf(float(k))) / t - 1)) for h, k, t in zip(hi, lo, true, strict=True))


def test_kernels_are_within_what_they_claim() -> None:
    draw = np.random.default_rng(SEED)
    step = float(np.log(2) / 512)
    a = np.concatenate(
        [draw.uniform(0, 3, 400), draw.uniform(0, 700, 400), 10.0 ** draw.uniform(-20, 0, 200), [0.0, step]]
    )
    low = a * draw.uniform(-UNIT, UNIT, a.size)
    s, left = kernels.exp_negative(a, low)
    with mp.workdps(50):
        exact = [mpf(float(x)) + mpf(float(y)) for x, y in zip(a, low, strict=True)]
        assert _worst((s, left), [mp.exp(-x) for x in exact]) <= kernels.EXP, f"seed {SEED}"
        parts = np.concatenate([s, np.arange(1, 257) / 256, np.nextafter(np.arange(1, 257) / 256, 0)])
        lower = np.concatenate([left, np.zeros(512)])
        pairs_of = [mpf(float(x)) + mpf(float(y)) for x, y in zip(parts, lower, strict=True)]
        logarithm = kernels.log1p(parts, lower)
        assert _worst(logarithm, [mp.log1p(x) for x in pairs_of]) <= kernels.LOG1P, f"seed {SEED}"
        large = 10.0 ** draw.uniform(-20, 6, 400)
        found = kernels.log1p_any((large, None))
        assert _worst(found, [mp.log1p(mpf(float(x))) for x in large]) <= kernels.LOG1P, f"seed {SEED}"


@pytest.mark.parametrize("n", [1, 2, 3, 17, 2048, 2049, 9000])
def test_sums_keep_what_cancels(n: int) -> None:
    draw = np.random.default_rng([SEED, n])
    x = draw.normal(size=(n, 2)) * 10.0 ** draw.uniform(-12, 12, (n, 2))
    x[-1] = -x[:-1].sum(0)
    rest = x * draw.uniform(-UNIT, UNIT, x.shape)
    hi, lo = pairs.total((x, rest), 0)
    for c in range(2):
        off = math.fsum([*x[:, c], *rest[:, c], -hi[c], -lo[c]])
        assert abs(off) <= pairs.SECOND * np.abs(x[:, c]).sum(), f"seed {SEED}"
