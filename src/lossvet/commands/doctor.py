"""`lossvet doctor`: what is installed, which devices there are, what is missing, and the next step."""

from __future__ import annotations

import platform
import sys
from typing import Any

import click

from lossvet.commands.ending import end


@click.command("doctor")
def command() -> None:
    """Show what is installed, which devices there are, what is missing, and the next step."""
    from rich.text import Text

    import lossvet
    from lossvet import adapters
    from lossvet.conformance import journal, pool
    from lossvet.reference import variants
    from lossvet.reference.vectors import GoldenError, load
    from lossvet.reports import terminal
    from lossvet.workers import caches, machine
    from lossvet.workers.messages import Hello

    out = terminal.console()

    def say(text: str) -> None:
        out.print(Text(terminal.plain(text)), soft_wrap=True)

    say(f"lossvet {lossvet.__version__}   {machine.python()}")
    say(f"{platform.system()} {platform.machine()}   {len(machine.cores())} cores")
    names = adapters.names()
    with pool.Pool(dict.fromkeys(names, sys.executable), caches.environment(caches.default()), 120.0) as workers:
        greetings, remarks = pool.greetings(workers)
    for name in names:
        greeting = greetings[name]
        if isinstance(greeting, Hello):
            say(
                f"{name} {greeting.version}   modes: {' '.join(greeting.modes)}   devices: {' '.join(greeting.devices)}"
            )
            for key, value in greeting.details.items():
                say(f"    {key}: {value}")
        else:
            say(f"{name}   {'missing' if greeting.missing else 'does not start'}: {greeting.reason}")
            if greeting.missing and (extra := adapters.presence_of(name).extra):
                say(f"    install it with: {sys.executable} -m pip install 'lossvet[{extra}]'")
    for remark in remarks:
        say(f"{remark.framework}: {remark.text}")
    if not any("cpu" not in g.devices or len(g.devices) > 1 for g in greetings.values() if isinstance(g, Hello)):
        say("no framework sees a GPU: the devices listed above are all that they see")
    try:
        cases = sum(len(load(name)) for name in variants.names())
        say(f"golden results: {cases} cases of {len(variants.names())} variants")
    except GoldenError as error:
        end(4, str(error))
    say(f"compiled code is cached in {caches.default()}; runs are stored in {journal.FOLDER}/")
    _next(any(isinstance(g, Hello) for g in greetings.values()), say)


def _next(anybody: bool, say: Any) -> None:
    from lossvet.conformance import journal

    if not anybody:
        end(3, "no framework is installed; install one with a command above, then: lossvet run")
    try:
        left = journal.unfinished()
    except journal.JournalError as error:
        end(4, str(error))
    say(f"next: {'lossvet run' if left is None else f'lossvet run --resume   ({left} is unfinished), or: lossvet run'}")
    end(0, "ready")
