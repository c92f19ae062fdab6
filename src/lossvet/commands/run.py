"""`lossvet run`: the conformance matrix."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lossvet.commands.ending import end
from lossvet.commands.sides import DTYPES

if TYPE_CHECKING:
    from lossvet.conformance.options import Options
    from lossvet.conformance.run import Result

FORMATS = ("text", "json", "junit", "markdown")


def raise_interrupt() -> None:
    """Let SIGTERM do what Ctrl-C does: stop, keep the results so far, say how to go on.

    A shell that starts a program in the background makes it ignore SIGINT, so SIGINT cannot be raised instead.
    """

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def pythons(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for value in values:
        name, equals, path = value.partition("=")
        if not (name and equals and path):
            example = "FRAMEWORK=/opt/venv/bin/python"
            raise click.BadParameter(f"{value!r} is not FRAMEWORK=PATH; give an interpreter, such as {example}")
        if not os.access(path, os.X_OK) or os.path.isdir(path):
            raise click.BadParameter(f"{path} is not an executable program; give the path of a Python interpreter")
        found[name] = path
    return found


@click.command("run")
@click.option("--quick/--full", "quick", default=True, help="About a minute, or several minutes.  [default: quick]")
@click.option("--only", multiple=True, metavar="PATTERN", help="A variant, a case, or a glob over either. Repeatable.")
@click.option(
    "--framework", multiple=True, metavar="NAME", help="Only this framework; it must be installed. Repeatable."
)
@click.option("--dtype", multiple=True, type=click.Choice(DTYPES), help="Only this dtype. Repeatable.")
@click.option(
    "--device", default="cpu", show_default=True, metavar="NAME", help="cpu, gpu, auto, or a framework's own name."
)
@click.option("--require", multiple=True, metavar="NAME", help="Exit with 3 if this framework is missing. Repeatable.")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="text", show_default=True, help="Format of stdout."
)
@click.option("--python", callback=pythons, multiple=True, metavar="NAME=PATH", help="The interpreter of a framework.")
@click.option("--resume", is_flag=True, help="Continue the newest unfinished run, or the one of --journal.")
@click.option(
    "--journal",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write the run.  [default: a new file in .lossvet/]",
)
@click.option(
    "--limit",
    type=click.FloatRange(min=0, min_open=True),
    default=120.0,
    show_default=True,
    help="Seconds until a case counts as timed out.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of workers.  [default: one for each core, as far as memory allows]",
)
@click.option("--confirmed", is_flag=True, help="Fail for known deviations in versions where they were not confirmed.")
@click.option("--verbose", is_flag=True, help="With --format text: list why checks were not run.")
@click.option("--cold", is_flag=True, help="Neither use nor store compiled code of other runs.")
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Judge every variant in every installed framework."""
    from lossvet.conformance import resume, run
    from lossvet.conformance.deviations import LedgerError
    from lossvet.conformance.journal import JournalError
    from lossvet.conformance.plan import NothingMatches
    from lossvet.reference.vectors import GoldenError
    from lossvet.reports import progress, terminal

    raise_interrupt()
    try:
        asked = _options(ctx, given)
        out, err = terminal.console(), terminal.console(stderr=True)

        def begun(greetings: Any) -> None:
            if given["form"] == "text":
                terminal.header(out, greetings, asked.selection.device)

        with progress.Watcher(err, begun) as watcher:
            result = run.run(asked, watcher)
    except run.Interrupted as stopped:
        again = f"lossvet run --resume{'' if given['journal'] is None else f' --journal {stopped.path}'}"
        end(130, f"{stopped}; go on with: {again}")
    except KeyboardInterrupt:
        end(130, "interrupted before the first check; nothing was stored")
    except (NothingMatches, resume.CannotResume) as error:
        end(2, str(error))
    except run.CannotJudge as error:
        end(3, f"cannot judge: {error}")
    except (JournalError, GoldenError, LedgerError) as error:
        end(4, str(error))
    except OSError as error:
        end(2, f"{error.filename}: {error.strerror}" if error.filename else str(error))
    _show(result, given["form"], given["verbose"])
    end(*result.verdict)


def _options(ctx: click.Context, given: dict[str, Any]) -> Options:
    """The options given now, or when the run began. Raises CannotResume if the two contradict, JournalError."""
    from dataclasses import replace

    from lossvet.conformance import journal, options, resume
    from lossvet.conformance.plan import Selection

    selection = Selection(
        level="quick" if given["quick"] else "full",
        only=given["only"],
        frameworks=given["framework"],
        dtypes=given["dtype"],
        device=given["device"],
    )
    asked = options.Options(selection=selection, require=given["require"], pythons=given["python"])
    if given["resume"]:
        path = resume.resumable(given["journal"])
        contents = journal.read(path)
        if contents is None:
            raise resume.CannotResume(f"{path} has no header: its run never started; remove the file and run again")
        before = options.restored(contents.header.options)
        default = click.core.ParameterSource.DEFAULT
        names = (
            "quick",
            "only",
            "framework",
            "dtype",
            "device",
            "require",
            "python",
        )  # those that decide which checks are run
        said = [name for name in names if ctx.get_parameter_source(name) is not default]
        if said and asked != before:
            raise resume.CannotResume(
                f"{path} was started with other options; give --resume without them, or run without --resume"
            )
        asked = before
    own = {name: given[name] for name in ("limit", "jobs", "cold", "resume", "confirmed", "journal")}
    return replace(asked, **own)


def _show(result: Result, form: str, verbose: bool) -> None:
    import msgspec

    from lossvet.conformance import summary
    from lossvet.reports import junit, markdown, terminal

    match form:
        case "text":
            terminal.report(terminal.console(), result, verbose)
        case "json":
            document = summary.document(result.summary, result.versions)
            click.echo(msgspec.json.format(msgspec.json.encode(document), indent=1).decode())
        case "junit":
            click.echo(junit.render(result), nl=False)
        case "markdown":
            click.echo(markdown.render(result), nl=False)
