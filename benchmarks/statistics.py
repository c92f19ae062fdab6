"""The few statistics that times need. SciPy has them all; it is imported where it is used, for it takes a second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Interval:
    """A median with its distribution-free interval; both ends are NaN where the values are too few for one."""

    median: float
    low: float
    high: float


def interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """The median, and an interval that holds the true one with this confidence, whatever the distribution: between two
    order statistics (Conover, Practical Nonparametric Statistics, 3.2). It takes 6 values at 95 %."""
    from scipy.stats import quantile_test

    found = quantile_test(values).confidence_interval(confidence)
    return Interval(median(values), float(found.low), float(found.high))


def signed_rank(differences: Sequence[float]) -> float:
    """The two-sided p value of Wilcoxon's signed-rank test that the differences are symmetric about 0, exact."""
    from scipy.stats import wilcoxon

    if not any(differences):
        return 1.0
    return float(wilcoxon(differences, method="exact").pvalue)


def share(hits: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval of Clopper and Pearson for a share."""
    from scipy.stats import binomtest

    found = binomtest(hits, of).proportion_ci(confidence, method="exact")
    return float(found.low), float(found.high)
