"""`lossvet replay`: both losses run again on the counterexample of an earlier comparison."""

from __future__ import annotations

from contextlib import ExitStack

import click

from lossvet.commands import sides
from lossvet.commands.ending import end
from lossvet.commands.run import raise_interrupt

HELP = f"""Run the counterexample of an earlier `verify` again. The results of both losses are compared with those
    recorded. Without KEY, list the counterexamples stored in .lossvet/replay/.

    {sides.EXECUTES}

    Exit codes: 0 both results are as recorded; 1 one is not; 2 no such replay; 3 cannot judge.
    """


@click.command("replay", help=HELP)
@click.argument("key", required=False)
def command(key: str | None) -> None:
    from lossvet.reports import replay_text
    from lossvet.reports.pages import inert
    from lossvet.verify import opened, replay, revision

    raise_interrupt()
    with sides.endings():
        if key is None:
            stored = list(replay.stored())
            for name, words in stored:
                click.echo(inert(f"{name}  {words}"))
            end(0, f"{len(stored)} stored in {replay.FOLDER}")
        record = replay.read(key)
        options = record.options
        with ExitStack() as stack:
            source = record.source
            if options.base:
                base = stack.enter_context(revision.at(source, options.base))
                source, options = base.spec, base.searched(options)
            click.echo(inert(f"running {record.source} and {record.target} again ..."), err=True)
            sides_ = stack.enter_context(opened.opened(source, record.target, options))
            found = replay.replay(record, *sides_)
        sides.print_page(lambda width: replay_text.page(key, found, width))
    end(0 if found.as_recorded else 1, replay_text.ending(found))
