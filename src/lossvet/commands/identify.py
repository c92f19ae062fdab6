"""`lossvet identify`: the meaning of one loss, in words and as a contract file."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lossvet.commands import sides
from lossvet.commands.ending import end
from lossvet.commands.run import raise_interrupt

if TYPE_CHECKING:
    from lossvet.verify.answer import Identified

FORMATS = ("text", "json", "markdown")

HELP = f"""Identify what LOSS computes. The answer says which cross-entropy it is, how it is weighted, what it
    divides by, and what it does at the edges.

    {sides.EXECUTES}

    LOSS is one of
    {sides.SPECS}
    Exit codes: 0 one contract explains LOSS; 2 bad usage; 3 more than one does, or none, or LOSS cannot be judged.
    """


@click.command("identify", help=HELP)
@click.argument("loss")
@click.option(
    "--write",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also write the contract to this file, NAME.contract.toml.",
)
@click.option(
    "--spell",
    metavar="FRAMEWORK",
    help="Print verified code with the same meaning for this framework, and the answer on stderr.",
)
@sides.side()
@sides.both()
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="text", show_default=True, help="Format of stdout."
)
def command(**given: Any) -> None:
    from lossvet.reports.pages import inert
    from lossvet.verify import contract_file, sources

    raise_interrupt()
    with sides.endings():
        sources.parse(given["loss"])
        options = sides.one_sided(given)
        if given["write"] is not None and not contract_file.is_contract_file(given["write"].name):
            raise ValueError(
                f"--write {given['write']}: the name of a contract file must end in {contract_file.SUFFIX}"
            )
        click.echo(inert(f"identifying {given['loss']} ..."), err=True)
        found: Identified = importlib.import_module("lossvet.verify.verify").identify(given["loss"], options)
        _show(found, given["form"], err=bool(given["spell"]))
        if found.status == "confirmed" and given["spell"]:
            spell = importlib.import_module("lossvet.verify.spell").spell
            click.echo(spell(found, given["spell"], options), nl=False)
        if found.status == "confirmed" and given["write"] is not None:
            contract_file.write(contract_file.of(found), given["write"])
    end(*_ending(found, given))


def _show(found: Identified, form: str, err: bool) -> None:
    """The answer on stdout, or on stderr where stdout is for the code."""
    from lossvet.reports import verify_text
    from lossvet.reports.verify_formats import IDENTIFY_RENDERERS

    if form == "text":
        sides.print_page(lambda width: verify_text.identified_page(found, width), err)
    else:
        click.echo(IDENTIFY_RENDERERS[form](found), nl=False, err=err)


def _ending(found: Identified, given: dict[str, Any]) -> tuple[int, str]:
    written = "" if given["write"] is None else f"; written to {given['write']}"
    undone = " and ".join(f"--{name} had no effect" for name in ("write", "spell") if given[name])
    match found.status:
        case "confirmed":
            return 0, f"confirmed on {found.tried:,} probes and {found.fresh:,} fresh ones{written}"
        case "ambiguous":
            words = f"{len(found.candidates)} contracts explain every probe"
        case "unexplained":
            words = "no contract explains it"
        case "cannot_judge":
            words = "cannot judge"
    return 3, f"{words}; {undone}" if undone else words
