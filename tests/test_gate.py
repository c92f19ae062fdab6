"""The gate decides as it says, subject by subject, and its last line says what it found."""

from __future__ import annotations

import math
import random

import pytest

pytest.importorskip("scipy")

from lossvet.benchmarks import decide
from lossvet.benchmarks.decide import Finding
from lossvet.benchmarks.gate_report import Difference, Report
from lossvet.benchmarks.pairs import DRIFT, Ratios
from lossvet.benchmarks.ratchet import Worse

BASE = 1_000_000.0
"""Nanoseconds of a subject, where nothing else is said."""


def noisy(change: float, pairs: int, noise: float, seed: int, base: float = BASE) -> Ratios:
    """Log ratios of a subject that is slower by this share, with normal noise."""
    draw = random.Random(seed)
    logs = tuple(math.log1p(change) + draw.gauss(0, noise) for _ in range(pairs))
    return Ratios(logs, base, base * (1 + change))


def steady(change: float, pairs: int, base: float = BASE) -> Ratios:
    """Log ratios of a subject that is slower by this share, hardly disturbed."""
    return Ratios(tuple(math.log1p(change) + 1e-5 * i for i in range(pairs)), base, base * (1 + change))


# One subject ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "noise", "verdict"),
    [
        (0.0, 0.01, "unchanged"),
        (0.01, 0.005, "unchanged"),
        (0.05, 0.01, "slower"),
        (0.3, 0.05, "slower"),
        (-0.05, 0.01, "faster"),
        (-0.3, 0.05, "faster"),
        (0.0, 0.2, "inconclusive"),
        (0.05, 0.1, "inconclusive"),
        (-0.05, 0.1, "inconclusive"),
    ],
)
def test_verdicts(change: float, noise: float, verdict: str) -> None:
    for seed in range(3):
        found = decide.confirmed("s", noisy(change, decide.CONFIRM, noise, seed), 1)
        assert found.verdict == verdict, f"seed {seed}"
        assert found.change is not None
        assert found.change.low <= found.change.median <= found.change.high
        assert found.pairs == decide.CONFIRM


def test_a_change_is_given_as_a_share_and_not_as_a_logarithm() -> None:
    found = decide.confirmed("s", steady(0.5, 20), 1)
    assert found.change is not None
    assert found.change.median == pytest.approx(0.5, abs=1e-3)


def test_screening_never_condemns() -> None:
    """However slow: whoever is suspicious is measured afresh, and only that decides."""
    assert decide.suspicious(steady(1.0, decide.SCREEN))
    assert decide.suspicious(steady(-0.5, decide.SCREEN))
    assert decide.screened("s", steady(0.0, decide.SCREEN)).verdict == "unchanged"
    assert not decide.suspicious(steady(0.0, decide.SCREEN))


def test_20_pairs_reach_the_level_of_500_subjects_and_8_do_not() -> None:
    assert decide.confirmed("s", steady(0.1, decide.CONFIRM), 250).verdict == "slower"
    assert decide.confirmed("s", steady(0.1, decide.SCREEN), 500).verdict == "inconclusive"
    assert decide.confirmed("s", steady(0.1, decide.SCREEN), 1).verdict == "inconclusive"
    assert decide.confirmed("s", steady(0.1, decide.CONFIRM), 263).verdict == "inconclusive"


def test_the_confirming_level_is_divided_by_the_number_of_subjects() -> None:
    # 2 of 20 pairs say the opposite, a little: p is 2 * 4 / 2^20, for one sum of ranks less than the third smallest
    logs = (*(0.06 + 0.001 * i for i in range(18)), -0.001, -0.002)
    ratios = Ratios(logs, BASE, 1.06 * BASE)
    p = decide.signed_rank(logs)
    assert p == pytest.approx(2 * 5 / 2**20)
    most = math.floor(decide.CONFIRM_LEVEL / decide.LOOKS / p)
    assert decide.confirmed("s", ratios, most).verdict == "slower"
    assert decide.confirmed("s", ratios, most + 1).verdict == "inconclusive"


def test_a_difference_of_less_than_two_per_cent_is_not_condemned_however_certain() -> None:
    assert decide.confirmed("s", steady(0.019, 20), 1).verdict == "unchanged"
    assert decide.confirmed("s", steady(0.021, 20), 1).verdict == "slower"


def test_a_difference_below_a_microsecond_is_no_news() -> None:
    for change in (0.2, -0.2):
        assert not decide.suspicious(steady(change, decide.SCREEN, 4_900))
        assert decide.confirmed("s", steady(change, decide.CONFIRM, 4_900), 1).verdict == "unchanged"
        assert decide.suspicious(steady(change, decide.SCREEN, 5_100))
        assert decide.confirmed("s", steady(change, decide.CONFIRM, 5_100), 1).verdict != "unchanged"


@pytest.mark.parametrize("base", [30_000.0, BASE, 1e9])
def test_a_wide_interval_is_never_unchanged(base: float) -> None:
    """Not even where the medians happen to be the same on both sides."""
    for logs in ((0.08, -0.08) * 10, (0.2, 0.2, 0.0, -0.2, -0.2) * 4, (0.06,) * 7 + (0.0,) * 13):
        wide = Ratios(logs, base, base)
        assert decide.confirmed("s", wide, 1).verdict == "inconclusive", logs
        assert decide.suspicious(Ratios(logs[:8], base, base)), logs


def test_too_few_pairs_for_an_interval_are_inconclusive() -> None:
    assert decide.suspicious(steady(0.0, 5))
    assert decide.confirmed("s", steady(0.0, 5), 1).verdict == "inconclusive"
    assert decide.confirmed("s", Ratios((0.0,) * 20, BASE, BASE), 1).verdict == "unchanged"


def test_drift_of_more_than_a_hundredth_is_seen() -> None:
    assert "+1.5 % on the side of head" in decide.drifted({DRIFT: steady(0.015, 8)})
    assert "-1.5 % on the side of head" in decide.drifted({DRIFT: steady(-0.015, 8)})
    assert not decide.drifted({DRIFT: steady(0.008, 8)})
    assert not decide.drifted({DRIFT: Ratios((0.05, -0.04) * 4, BASE, BASE)})
    assert "not measured" in decide.drifted({})


def test_more_benchmarks_are_confirmed_with_more_pairs() -> None:
    """Or the level could not be reached, and slower could not be said."""
    for count in (1, 4, 262, 519, 2000):
        assert 2 / 2 ** decide.confirming(count) < decide.CONFIRM_LEVEL / decide.LOOKS / count
    assert decide.confirming(4) == decide.CONFIRM


# The last line -------------------------------------------------------------------------------------------------------

UNCHANGED = Finding("s", "unchanged")
DIFFERENCE, KNOWN = Difference("c", "w", known=False), Difference("c", "w", known=True)


@pytest.mark.parametrize(
    ("report", "code", "words"),
    [
        (Report({}, (UNCHANGED,), (), (), judged=1), 0, "green: 1 benchmarks no slower"),
        (Report({}, (UNCHANGED,), (KNOWN,), (), judged=1), 0, "green"),
        (Report({}, (), (), (), judged=1), 3, "no comparison was made"),
        (Report({}, (UNCHANGED,), (), (), void="drift", judged=1), 3, "void: drift"),
        (Report({}, (Finding("s", "inconclusive"),), (), (), judged=1), 3, "1 inconclusive"),
        (Report({}, (UNCHANGED,), (), (), unjudged=("no check was made",)), 3, "no check was made"),
        (Report({}, (UNCHANGED,), (), (Worse("c", "new", ""),), judged=1), 3, "1 without an accuracy baseline"),
        (Report({}, (UNCHANGED,), (), (Worse("c", "worse", ""),), judged=1), 1, "1 less accurate"),
        (Report({}, (UNCHANGED,), (), (Worse("c", "gone", ""),), judged=1), 1, "1 less accurate"),
        (Report({}, (UNCHANGED,), (DIFFERENCE,), (), judged=1), 1, "1 wrong in head only"),
        (Report({}, (Finding("s", "slower"),), (), ()), 1, "1 slower"),
        (Report({}, (Finding("s", "missing", blame="head"),), (), ()), 1, "1 gone or failing in head"),
        (Report({}, (Finding("s", "missing", blame="base"),), (), ()), 3, "1 without a base"),
        (Report({}, (Finding("s", "missing"),), (), (), judged=1), 3, "1 without a base"),
        (Report({}, (UNCHANGED, Finding("t", "faster")), (), (), judged=1), 0, "1 of them faster"),
    ],
)
def test_exit_codes(report: Report, code: int, words: str) -> None:
    assert report.verdict[0] == code
    assert words in report.verdict[1]


def test_red_wins_over_what_cannot_be_judged() -> None:
    findings = (Finding("a", "slower"), Finding("b", "inconclusive"), Finding("c", "missing", blame="base"))
    report = Report({}, findings, (), (Worse("c", "new", ""),), void="drift", unjudged=("x",))
    assert report.verdict == (1, "red: 1 slower")
