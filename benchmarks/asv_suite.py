"""What asv publishes: the engine measures once, and asv stores the engine's own samples. And asv alone, for comparison.

asv starts a process for every parameter of every benchmark, so that nothing beyond the standard library is imported
until it is needed. Environment variables, all optional: LOSSVET_ASV_ONLY, a glob over subjects, runs some of them;
LOSSVET_ASV_REPLICATES says how many processes of each framework (the engine's default otherwise); LOSSVET_ASV_SAMPLES
names the folder of the raw samples (.asv/samples otherwise).
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

if TYPE_CHECKING:
    from lossvet.benchmarks.samples import Samples

HERE = Path(__file__).resolve().parent
SAMPLES = Path(os.environ.get("LOSSVET_ASV_SAMPLES") or HERE.parent / ".asv" / "samples")
ONLY = os.environ.get("LOSSVET_ASV_ONLY") or "*"
SUBJECTS = [s for s in (HERE / "asv_subjects.txt").read_text().split() if fnmatchcase(s, ONLY)]
PLAIN = [s for s in SUBJECTS if s.startswith("sparse/native/")]

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class Published(TypedDict):
    """Of one subject: seconds of each process, largest error in ulp of the loss, errors over the bound of loss and
    gradient, bytes above the inputs; NaN what there is not. `fault` says why nothing of it can be published."""

    seconds: list[float]
    ulp: float
    loss: float
    gradient: float
    peak: float
    fault: str


Run = Mapping[str, Published]


def asv(**attributes: object) -> Callable[[Decorated], Decorated]:
    """Set the attributes by which asv is told about a function."""

    def mark(function: Decorated) -> Decorated:
        function.__dict__.update(attributes)
        return function

    return mark


class Silent:
    """Watches a run and says nothing: asv shows no output until the end."""

    def say(self, text: str) -> None: ...
    def begin(self, total: int) -> None: ...
    def counted(self, what: str) -> None: ...


class Engine:
    """What one run of the engine measured of each subject."""

    params = (SUBJECTS,)
    param_names = ("subject",)
    version = "1"
    timeout = 60.0

    @asv(timeout=3600.0)
    def setup_cache(self) -> Run:
        """Run the engine over what is published, keep the raw samples, and return what asv will ask for."""
        from lossvet.benchmarks import engine, samples

        path = samples_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        return published(samples.read(engine.run(options(path), Silent())))

    @asv(pretty_name="Time", unit="seconds")
    def track_time(self, run: Run, subject: str) -> object:
        """The samples are the medians of the processes. Fails where the subject failed, or beat the memory's limit."""
        if subject not in run:
            return math.nan
        if run[subject]["fault"]:
            raise RuntimeError(run[subject]["fault"])
        return {"samples": run[subject]["seconds"], "number": 1}

    @asv(pretty_name="Largest error of the loss", unit="ulp")
    def track_max_ulp(self, run: Run, subject: str) -> float:
        return value(run, subject, "ulp")

    @asv(pretty_name="Error of the loss over its bound", unit="of the bound")
    def track_error_over_bound_loss(self, run: Run, subject: str) -> float:
        return value(run, subject, "loss")

    @asv(pretty_name="Error of the gradient over its bound", unit="of the bound")
    def track_error_over_bound_gradient(self, run: Run, subject: str) -> float:
        return value(run, subject, "gradient")

    @asv(pretty_name="Peak memory above the inputs", unit="bytes")
    def track_peak_memory(self, run: Run, subject: str) -> float:
        return value(run, subject, "peak")


class Plain:
    """asv's own timing of the same calls. With a setup it times them one by one, each with some 0.2 us of its own."""

    params = (PLAIN,)
    param_names = ("subject",)
    version = "1"
    timeout = 300.0
    rounds = 1
    repeat = (20, 200, 5.0)

    def setup(self, subject: str) -> None:
        self.call = prepared(subject)

    @asv(pretty_name="Time, measured by asv alone")
    def time_call(self, subject: str) -> None:
        self.call()


def value(run: Run, subject: str, name: str) -> float:
    """NaN, which asv shows as not available, where there is none. Raises where the error is past all bounds: no page
    can show infinity."""
    found: float = run[subject][name] if subject in run else math.nan  # type: ignore[literal-required]  # one of five
    if math.isinf(found):
        raise RuntimeError(f"{subject} differs from the true result by an infinite or undefined amount")
    return found


def samples_path() -> Path:
    from datetime import datetime

    return SAMPLES / f"bench-{datetime.now().strftime('%Y%m%d-%H%M%S-%f')}.jsonl"


def options(path: Path) -> Any:
    """Those of the subjects that the installed frameworks offer. Raises plan.NothingMatches where that is none."""
    from lossvet.benchmarks import engine
    from lossvet.benchmarks.asv_subjects import WANTED, greet, offered
    from lossvet.benchmarks.subjects import subject
    from lossvet.conformance.plan import NothingMatches

    there = {*SUBJECTS} & {*offered(greet({subject(name).cell.framework for name in SUBJECTS}))}
    if not there:
        raise NothingMatches(f"LOSSVET_ASV_ONLY={ONLY} matches no subject of an installed framework")
    wanted = replace(WANTED, only=tuple(sorted(str(subject(name).cell) for name in there)))
    replicates = int(os.environ.get("LOSSVET_ASV_REPLICATES") or engine.REPLICATES)
    return engine.Options(wanted=wanted, replicates=replicates, path=path)


def seconds(found: Samples) -> dict[str, list[float]]:
    """By subject, what a call took in each process, in the order of the processes."""
    return {subject: [nanoseconds / 1e9 for nanoseconds in own] for subject, own in found.times().items()}


def published(found: Samples) -> dict[str, Published]:
    """Every subject that was timed, or should have been and failed."""
    from lossvet.benchmarks.table import Row, table

    def ratio(row: Row, kind: str) -> float:
        return next((getattr(v, "ratio", math.nan) for n, v in row.verdicts.items() if n.startswith(kind)), math.nan)

    def fault(row: Row) -> str:
        return row.why or ("faster than the memory allows: something was not measured" if row.void else "")

    times = seconds(found)
    return {
        str(row.subject): Published(
            seconds=times.get(str(row.subject), []),
            ulp=math.nan if (ulp := row.ulp()) is None else ulp,
            loss=ratio(row, "loss"),
            gradient=ratio(row, "gradient"),
            peak=math.nan if row.peak is None else row.peak,
            fault=fault(row),
        )
        for row in table(found)
        if row.time or row.lost
    }


@cache
def prepared(subject: str) -> Callable[[], object]:
    """The call that the engine would time, on one core; prepared once, though asv sets up before every sample."""
    from lossvet import adapters
    from lossvet.adapters.types import recipes
    from lossvet.benchmarks import subjects, workloads
    from lossvet.reference import variants
    from lossvet.workers import lifecycle, messages
    from lossvet.workers.machine import cores

    asked = subjects.subject(subject)
    cell = asked.cell
    lifecycle.stay_on(cores()[0])
    try:
        adapter = adapters.load(cell.framework)
    except ImportError as error:
        raise NotImplementedError(f"{cell.framework} is not installed: {error}") from error  # asv skips it then
    recipe = recipes(adapter, variants.load(cell.variant))[cell.recipe]
    native = messages.hello(adapter, "").natives.get(cell.variant, {}).get(cell.recipe)
    outputs = subjects.outputs(asked.task, subjects.reduction(native))
    case = workloads.workload(cell.variant, asked.shape)
    call = adapter.prepare(recipe, case, cell.mode, cell.dtype, cell.device, outputs)
    call()  # the first call compiles
    return call
