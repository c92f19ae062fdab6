"""What asv publishes is what the engine measured: found, stored, stamped with versions, and made into a site."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from lossvet import adapters
from lossvet.benchmarks import asv_subjects, asv_suite, publish, samples
from lossvet.benchmarks.samples import Accuracy, Header, Moved, NoSample, Sample, Samples
from lossvet.conformance import records
from lossvet.conformance.types import Agrees, Differs
from lossvet.workers.messages import Hello

ROOT = Path(__file__).parent.parent
MEANT = {
    "asv_suite.Engine.track_time": "seconds",
    "asv_suite.Engine.track_max_ulp": "ulp",
    "asv_suite.Engine.track_error_over_bound_loss": "of the bound",
    "asv_suite.Engine.track_error_over_bound_gradient": "of the bound",
    "asv_suite.Engine.track_peak_memory": "bytes",
    "asv_suite.Plain.time_call": "seconds",
}
"""The benchmarks that there are to be, with their units."""
SUBJECT = "sparse/native/torch/eager/float32/cpu/512x1000/train"

# What asv finds ------------------------------------------------------------------------------------------------------

DISCOVER = """
import io, json, sys
from asv_runner.discovery import list_benchmarks
out = io.StringIO()
list_benchmarks(sys.argv[1], out)
print(json.dumps([json.loads(out.getvalue()), sorted({m.split(".")[0] for m in sys.modules})]))
"""


def discovered(folder: Path) -> tuple[list[dict[str, Any]], set[str]]:
    """The benchmarks that asv finds in the folder, and the packages that it loads for that."""
    command = [sys.executable, "-P", "-c", DISCOVER, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found, loaded = json.loads(done.stdout.splitlines()[-1])
    return found, set(loaded)


def test_asv_finds_the_benchmarks_that_are_meant_and_loads_no_framework() -> None:
    found, loaded = discovered(ROOT / "benchmarks")
    assert {b["name"]: b["unit"] for b in found} == MEANT
    assert len(found) == len(MEANT)
    for b in found:
        assert b["version"] == "1"
        assert b["pretty_name"]
        assert b["timeout"] >= 60
        assert b["param_names"] == ["subject"]
        assert b["params"][0]
        assert b.get("setup_cache_timeout", 3600) == 3600
    assert not loaded & {"torch", "tensorflow", "keras", "jax", "optax"}


def test_a_benchmark_too_many_and_one_too_few_are_seen(tmp_path: Path) -> None:
    folder = tmp_path / "benchmarks"
    shutil.copytree(ROOT / "benchmarks", folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "stray.py").write_text("from lossvet.benchmarks import timing\n\ndef time_nothing() -> None: ...\n")
    suite = folder / "asv_suite.py"
    suite.write_text(suite.read_text().replace("def track_max_ulp(", "def max_ulp("))
    names = {b["name"] for b in discovered(folder)[0]}
    assert names ^ MEANT.keys() == {"stray.time_nothing", "asv_suite.Engine.track_max_ulp"}


@pytest.mark.sweep
def test_the_list_is_what_the_frameworks_offer() -> None:
    greetings = asv_subjects.greet(adapters.names())
    there = {name: g for name, g in greetings.items() if isinstance(g, Hello)}
    if len(there) < len(greetings):
        pytest.skip(f"not installed: {', '.join(greetings.keys() - there.keys())}")
    listed = asv_subjects.FILE.read_text().splitlines()
    assert listed == asv_subjects.offered(there), "write it anew: python -m lossvet.benchmarks.asv_subjects"
    del there["torch"]
    assert listed != asv_subjects.offered(there)


# What is published of a run ------------------------------------------------------------------------------------------

GOOD = Agrees(ratio=0.25, ulp=0.5, ulp_flushed=0.5, accuracy="relative", resolution=1e-6)


def run_of(*extra: samples.Record) -> asv_suite.Run:
    """What is published of a run with these records; two processes took 1 and 3 microseconds for SUBJECT."""
    header = Header(samples.SCHEMA, "0", {}, {}, {}, {}, "")
    times = [Sample(SUBJECT, i, 0, 0, 2, (ns,), 0, 4096 if i == 0 else None) for i, ns in enumerate((2000, 6000))]
    return asv_suite.published(Samples(header, (*times, *extra), True))


def judged(**verdicts: Agrees | Differs) -> Accuracy:
    by_output = {"loss/mean": verdicts["loss"], "gradient/mean/logits": verdicts["gradient"]}
    return Accuracy(SUBJECT, "mean", "all", {name: records.compact(v) for name, v in by_output.items()})


def test_each_track_is_of_the_same_subject() -> None:
    run, engine = run_of(judged(loss=GOOD, gradient=Differs("outside", ratio=7.0))), asv_suite.Engine()
    assert engine.track_time(run, SUBJECT) == {"samples": [1e-6, 3e-6], "number": 1}
    assert engine.track_max_ulp(run, SUBJECT) == 0.5
    assert engine.track_error_over_bound_loss(run, SUBJECT) == 0.25
    assert engine.track_error_over_bound_gradient(run, SUBJECT) == 7.0
    assert engine.track_peak_memory(run, SUBJECT) == 4096


def test_what_there_is_not_is_not_available() -> None:
    run, engine = run_of(), asv_suite.Engine()
    for track in (engine.track_max_ulp, engine.track_error_over_bound_loss, engine.track_error_over_bound_gradient):
        assert math.isnan(track(run, SUBJECT))
    for track in (engine.track_time, engine.track_max_ulp, engine.track_peak_memory):
        assert math.isnan(track(run, "another"))  # type: ignore[arg-type]  # it answers with a number here


def test_what_failed_is_not_published_as_if_nothing_had_happened() -> None:
    engine = asv_suite.Engine()
    with pytest.raises(RuntimeError, match="its worker died"):
        engine.track_time(run_of(NoSample(SUBJECT, 2, "its worker died")), SUBJECT)
    nbytes = 512 * 1000 * 4 * 2 + 512 * 8
    with pytest.raises(RuntimeError, match="faster than the memory allows"):
        engine.track_time(run_of(Moved("torch", "cpu", 0, nbytes, copy=0.1, read=0.1)), SUBJECT)
    engine.track_time(run_of(Moved("torch", "cpu", 0, nbytes, copy=1e-6, read=1e-6)), SUBJECT)
    with pytest.raises(RuntimeError, match="infinite or undefined amount"):
        engine.track_error_over_bound_loss(run_of(judged(loss=Differs("NaN"), gradient=GOOD)), SUBJECT)


# A real run, as `make asv` makes it ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Site:
    """Where a run through asv has left its raw samples, its result and its pages."""

    raw: Path
    result: Path
    html: Path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """One subject, two processes, in a repository of its own and with a home of its own."""
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("asv")
    config = json.loads((ROOT / "asv.conf.json").read_text())
    assert config["results_dir"].startswith(".asv/")
    (folder / "asv.conf.json").write_text(json.dumps({**config, "benchmark_dir": str(ROOT / "benchmarks")}))
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("LOSSVET_", "GIT_"))},
        "HOME": str(folder),
        "LOSSVET_ASV_ONLY": SUBJECT,
        "LOSSVET_ASV_REPLICATES": "2",
        "LOSSVET_ASV_SAMPLES": str(folder / ".asv" / "samples"),
    }

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout.strip()

    git, asv = ("git", "-c", "user.name=a", "-c", "user.email=a@b"), (sys.executable, "-P", "-m", "asv")
    run(*git, "init", "-q")
    run(*git, "commit", "-q", "--allow-empty", "-m", "one")
    run(*asv, "machine", "--yes")
    asked = ("--record-samples", "--launch-method", "spawn", "--set-commit-hash", run("git", "rev-parse", "HEAD"))
    run(*asv, "run", "-E", f"existing:{sys.executable}", *asked)
    run(sys.executable, "-P", "-m", "lossvet.benchmarks.publish")
    run(*asv, "publish")
    (raw,) = (folder / ".asv" / "samples").iterdir()
    (result,) = (p for p in (folder / ".asv" / "results").glob("*/*.json") if p.name != "machine.json")
    return Site(raw, result, folder / ".asv" / "html")


def raw(site: Site, kind: str) -> list[dict[str, Any]]:
    """The records of a kind in the raw samples, read without the code that is under test."""
    lines = [json.loads(line)["record"] for line in site.raw.read_text().splitlines()]
    return [line for line in lines if line["kind"] == kind]


def stored(site: Site, track: str) -> dict[str, Any]:
    """What asv stores of a benchmark, by column."""
    result = json.loads(site.result.read_text())
    return dict(zip(result["result_columns"], result["results"][track], strict=False))


@pytest.mark.sweep
def test_asv_stores_exactly_the_medians_of_the_processes(site: Site) -> None:
    passes = {0: [], 1: []}
    for s in raw(site, "sample"):
        passes[s["replicate"]].append(median(s["blocks"]) / s["number"])
    medians = [median(own) / 1e9 for own in passes.values()]
    assert min(map(len, passes.values())) > 1
    found = stored(site, "asv_suite.Engine.track_time")
    assert len(medians) == 2
    assert found["params"] == [[repr(SUBJECT)]]
    assert found["samples"] == [medians]
    assert found["result"] == [pytest.approx(median(medians), rel=1e-15)]
    assert found["stats_repeat"] == [2]


@pytest.mark.sweep
def test_accuracy_and_memory_are_those_of_the_same_run(site: Site) -> None:
    (accuracy,) = raw(site, "accuracy")
    loss, gradient = accuracy["verdicts"]["loss/mean"], accuracy["verdicts"]["gradient/mean/logits"]
    expected = {
        "track_error_over_bound_loss": loss[1],
        "track_max_ulp": loss[2],
        "track_error_over_bound_gradient": gradient[1],
        "track_peak_memory": next(s["peak"] for s in raw(site, "sample") if s["peak"] is not None),
    }
    assert {name: stored(site, f"asv_suite.Engine.{name}")["result"][0] for name in expected} == expected


@pytest.mark.sweep
def test_asv_alone_times_the_same_call(site: Site) -> None:
    engine, plain = (
        stored(site, name)["result"][0] for name in ("asv_suite.Engine.track_time", "asv_suite.Plain.time_call")
    )
    assert engine / 10 < plain < engine * 10


@pytest.mark.sweep
def test_the_site_selects_by_version_and_is_json_that_a_browser_reads(site: Site) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"a browser cannot read {constant}")

    (header,) = raw(site, "header")
    assert (site.html / "index.html").exists()
    index = json.loads((site.html / "index.json").read_text(), parse_constant=refuse)
    assert index["benchmarks"].keys() == MEANT.keys()
    assert index["params"]["torch"] == [header["versions"]["torch"]]
    assert index["params"]["device"] == ["cpu"]
    graphs = [path for path in (site.html / "graphs").rglob("*.json") if "summary" not in (*path.parts, path.stem)]
    assert {path.stem for path in graphs} == MEANT.keys()
    for path in graphs:
        ((_, values),) = json.loads(path.read_text(), parse_constant=refuse)
        assert values == stored(site, path.stem)["result"]


@pytest.mark.sweep
def test_a_result_is_stamped_by_its_own_run_alone(site: Site) -> None:
    result, run = json.loads(site.result.read_text()), samples.read(site.raw)
    assert publish.stamped(result, [run])
    row = result["results"][publish.TRACK]
    times = row[result["result_columns"].index("samples")][0]
    times[1] = math.nextafter(times[1], 1)
    assert not publish.stamped(result, [run])
