"""How a command ends: its last line on stderr is the verdict and the exit code."""

from __future__ import annotations

import sys
from typing import NoReturn

import click


def end(code: int, sentence: str) -> NoReturn:
    """Say the verdict and leave with its code."""
    sys.stdout.flush()
    click.echo(f"{sentence} (exit {code})", err=True)
    sys.exit(code)
