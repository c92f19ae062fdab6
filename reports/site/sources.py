"""What a site is made of: the journal of a run, and the samples of a benchmark. Nothing else is read."""

from __future__ import annotations

import contextlib
import lzma
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lossvet.benchmarks import samples
from lossvet.benchmarks.engine import REPLICATES
from lossvet.benchmarks.samples import Samples
from lossvet.benchmarks.subjects import Wanted
from lossvet.benchmarks.table import Row, table
from lossvet.conformance import journal, run
from lossvet.conformance.journal import Contents, JournalError
from lossvet.conformance.plan import Selection
from lossvet.conformance.run import Result
from lossvet.workers.messages import Greeting, Hello

RUN, BENCHMARK = "conformance.jsonl.xz", "benchmark.jsonl.xz"
"""The names of both in the folder `data` of a site."""


class CannotReport(Exception):
    """No run, an incomplete one, a folder that is no site, or one that cannot be made again here."""


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
    """Raises JournalError for files that are damaged or of another version of lossvet, OSError for those not there, and
    CannotReport for a benchmark of recipes that the frameworks of the run do not have."""
    result, contents = run.loaded(conformance)
    found = None if benchmark is None else samples.read(benchmark)
    raw = {RUN: packed(conformance, contents.size), **({} if benchmark is None else {BENCHMARK: packed(benchmark)})}
    rows = () if found is None else table(found)
    if unknown := sorted(_unknown_recipes(rows, result.greetings)):
        raise CannotReport(
            f"{benchmark} has times of recipes that the run does not have: {', '.join(unknown)}; another version of "
            "lossvet made it: make it again with lossvet bench, or give another with --bench"
        )
    lacking = (*_run_lacks(result, contents), *_benchmark_lacks(found, rows, result.versions))
    return Sources(result, contents, found, rows, raw, lacking)


def newest_run(folder: Path = journal.FOLDER) -> Path:
    """The newest finished full run, else the newest of all. Raises CannotReport where there is none."""
    found = []
    for path in sorted(folder.glob("run-*.jsonl"), reverse=True):
        with contextlib.suppress(JournalError):  # of another version, or damaged: it is no candidate
            contents = journal.read(path)
            if contents is not None:
                found.append(path)
                if contents.finished and not _filters(contents.header.options, Selection("full")):
                    return path
    if not found:
        raise CannotReport(f"there is no readable run in {folder}/; make one with: lossvet run --full")
    return found[0]


def newest_benchmark(folder: Path = journal.FOLDER) -> Path | None:
    """The newest finished benchmark of everything, else the newest finished one."""
    found = []
    for path in sorted(folder.glob("bench-*.jsonl"), reverse=True):
        with contextlib.suppress(JournalError):
            read = samples.read(path)
            if read.finished:
                found.append(path)
                if not _filters(read.header.options, Wanted()):
                    return path
    return found[0] if found else None


def packed(path: Path, size: int | None = None) -> bytes:
    """The file, up to this size, always packed to the same bytes; as it is where it is packed already."""
    data = path.read_bytes()
    return data if path.suffix == ".xz" else lzma.compress(data[:size], preset=9)


def _unknown_recipes(rows: Iterable[Row], greetings: Mapping[str, Greeting]) -> set[str]:
    """Recipes of a benchmark, as variant/recipe/framework, that a framework of the run does not have."""
    found = set()
    for cell in (row.subject.cell for row in rows):
        greeting = greetings.get(cell.framework)
        if isinstance(greeting, Hello) and cell.recipe not in ("composed", *greeting.natives.get(cell.variant, ())):
            found.add(f"{cell.variant}/{cell.recipe}/{cell.framework}")
    return found


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


def _run_lacks(result: Result, contents: Contents) -> Iterator[str]:
    if not contents.finished:
        yield f"the run is unfinished: {result.incomplete:,} of {result.plan.checks:,} checks are missing"
    if names := _filters(contents.header.options, Selection("full")):
        yield f"the run does not cover everything: lossvet run --full has other values of {', '.join(names)}"
    for name, greeting in result.greetings.items():
        if not isinstance(greeting, Hello):
            yield f"{name} {'is not installed' if greeting.missing else 'does not start'}"


def _benchmark_lacks(found: Samples | None, rows: tuple[Row, ...], versions: Mapping[str, str]) -> Iterator[str]:
    if found is None:
        yield "there is no benchmark"
        return
    if not found.finished:
        yield "the benchmark is unfinished"
    options = found.header.options
    if names := _filters(options, Wanted()):
        yield f"the benchmark does not cover everything: lossvet bench has other values of {', '.join(names)}"
    if options.get("replicates", 0) < REPLICATES:
        yield f"the benchmark has {options.get('replicates')} processes per framework, too few for an interval"
    if found.header.versions != versions:
        yield "the benchmark has other frameworks or versions than the run"
    if lost := sum(row.lost for row in rows):
        yield f"{lost:,} benchmarks were not timed in every process"
