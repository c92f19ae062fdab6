"""`lossvet check`: one loss compared with the golden results of a variant, as `run` compares frameworks."""

from __future__ import annotations

from typing import Any

import click

from lossvet.commands import sides
from lossvet.commands.ending import end
from lossvet.commands.run import raise_interrupt

FORMATS = ("text", "json", "junit", "github", "markdown")

HELP = f"""Compare LOSS with the golden results of a variant. Values and gradients are judged on all cases, hazards
    included, in every dtype. If LOSS is not that variant, show what it is instead.

    {sides.EXECUTES}

    LOSS is FRAMEWORK:path/file.py::name or FRAMEWORK:package.module:name. Exit codes: 0 it conforms; 1 it does not;
    2 bad usage; 3 cannot judge.
    """


@click.command("check", help=HELP)
@click.argument("loss")
@click.option(
    "--as",
    "variant",
    required=True,
    metavar="VARIANT",
    help="The variant that LOSS should be: a name that `run` shows.",
)
@click.option("--reduction", default="", metavar="NAME", help="How LOSS reduces.  [default: as identified]")
@sides.side()
@sides.both()
@click.option("--only", multiple=True, metavar="CASE", help="Only this case of the variant, or a glob. Repeatable.")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="text", show_default=True, help="Format of stdout."
)
def command(**given: Any) -> None:
    from lossvet.reports import checked_text, checked_words
    from lossvet.reports.checked_formats import RENDERERS
    from lossvet.reports.pages import inert
    from lossvet.verify import check

    raise_interrupt()
    with sides.endings():
        check.known(given["variant"], given["reduction"])
        options = sides.one_sided(given)
        click.echo(inert(f"checking {given['loss']} as {given['variant']} ..."), err=True)
        found = check.check(given["loss"], given["variant"], given["reduction"], options, given["only"])
        if given["form"] == "text":
            sides.print_page(lambda width: checked_text.page(found, width))
        else:
            click.echo(RENDERERS[given["form"]](found), nl=False)
    end(found.exit_code, inert(checked_words.ending(found)))
