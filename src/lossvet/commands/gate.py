"""`lossvet gate`: red or green for CI, head against base."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lossvet.commands import sides
from lossvet.commands.ending import end, needs
from lossvet.commands.run import raise_interrupt

if TYPE_CHECKING:
    from lossvet.benchmarks.gate_report import Options
    from lossvet.benchmarks.user_loss import UserLoss

FORMATS = ("text", "github", "junit", "json")
SHAPES = "512x1000"


@click.command("gate", epilog=sides.EXECUTES)
@click.option("--base", metavar="PATH", help="What it was: an interpreter, or a checkout.")
@click.option("--head", metavar="PATH", help="What it is to be.  [default: this interpreter]")
@click.option(
    "--loss",
    metavar="FRAMEWORK[/VARIANT[/REDUCTION]]=MODULE:FUNCTION",
    help="Gate a loss of your own: its meaning, accuracy and speed. What it is need not be said, and is found out.",
)
@click.option(
    "--accept",
    multiple=True,
    metavar="'FACET=OLD->NEW'",
    help="A change of its meaning that is wanted; or same_gradient. Repeatable.",
)
@click.option(
    "--contract", default="", metavar="PATH", help="Its contract file in both checkouts: what head's says is accepted."
)
@click.option(
    "--bind", multiple=True, metavar="ROLE=PARAMETER", help="Which of its parameters has which role. Repeatable."
)
@click.option("--init", default="", metavar="ARGUMENTS", help="What it is made with: 'weight=@class_weight'.")
@click.option("--labels", type=click.Choice(sides.LABELS), help="Which labels it takes.  [default: tried out]")
@click.option("--classes", type=click.IntRange(min=1), help="The one number of classes that it takes.")
@click.option("--all", "everything", is_flag=True, help="Go on to accuracy and speed where the loss is red already.")
@click.option("--only", multiple=True, metavar="PATTERN", help="A variant, variant/recipe, or a glob. Repeatable.")
@click.option("--framework", multiple=True, metavar="NAME", help="Only this framework; it must be there. Repeatable.")
@click.option("--shapes", default=SHAPES, show_default=True, metavar="NxC,...", help="What is timed: rows x classes.")
@click.option("--mode", multiple=True, metavar="NAME", help="Only this mode, the slow ones among them. Repeatable.")
@click.option("--task", type=click.Choice(["forward", "train"]), default="train", show_default=True)
@click.option("--device", default="cpu", show_default=True, metavar="NAME", help="cpu, gpu, auto, or its own name.")
@click.option(
    "--accuracy",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Reviewed accuracy baselines.  [default: base's]",
)
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True, help="For stdout.")
@click.option("--selftest", is_flag=True, help="Measure the gate's own error rates on this machine.")
@click.option(
    "--pool", type=click.IntRange(min=48), default=64, show_default=True, help="Pairs that the self-test measures."
)
def command(**given: Any) -> None:
    """Compare head with base: meaning, accuracy and speed in one verdict."""
    needs("scipy", "bench")
    from lossvet.benchmarks import gating, selftest
    from lossvet.benchmarks.ratchet import BaselineError
    from lossvet.conformance.deviations import LedgerError
    from lossvet.conformance.journal import JournalError
    from lossvet.conformance.plan import NothingMatches
    from lossvet.conformance.run import CannotJudge, Interrupted
    from lossvet.reference.vectors import GoldenError
    from lossvet.reports import gates, progress, terminal
    from lossvet.verify.sources import SourceError

    raise_interrupt()
    try:
        with progress.Timing(terminal.console(stderr=True)) as watcher:
            if given["selftest"]:
                rates = selftest.run(given["framework"], given["pool"], watcher)
            else:
                report = gating.run_gate(_options(given), watcher)
    except (KeyboardInterrupt, Interrupted):
        end(130, "interrupted; a gate begins anew")
    except (NothingMatches, BaselineError, ValueError) as error:
        end(2, str(error))
    except SourceError as error:
        end(error.exit_code, gates.line(str(error)))
    except CannotJudge as error:
        end(3, gates.line(f"cannot judge: {error}"))
    except (JournalError, GoldenError, LedgerError) as error:
        end(4, str(error))
    except OSError as error:
        end(2, f"{error.filename}: {error.strerror}" if error.filename else str(error))
    if given["selftest"]:
        click.echo(gates.rates(rates))
        end(*rates.verdict)
    click.echo(gates.RENDERERS[given["form"]](report), nl=False)
    if given["form"] == "github":
        gates.step_summary(report)
    code, sentence = report.verdict
    end(code, gates.line(sentence))


def _options(given: dict[str, Any]) -> Options:
    import sys

    from lossvet.benchmarks import gating, workloads
    from lossvet.benchmarks.gate_report import Options
    from lossvet.benchmarks.pairs import Name
    from lossvet.benchmarks.subjects import Wanted

    if given["base"] is None:
        raise ValueError("--base is needed: the interpreter, or the checkout, that head is compared with")
    paths: dict[Name, Path] = {"base": Path(given["base"]), "head": Path(given["head"] or sys.executable)}
    ends = {name: gating.side(path) for name, path in paths.items()}
    folders = {name: path for name, path in paths.items() if path.is_dir()}
    loss = _loss(given)
    if folders and loss is None:
        raise ValueError(
            f"{next(iter(folders.values()))} is a folder; say which loss of it to compare: "
            "--loss FRAMEWORK=MODULE:FUNCTION"
        )
    wanted = Wanted(
        only=() if loss else given["only"],
        frameworks=given["framework"] or ((loss.framework,) if loss else ()),
        shapes=tuple(workloads.shape(s) for s in given["shapes"].split(",")),
        modes=given["mode"],
        tasks=(given["task"],),
        device=given["device"],
    )
    return Options(
        ends,
        wanted,
        loss,
        given["accuracy"],
        folders=folders,
        accepts=given["accept"],
        contract=given["contract"],
        all=given["everything"],
    )


def _loss(given: dict[str, Any]) -> UserLoss | None:
    """The loss that is gated, with what was said of it. Raises ValueError."""
    from dataclasses import replace

    from lossvet.benchmarks import user_loss
    from lossvet.verify import accepting
    from lossvet.verify.binding import Options as BindingOptions
    from lossvet.verify.options import bindings

    if not given["loss"]:
        for name in ("accept", "contract", "bind", "init", "labels", "classes"):
            if given[name]:
                raise ValueError(f"--{name} is about a loss of your own: say which, --loss FRAMEWORK=MODULE:FUNCTION")
        return None
    for text in given["accept"]:
        accepting.parsed(text)
    said = BindingOptions(
        bindings(given["bind"], "--bind"), given["labels"] or "", given["classes"] or 0, given["init"]
    )
    return replace(user_loss.parsed(given["loss"]), binding=said)
