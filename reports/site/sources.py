"""What a site is made of: the journal of a run, and the samples of a benchmark. Nothing else is read."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lossvet.benchmarks import samples
from lossvet.benchmarks.samples import Samples
from lossvet.benchmarks.subjects import Wanted
from lossvet.benchmarks.table import Row, table
from lossvet.conformance import journal, run
from lossvet.conformance.journal import Contents, JournalError
from lossvet.conformance.messages import Hello
from lossvet.conformance.plan import Selection
from lossvet.conformance.run import Result

RUN, BENCHMARK = "conformance.jsonl.gz", "benchmark.jsonl.gz"
"""The names of both in the folder `data` of a site."""


@dataclass(frozen=True)
class Sources:
    """`raw` holds both files as they go into the site, by name; `lacking` says what makes them incomplete."""

    result: Result
    contents: Contents
    samples: Samples | None
    rows: tuple[Row, ...]
    raw: dict[str, bytes]
    lacking: tuple[str, ...]


def load(conformance: Path, benchmark: Path | None) -> Sources:
    """Raises JournalError for files that are damaged or of another version of lossvet, OSError for those not there."""
    result, contents = run.loaded(conformance)
    found = None if benchmark is None else samples.read(benchmark)
    raw = {RUN: packed(conformance), **({} if benchmark is None else {BENCHMARK: packed(benchmark)})}
    rows = () if found is None else table(found)
    lacking = (*_run_lacks(result, contents.finished, contents.header.options), *_benchmark_lacks(found, rows))
    return Sources(result, contents, found, rows, raw, lacking)


def newest(folder: Path = journal.FOLDER) -> tuple[Path, Path | None]:
    """The newest finished full run, else the newest of all, and the newest finished benchmark of everything, or any.

    Raises JournalError where there is no run.
    """
    runs = [(path, found) for path in sorted(folder.glob("run-*.jsonl"), reverse=True) if (found := _header(path))]
    if not runs:
        raise JournalError(f"there is no run in {folder}/; make one with: lossvet run --full")
    full = (path for path, (options, finished) in runs if finished and not _filters(options, Selection("full")))
    times = [path for path in sorted(folder.glob("bench-*.jsonl"), reverse=True) if samples.read(path).finished]
    whole = (path for path in times if not _filters(samples.read(path).header.options, Wanted()))
    return next(full, runs[0][0]), next(whole, times[0] if times else None)


def _header(path: Path) -> tuple[dict[str, object], bool] | None:
    try:
        contents = journal.read(path)
    except JournalError:  # of another version: it is no candidate
        return None
    return None if contents is None else (contents.header.options, contents.finished)


def packed(path: Path) -> bytes:
    """The file compressed, always to the same bytes; as it is where it is that already."""
    data = path.read_bytes()
    return data if path.suffix == ".gz" else gzip.compress(data, mtime=0)


def _filters(options: dict[str, object], whole: Selection | Wanted) -> list[str]:
    """Which options of a run or a benchmark are not those of a whole one."""
    found = []
    for name in whole.__dataclass_fields__:
        wanted = getattr(whole, name)
        given = options.get(name, wanted)
        if (tuple(map(str, given)) if isinstance(given, list | tuple) else str(given)) != (
            tuple(map(str, wanted)) if isinstance(wanted, tuple) else str(wanted)
        ):
            found.append(name)
    return found


def _run_lacks(result: Result, finished: bool, options: dict[str, object]) -> Iterator[str]:
    if not finished:
        yield f"the run did not come to its end: {result.incomplete:,} of {result.plan.checks:,} checks are missing"
    elif result.incomplete:
        yield f"{result.incomplete:,} checks were given up"
    if names := _filters(options, Selection("full")):
        yield f"the run is not of everything (its {', '.join(names)} are not those of lossvet run --full)"
    for name, greeting in result.greetings.items():
        if not isinstance(greeting, Hello):
            yield f"{name} {'is not installed' if greeting.missing else 'does not start'}"


def _benchmark_lacks(found: Samples | None, rows: tuple[Row, ...]) -> Iterator[str]:
    if found is None:
        yield "there is no benchmark"
        return
    if not found.finished:
        yield "the benchmark did not come to its end"
    if names := _filters(found.header.options, Wanted()):
        yield f"the benchmark is not of everything (its {', '.join(names)} are not those of lossvet bench)"
    if lost := sum(row.lost for row in rows):
        yield f"{lost:,} benchmarks have no time in some process"
