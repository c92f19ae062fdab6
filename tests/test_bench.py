"""A benchmark run from end to end, on a framework that starts fast; and the table, from samples made by hand."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from plugged import plug, plug_here
from test_resume import gone

from lossvet.benchmarks import accuracy, engine, limit, samples, subjects, table, workloads
from lossvet.benchmarks.samples import Accuracy, Header, Moved, NoSample, NotThere, Sample, Samples
from lossvet.benchmarks.subjects import Wanted
from lossvet.benchmarks.workloads import Shape
from lossvet.conformance import records
from lossvet.conformance.journal import JournalError
from lossvet.conformance.plan import NothingMatches
from lossvet.conformance.run import CannotJudge
from lossvet.conformance.types import Agrees, Differs
from lossvet.reference import variants
from lossvet.reference.bounds import bounds
from lossvet.reference.evaluate import check_shapes
from lossvet.reference.values import exact_outputs, values

LOSSVET = (sys.executable, "-P", "-c", "from lossvet.cli import main; main()")
SMALL = (Shape(1, 10), Shape(32, 10))


class Silent:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.total = self.done = 0

    def say(self, text: str) -> None:
        self.said.append(text)

    def begin(self, total: int) -> None:
        self.total = total

    def counted(self, what: str) -> None:
        self.done += 1


def wanted(*only: str, framework: str = "numpy") -> Wanted:
    return Wanted(only=only, frameworks=(framework,), shapes=SMALL, tasks=subjects.TASKS)


@pytest.fixture
def _plugged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plug_here(tmp_path / "others", monkeypatch)


# Workloads -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", variants.names())
def test_a_workload_is_a_valid_case_and_always_the_same(name: str) -> None:
    variant, at = variants.load(name), Shape(64, 20)
    case = workloads.workload(name, at)
    check_shapes(variant.family, case)
    again = workloads.workload.__wrapped__(name, at)
    assert workloads.digest(case) == workloads.digest(again)
    assert (case.logits.astype(np.float32) == case.logits).all()
    other = workloads.workload(name, Shape(64, 21))
    assert workloads.digest(case) != workloads.digest(other)


def test_labels_are_imbalanced_and_rows_can_be_left_out() -> None:
    counts = np.bincount(workloads.workload("sparse", Shape(2000, 50)).labels, minlength=50)
    assert counts[0] > 10 * max(1, counts[40:].mean())
    ignored = workloads.workload("sparse", Shape(2000, 50, ignored=True)).labels == -100
    assert 0.2 < ignored.mean() < 0.3


@pytest.mark.parametrize("text", ["512", "0x3", "3x", "512x1000-", "axb", "512x1000-ignored-x", "-1x5"])
def test_what_is_no_shape_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected NxC"):
        workloads.shape(text)


def test_shapes_are_read_as_they_are_written() -> None:
    for text in ("512x1000", "1x3-ignored"):
        assert str(workloads.shape(text)) == text


@pytest.mark.parametrize(
    ("name", "reduction"),
    [
        ("sparse_class_weight", "mean"),
        ("sparse_class_weight", "weighted_mean"),
        ("class_weight", "mean"),
        ("class_weight", "weighted_mean"),
        ("pos_weight", "mean"),
        ("dynamic_pos_weight", "mean"),
    ],
)
def test_a_part_of_a_large_workload_is_judged_as_the_whole_is(
    name: str, reduction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gradient of some rows, or columns, is the same numbers as in the gradient of the whole workload."""
    variant, at = variants.load(name), Shape(48, 16)
    whole, judged, _ = accuracy.truth(name, at, reduction, ("float32",))  # type: ignore[arg-type]  # it is a reduction
    assert judged == "all"
    monkeypatch.setattr(workloads, "JUDGED", 200)
    part, judged, _ = accuracy.truth(name, at, reduction, ("float32",))  # type: ignore[arg-type]  # as above
    gradient = f"gradient/{reduction}/logits"
    assert set(part) == {gradient}
    all_of_it, some = whole[gradient][0], part[gradient][0]
    cut = all_of_it[:, : some.shape[1]] if variant.family == "binary" else all_of_it[: len(some)]
    assert 0 < some.size < all_of_it.size, judged
    # 1 / D is rounded once where a part is judged: two units in the last place
    assert (np.abs(some - cut) <= 2 * np.spacing(np.abs(cut))).all()


def test_the_error_of_the_reference_is_in_the_bound() -> None:
    variant, at = variants.load("softmax"), Shape(8, 5)
    case, names = workloads.workload("softmax", at), ("loss/mean", "gradient/mean/logits")
    alone, found = bounds(variant, case, ("float64",), names)["float64"], values(variant, case, names)
    true, _, _ = accuracy.truth("softmax", at, "mean", ("float64",))
    for name in names:
        value, by_dtype = true[name]
        assert np.array_equal(value, found[name].value)
        assert (found[name].error > 0).any()
        for accuracy_class in ("W", "S", "R"):
            wider = getattr(by_dtype["float64"], accuracy_class)
            assert np.array_equal(wider, getattr(alone[name], accuracy_class) + found[name].error)


# A run ---------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_plugged")
def test_a_run_has_a_sample_in_every_process_and_a_verdict_for_every_subject(tmp_path: Path) -> None:
    path, watcher = tmp_path / "bench.jsonl", Silent()
    options = engine.Options(wanted("pos_weight", "sparse"), path=path)
    assert engine.run(options, watcher) == path
    found = samples.read(path)
    rows = {str(row.subject): row for row in table.table(found)}
    forward = [row for name, row in rows.items() if name.endswith("/forward")]
    train = [row for name, row in rows.items() if name.endswith("/train")]
    assert len(forward) == len(train) == 4
    assert found.finished
    assert watcher.done == watcher.total
    for row in forward:
        assert row.time is not None
        assert row.replicates == engine.REPLICATES
        assert 0 < row.time.low <= row.time.median <= row.time.high
        assert row.verdict == "agrees"
        assert row.accuracy is not None
        assert row.ulp() is not None
        assert 0 < row.fraction < 1
    assert {row.why for row in train} == {"numpy has no gradient"}
    raw = [s for s in found.of(Sample) if s.subject == str(forward[0].subject)]
    assert len(raw) == engine.PASSES * engine.REPLICATES
    assert min(found.times()[str(forward[0].subject)]) == forward[0].time.low  # type: ignore[union-attr]  # as asserted
    assert all(isinstance(block, int) for s in raw for block in s.blocks)
    orders = [tuple(s.subject for s in found.of(Sample) if s.replicate == r) for r in range(engine.REPLICATES)]
    assert len(set(orders)) > 1, "every process measures in an order of its own"


@pytest.mark.usefixtures("_plugged")
def test_a_subject_that_costs_the_worker_its_life_is_lost_and_the_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAUGHTY", f"kill_itself pos_weight/{SMALL[0]}")
    options = engine.Options(wanted("pos_weight", framework="naughty"), replicates=2, path=tmp_path / "b.jsonl")
    found = samples.read(engine.run(options, Silent()))
    rows = {row.subject.shape: row for row in table.table(found) if row.subject.task == "forward"}
    assert rows[SMALL[0]].lost
    assert "SIGKILL" in rows[SMALL[0]].why
    assert rows[SMALL[1]].replicates == 2


@pytest.mark.usefixtures("_plugged")
def test_what_cannot_be_measured_is_refused(tmp_path: Path) -> None:
    for options, error in (
        (engine.Options(wanted("no_such_variant")), NothingMatches),
        (engine.Options(Wanted(frameworks=("numpi",))), NothingMatches),
        (engine.Options(Wanted(frameworks=("numpy",), modes=("jit",))), NothingMatches),
        (engine.Options(Wanted(frameworks=("numpy",), device="gpu")), CannotJudge),
        (engine.Options(wanted("sparse"), pythons={"numpy": "/bin/false"}), CannotJudge),
    ):
        with pytest.raises(error):
            engine.run(options, Silent())
    assert not list(tmp_path.glob("*.jsonl"))


def test_what_is_shown_of_a_run_made_before_obeys_every_filter() -> None:
    names = [
        "sparse/native/f/eager/float32/cpu/8x10/train",
        "sparse/composed/f/jit/float64/cpu/8x10/forward",
        "softmax/native/g/eager/float32/cuda/32x10/train",
    ]
    known = [subjects.subject(name) for name in names]
    everything = Wanted(shapes=(), dtypes=(), tasks=(), device="")
    assert subjects.fitting(known, everything) == known
    for filters, left in (
        ({"only": ("sparse",)}, names[:2]),
        ({"only": ("s*/native",)}, [names[0], names[2]]),
        ({"frameworks": ("g",)}, names[2:]),
        ({"modes": ("jit",)}, names[1:2]),
        ({"dtypes": ("float64",)}, names[1:2]),
        ({"tasks": ("forward",)}, names[1:2]),
        ({"shapes": (Shape(32, 10),)}, names[2:]),
        ({"device": "cuda"}, names[2:]),
        ({"only": ("sparse",), "modes": ("eager",)}, names[:1]),
    ):
        found = subjects.fitting(known, dataclasses.replace(everything, **filters))  # type: ignore[arg-type]  # by name
        assert [str(s) for s in found] == left, filters
    with pytest.raises(NothingMatches, match="did you mean sparse"):
        subjects.fitting(known, dataclasses.replace(everything, only=("sparze",)))
    with pytest.raises(NothingMatches, match="select nothing"):
        subjects.fitting(known, dataclasses.replace(everything, only=("sparse",), frameworks=("g",)))


@pytest.mark.sweep
def test_the_command_shows_the_table_and_shows_it_again(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": plug(tmp_path / "others"), "COLUMNS": "80"}
    asked = ("bench", "--framework", "numpy", "--only", "sparse", "--shapes", "8x10", "--samples", "s.jsonl")
    asked = (*asked, "--task", "forward", "--task", "train")
    done = subprocess.run([*LOSSVET, *asked], cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert "numpy eager composed" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    shown = subprocess.run(
        [*LOSSVET, "bench", "--show", "s.jsonl", "--format", "json"], cwd=tmp_path, capture_output=True
    )
    rows = json.loads(shown.stdout)["rows"]
    (forward,) = (row for row in rows if row["task"] == "forward")
    assert forward["verdict"] == "agrees"
    assert forward["low_ns"] <= forward["median_ns"] <= forward["high_ns"]
    again = subprocess.run([*LOSSVET, *asked], cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert again.returncode == 2
    assert "exists" in again.stderr
    bad = subprocess.run([*LOSSVET, "bench", "--shapes", "8by10"], cwd=tmp_path, capture_output=True, text=True)
    assert bad.returncode == 2
    assert "expected NxC" in bad.stderr


@pytest.mark.slow
def test_those_who_judge_end_with_a_run_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        "import os, time\n"
        "from lossvet.benchmarks import accuracy\n"
        "if __name__ == '__main__':\n"
        "    with accuracy.pool(1) as workers:\n"
        "        print(workers.submit(os.getpid).result(), flush=True)\n"
        "        workers.submit(time.sleep, 600).result()\n"
    )
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        judge = int(run.stdout.readline())
        run.kill()
    gone([judge])


# The table -----------------------------------------------------------------------------------------------------------

NAME = "pos_weight/{recipe}/torch/eager/float32/cpu/{at}/train"


def sample(nanoseconds: float, replicate: int = 0, recipe: str = "native", at: str = "512x1000") -> Sample:
    subject = NAME.format(recipe=recipe, at=at)
    return Sample(subject, replicate, 0, 0, 10, (round(10 * nanoseconds),) * 3, 5, None)


def moved(at: str = "512x1000", per_byte: float = 0.01) -> Moved:
    nbytes = 12 * 512 * 1000 if at == "512x1000" else 0
    return Moved("torch", "cpu", 0, nbytes, per_byte, 2 * per_byte)


def verdicts(*found: Agrees | Differs, recipe: str = "native", at: str = "512x1000") -> Accuracy:
    named = {f"loss/{i}": records.compact(v) for i, v in enumerate(found)}
    return Accuracy(NAME.format(recipe=recipe, at=at), "mean", "all", named)


AGREES = Agrees(0.1, 1.5, 1.5, "shift-invariant", 1e-6)


def rows(*found: object) -> tuple[table.Row, ...]:
    header = Header(samples.SCHEMA, "0", {}, {}, {}, {}, "")
    return table.table(Samples(header, tuple(found), True))  # type: ignore[arg-type]  # they are records


def test_a_pass_that_was_disturbed_is_not_what_a_process_says() -> None:
    (row,) = rows(*(sample(t, r) for r in range(6) for t in (1e6, 1e6 + r, 50e6)), moved(), verdicts(AGREES))
    assert row.time is not None
    assert (row.replicates, row.time.low, row.time.high) == (6, 1e6, 1e6 + 5)


def test_a_workload_too_large_to_be_kept_is_gone_through_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plug_here(tmp_path / "others", monkeypatch)
    monkeypatch.setattr(limit, "KEPT", 0)
    options = engine.Options(wanted("sparse"), replicates=1, path=tmp_path / "bench.jsonl")
    names = [s.subject for s in samples.read(engine.run(options, Silent())).of(Sample)]
    assert len(names) == len(set(names)) > 0


def test_a_row_has_the_median_of_processes_and_the_limit_of_the_same_run() -> None:
    times = (5e6, 1e6, 2e6, 3e6, 4e6, 9e6)
    (row,) = rows(*(sample(t, r) for r, t in enumerate(times)), moved(), verdicts(AGREES))
    assert row.time is not None
    assert (row.time.median, row.time.low, row.time.high) == (3.5e6, 1e6, 9e6)
    assert row.limit == 12 * 512 * 1000 * 0.01  # the better of copy and read
    assert row.fraction == row.limit / 3.5e6
    assert (row.accuracy, row.ulp(), row.verdict) == ("shift-invariant", 1.5, "agrees")


def test_too_few_processes_have_no_interval() -> None:
    (row,) = rows(*(sample(t, r) for r, t in enumerate((1e6, 2e6))), moved())
    assert row.time is not None
    assert math.isnan(row.time.low)


@pytest.mark.parametrize(("factor", "void"), [(1.09, False), (1.11, True)])
def test_who_beats_the_limit_by_more_than_a_tenth_is_void(factor: float, void: bool) -> None:
    limit = 12 * 512 * 1000 * 0.01
    (row,) = rows(sample(limit / factor), moved(), verdicts(AGREES))
    assert row.void is void
    assert bool(table.fastest([row], row.subject.shape, "train")) is not void


def test_who_is_wrong_is_not_the_fastest() -> None:
    differs = Differs("is outside the bound", (0,), 1.0, 2.0, 50.0)
    found = rows(
        sample(1e6, recipe="fast"), sample(2e6), sample(5e6, recipe="composed"), moved(),
        verdicts(AGREES, differs, recipe="fast"), verdicts(AGREES), verdicts(AGREES, recipe="composed"),
    )  # fmt: skip
    assert {row.subject.cell.recipe: row.verdict for row in found}["fast"] == "differs"
    best = table.fastest(found, Shape(512, 1000), "train")["pos_weight", "torch"]
    assert best.row.subject.cell.recipe == "native"
    assert best.ratio == 2.5


def test_growth_is_the_exponent_between_shapes_that_differ_in_one_length() -> None:
    found = rows(sample(1e6, at="10x100"), sample(4e6, at="10x400"), sample(8e6, at="40x100"))
    exponents = {g.axis: g.exponent for g in table.growth(found)}
    assert exponents == {"C": pytest.approx(1.0), "N": pytest.approx(1.5)}


def test_lost_and_absent_subjects_have_a_row_that_says_why() -> None:
    name = NAME.format(recipe="native", at="512x1000")
    (row,) = rows(NoSample(name, 3, "its worker died"))
    assert (row.time, row.lost, row.why) == (None, True, "its worker died")
    (row,) = rows(NotThere(name, "has no gradient"))
    assert (row.time, row.lost, row.why) == (None, False, "has no gradient")


def test_subjects_are_read_as_they_are_written() -> None:
    name = "pos_weight/native/torch/eager/float32/cpu/512x1000-ignored/train"
    assert str(subjects.subject(name)) == name
    for bad in ("pos_weight", name.replace("train", "learn"), name.replace("x", "by"), "a/" + name):
        with pytest.raises(ValueError, match="expected"):
            subjects.subject(bad)


def test_a_damaged_sample_is_found_and_named(tmp_path: Path) -> None:
    from lossvet.conformance.journal import Journal

    path = tmp_path / "s.jsonl"
    book = Journal.create(path, Header(samples.SCHEMA, "0", {}, {}, {}, {}, ""))
    book.append(sample(1e6))
    book.append(sample(2e6, 1))
    book.close()
    assert len(samples.read(path).records) == 2
    damaged = bytearray(path.read_bytes())
    damaged[damaged.rindex(b"20000000")] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(JournalError, match=r"s\.jsonl:3"):
        samples.read(path)


def test_the_truth_of_a_workload_is_the_reference() -> None:
    true, _, digest = accuracy.truth("sparse", Shape(8, 5), "mean", ("float32",))
    case = workloads.workload("sparse", Shape(8, 5))
    expected = exact_outputs(variants.load("sparse"), case, ("loss/mean",))["loss/mean"]
    assert true["loss/mean"][0] == expected
    assert digest == workloads.digest(case)
