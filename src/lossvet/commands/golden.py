"""`lossvet golden`: make the golden results, or prove them again."""

from __future__ import annotations

import click

from lossvet.commands.ending import end


@click.command("golden")
@click.option("--check", is_flag=True, help="Prove the stored results again and compare, without writing anything.")
@click.option("--jobs", type=click.IntRange(min=1), help="Number of processes.  [default: one for each core]")
def command(check: bool, jobs: int | None) -> None:
    """Make the golden results from the definitions, or prove them again. Needs the extra `certify`."""
    try:
        from lossvet.reference import freeze
        from lossvet.reference.vectors import FOLDER
    except ModuleNotFoundError as error:
        end(3, f"golden needs {error.name}, which is not installed; install it with: pip install 'lossvet[certify]'")
    proven = 0

    def progress(name: str, cases: int) -> None:
        nonlocal proven
        proven += cases
        click.echo(f"{name}: {cases} cases proven", err=True)

    files = freeze.freeze(jobs=jobs, progress=progress)
    if not check:
        freeze.write(files)
        click.echo(f"{proven} cases proven and written to {FOLDER}")
        end(0, "golden results made")
    differences = freeze.differences(files)
    for sentence in differences:
        click.echo(sentence)
    click.echo(f"{proven} cases proven; {len(differences)} differences from {FOLDER}")
    end(1 if differences else 0, "golden results differ" if differences else "golden results agree with the proof")
