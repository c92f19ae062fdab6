"""A worker that crashes, hangs, prints, exits or forks costs exactly the case it was at, and everybody hears why."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from plugged import plug_here

from lossvet.conformance import run
from lossvet.conformance.options import Options
from lossvet.conformance.plan import Plan, Selection
from lossvet.conformance.types import Absent, Agrees, Crashed, Differs, Errored, TimedOut, Verdict
from lossvet.workers.messages import Greeting

VARIANT = "sigmoid"


class Silent:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.remarks: list[str] = []
        self.checks = 0

    def starting(self, frameworks: Sequence[str]) -> None:
        pass

    def begin(self, greetings: Mapping[str, Greeting], plan: Plan, done: int) -> None:
        self.checks = done

    def counted(self, checks: int) -> None:
        self.checks += checks

    def remark(self, framework: str, text: str) -> None:
        self.remarks.append(text)


@pytest.fixture(autouse=True)
def _plugged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plug_here(tmp_path / "others", monkeypatch)


def victim() -> str:
    """A case of the variant that every dtype can hold."""
    from lossvet.reference import vectors

    return next(g.case.id for g in vectors.load(VARIANT)[5:] if g.case.bits == 8 and g.case.logits.shape == (4, 3))


def vet(
    monkeypatch: pytest.MonkeyPatch, folder: Path, way: str, limit: float = 60.0, dtype: str = "float32"
) -> tuple[run.Result, Silent, dict[str, Verdict]]:
    """A run of one variant with a worker that is naughty at one case; the verdicts on that case."""
    case = victim()
    monkeypatch.setenv("NAUGHTY", f"{way} {case}")
    selection = Selection(only=(VARIANT,), frameworks=("naughty",), dtypes=(dtype,))
    watcher = Silent()
    result = run.run(Options(selection=selection, limit=limit, cold=True, journal=folder / f"{way}.jsonl"), watcher)
    verdicts = {output: v for _, name, output, v in result.summary.seen if name == case}
    others = [f.verdict for f in result.summary.findings if f.case != case]
    assert all(isinstance(verdict, Differs) for verdict in others), "only the one case may be lost"
    assert not result.incomplete
    assert watcher.checks == result.plan.checks == len(result.summary.seen)
    return result, watcher, verdicts


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("segfault", "SIGSEGV"),
        ("kill_itself", "SIGKILL"),
        ("exit_zero", "exit code 0 before it answered; good-bye"),
        ("exit_politely", "exit code 0"),
        ("fork_and_die", "exit code 7"),
    ],
)
def test_a_death_costs_one_case(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: str, words: str) -> None:
    result, _, verdicts = vet(monkeypatch, tmp_path, way)
    assert verdicts
    for verdict in verdicts.values():
        assert isinstance(verdict, Crashed)
        assert words in verdict.how
    assert result.verdict[0] == 1
    assert result.summary.totals["errored"] == len(verdicts)


def test_a_crash_says_where(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _, _, verdicts = vet(monkeypatch, tmp_path, "segfault")
    how = " ".join(v.how for v in verdicts.values() if isinstance(v, Crashed))
    assert "Fatal Python error" in how
    assert "string_at" in how


def test_a_killed_worker_is_tried_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _, watcher, _ = vet(monkeypatch, tmp_path, "kill_itself")
    assert sum("tried again" in remark for remark in watcher.remarks) == 2


def test_a_hang_costs_the_limit_and_one_case(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    start = time.monotonic()
    _, _, verdicts = vet(monkeypatch, tmp_path, "hang", limit=1.0)
    assert set(verdicts.values()) == {TimedOut(1.0)}
    assert time.monotonic() - start < 30


@pytest.mark.parametrize("way", ["print_much", "fork_and_return"])
def test_what_harms_nobody_costs_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: str) -> None:
    result, _, verdicts = vet(monkeypatch, tmp_path, way)
    assert verdicts
    assert all(isinstance(verdict, Agrees | Absent) for verdict in verdicts.values())
    assert result.summary.totals["errored"] == 0


def test_hostile_words_arrive_as_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _, _, verdicts = vet(monkeypatch, tmp_path, "raise_it")
    assert set(verdicts.values()) == {Errored("ValueError", "\x1b[31m[bold]no\x00 ?")}


@pytest.mark.parametrize(("way", "error"), [("objects", "TypeError"), ("too_large", "OversizedFrame")])
def test_what_cannot_be_sent_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: str, error: str) -> None:
    _, _, verdicts = vet(monkeypatch, tmp_path, way)
    assert {v.error for v in verdicts.values() if isinstance(v, Errored)} == {error}
    assert all(isinstance(v, Errored) for v in verdicts.values())


@pytest.mark.parametrize("way", ["large", "half"])
def test_what_is_no_answer_differs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: str) -> None:
    _, _, verdicts = vet(monkeypatch, tmp_path, way)
    assert all(isinstance(v, Differs) for v in verdicts.values())


@pytest.mark.parametrize(("way", "words"), [("no_start", "does not start"), ("not_there", "is not installed")])
def test_a_framework_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: str, words: str) -> None:
    with pytest.raises(run.CannotJudge) as caught:
        vet(monkeypatch, tmp_path, way)
    assert str(caught.value).startswith(f"naughty {words} (")
