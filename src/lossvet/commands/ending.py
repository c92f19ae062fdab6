"""How a command ends: its last line on stderr is the verdict and the exit code."""

from __future__ import annotations

import sys
from typing import NoReturn

import click


def end(code: int, sentence: str) -> NoReturn:
    """Print the verdict and exit with its code."""
    sys.stdout.flush()
    click.echo(f"{sentence} (exit {code})", err=True)
    sys.exit(code)


def needs(module: str, extra: str) -> None:
    """Exit with code 3, and the command that helps, if a package of an extra is not installed."""
    from importlib.util import find_spec

    if find_spec(module) is None:
        end(3, f"this command needs {module}, which is not installed; install it with: pip install 'lossvet[{extra}]'")
