"""`lossvet check`: one loss held to the golden results of a variant, as `run` holds frameworks to them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import click

from lossvet.commands import sides
from lossvet.commands.ending import end
from lossvet.commands.run import raise_interrupt

if TYPE_CHECKING:
    from lossvet.verify.checked import Checked

FORMATS = ("text", "json")

HELP = f"""Hold LOSS to the golden results of a variant: value, gradients, hazards and accuracy, in every dtype.
    Where it is not that variant, say what it is instead.

    {sides.EXECUTES}

    LOSS is FRAMEWORK:path/file.py::name or FRAMEWORK:package.module:name. Exit codes: 0 it conforms; 1 it does not;
    2 bad usage; 3 cannot judge.
    """


@click.command("check", help=HELP)
@click.argument("loss")
@click.option("--as", "variant", required=True, metavar="VARIANT", help="What it is to be: a name that `run` shows.")
@click.option("--reduction", default="", metavar="NAME", help="How it reduces.  [default: as it is identified]")
@sides.side()
@sides.both()
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True, help="For stdout.")
def command(**given: Any) -> None:
    from lossvet.reports import checked_text
    from lossvet.reports.pages import inert
    from lossvet.verify import sources

    raise_interrupt()
    with sides.endings():
        sources.parse(given["loss"])
        _known(given["variant"], given["reduction"])
        options = sides.one_sided(given)
        click.echo(inert(f"checking {given['loss']} as {given['variant']} ..."), err=True)
        check = importlib.import_module("lossvet.verify.check").check
        found: Checked = check(given["loss"], given["variant"], given["reduction"], options)
        if given["form"] == "json":
            click.echo(checked_text.document(found), nl=False)
        else:
            sides.print_page(lambda width: checked_text.page(found, width))
    end(found.exit_code, inert(checked_text.ending(found)))


def _known(variant: str, reduction: str) -> None:
    """Raises ValueError, with the nearest name, where there is no such variant or it has no such reduction."""
    import difflib

    from lossvet.reference import variants

    if variant not in variants.names():
        near = difflib.get_close_matches(variant, variants.names(), 1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(variants.names())}"
        raise ValueError(f"--as {variant}: no variant is called so; {hint}")
    reductions = variants.load(variant).reductions
    if reduction and reduction not in reductions:
        raise ValueError(f"--reduction {reduction}: {variant} has no such reduction; it has: {', '.join(reductions)}")
