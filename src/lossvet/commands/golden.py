"""`lossvet golden`: make the golden results, or prove them again."""

from __future__ import annotations

import os

import click

from lossvet.commands.ending import end


@click.command("golden")
@click.option("--check", is_flag=True, help="Prove them again and compare, without writing anything.")
@click.option("--jobs", type=click.IntRange(min=1), help="Processes at a time.  [default: one for each core]")
def command(check: bool, jobs: int | None) -> None:
    """Make the golden results from the definitions, or prove them again. Needs the extra `certify`."""
    try:
        from lossvet.reference.freeze import main
    except ModuleNotFoundError as error:
        end(3, f"{error.name} is needed to prove golden results: pip install 'lossvet[certify]'")
    main(check, jobs or os.cpu_count() or 1)
