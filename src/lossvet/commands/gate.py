"""`lossvet gate`: red or green for CI, head against base."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lossvet.commands.ending import end, needs
from lossvet.commands.run import raise_interrupt

if TYPE_CHECKING:
    from lossvet.benchmarks.gate_report import Options

FORMATS = ("text", "github", "junit", "json")
SHAPES = "512x1000"


@click.command("gate")
@click.option("--base", metavar="PATH", help="What it was: an interpreter, or a checkout.")
@click.option("--head", metavar="PATH", help="What it is to be.  [default: this interpreter]")
@click.option("--loss", metavar="FRAMEWORK/VARIANT[/REDUCTION]=MODULE:FUNCTION", help="Gate a loss of your own.")
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
    """Compare head with base: conformance, accuracy and speed in one verdict."""
    needs("scipy", "bench")
    from lossvet.benchmarks import gating, selftest
    from lossvet.benchmarks.ratchet import BaselineError
    from lossvet.conformance.journal import JournalError
    from lossvet.conformance.ledger import LedgerError
    from lossvet.conformance.plan import NothingMatches
    from lossvet.conformance.run import CannotJudge, Interrupted
    from lossvet.reference.vectors import GoldenError
    from lossvet.reports import gates, progress, terminal

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

    from lossvet.adapters import own_loss
    from lossvet.benchmarks import gating, workloads
    from lossvet.benchmarks.gate_report import Options
    from lossvet.benchmarks.subjects import Wanted

    if given["base"] is None:
        raise ValueError("--base is needed: the interpreter, or the checkout, that head is compared with")
    loss = own_loss.parsed(given["loss"]) if given["loss"] else None
    wanted = Wanted(
        only=(f"{loss.variant}/{own_loss.RECIPE}",) if loss else given["only"],
        frameworks=given["framework"] or ((loss.framework,) if loss else ()),
        shapes=tuple(workloads.shape(s) for s in given["shapes"].split(",")),
        modes=given["mode"],
        tasks=(given["task"],),
        device=given["device"],
    )
    folders = [path for path in (given["base"], given["head"]) if path and Path(path).is_dir()]
    if folders and loss is None:
        raise ValueError(
            f"{folders[0]} is a folder; say which loss of it to compare: --loss NAME/VARIANT=MODULE:FUNCTION"
        )
    base, head = (gating.side(Path(path)) for path in (given["base"], given["head"] or sys.executable))
    return Options({"base": base, "head": head}, wanted, loss, given["accuracy"])
