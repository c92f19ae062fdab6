"""`lossvet explain`: an explanation of a name, with a small example."""

from __future__ import annotations

import click

from lossvet.commands.ending import end


@click.command("explain")
@click.argument("name", required=False)
def command(name: str | None) -> None:
    """Explain NAME, with a small example. NAME is a variant, a hazard, a deviation or a verdict; a function of a
    framework, as you call it, with or without its arguments; a facet that `verify` compares (`denominator`), or one of
    its values (`denominator=weights`). `facets` lists all facets with their values. Without NAME, all names are
    listed."""
    from lossvet.verify.explain import explain, overview

    if name is None:
        click.echo(overview())
        return
    try:
        text = explain(name, lambda framework: click.echo(f"importing {framework} ...", err=True))
    except KeyError as error:
        end(2, str(error.args[0] if error.args else error))
    click.echo(text)
