"""`lossvet bench`: accuracy and speed side by side, with the limit of the machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from lossvet.commands.ending import end, needs
from lossvet.commands.run import pythons, raise_interrupt

if TYPE_CHECKING:
    from lossvet.benchmarks.samples import Samples
    from lossvet.benchmarks.subjects import Wanted

TASKS = ("forward", "train")


@click.command("bench")
@click.option("--only", multiple=True, metavar="PATTERN", help="A variant, variant/recipe, or a glob. Repeatable.")
@click.option(
    "--framework", multiple=True, metavar="NAME", help="Only this framework; it must be installed. Repeatable."
)
@click.option("--shapes", metavar="NxC,...", help="Rows x classes, as in 512x1000 or 512x1000-ignored.")
@click.option("--mode", multiple=True, metavar="NAME", help="Only this mode, even a slow one. Repeatable.")
@click.option("--dtype", multiple=True, type=click.Choice(["float32", "float64"]), help="[default: float32]")
@click.option("--task", multiple=True, type=click.Choice(TASKS), help="[default: train]")
@click.option(
    "--device", default="cpu", show_default=True, metavar="NAME", help="cpu, gpu, auto, or a framework's own name."
)
@click.option("--require", multiple=True, metavar="NAME", help="Exit with 3 if this framework is missing. Repeatable.")
@click.option("--python", callback=pythons, multiple=True, metavar="NAME=PATH", help="The interpreter of a framework.")
@click.option("--replicates", type=click.IntRange(min=1), help="Processes for each framework.  [default: 6]")
@click.option("--samples", type=click.Path(path_type=Path, dir_okay=False), help="Where to write the raw samples.")
@click.option("--show", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Show an earlier run.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(**given: Any) -> None:
    """Time every variant in every framework. The table also shows accuracy, memory, and the limit of this machine."""
    needs("scipy", "bench")
    from lossvet.benchmarks import engine, samples
    from lossvet.conformance.journal import JournalError
    from lossvet.conformance.plan import NothingMatches
    from lossvet.conformance.run import CannotJudge
    from lossvet.reports import progress, terminal

    raise_interrupt()
    try:
        if given["show"] is not None:
            found = samples.read(given["show"])
            _show(found, given["form"], _filters(given))
            whole = "" if found.finished else ", but the run is unfinished"
            end(0 if found.finished else 3, f"{given['show']} is shown{whole}")
        options = engine.Options(
            wanted=_wanted(given),
            require=given["require"],
            pythons=given["python"],
            path=given["samples"],
            **({} if given["replicates"] is None else {"replicates": given["replicates"]}),
        )
        with progress.Timing(terminal.console(stderr=True)) as watcher:
            path = engine.run(options, watcher)
        found = samples.read(path)
    except KeyboardInterrupt:
        end(130, "interrupted; the samples so far are in .lossvet/, but a new run starts from the beginning")
    except (NothingMatches, ValueError) as error:
        end(2, str(error))
    except CannotJudge as error:
        end(3, f"cannot measure: {error}")
    except FileExistsError as error:
        end(2, f"{error.filename} exists; give another --samples")
    except JournalError as error:
        end(4, str(error))
    except OSError as error:
        end(2, f"{error.filename}: {error.strerror}" if error.filename else str(error))
    _show(found, given["form"], None)
    end(*_verdict(found, path))


def _wanted(given: dict[str, Any]) -> Wanted:
    from lossvet.benchmarks import subjects, workloads

    default = subjects.Wanted()
    shapes = given["shapes"]
    return subjects.Wanted(
        only=given["only"],
        frameworks=given["framework"],
        shapes=default.shapes if shapes is None else tuple(workloads.shape(s) for s in shapes.split(",")),
        modes=given["mode"],
        dtypes=given["dtype"] or default.dtypes,
        tasks=given["task"] or default.tasks,
        device=given["device"],
    )


def _filters(given: dict[str, Any]) -> Wanted:
    """The rows of an earlier run to show: a filter that was not given lets everything through."""
    wanted, source = _wanted(given), click.get_current_context().get_parameter_source("device")
    return replace(
        wanted,
        shapes=wanted.shapes if given["shapes"] else (),
        dtypes=given["dtype"],
        tasks=given["task"],
        device="" if source is ParameterSource.DEFAULT else given["device"],
    )


def _show(found: Samples, form: str, wanted: Wanted | None) -> None:
    """All rows, or the selected ones. Raises plan.NothingMatches if there are none."""
    import msgspec

    from lossvet.benchmarks import subjects
    from lossvet.benchmarks.table import table
    from lossvet.reports import speed, terminal

    rows = table(found)
    if wanted is not None:
        chosen = set(subjects.fitting([row.subject for row in rows], wanted))
        rows = tuple(row for row in rows if row.subject in chosen)
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(speed.document(found, rows)), indent=1).decode())
    else:
        speed.report(terminal.console(), rows)


def _verdict(found: Samples, path: Path) -> tuple[int, str]:
    """The exit code and the sentence for it."""
    from lossvet.benchmarks.table import table

    rows = table(found)
    timed = [row for row in rows if row.time]
    lost = [row for row in rows if row.lost]
    differ, void = sum(row.verdict == "differs" for row in timed), sum(row.void for row in timed)
    if lost or differ or void:
        code = 1 if differ else 3
        return code, f"{differ} rows differ, {void} are void, {len(lost)} failed; samples in {path}"
    if not timed:
        return 3, "cannot measure: no call was timed"
    return 0, f"{len(timed):,} rows timed; samples in {path}"
