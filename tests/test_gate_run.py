"""`lossvet gate` as its users run it: real processes, a loss of their own in two folders, and the exit code.

Times are those of a machine that others use as well, so a run that was void or inconclusive may be that; what may
never be is red for a loss that has not changed, or green for one that is a third slower.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("scipy")
sys.path.insert(0, str(Path(__file__).parent))

from plugged import plug, plug_here
from test_gate_answers import Silent

from lossvet.adapters.types import exact_in
from lossvet.benchmarks import gate_accuracy, gating, pairs, ratchet, user_loss, workloads
from lossvet.benchmarks.gate_report import Options
from lossvet.benchmarks.pairs import NAMES, Name
from lossvet.benchmarks.subjects import Wanted
from lossvet.conformance.summary import Summary
from lossvet.conformance.types import Absent, Agrees, Cell, Differs, Errored, Verdict
from lossvet.reference import vectors
from lossvet.workers import machine
from lossvet.workers.client import Side

GOOD = """
import numpy as np


def loss(logits, labels, ignore_index=-100):
    kept = labels != ignore_index
    largest = logits.max(-1, keepdims=True)
    lse = np.log(np.exp(logits - largest).sum(-1)) + largest[:, 0]
    picked = np.take_along_axis(logits, np.where(kept, labels, 0)[:, None], -1)[:, 0]
    return np.where(kept, lse - picked, 0).sum() / logits.dtype.type(kept.sum())
"""
SLOW = GOOD.replace("    lse =", "    np.exp(logits[::2] - largest[::2]).sum(-1)\n    lse =")
"""Half of the rows once more."""
WRONG = GOOD.replace("(kept.sum())", "(len(kept))")
"""Rows that are left out count in the mean."""
BROKEN = WRONG.replace(
    "    kept =", "    if logits.shape == (1, 10):\n        raise RuntimeError('no\\n::error::kernel')\n    kept ="
)
"""Wrong, and at the shape that is timed it raises."""
UNBOUND = """
def loss(alpha, beta, gamma, delta):
    raise TypeError(alpha + beta)
"""
WRONG_THERE = GOOD.replace(
    "    return ", "    one = 1.01 if logits.shape == (1, 10) else 1.0\n    return logits.dtype.type(one) * "
)
"""Right on every case, and wrong at the shape that is timed."""
MEANING = "the meaning has changed: counted: kept -> all"
CELL = "sparse/own/numpy/eager/float32/cpu"
MAIN = "from lossvet.cli import main; main()"
SMALL, LARGE = "1x10", "512x1000"
"""So small that no difference matters, and the first stage decides; and what can be timed."""


@dataclass(frozen=True)
class Done:
    """How a gate ended, and the folder in which it ran."""

    code: int
    out: str
    err: str
    folder: Path

    @property
    def last(self) -> str:
        return self.err.splitlines()[-1]

    def __str__(self) -> str:
        return f"exit {self.code}\n{self.out}\n{self.err}"


def gate(folder: Path, base: str, head: str, *more: str, shape: str = SMALL, **variables: str) -> Done:
    """Run it over a base and a head with these texts as `mylib.py`, from a folder with another `mylib.py`."""
    for name, text in (("", GOOD), ("base", base), ("head", head)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        if text:
            (folder / name / "mylib.py").write_text(text)
    sides = ("--base", "base", "--head", "head", "--loss", "numpy/sparse=mylib:loss")
    done = subprocess.run(
        [sys.executable, "-P", "-c", MAIN, "gate", *sides, "--task", "forward", "--shapes", shape, *more],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": plug(Path(tempfile.mkdtemp(dir=folder))), **variables},
        capture_output=True,
        text=True,
        timeout=600,
    )
    return Done(done.returncode, done.stdout, done.stderr, folder)


@pytest.fixture(scope="module")
def slower(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Alone, for it is timed. A machine may drift for once, and then the run is void."""
    for attempt in range(3):
        folder = tmp_path_factory.mktemp(f"slower{attempt}")
        summary = str(folder / "summary.md")
        done = gate(folder, GOOD, SLOW, "--format", "github", shape=LARGE, GITHUB_STEP_SUMMARY=summary)
        if not (done.code == 3 and "void" in done.last):
            break
    return done


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Done]:
    """One after the other: disturbed by each other, they would take their second stage as well."""
    better = f"[{machine.profile()}]\n{CELL} relative 0.01\nsparse/composed/numpy/eager/float32/cpu relative 0.01\n"
    accuracy = tmp_path_factory.mktemp("accuracy") / "accuracy.txt"
    accuracy.write_text(better)
    asked = {
        "same": (GOOD, GOOD, "--format", "json"),
        "broken": (GOOD, BROKEN, "--accuracy", str(accuracy), "--all"),
        "wrong": (GOOD, WRONG),
    }
    return {name: gate(tmp_path_factory.mktemp(name), *args) for name, args in asked.items()}


def judgeable() -> list[str]:
    """The cases of the variant that the loss can be asked: it takes no sample weights."""
    cases = [golden.case for golden in vectors.load("sparse") if golden.case.params.sample_weight is None]
    return [case.id for case in cases for dtype in ("float32", "float64") if exact_in(case, dtype)]


# A loss that became slower -------------------------------------------------------------------------------------------


@pytest.mark.sweep
def test_a_slower_loss_is_red(slower: Done) -> None:
    assert slower.code == 1, slower
    assert slower.last == "red: 1 slower (exit 1)", slower
    found = re.search(r"::error title=lossvet%3A slower::(\S+): slower, \+([\d.]+)%25 .*, 20 pairs", slower.out)
    assert found, slower
    assert found[1] == f"{CELL}/{LARGE}/forward"
    assert float(found[2]) > 10, slower


@pytest.mark.sweep
def test_the_step_summary_is_written(slower: Done) -> None:
    text = (slower.folder / "summary.md").read_text()
    assert text.startswith("## lossvet gate\n\n**red: 1 slower**\n"), slower
    assert "| slower | sparse/own/numpy/eager/float32/cpu/512x1000/forward | \\+" in text


@pytest.mark.sweep
def test_all_that_was_measured_is_kept(slower: Done) -> None:
    (samples,) = (slower.folder / ".lossvet").glob("gate-*.jsonl")
    records = [json.loads(line)["record"] for line in samples.read_text().splitlines()]
    own = [r for r in records if r["kind"] == "sample" and r["subject"] == f"{CELL}/{LARGE}/forward"]
    assert len(own) == 4 * pairs.PASSES * (8 + 20)
    assert [r["side"] for r in own].count("head") == len(own) / 2
    assert records[-1]["kind"] == "end"


# A loss that has not changed -----------------------------------------------------------------------------------------


@pytest.mark.sweep
def test_the_same_loss_is_green(others: Mapping[str, Done]) -> None:
    same = others["same"]
    found = json.loads(same.out)
    assert not [f for f in found["findings"] if f["verdict"] in ("slower", "faster", "missing")], same
    assert found["judged"] == len(judgeable()) + 1, "every case in both dtypes, and the shape that is timed"
    assert found["worse"] == []
    assert not [d for d in found["differences"] if not d["known"]]
    if same.code == 3:
        assert "inconclusive" in same.last or "void" in same.last, same
    else:
        assert same.code == 0, same
        assert re.match(r"green: the meaning is the same on \d+ probes: sparse/mean; 1 benchmarks no slower", same.last)
    assert found["exit"] == same.code


@pytest.mark.sweep
def test_the_accuracy_that_is_proposed_can_be_used(others: Mapping[str, Done]) -> None:
    proposed = others["same"].folder / ".lossvet" / "accuracy.txt"
    assert CELL in ratchet.read(proposed, machine.profile())


# A loss that is broken -----------------------------------------------------------------------------------------------


@pytest.mark.sweep
def test_a_loss_that_is_broken_is_red_for_each_reason(others: Mapping[str, Done]) -> None:
    broken = others["broken"]
    assert broken.code == 1, broken
    reasons = rf"red: {MEANING}, 1 gone or failing in head, \d+ wrong in head only, 1 less accurate \(exit 1\)"
    assert re.fullmatch(reasons, broken.last), broken


@pytest.mark.sweep
def test_a_loss_that_means_something_else_goes_no_further(others: Mapping[str, Done]) -> None:
    wrong = others["wrong"]
    assert wrong.code == 1, wrong
    assert wrong.last == f"red: {MEANING} (exit 1)"
    assert wrong.out.startswith(f"meaning        red: {MEANING}\n")
    assert "checks of" not in wrong.err
    assert "pair 1" not in wrong.err


@pytest.mark.sweep
def test_a_loss_that_raises_is_named_with_what_it_raised(others: Mapping[str, Done]) -> None:
    broken = others["broken"]
    assert "\nmissing      head: loss/mean: RuntimeError: no : :error::kernel\n" in broken.out, broken
    assert not [line for line in (broken.out + broken.err).splitlines() if line.lstrip().startswith("::")]


@pytest.mark.sweep
def test_a_loss_that_is_wrong_is_named_with_the_case(others: Mapping[str, Done]) -> None:
    broken = others["broken"]
    assert "wrong in head, but not in base: sparse/own/numpy/eager/float" in broken.out, broken
    assert "sparse/ignored_first loss/mean: is outside the bound" in broken.out


@pytest.mark.clock
def test_a_loss_that_is_wrong_only_where_it_is_timed_is_red(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the times and the cases, which have nothing to say of it and take half a minute."""
    plug_here(tmp_path / "others", monkeypatch)
    for name, text in (("base", GOOD), ("head", WRONG_THERE)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mylib.py").write_text(text)
    monkeypatch.setattr(gating, "compare_speed", lambda *given: ([], "", tmp_path))
    monkeypatch.setattr(gating, "compare_accuracy", lambda report, *given: report)
    loss = user_loss.parsed("numpy/sparse=mylib:loss")
    wanted = Wanted(frameworks=("numpy",), shapes=(workloads.shape(SMALL),), tasks=("forward",))
    sides: dict[Name, Side] = {name: gating.side(tmp_path / name) for name in NAMES}
    folders: dict[Name, Path] = {name: tmp_path / name for name in NAMES}
    report = gating.run_gate(Options(sides, wanted, loss, folders=folders), Silent())
    assert report.red == ["1 wrong in head only"]
    (found,) = report.differences
    assert found.cell == f"{CELL}/{SMALL}/forward"
    assert found.words.startswith("loss/mean: ")


def test_a_check_that_head_no_longer_answers_is_named() -> None:
    cell = Cell("sparse", "own", "f", "m", "float32")
    good = Agrees(0.1, 0.5, 0.5, "relative", 0.1)

    def seen(*found: tuple[str, Verdict]) -> Summary:
        return Summary((), {}, (), {}, 0, tuple((cell, case, "loss/mean", verdict) for case, verdict in found))

    base = seen(("a", good), ("b", good), ("c", Absent("")), ("d", good))
    head = seen(("a", good), ("b", Absent("cannot ignore rows")), ("c", Absent("")))
    assert [d.words.partition(":")[0] for d in gate_accuracy.vanished(base, head)] == ["b loss/mean", "d loss/mean"]
    assert not any(d.known for d in gate_accuracy.vanished(base, head))


@pytest.mark.parametrize(
    ("base", "head", "known"),
    [
        (Differs("", ratio=2.0), Differs("", ratio=2.0), True),
        (Differs("", ratio=2.0), Differs("", ratio=200.0), False),
        (Differs("", ratio=2.0), Errored("ValueError", ""), False),
        (Differs("is NaN in 1 of 8"), Differs("is NaN in 1 of 8"), True),
        (Differs("is NaN in 1 of 8"), Differs("is NaN in 8 of 8"), False),
        (Differs("is float64"), Differs("", ratio=2.0), False),
        (None, Differs("", ratio=2.0), False),
    ],
)
def test_who_was_wrong_before_may_not_become_wronger(base: Verdict | None, head: Verdict, known: bool) -> None:
    assert gate_accuracy.as_wrong(base, head) is known


@pytest.mark.sweep
def test_a_loss_less_accurate_than_its_baseline_is_named(others: Mapping[str, Done]) -> None:
    """And lines of other recipes are not gone because this gate judges one."""
    broken = others["broken"]
    assert f"accuracy worse: {CELL}:" in broken.out, broken
    assert "accuracy gone" not in broken.out


# A gate that cannot judge --------------------------------------------------------------------------------------------


@pytest.mark.clock
def test_a_base_that_lacks_the_loss_cannot_be_judged(tmp_path: Path) -> None:
    """Nor is the module found in the folder where the gate was started."""
    for number, base in enumerate(("def other(): ...", "")):
        done = gate(tmp_path / str(number), base, GOOD)
        assert done.code == 3, done
        missing = "mylib has no 'loss' (there is: other), in base" if base else "there is no module mylib in base"
        assert done.last == f"cannot judge: nothing to compare with: {missing} (base) (exit 3)"


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        ("mylub:loss", "there is no module mylub (did you mean mylib?) in base"),
        ("mylib:lost", "mylib has no 'lost'"),
    ],
)
def test_a_loss_that_neither_side_has_is_told(tmp_path: Path, loss: str, words: str) -> None:
    done = gate(tmp_path, GOOD, GOOD, "--loss", f"numpy={loss}")
    assert done.code == 2, done
    assert done.last.startswith(words), done
    assert "in head (head)" in done.last


def test_a_base_that_does_not_exist_is_told(tmp_path: Path) -> None:
    done = gate(tmp_path, GOOD, GOOD, "--base", "nowhere")
    assert done.code == 2, done
    assert done.last.startswith("nowhere does not exist; ")


def test_a_loss_that_cannot_be_bound_says_how(tmp_path: Path) -> None:
    done = gate(tmp_path, UNBOUND, UNBOUND)
    assert done.code == 2, done
    assert "--bind ROLE=PARAMETER" in done.last
    assert "--source-" not in done.last


@pytest.mark.clock
def test_a_loss_that_is_one_file_on_both_sides_is_not_compared(tmp_path: Path) -> None:
    """Neither folder holds it, and PYTHONPATH names a third that does: that would be head against head, and green."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "mylib.py").write_text(GOOD)
    path = os.pathsep.join([plug(Path(tempfile.mkdtemp(dir=tmp_path))), str(tmp_path / "lib")])
    done = gate(tmp_path, "", "", PYTHONPATH=path)
    assert done.code == 3, done
    assert re.search(r"cannot judge: mylib is \S+/lib/mylib.py on both sides", done.last), done


def test_a_folder_is_compared_by_a_loss(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", MAIN, "gate", "--base", "."], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert ". is a folder; name the loss in it to compare: --loss" in done.stderr


@pytest.mark.clock
def test_a_head_that_lacks_the_loss_is_red(tmp_path: Path) -> None:
    done = gate(tmp_path, GOOD, "")
    assert done.code == 1, done
    assert done.last == "red: 1 gone or failing in head (exit 1)"
    assert "missing      there is no module mylib in head (head)\n  numpy\n" in done.out


@pytest.mark.clock
def test_baselines_that_cannot_be_used_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "accuracy.txt"
    path.write_text(f"[amiga-68000]\n{CELL} relative 1\n")
    done = gate(tmp_path, GOOD, GOOD, "--accuracy", str(path))
    assert done.code == 2, done
    assert f"has no baselines for [{machine.profile()}]; it has: amiga-68000" in done.last
    assert "A gate without --accuracy writes them to .lossvet/accuracy.txt" in done.last
    assert "pair 1" not in done.err
    path.write_text("nonsense\n[x]\nmore\n")
    done = gate(tmp_path, GOOD, GOOD, "--accuracy", str(path))
    assert done.code == 2, done
    assert all(f"{path}:{number}: expected" in done.err for number in (1, 3))
    path.unlink()
    assert gate(tmp_path, GOOD, GOOD, "--accuracy", str(path)).code == 2
