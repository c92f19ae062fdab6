"""Head against base, with times that are made up: who is measured afresh, and that nothing unseen is green."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

import pytest

pytest.importorskip("scipy")

from lossvet.benchmarks import decide, gate_speed, pairs, subjects
from lossvet.benchmarks.gate_report import Options, Report
from lossvet.benchmarks.messages import Failed, Reply, Sampled
from lossvet.benchmarks.pairs import DRIFT, NAMES, Match, Name, Shot
from lossvet.benchmarks.subjects import Programme, Subject, Wanted
from lossvet.reference.types import Reduction
from lossvet.workers.client import Side

BASE = 1_000_000.0
"""Nanoseconds of a subject, where nothing else is said."""
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
    assert watcher.steps == [pairs.PASSES * decide.SCREEN]


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


def test_only_who_is_suspicious_is_measured_afresh(speed: Gate) -> None:
    asked: list[str] = []

    def answer(shot: Shot) -> float:
        asked.append(shot.subject)
        return 1.1 if shot.side == "head" and shot.subject == str(ONE) else 1.0

    report, watcher = speed(answer)
    assert verdicts(report) == {str(ONE): "slower", str(TWO): "unchanged"}
    assert report.verdict == (1, "red: 1 slower")
    assert watcher.steps == [pairs.PASSES * decide.SCREEN, pairs.PASSES * decide.CONFIRM]
    assert asked.count(str(ONE)) == 4 * (decide.SCREEN + decide.CONFIRM)
    assert asked.count(str(TWO)) == 4 * decide.SCREEN


def test_what_is_open_after_that_is_measured_once_more(speed: Gate) -> None:
    """And judged by the pairs of both looks: here, a slowdown that the first saw in half of its pairs alone."""

    def answer(shot: Shot) -> float:
        slow = shot.side == "head" and shot.subject == str(ONE) and not (8 <= shot.pair < 28 and shot.pair % 2)
        return 1.1 if slow else 1.0

    report, watcher = speed(answer)
    assert verdicts(report) == {str(ONE): "slower", str(TWO): "unchanged"}
    assert watcher.steps == [pairs.PASSES * n for n in (decide.SCREEN, decide.CONFIRM, decide.CONFIRM)]
    assert {f.subject: f.pairs for f in report.findings}[str(ONE)] == decide.LOOKS * decide.CONFIRM


def test_who_stays_open_after_all_looks_is_inconclusive(speed: Gate) -> None:
    report, watcher = speed(
        lambda shot: (1.1, 0.9)[shot.pair % 2] if shot.side == "head" and shot.subject == str(ONE) else 1.0
    )
    assert verdicts(report) == {str(ONE): "inconclusive", str(TWO): "unchanged"}
    assert len(watcher.steps) == 1 + decide.LOOKS
    assert report.verdict[0] == 3


def test_what_only_screening_saw_is_not_held_against_head(speed: Gate) -> None:
    report, watcher = speed(lambda shot: 1.1 if shot.side == "head" and shot.pair < 8 and shot.subject != DRIFT else 1)
    assert len(watcher.steps) == 2
    assert verdicts(report) == {str(ONE): "unchanged", str(TWO): "unchanged"}
    assert {f.pairs for f in report.findings} == {decide.CONFIRM}


def test_faster_is_green_and_said(speed: Gate) -> None:
    report, _ = speed(lambda shot: 0.8 if shot.side == "head" and shot.subject == str(ONE) else 1)
    assert report.verdict == (0, "green: 2 benchmarks no slower, 1 of them faster, 1 checks no worse")


def test_a_slowdown_of_everything_is_slower_and_not_void(speed: Gate) -> None:
    report, _ = speed(lambda shot: 1.05 if shot.side == "head" and shot.subject != DRIFT else 1)
    assert not report.void
    assert set(verdicts(report).values()) == {"slower"}
    assert report.verdict == (1, "red: 2 slower")


@pytest.mark.parametrize("first", [0, decide.SCREEN], ids=["from the start", "while confirming"])
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


@pytest.mark.parametrize("pair", [0, decide.SCREEN], ids=["screening", "confirming"])
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
    missing = decide.missing(torn, ["s"], {})["s"]
    assert missing.verdict == "missing"
    assert decide.missing([], ["s"], {})["s"].blame == "base"


def test_passes_are_held_against_those_beside_them() -> None:
    """A machine takes half as long again in half of the passes, in one fewer of one side: the ratio is the same."""
    draw = random.Random(2)
    for slow in ({0, 2, 4, 6}, {3, 4, 5, 6, 7}):
        shots = []
        for turn, side, order in product((0, 1), NAMES, range(pairs.PASSES)):
            late = side == "head" and order == max(slow)  # the neighbour came between the two
            state = 1.5 if order in slow and not late else 1.0
            ns = round(BASE * state * (1.05 if side == "head" else 1.0) * math.exp(draw.gauss(0, 0.002)))
            shots.append(Shot("s", side, 0, turn, turn, order, Sampled(1, (ns,))))
        (log,) = pairs.ratios(shots)["s"].logs
        within = 0.005  # a pair has 0.1 % here; the ratio of two medians is off by 17 to 20 %
        assert log == pytest.approx(math.log(1.05), abs=within), f"seed 2, {slow}"
