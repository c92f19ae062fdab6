"""`lossvet verify`: do two losses mean the same, and if not, what changed?"""

from __future__ import annotations

import importlib
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lossvet.commands import sides
from lossvet.commands.ending import end
from lossvet.commands.run import raise_interrupt

if TYPE_CHECKING:
    from lossvet.verify.answer import Comparison
    from lossvet.verify.options import Options

FORMATS = ("text", "json", "junit", "github", "markdown")
FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
FOLDER = click.Path(path_type=Path, file_okay=False)

HELP = f"""Check whether OLD and NEW mean the same. If not, explain each difference, with the smallest input that shows
    it, its effect on training, and the change with which NEW matches OLD.

    {sides.EXECUTES}

    OLD and NEW each are one of
    {sides.SPECS}
    Exit codes: 0 the same, or every difference is accepted; 1 different; 2 bad usage; 3 cannot judge.
    """


@click.command("verify", help=HELP)
@click.argument("old", required=False)
@click.argument("new", required=False)
@click.option("--base", metavar="REV", help="Instead of NEW: compare OLD at this git revision with OLD as it is now.")
@sides.side("source-")
@sides.side("target-")
@sides.both()
@click.option(
    "--accept",
    multiple=True,
    metavar="FACET|'FACET=OLD->NEW'",
    help="An intended difference; or same_gradient, or equal_on_probes. Repeatable.",
)
@click.option(
    "--strict-edges", is_flag=True, help="Also count edge cases (labels out of range, empty batches) as differences."
)
@click.option(
    "--inputs", type=FILE, help="Your own batch, .npz or .safetensors, on which to measure the effect of a difference."
)
@click.option(
    "--fail-above",
    type=click.FloatRange(min=0, min_open=True),
    metavar="X",
    help="Accept differences that change loss and gradient of --inputs by less than this share, as in 0.01.",
)
@click.option("--bundle", type=FOLDER, help="Write a script to this folder that shows the difference without lossvet.")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="text", show_default=True, help="Format of stdout."
)
@click.option("--selftest", is_flag=True, help="Run verify on the corpus of known losses, and print its error rates.")
@click.option(
    "--only",
    multiple=True,
    metavar="GLOB",
    help="With --selftest: only these losses, such as 'FILE.py::*'. Repeatable.",
)
@click.option(
    "--framework", multiple=True, metavar="NAME", help="With --selftest: only losses of this framework. Repeatable."
)
def command(**given: Any) -> None:
    raise_interrupt()
    with sides.endings():
        if given["selftest"]:
            _selftest(given)
        found = _compared(given)
        _show(found, given["form"])
    from lossvet.reports.pages import inert
    from lossvet.reports.verify_words import ending

    end(found.exit_code, inert(ending(found)))


def _compared(given: dict[str, Any]) -> Comparison:
    """The comparison as it is shown: with what was accepted, its replay stored, its bundle written."""
    import msgspec

    from lossvet.verify import accepting, bundle, inputs, replay, revision, sources

    _usable(given)
    if given["only"] or given["framework"]:
        raise ValueError("--only and --framework select losses of --selftest; give them together with --selftest")
    for spec in filter(None, (given["old"], given["new"])):
        sources.parse(spec)
    accepts = [accepting.parsed(text) for text in given["accept"]]
    batch = None if given["inputs"] is None else inputs.load(given["inputs"])
    with ExitStack() as stack:
        source, target = given["old"], given["new"] or given["old"]
        search: tuple[str, ...] = ()
        if given["base"] is not None:
            base = stack.enter_context(revision.at(source, given["base"]))
            source, search = base.spec, base.search
        options = _options(given, search, batch)
        click.echo(f"comparing {_shown(given)} ...", err=True)
        found: Comparison = importlib.import_module("lossvet.verify.verify").compare(source, target, options)
        if batch is not None and found.effect is None and found.verdict != "cannot_judge":
            found = _measured(found, source, target, options)
    if given["base"] is not None:
        named = revision.named(given["old"], given["base"])
        found = msgspec.structs.replace(found, source=msgspec.structs.replace(found.source, spec=named))
    found = accepting.settled(found, accepts, given["strict_edges"], given["fail_above"])
    record = replay.recorded(found, _options(given, (), None), (given["old"], given["new"] or given["old"]))
    if record is not None:
        found = msgspec.structs.replace(found, replay=f"lossvet replay {replay.store(record)}")
        if given["bundle"] is not None:
            bundle.write(found, record, given["bundle"])
            click.echo(f"bundle: python {given['bundle'] / bundle.SCRIPT}", err=True)
    elif given["bundle"] is not None:
        click.echo("no bundle: no input is known on which the two losses differ", err=True)
    return found


def _measured(found: Comparison, source: str, target: str, options: Options) -> Comparison:
    """The comparison with the effect on the caller's batch, or with a warning that says why there is none."""
    import msgspec

    from lossvet.verify import effect, opened, replay

    assert options.batch is not None
    try:
        with opened.opened(source, target, replay.bound(found, options)) as both:
            return msgspec.structs.replace(found, effect=effect.effect(*both, options.batch))
    except effect.NoEffect as error:
        return msgspec.structs.replace(found, warnings=(*found.warnings, str(error)))


def _usable(given: dict[str, Any]) -> None:
    """Raises ValueError for options that contradict each other or lack something."""
    if given["old"] is None:
        raise ValueError("OLD is missing: give the old loss, and NEW or --base; `lossvet verify --help` shows how")
    if given["new"] is None and given["base"] is None:
        raise ValueError("NEW is missing: give a second loss, a contract file, or --base REV for OLD at a git revision")
    if given["new"] is not None and given["base"] is not None:
        raise ValueError("NEW and --base were both given; --base compares OLD with itself at another revision")
    if given["fail_above"] is not None and given["inputs"] is None:
        raise ValueError("--fail-above needs --inputs: the batch on which the effect is measured")


def _options(given: dict[str, Any], search: tuple[str, ...], batch: dict[str, Any] | None) -> Options:
    from lossvet.verify.options import Options

    return Options(
        source=sides.side_options(given, "source_", search),
        target=sides.side_options(given, "target_"),
        labels=given["labels"] or "",
        classes=given["classes"] or 0,
        timeout=given["timeout"],
        base=given["base"] or "",
        batch=batch,
    )


def _shown(given: dict[str, Any]) -> str:
    from lossvet.reports.pages import inert

    if given["base"] is not None:
        return inert(f"{given['old']} at {given['base']} and as it is now")
    return inert(f"{given['old']} and {given['new']}")


def _show(found: Comparison, form: str) -> None:
    from lossvet.reports import verify_github, verify_text
    from lossvet.reports.verify_formats import RENDERERS

    if form == "text":
        sides.print_page(lambda width: verify_text.page(found, width))
        return
    click.echo(RENDERERS[form](found), nl=False)
    if form == "github":
        verify_github.step_summary(found)


def _selftest(given: dict[str, Any]) -> None:
    """The confusion matrix over the corpus, and its own verdict."""
    if given["old"] is not None:
        raise ValueError("--selftest takes no OLD and NEW: it runs the corpus that comes with lossvet")
    from lossvet.verify.corpus_records import Selection

    selection = Selection(only=given["only"], frameworks=given["framework"])
    selection.losses()  # refuses a selection of nothing, before anything starts
    report = importlib.import_module("lossvet.verify.selftest").run(selection)
    click.echo(report.text(), nl=False)
    end(*report.verdict)
