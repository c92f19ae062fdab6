"""What the gate makes of answers at the size that is timed: answers made by hand, judged by the judge."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from lossvet.adapters.types import Measured
from lossvet.benchmarks import accuracy, gate_answers, gating, pairs, subjects, workloads
from lossvet.benchmarks.decide import Finding
from lossvet.benchmarks.gate_answers import Compared
from lossvet.benchmarks.messages import Failed, Measure, Reply, Sampled
from lossvet.benchmarks.pairs import Match, Name
from lossvet.workers import messages
from lossvet.workers.client import Side

SMALL = "sparse/native/torch/eager/float32/cpu/8x10/forward"
LARGE = "cost_complement/composed/torch/eager/float32/cpu/512x1000/forward"
"""Of which some of the gradient is judged, and so nothing of its loss."""


class Silent:
    def say(self, text: str) -> None: ...
    def begin(self, total: int) -> None: ...
    def counted(self, what: str) -> None: ...


class Answering:
    """A worker of one side, that gives this loss, or fails with these words."""

    def __init__(self, loss: float | str) -> None:
        self.loss = loss

    def __enter__(self) -> Answering:
        return self

    def __exit__(self, *exception: object) -> None: ...

    def ask(self, request: Measure) -> Reply:
        assert request.whole, "an answer is wanted"
        if isinstance(self.loss, str):
            return Failed(self.loss)
        asked = subjects.subject(request.subject)
        digest = workloads.digest(workloads.workload(asked.cell.variant, asked.shape))
        value = messages.outcome_message(Measured(np.float32(self.loss)))
        return Sampled(1, (1000,), workload=digest, outcomes={"loss/mean": value})


def compared(monkeypatch: pytest.MonkeyPatch, base: float | str, head: float | str, subject: str = SMALL) -> Compared:
    losses: dict[Name, float | str] = {"base": base, "head": head}
    monkeypatch.setattr(Match, "client", lambda self, name, core: Answering(losses[name]))
    sides: dict[Name, Side] = {name: Side("python") for name in pairs.NAMES}
    match = Match("torch", sides, {subjects.subject(subject): "mean"}, {})
    return gate_answers.compare_answers([match], Silent())


@cache
def true() -> float:
    found, judged, _ = accuracy.truth("sparse", workloads.shape("8x10"), "mean", ("float32",))
    assert judged == "all"
    return float(found["loss/mean"][0])


def test_an_answer_that_changed_within_its_bound_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    assert compared(monkeypatch, true(), true() * (1 + 1e-7)) == Compared((), 1)


@pytest.mark.parametrize(
    ("base", "head", "known"),
    [(1.0, 1.01, [False]), (1.01, 1.012, [True]), (1.01, 1.1, [False]), (1.01, 1.0, []), (1.01, 1.01, [])],
)
def test_an_answer_may_be_as_wrong_as_that_of_base(
    monkeypatch: pytest.MonkeyPatch, base: float, head: float, known: list[bool]
) -> None:
    found = compared(monkeypatch, base * true(), head * true())
    assert [d.known for d in found.differences] == known
    assert all(d.cell == SMALL and d.words.startswith("loss/mean: ") for d in found.differences)
    assert found.number == 1


def test_without_an_answer_of_base_head_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    assert compared(monkeypatch, "gone", true()) == Compared((), 1)
    assert [d.known for d in compared(monkeypatch, "gone", 2 * true()).differences] == [False]


def test_no_answer_of_head_is_told_where_it_has_times(monkeypatch: pytest.MonkeyPatch) -> None:
    found = compared(monkeypatch, true(), "out of memory")
    assert found == Compared((), 0, {SMALL: "out of memory"})
    assert gating._unanswered(found, [Finding(SMALL, "unchanged")]) == [f"no result of {SMALL}: out of memory"]
    assert gating._unanswered(found, [Finding(SMALL, "missing", blame="head")]) == []


@pytest.mark.sweep
def test_what_is_too_large_to_be_judged_has_to_stay_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = compared(monkeypatch, 3.0, float("nan"), LARGE).differences
    assert (found.words, found.known) == ("loss/mean: is not finite, but was in base", False)
    assert compared(monkeypatch, float("nan"), float("inf"), LARGE) == Compared((), 0)
    assert compared(monkeypatch, 3.0, 3.5, LARGE) == Compared((), 0), "nothing was judged, and nothing counts as judged"
