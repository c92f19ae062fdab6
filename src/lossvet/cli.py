"""The command line. Nothing heavy is imported before the command that needs it runs, so --help is printed at once.

Exit codes, the same for every command: 0 all judged and good; 1 a difference; 2 bad usage or bad input; 3 cannot judge;
4 internal error or corrupt file; 130 interrupted, resumable.
"""

from __future__ import annotations

import importlib
import sys

import click

from lossvet import __version__

COMMANDS = (
    "run", "verify", "identify", "check", "replay", "bench", "gate", "report", "doctor", "explain", "golden",
)  # fmt: skip


class Lazy(click.Group):
    """A command is the file of its name in `commands/`, imported on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"lossvet.commands.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, 1) or COMMANDS
            ctx.fail(f"no such command: {args[0]!r}; did you mean {' or '.join(near)}?")
        return super().resolve_command(ctx, args)


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="lossvet %(version)s")
def group() -> None:
    """Judge weighted cross-entropy losses of TensorFlow, PyTorch and JAX against proven results."""


def main() -> None:
    """The entry point: it always ends with one of the exit codes."""
    try:
        group.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted (exit 130)", err=True)
        sys.exit(130)
    except BrokenPipeError:  # the reader of the output is gone: nobody would see a message
        sys.stderr.close()
        sys.exit(4)
    except Exception:
        import traceback

        traceback.print_exc()
        click.echo("internal error: please report it, with the lines above (exit 4)", err=True)
        sys.exit(4)
