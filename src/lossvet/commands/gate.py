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
@click.option("--base", metavar="PATH", help="The version to compare with: an interpreter, or a checkout.")
@click.option("--head", metavar="PATH", help="The version to judge.  [default: this interpreter]")
@click.option(
    "--loss",
    metavar="FRAMEWORK[/VARIANT[/REDUCTION]]=MODULE:FUNCTION",
    help="Gate your own loss: its meaning, accuracy and speed. Without VARIANT it is identified.",
)
@click.option(
    "--accept",
    multiple=True,
    metavar="'FACET=OLD->NEW'",
    help="An intended change of meaning; or same_gradient. Repeatable.",
)
@click.option(
    "--contract",
    default="",
    metavar="PATH",
    help="The loss's contract file in both checkouts: changes to it in head are accepted.",
)
@click.option(
    "--bind", multiple=True, metavar="ROLE=PARAMETER", help="The role of a parameter of the loss. Repeatable."
)
@click.option(
    "--init", default="", metavar="ARGUMENTS", help="Constructor arguments of the loss: 'weight=@class_weight'."
)
@click.option(
    "--labels", type=click.Choice(sides.LABELS), help="Which labels the loss takes.  [default: found by trial]"
)
@click.option("--classes", type=click.IntRange(min=1), help="The number of classes, if the loss takes only one.")
@click.option("--all", "everything", is_flag=True, help="Go on to accuracy and speed even if the loss is already red.")
@click.option("--only", multiple=True, metavar="PATTERN", help="A variant, variant/recipe, or a glob. Repeatable.")
@click.option(
    "--framework", multiple=True, metavar="NAME", help="Only this framework; it must be installed. Repeatable."
)
@click.option(
    "--shapes", default=SHAPES, show_default=True, metavar="NxC,...", help="The shapes to time: rows x classes."
)
@click.option("--mode", multiple=True, metavar="NAME", help="Only this mode, even a slow one. Repeatable.")
@click.option("--task", type=click.Choice(["forward", "train"]), default="train", show_default=True)
@click.option(
    "--device", default="cpu", show_default=True, metavar="NAME", help="cpu, gpu, auto, or a framework's own name."
)
@click.option(
    "--accuracy",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Reviewed accuracy baselines.  [default: base's]",
)
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="text", show_default=True, help="Format of stdout."
)
@click.option("--selftest", is_flag=True, help="Measure the gate's own error rates on this machine.")
@click.option(
    "--pool", type=click.IntRange(min=48), default=64, show_default=True, help="Number of pairs in the self-test."
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
        end(130, "interrupted; a gate cannot be resumed, run it again")
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
        raise ValueError("--base is missing: give the interpreter, or the checkout, to compare head with")
    paths: dict[Name, Path] = {"base": Path(given["base"]), "head": Path(given["head"] or sys.executable)}
    ends = {name: gating.side(path) for name, path in paths.items()}
    folders = {name: path for name, path in paths.items() if path.is_dir()}
    loss = _loss(given)
    if folders and loss is None:
        raise ValueError(
            f"{next(iter(folders.values()))} is a folder; name the loss in it to compare: "
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
    """The loss to gate, with the options about it. Raises ValueError."""
    from dataclasses import replace

    from lossvet.benchmarks import user_loss
    from lossvet.verify import accepting
    from lossvet.verify.binding import Options as BindingOptions
    from lossvet.verify.options import bindings

    if not given["loss"]:
        for name in ("accept", "contract", "bind", "init", "labels", "classes"):
            if given[name]:
                raise ValueError(f"--{name} needs the loss that it is about: --loss FRAMEWORK=MODULE:FUNCTION")
        return None
    for text in given["accept"]:
        accepting.parsed(text)
    said = BindingOptions(
        bindings(given["bind"], "--bind"), given["labels"] or "", given["classes"] or 0, given["init"]
    )
    return replace(user_loss.parsed(given["loss"]), binding=said)
