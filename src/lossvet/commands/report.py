"""`lossvet report`: the site, from a run and a benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lossvet.commands.ending import end, needs

FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command("report")
@click.option("--run", "journal", type=FILE, help="The journal of a run.  [default: the newest full one in .lossvet/]")
@click.option("--bench", type=FILE, help="The samples of a benchmark.  [default: the newest in .lossvet/]")
@click.option(
    "--against", type=FILE, help="The journal of an earlier run: show what became better or worse, is new or gone."
)
@click.option("--out", type=FOLDER, default=Path(".lossvet/report"), show_default=True, help="Where to write the site.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "markdown"]),
    default="html",
    show_default=True,
    help="The site, or the matrix on stdout.",
)
@click.option("--partial", is_flag=True, help="Report an incomplete run, and say so on every page.")
@click.option("--author", metavar="NAME", help="The publisher, named above the table and in the citation.")
@click.option("--check", type=FOLDER, help="Rebuild this site from its data, and compare every byte.")
def command(**given: Any) -> None:
    """Make the site of a run and a benchmark. It holds findings, the matrix, accuracy, speed, how to write each loss,
    and all data."""
    for module in ("jinja2", "matplotlib", "scipy"):
        needs(module, "report")
    from lossvet.conformance.journal import JournalError
    from lossvet.reports import markdown
    from lossvet.reports.site import build, sources

    try:
        if given["check"] is not None:
            end(*_checked(given["check"]))
        run = given["journal"] or sources.newest_run()
        bench = given["bench"] or sources.newest_benchmark()
        click.echo(f"reading {run} and {bench or 'no benchmark'} ...", err=True)
        found = sources.load(run, bench)
        if given["form"] == "markdown":
            click.echo(markdown.render(found.result), nl=False)
            end(0, f"{run} as Markdown")
        against = None if given["against"] is None else sources.packed(given["against"])
        click.echo("making the pages ...", err=True)
        files = build.site(found, against, given["partial"], **({"author": given["author"]} if given["author"] else {}))
        build.write(files, given["out"])
    except sources.CannotReport as error:
        end(3, f"no report: {error}")
    except JournalError as error:
        end(4, str(error))
    except OSError as error:
        end(2, f"{error.filename or given['out']}: {error.strerror}; an existing site is unchanged")
    click.echo(given["out"] / "index.html")
    size = sum(map(len, files.values())) / 2**20
    end(0, f"{len(files)} files, {size:.1f} MiB{', partial' if found.lacking else ''}")


def _checked(folder: Path) -> tuple[int, str]:
    from lossvet.reports.site import build

    wrong = build.check(folder)
    for line in wrong:
        click.echo(line)
    if wrong:
        return 1, f"{folder}: {len(wrong)} files differ from those made from its data"
    return 0, f"{folder}: every byte equals that made from its data"
