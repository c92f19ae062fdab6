"""kill -9 of a worker and of the whole run, at random moments: nothing reported is lost, the totals are the same."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from plugged import plug, plug_here

from lossvet import adapters
from lossvet.conformance import deviations, documented, plan, pool, run, summary
from lossvet.conformance.journal import JournalError
from lossvet.conformance.options import Options
from lossvet.conformance.plan import Plan, Selection
from lossvet.conformance.resume import CannotResume
from lossvet.reference import vectors
from lossvet.workers import caches
from lossvet.workers.messages import Greeting

SEED = int(os.environ.get("LOSSVET_SEED", "20260101"))
KILLS = 25
"""Of workers, and as many of whole runs."""

LOSSVET = [sys.executable, "-P", "-c", "from lossvet.cli import main; main()"]
ASKED = [
    "--framework",
    "naughty",
    "--framework",
    "numpy",
    "--only",
    "sigmoid",
    "--only",
    "sparse",
    "--dtype",
    "float32",
]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")


def children(parent: int) -> list[int]:
    """The processes that this one started, by /proc."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


class Killer:
    """Watches a run, and kills its worker whenever so many checks have been counted as chance wants."""

    def __init__(self, chance: random.Random, kills: int) -> None:
        self.chance, self.left, self.next = chance, kills, 1

    def starting(self, frameworks: Sequence[str]) -> None:
        pass

    def begin(self, greetings: Mapping[str, Greeting], plan: Plan, done: int) -> None:
        self.most = plan.checks // (self.left + 2)

    def counted(self, checks: int) -> None:
        self.next -= checks
        if self.next <= 0 and self.left:
            time.sleep(self.chance.uniform(0, 0.02))
            for worker in children(os.getpid()):
                os.kill(worker, signal.SIGKILL)
                self.left -= 1
            self.next = self.chance.randint(1, self.most)

    def remark(self, framework: str, text: str) -> None:
        pass


def vet(folder: Path, kills: int) -> tuple[dict[str, Any], int]:
    killer = Killer(random.Random(SEED), kills)
    selection = Selection(only=("sigmoid", "sparse"), frameworks=("naughty",), dtypes=("float32",))
    result = run.run(Options(selection=selection, cold=True, journal=folder / f"{kills}.jsonl"), killer)
    return summary.document(result.summary, result.versions), killer.left


@pytest.mark.sweep
def test_killed_workers_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    print(f"LOSSVET_SEED={SEED}")
    plug_here(tmp_path / "others", monkeypatch)
    expected, _ = vet(tmp_path, 0)
    monkeypatch.setenv("NAUGHTY", "slow 0.1")  # slower than the judge, so that a worker is killed at its work
    found, left = vet(tmp_path, KILLS)
    assert left == 0, "the run ended before all its killings"
    assert found == expected


@pytest.mark.sweep
def test_killed_runs_lose_nothing_and_resume(tmp_path: Path) -> None:
    print(f"LOSSVET_SEED={SEED}")
    chance = random.Random(SEED)
    environment = {**os.environ, "PYTHONPATH": plug(tmp_path / "others"), "NAUGHTY": "slow 0.003"}

    def start(path: Path) -> subprocess.Popen[bytes]:
        given = ["--resume"] if path.exists() and b"\n" in path.read_bytes() else ASKED
        if given is ASKED:
            path.unlink(missing_ok=True)
        arguments = [*LOSSVET, "run", "--cold", "--format", "json", "--journal", str(path), *given]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(arguments, env=environment, cwd=tmp_path, **pipes)  # type: ignore[call-overload]  # a dict of options

    def finish(path: Path) -> Any:
        process = start(path)
        out, _ = process.communicate(timeout=120)
        assert process.returncode in (0, 1), process.returncode
        return json.loads(out)

    began = time.monotonic()
    expected = finish(tmp_path / "whole.jsonl")
    whole = time.monotonic() - began
    assert expected["totals"]["checks"] > 300
    kills, number = 0, 0
    while kills < KILLS:
        path = tmp_path / f"{number}.jsonl"
        process = start(path)
        try:
            process.wait(timeout=chance.uniform(0.1, 1.0) * whole)
        except subprocess.TimeoutExpired:
            kept = path.read_bytes().rpartition(b"\n")[0] if path.exists() else b""
            workers = children(process.pid)
            process.kill()
            process.wait()
            kills += 1
            assert path.read_bytes().startswith(kept) if kept else True
            gone(workers)
        else:
            number += 1
        assert process.stdout is not None
        process.stdout.close()
    for done in range(number + 1):
        for _ in range(2):  # a run that is finished can be resumed too: there is nothing left to do
            assert finish(tmp_path / f"{done}.jsonl") == expected


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_how_to_go_on(tmp_path: Path, stop: signal.Signals) -> None:
    environment = {**os.environ, "PYTHONPATH": plug(tmp_path / "others"), "NAUGHTY": "slow 0.003"}
    path = tmp_path / "one.jsonl"
    arguments = [*LOSSVET, "run", "--cold", "--journal", str(path), *ASKED]
    # As from a terminal: a shell would have it ignored for what it starts in the background, these tests perhaps.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(arguments, env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    while not path.exists() or path.read_bytes().count(b"\n") < 3:
        time.sleep(0.01)
    workers = children(process.pid)
    process.send_signal(stop)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    last = err.splitlines()[-1]
    assert f"go on with: lossvet run --resume --journal {path} (exit 130)" in last
    gone(workers)
    arguments = [
        *LOSSVET,
        "run",
        "--cold",
        "--format",
        "json",
        "--journal",
        str(path),
        "--resume",
        "--dtype",
        "float64",
    ]
    other = subprocess.run(arguments, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert other.returncode == 2
    assert "started with other options" in other.stderr


def gone(workers: list[int]) -> None:
    """Within seconds, none of these processes runs."""
    deadline = time.monotonic() + 10
    while any(_runs(pid) for pid in workers):
        assert time.monotonic() < deadline, f"workers {workers} outlive their run"
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_plan_is_the_same_in_whatever_order_the_workers_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plug_here(tmp_path / "others", monkeypatch)
    names = ("numpy", "naughty")
    with pool.Pool(dict.fromkeys(names, sys.executable), caches.environment(None), 60.0) as workers:
        greetings, _ = pool.greetings(workers)
    assert tuple(greetings) == names
    goldens = plan.choose(vectors.load, ("sigmoid",))
    other = {name: greetings[name] for name in reversed(names)}
    assert plan.make(greetings, goldens, Selection()).digest == plan.make(other, goldens, Selection()).digest
    assert (
        plan.make(greetings, goldens, Selection("full")).digest == plan.make(other, goldens, Selection("full")).digest
    )
    less = Selection(dtypes=("float32",))
    assert plan.make(greetings, goldens, less).digest != plan.make(greetings, goldens, Selection()).digest


def test_a_report_needs_the_standard_of_a_run_and_a_resumed_run_its_source_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plug_here(tmp_path / "others", monkeypatch)
    path = tmp_path / "run.jsonl"
    asked = Options(Selection(frameworks=("numpy",), only=("sparse/*",)), journal=path)
    assert run.run(asked, Killer(random.Random(SEED), 0)).summary.totals
    code = tmp_path / "code"
    code.mkdir()
    (code / "constants.toml").write_text("another table")
    with monkeypatch.context() as patch:
        patch.setattr(adapters, "__path__", [str(code)])
        assert run.loaded(path)[1].finished
        with pytest.raises(CannotResume, match="have changed since"):
            run.run(replace(asked, resume=True), Killer(random.Random(SEED), 0))
    for table in (deviations, documented):
        other = tmp_path / table.DEFAULT.name
        other.write_text(table.DEFAULT.read_text() + "\n# another one\n")
        with monkeypatch.context() as patch:
            patch.setattr(table, "DEFAULT", other)
            with pytest.raises(JournalError, match="a ledger of another version"):
                run.loaded(path)
