"""The gate decides as it says: with known error rates, and never green over what it has not seen."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")

from lossvet.adapters import slowed
from lossvet.benchmarks import gate, gate_speed, pairs, selftest, subjects
from lossvet.benchmarks.client import Side
from lossvet.benchmarks.gate import Finding
from lossvet.benchmarks.gate_report import Difference, Options, Report
from lossvet.benchmarks.messages import Failed, Reply, Sampled
from lossvet.benchmarks.pairs import DRIFT, NAMES, Match, Name, Ratios, Shot
from lossvet.benchmarks.ratchet import Worse
from lossvet.benchmarks.subjects import Programme, Subject, Wanted
from lossvet.conformance.messages import Hello, NativeSpec
from lossvet.reference.types import Reduction

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
        found = gate.confirmed("s", noisy(change, gate.CONFIRM, noise, seed), 1)
        assert found.verdict == verdict, f"seed {seed}"
        assert found.change is not None
        assert found.change.low <= found.change.median <= found.change.high
        assert found.pairs == gate.CONFIRM


def test_a_change_is_given_as_a_share_and_not_as_a_logarithm() -> None:
    found = gate.confirmed("s", steady(0.5, 20), 1)
    assert found.change is not None
    assert found.change.median == pytest.approx(0.5, abs=1e-3)


def test_screening_never_condemns() -> None:
    """However slow: whoever is suspicious is measured afresh, and only that decides."""
    assert gate.suspicious(steady(1.0, gate.SCREEN))
    assert gate.suspicious(steady(-0.5, gate.SCREEN))
    assert gate.screened("s", steady(0.0, gate.SCREEN)).verdict == "unchanged"
    assert not gate.suspicious(steady(0.0, gate.SCREEN))


def test_20_pairs_reach_the_level_of_500_subjects_and_8_do_not() -> None:
    assert gate.confirmed("s", steady(0.1, gate.CONFIRM), 250).verdict == "slower"
    assert gate.confirmed("s", steady(0.1, gate.SCREEN), 500).verdict == "inconclusive"
    assert gate.confirmed("s", steady(0.1, gate.SCREEN), 1).verdict == "inconclusive"
    assert gate.confirmed("s", steady(0.1, gate.CONFIRM), 263).verdict == "inconclusive"


def test_the_confirming_level_is_divided_by_the_number_of_subjects() -> None:
    # 2 of 20 pairs say the opposite, a little: p is 2 * 4 / 2^20, for one sum of ranks less than the third smallest
    logs = (*(0.06 + 0.001 * i for i in range(18)), -0.001, -0.002)
    ratios = Ratios(logs, BASE, 1.06 * BASE)
    p = gate.signed_rank(logs)
    assert p == pytest.approx(2 * 5 / 2**20)
    most = math.floor(gate.CONFIRM_LEVEL / gate.LOOKS / p)
    assert gate.confirmed("s", ratios, most).verdict == "slower"
    assert gate.confirmed("s", ratios, most + 1).verdict == "inconclusive"


def test_a_difference_of_less_than_two_per_cent_is_not_condemned_however_certain() -> None:
    assert gate.confirmed("s", steady(0.019, 20), 1).verdict == "unchanged"
    assert gate.confirmed("s", steady(0.021, 20), 1).verdict == "slower"


def test_a_difference_below_a_microsecond_is_no_news() -> None:
    for change in (0.2, -0.2):
        assert not gate.suspicious(steady(change, gate.SCREEN, 4_900))
        assert gate.confirmed("s", steady(change, gate.CONFIRM, 4_900), 1).verdict == "unchanged"
        assert gate.suspicious(steady(change, gate.SCREEN, 5_100))
        assert gate.confirmed("s", steady(change, gate.CONFIRM, 5_100), 1).verdict != "unchanged"


@pytest.mark.parametrize("base", [30_000.0, BASE, 1e9])
def test_a_wide_interval_is_never_unchanged(base: float) -> None:
    """Not even where the medians happen to be the same on both sides."""
    for logs in ((0.08, -0.08) * 10, (0.2, 0.2, 0.0, -0.2, -0.2) * 4, (0.06,) * 7 + (0.0,) * 13):
        wide = Ratios(logs, base, base)
        assert gate.confirmed("s", wide, 1).verdict == "inconclusive", logs
        assert gate.suspicious(Ratios(logs[:8], base, base)), logs


def test_too_few_pairs_for_an_interval_are_inconclusive() -> None:
    assert gate.suspicious(steady(0.0, 5))
    assert gate.confirmed("s", steady(0.0, 5), 1).verdict == "inconclusive"
    assert gate.confirmed("s", Ratios((0.0,) * 20, BASE, BASE), 1).verdict == "unchanged"


def test_drift_of_more_than_a_hundredth_is_seen() -> None:
    assert "+1.5 % on the side of head" in gate.drifted({DRIFT: steady(0.015, 8)})
    assert "-1.5 % on the side of head" in gate.drifted({DRIFT: steady(-0.015, 8)})
    assert not gate.drifted({DRIFT: steady(0.008, 8)})
    assert not gate.drifted({DRIFT: Ratios((0.05, -0.04) * 4, BASE, BASE)})
    assert "not measured" in gate.drifted({})


# A whole run, with times that are made up ----------------------------------------------------------------------------

ONE, TWO, GPU = (
    subjects.subject(f"{cell}/512x1000/train")
    for cell in (
        "sparse/native/torch/eager/float32/cpu",
        "sigmoid/composed/torch/eager/float32/cpu",
        "sparse/native/jax/jit/float32/cpu",
    )
)
"""Two subjects of one framework and one of another."""
Answer = Callable[[Shot], Reply | float]
"""What a worker says to be the case of a shot: a reply, or by what factor it takes longer than usual."""


class Unseen:
    """An observer that remembers how much was measured."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.steps: list[int] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def begin(self, total: int) -> None:
        self.steps.append(total)

    def counted(self, what: str) -> None:
        pass


Gate = Callable[..., tuple[Report, Unseen]]


@pytest.fixture
def speed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """A gate's run over subjects whose times come from a function, disturbed a little."""
    monkeypatch.chdir(tmp_path)

    def run(
        answer: Answer,
        base: Sequence[Subject] = (ONE, TWO),
        head: Sequence[Subject] = (ONE, TWO),
        by: Mapping[Name, Reduction] | None = None,
    ) -> tuple[Report, Unseen]:
        draw = random.Random(7)

        def shots(match: Match, numbers: Sequence[int], observer: pairs.Observer, seed: int = 0) -> Iterator[Shot]:
            names = (DRIFT, *map(str, match.subjects), DRIFT)
            for pair, turn, name, side in product(numbers, (0, 1), names, NAMES):
                said = answer(Shot(name, side, pair, turn, turn, 0, Failed("")))
                if not isinstance(said, Failed | Sampled):
                    assert isinstance(said, float | int)
                    said = Sampled(1, (round(BASE * said * math.exp(draw.gauss(0, 0.005))),), workload="the same")
                yield Shot(name, side, pair, turn, turn, 0, said)

        monkeypatch.setattr(Match, "pairs", shots)
        programmes = {name: _programme(chosen, (by or {}).get(name, "mean")) for name, chosen in _sides(base, head)}
        sides = {name: Side("python") for name in NAMES}
        watcher = Unseen()
        matches, alone = gate_speed.matched(sides, {}, programmes)
        found, void, path = gate_speed.compare_speed(Options(sides, Wanted()), matches, {}, watcher)
        return Report({}, (*alone, *found), (), (), void, judged=1, path=path), watcher

    return run


def _sides(base: Sequence[Subject], head: Sequence[Subject]) -> tuple[tuple[Name, Sequence[Subject]], ...]:
    return ("base", base), ("head", head)


def _programme(chosen: Sequence[Subject], by: Reduction) -> Programme:
    frameworks = dict.fromkeys(s.cell.framework for s in chosen)
    return Programme({f: {s: by for s in chosen if s.cell.framework == f} for f in frameworks}, {}, {})


def usual(shot: Shot) -> float:
    return 1.0


def verdicts(report: Report) -> dict[str, str]:
    return {f.subject: f.verdict for f in report.findings}


def test_nothing_changed_is_green_and_takes_one_stage(speed: Gate) -> None:
    report, watcher = speed(usual)
    assert verdicts(report) == {str(ONE): "unchanged", str(TWO): "unchanged"}
    assert report.verdict == (0, "green: 2 benchmarks no slower, 1 checks no worse")
    assert watcher.steps == [pairs.PASSES * gate.SCREEN]


def test_a_pair_takes_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four processes, one at work at a time; each is asked as often as the others, and each side as often first."""
    asked: list[tuple[Name, int, str]] = []
    busy: list[int] = []

    class Fake:
        greeting = None

        def __init__(self, name: Name, core: int) -> None:
            self.name, self.core = name, core

        def __enter__(self) -> Fake:
            return self

        def __exit__(self, *exception: object) -> None: ...

        def ask(self, request: object) -> Sampled:
            assert not busy
            asked.append((self.name, self.core, getattr(request, "subject", DRIFT)))
            return Sampled(1, (1000,))

    monkeypatch.setattr(pairs, "cores", lambda: (3, 5))
    monkeypatch.setattr(Match, "client", lambda self, name, core: Fake(name, core))
    watcher = Unseen()
    sides = {name: Side("python") for name in NAMES}
    shots = list(Match("torch", sides, {ONE: "mean", TWO: "mean"}, {}).pairs(range(2), watcher))
    assert [(s.side, s.core, s.subject) for s in shots] == asked
    for core, side, subject in product((3, 5), NAMES, (DRIFT, str(ONE), str(TWO))):
        assert asked.count((side, core, subject)) == 2 * pairs.PASSES
    turns = [asked[n : n + 2] for n in range(0, len(asked), 2)]
    assert all({name for name, *_ in turn} == set(NAMES) and len({t[1:] for t in turn}) == 1 for turn in turns)
    first = [turn[0][0] for turn in turns]
    assert first.count("base") == first.count("head")


def test_more_benchmarks_are_confirmed_with_more_pairs() -> None:
    """Or the level could not be reached, and slower could not be said."""
    for count in (1, 4, 262, 519, 2000):
        assert 2 / 2 ** gate.confirming(count) < gate.CONFIRM_LEVEL / gate.LOOKS / count
    assert gate.confirming(4) == gate.CONFIRM


def test_only_who_is_suspicious_is_measured_afresh(speed: Gate) -> None:
    asked: list[str] = []

    def answer(shot: Shot) -> float:
        asked.append(shot.subject)
        return 1.1 if shot.side == "head" and shot.subject == str(ONE) else 1.0

    report, watcher = speed(answer)
    assert verdicts(report) == {str(ONE): "slower", str(TWO): "unchanged"}
    assert report.verdict == (1, "red: 1 slower")
    assert watcher.steps == [pairs.PASSES * gate.SCREEN, pairs.PASSES * gate.CONFIRM]
    assert asked.count(str(ONE)) == 4 * (gate.SCREEN + gate.CONFIRM)
    assert asked.count(str(TWO)) == 4 * gate.SCREEN


def test_what_is_open_after_that_is_measured_once_more(speed: Gate) -> None:
    """And judged by the pairs of both looks: here, a slowdown that the first saw in half of its pairs alone."""

    def answer(shot: Shot) -> float:
        slow = shot.side == "head" and shot.subject == str(ONE) and not (8 <= shot.pair < 28 and shot.pair % 2)
        return 1.1 if slow else 1.0

    report, watcher = speed(answer)
    assert verdicts(report) == {str(ONE): "slower", str(TWO): "unchanged"}
    assert watcher.steps == [pairs.PASSES * n for n in (gate.SCREEN, gate.CONFIRM, gate.CONFIRM)]
    assert {f.subject: f.pairs for f in report.findings}[str(ONE)] == gate.LOOKS * gate.CONFIRM


def test_who_stays_open_after_all_looks_is_inconclusive(speed: Gate) -> None:
    report, watcher = speed(
        lambda shot: (1.1, 0.9)[shot.pair % 2] if shot.side == "head" and shot.subject == str(ONE) else 1.0
    )
    assert verdicts(report) == {str(ONE): "inconclusive", str(TWO): "unchanged"}
    assert len(watcher.steps) == 1 + gate.LOOKS
    assert report.verdict[0] == 3


def test_what_only_screening_saw_is_not_held_against_head(speed: Gate) -> None:
    report, watcher = speed(lambda shot: 1.1 if shot.side == "head" and shot.pair < 8 and shot.subject != DRIFT else 1)
    assert len(watcher.steps) == 2
    assert verdicts(report) == {str(ONE): "unchanged", str(TWO): "unchanged"}
    assert {f.pairs for f in report.findings} == {gate.CONFIRM}


def test_faster_is_green_and_said(speed: Gate) -> None:
    report, _ = speed(lambda shot: 0.8 if shot.side == "head" and shot.subject == str(ONE) else 1)
    assert report.verdict == (0, "green: 2 benchmarks no slower, 1 of them faster, 1 checks no worse")


def test_a_slowdown_of_everything_is_slower_and_not_void(speed: Gate) -> None:
    report, _ = speed(lambda shot: 1.05 if shot.side == "head" and shot.subject != DRIFT else 1)
    assert not report.void
    assert set(verdicts(report).values()) == {"slower"}
    assert report.verdict == (1, "red: 2 slower")


@pytest.mark.parametrize("first", [0, gate.SCREEN], ids=["from the start", "while confirming"])
def test_a_machine_that_favours_a_side_voids_the_run(speed: Gate, first: int) -> None:
    def answer(shot: Shot) -> float:
        slower = 1.05 if shot.side == "head" and shot.subject == str(ONE) else 1.0
        return slower * (1.03 if shot.side == "head" and shot.pair >= first else 1)

    report, watcher = speed(answer)
    assert verdicts(report)[str(ONE)] == "void"
    assert "slower" not in verdicts(report).values()
    assert report.verdict[0] == 3
    assert "void: torch: the fixed workload took" in report.verdict[1]
    assert len(watcher.steps) == (1 if first == 0 else 2)


def test_a_fixed_workload_that_cannot_be_measured_voids_the_run(speed: Gate) -> None:
    report, _ = speed(lambda shot: Failed("MemoryError") if shot.subject == DRIFT else 1)
    assert report.verdict[0] == 3
    assert "the fixed workload was not measured" in report.verdict[1]


def test_a_benchmark_that_vanishes_from_head_is_red(speed: Gate) -> None:
    report, _ = speed(usual, head=(TWO,))
    (gone,) = (f for f in report.findings if f.verdict == "missing")
    assert (gone.subject, gone.why, gone.blame) == (str(ONE), "is gone from head", "head")
    assert report.verdict == (1, "red: 1 gone or failing in head")


def test_a_framework_that_vanishes_from_head_is_red(speed: Gate) -> None:
    report, _ = speed(usual, base=(ONE, GPU), head=(ONE,))
    assert verdicts(report) == {str(ONE): "unchanged", str(GPU): "missing"}
    assert report.verdict[0] == 1


def test_a_benchmark_that_head_skips_is_red(speed: Gate) -> None:
    """Prepared, but refused in the worker, as a framework does that has no gradient."""
    skips = Failed("gradient/mean/logits: has no gradient")
    report, _ = speed(lambda shot: skips if shot.subject == str(ONE) and shot.side == "head" else 1)
    assert report.verdict == (1, "red: 1 gone or failing in head")
    (missing,) = (f for f in report.findings if f.verdict == "missing")
    assert missing.why == "head: gradient/mean/logits: has no gradient"


def test_a_benchmark_without_a_base_cannot_be_judged(speed: Gate) -> None:
    report, _ = speed(usual, base=(TWO,))
    assert report.verdict == (3, "cannot judge: 1 without a base")
    assert {f.blame for f in report.findings} == {"", "base"}


def test_a_benchmark_whose_base_fails_cannot_be_judged(speed: Gate) -> None:
    report, _ = speed(lambda shot: Failed("ImportError") if shot.subject == str(ONE) and shot.side == "base" else 1)
    assert report.verdict == (3, "cannot judge: 1 without a base")


def test_a_benchmark_that_fails_on_both_sides_is_not_green(speed: Gate) -> None:
    report, _ = speed(lambda shot: Failed("ImportError") if shot.subject == str(ONE) else 1)
    assert report.verdict == (3, "cannot judge: 1 without a base")
    (finding,) = [f for f in report.findings if f.verdict == "missing"]
    assert finding.why == "on both sides: ImportError"


def test_a_benchmark_that_reduces_otherwise_is_red(speed: Gate) -> None:
    report, _ = speed(usual, by={"base": "mean", "head": "weighted_mean"})
    assert report.verdict == (1, "red: 2 gone or failing in head")


@pytest.mark.parametrize("pair", [0, gate.SCREEN], ids=["screening", "confirming"])
def test_one_failure_of_head_is_enough(speed: Gate, pair: int) -> None:
    def answer(shot: Shot) -> Reply | float:
        if shot.subject != str(ONE) or shot.side == "base":
            return 1.0
        return Failed("its worker died: SIGSEGV") if (shot.pair, shot.round) == (pair, 1) else 1.1

    report, _ = speed(answer)
    assert verdicts(report)[str(ONE)] == "missing"
    assert report.verdict == (1, "red: 1 gone or failing in head")


def test_edited_inputs_are_red(speed: Gate) -> None:
    def answer(shot: Shot) -> Reply | float:
        edited = shot.subject == str(ONE) and shot.side == "head"
        return Sampled(1, (round(BASE),), workload="another") if edited else 1.0

    report, _ = speed(answer)
    assert verdicts(report) == {str(ONE): "missing", str(TWO): "unchanged"}
    assert report.verdict == (1, "red: 1 gone or failing in head")


def test_nothing_in_common_is_not_green(speed: Gate) -> None:
    report, _ = speed(usual, base=(), head=(ONE,))
    assert report.verdict[0] == 3


def test_pairs_that_are_not_whole_do_not_count() -> None:
    def shot(pair: int, turn: int, side: Name, ns: int | None) -> Shot:
        return Shot("s", side, pair, turn, 0, 0, Failed("no") if ns is None else Sampled(2, (2 * ns,)))

    whole = [shot(0, turn, side, ns) for turn in (0, 1) for side, ns in (("base", 100), ("head", 200 << turn))]
    torn = [shot(1, turn, "base", 100) for turn in (0, 1)] + [shot(1, 0, "head", 900), shot(1, 1, "head", None)]
    half = [shot(2, 0, side, ns) for side, ns in (("base", 100), ("head", 900))]
    found = pairs.ratios([*whole, *torn, *half])["s"]
    assert found.logs == (pytest.approx((math.log(2) + math.log(4)) / 2),)
    assert (found.base, found.head) == (100, 300)
    assert not pairs.ratios([*torn, *half])
    missing = gate.missing(torn, ["s"], {})["s"]
    assert missing.verdict == "missing"
    assert gate.missing([], ["s"], {})["s"].blame == "base"


# The last line -------------------------------------------------------------------------------------------------------

UNCHANGED = Finding("s", "unchanged")
DIFFERENCE, KNOWN = Difference("c", "w", known=False), Difference("c", "w", known=True)


@pytest.mark.parametrize(
    ("report", "code", "words"),
    [
        (Report({}, (UNCHANGED,), (), (), judged=1), 0, "green: 1 benchmarks no slower"),
        (Report({}, (UNCHANGED,), (KNOWN,), (), judged=1), 0, "green"),
        (Report({}, (), (), (), judged=1), 3, "not one comparison was made"),
        (Report({}, (UNCHANGED,), (), (), void="drift", judged=1), 3, "void: drift"),
        (Report({}, (Finding("s", "inconclusive"),), (), (), judged=1), 3, "1 inconclusive"),
        (Report({}, (UNCHANGED,), (), (), unjudged=("not one check was made",)), 3, "not one check was made"),
        (Report({}, (UNCHANGED,), (), (Worse("c", "new", ""),), judged=1), 3, "1 without an accuracy baseline"),
        (Report({}, (UNCHANGED,), (), (Worse("c", "worse", ""),), judged=1), 1, "1 less accurate"),
        (Report({}, (UNCHANGED,), (), (Worse("c", "gone", ""),), judged=1), 1, "1 less accurate"),
        (Report({}, (UNCHANGED,), (DIFFERENCE,), (), judged=1), 1, "1 wrong in head alone"),
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


# Error rates, simulated ----------------------------------------------------------------------------------------------

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
    shows = (fast_p(logs) < gate.SCREEN_LEVEL) & (np.abs(np.median(logs, -1)) > gate.SCREEN_CHANGE)
    return shows | (np.abs(logs).max(-1) >= gate.MARGIN)


def fast_confirmed(logs: np.ndarray, subjects: int) -> np.ndarray:
    """1 slower, -1 faster, 0 unchanged, 2 inconclusive."""
    middle, ordered = np.median(logs, -1), np.sort(logs, -1)
    shows = (fast_p(logs) < gate.CONFIRM_LEVEL / gate.LOOKS / subjects) & (np.abs(middle) > gate.CONFIRM_CHANGE)
    low, high = {20: (5, 14), 40: (13, 26)}[logs.shape[-1]]  # of the interval of the median, at 95 %
    within = (ordered[..., low] > -gate.MARGIN) & (ordered[..., high] < gate.MARGIN)
    return np.where(shows, np.sign(middle), np.where(within, 0, 2)).astype(int)


CODES = {"slower": 1, "faster": -1, "unchanged": 0, "inconclusive": 2}


@pytest.mark.parametrize("noise", [normal, heavy, bimodal])
def test_the_simulation_decides_as_the_gate_does(noise: Callable[..., np.ndarray]) -> None:
    rng = np.random.default_rng(11)
    seen = set()
    for change, scale in product((0.0, 0.02, 0.05, -0.05), (0.01, 0.05)):
        first, fresh = (math.log1p(change) + scale * noise(rng, (8, n)) for n in (gate.SCREEN, gate.CONFIRM))
        for row, suspicious in zip(first, fast_suspicious(first), strict=True):
            assert gate.suspicious(Ratios(tuple(row), BASE, BASE)) == suspicious, f"seed 11, {change}, {scale}"
        more = np.concatenate([fresh, math.log1p(change) + scale * noise(rng, (8, gate.CONFIRM))], -1)
        both = [*zip(fresh, fast_confirmed(fresh, SUBJECTS), strict=True)]
        for row, code in [*both, *zip(more, fast_confirmed(more, SUBJECTS), strict=True)]:
            found = gate.confirmed("s", Ratios(tuple(row), BASE, BASE), SUBJECTS).verdict
            assert CODES[found] == code, f"seed 11, {change}, {scale}"
            seen.add(found)
    assert seen == CODES.keys()


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
            math.log1p(change) + scale * noise(rng, (RUNS, SUBJECTS, n)) for n in (gate.SCREEN, *[gate.CONFIRM] * 2)
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
    logs = 0.03 * normal(np.random.default_rng(3), (RUNS, gate.SCREEN))
    assert np.mean((fast_p(logs) < gate.SCREEN_LEVEL) & (np.abs(np.median(logs, -1)) > gate.SCREEN_CHANGE)) > 0.02


# The self-test counts ------------------------------------------------------------------------------------------------

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
    eager=("eager",),
    natives={variant: SLOWED for variant, _ in selftest.LOSSES},
    no_gradient={},
    measured=("cpu",),
    details={},
    python="",
)
POOL = 64


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


def test_the_selftest_counts_void_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = judged(monkeypatch, AS_MEANT, noise=0.002, drift=0.03)
    assert 30 <= rates.void <= 40  # of a loss against itself the sides are swapped, and the drift with them


def test_the_selftest_says_where_the_gate_cannot_be_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    blind = judged(monkeypatch, {0: 0.0, 2: 0.0, 5: 0.0, 10: 0.10}, noise=0.005, drift=0.0)
    assert blind.verdict == (1, "not on this machine: 0 false alarms in 40; power at 5 %: 0.0 %; 0 of 40 runs void")
    assert blind.uniform == 0


def test_the_selftest_can_see_a_false_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gate that condemns at the screening level is found out, although pool and sides are the same throughout."""
    monkeypatch.setattr(gate, "CONFIRM_LEVEL", 5.0)
    monkeypatch.setattr(gate, "CONFIRM_CHANGE", 0.001)
    monkeypatch.setattr(gate, "SCREEN_LEVEL", 1.1)
    monkeypatch.setattr(gate, "SCREEN_CHANGE", 0.0)
    rates = judged(monkeypatch, AS_MEANT, noise=0.02, drift=0.0)
    assert rates.alarms.slower + rates.alarms.faster > 0
    assert rates.verdict[0] == 1
