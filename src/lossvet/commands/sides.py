"""What verify, identify, check and replay share: options about a side, and how an error ends a command."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import click

from lossvet.commands.ending import end

if TYPE_CHECKING:
    from lossvet.verify.options import Options, SideOptions

DTYPES = ("float64", "float32", "bfloat16", "float16")
LABELS = ("dense", "sparse")
TIMEOUT = 60.0

SPECS = """
    \b
    FRAMEWORK:path/file.py::name      a function or a class in a file
    FRAMEWORK:package.module:name     the same in a module that can be imported
    variant:NAME?facet=value          a variant of the reference, with any facet changed
    recipe:FRAMEWORK/VARIANT/RECIPE   a recipe of an adapter
    NAME.contract.toml                a contract file

"""
EXECUTES = (
    "lossvet executes the code that you name, with your rights and without a sandbox: name only code that you trust."
)

Decorator = Callable[[Any], Any]


def side(prefix: str = "") -> Decorator:
    """The options about one side; each name has the prefix "source-" or "target-" if there are two sides."""
    of = {"": "the loss", "source-": "OLD", "target-": "NEW"}[prefix]
    options = [
        click.option(
            f"--{prefix}bind",
            multiple=True,
            metavar="ROLE=PARAMETER",
            help=f"The role of a parameter of {of}, as in logits=prediction. Repeatable.",
        ),
        click.option(
            f"--{prefix}init",
            default="",
            metavar="ARGUMENTS",
            help=f"Constructor arguments of {of}: 'weight=@class_weight, reduction=\"sum\"'; @role is its value.",
        ),
        click.option(f"--{prefix}python", default="", metavar="PATH", help=f"The interpreter that runs {of}."),
        click.option(
            f"--{prefix}mode", default="", metavar="NAME", help=f"How {of} is run: eager, jit, compile, graph, xla."
        ),
        click.option(
            f"--{prefix}dtype",
            type=click.Choice(DTYPES),
            metavar="NAME",
            help=f"The dtype of {of}: {', '.join(DTYPES)}.",
        ),
    ]
    return _all(options)


def both() -> Decorator:
    """The options that apply to all sides of a command."""
    return _all(
        [
            click.option(
                "--labels", type=click.Choice(LABELS), help="Which labels the loss takes.  [default: found by trial]"
            ),
            click.option(
                "--classes", type=click.IntRange(min=1), help="The number of classes, if the loss takes only one."
            ),
            click.option(
                "--timeout",
                type=click.FloatRange(min=0, min_open=True),
                default=TIMEOUT,
                show_default=True,
                metavar="SECONDS",
                help="How long to wait for a side that does not answer.",
            ),
        ]
    )


def _all(options: list[Decorator]) -> Decorator:
    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def side_options(given: Mapping[str, Any], prefix: str = "", search: tuple[str, ...] = ()) -> SideOptions:
    """Raises ValueError, naming the option, for an invalid value."""
    from lossvet.verify import options

    python = given[f"{prefix}python"]
    name = f"--{prefix}".replace("_", "-")
    if python:
        found = shutil.which(python)
        if found is None or os.path.isdir(python):
            raise ValueError(f"{name}python {python}: not an executable program; give the path of an interpreter")
        python = found
    return options.SideOptions(
        bind=options.bindings(given[f"{prefix}bind"], f"{name}bind"),
        init=given[f"{prefix}init"],
        python=python,
        mode=given[f"{prefix}mode"],
        dtype=given[f"{prefix}dtype"] or "",
        search=search,
    )


def one_sided(given: Mapping[str, Any]) -> Options:
    """The options of identify and check."""
    from lossvet.verify.options import Options

    return Options(
        source=side_options(given),
        labels=given["labels"] or "",
        classes=given["classes"] or 0,
        timeout=given["timeout"],
    )


@contextmanager
def endings() -> Iterator[None]:
    """Any error in a side or a file ends the command with a sentence and a code."""
    try:
        yield
    except KeyboardInterrupt:
        end(130, "interrupted; nothing was stored, and a comparison cannot be resumed")
    except TimeoutError as error:
        end(3, f"cannot judge: {error}; allow more time with --timeout")
    except OSError as error:
        end(2, f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except Exception as error:
        _refused(error)


def _refused(error: Exception) -> NoReturn:
    """An error that carries an exit code ends with it; a ValueError is bad input; any other is an internal error."""
    code = getattr(error, "exit_code", None)
    if isinstance(code, int):
        end(code, f"cannot judge: {error}" if code == 3 else str(error))
    if type(error).__name__ == "CannotJudge":
        end(3, f"cannot judge: {error}")
    if isinstance(error, ValueError):
        end(2, str(error))
    raise error


def print_page(page: Callable[[int], Any], err: bool = False) -> None:
    """Text on stdout or stderr: as wide as the terminal, else 100 columns, and with colours only on a terminal."""
    from lossvet.reports import terminal
    from lossvet.reports.verify_text import WIDTH

    out = terminal.console(stderr=err)
    page(out.width if out.is_terminal or "COLUMNS" in os.environ else WIDTH).show(out)
