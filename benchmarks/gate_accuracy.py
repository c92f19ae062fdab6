"""Head judged against base: differences that base does not have, and accuracy that must not become worse."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from lossvet.benchmarks import ratchet, samples
from lossvet.benchmarks.gate_report import Difference, Observer, Options, Report
from lossvet.benchmarks.pairs import NAMES, Name
from lossvet.conformance import plan, run, summary
from lossvet.conformance.options import Options as RunOptions
from lossvet.conformance.plan import Selection
from lossvet.conformance.types import Absent, Verdict
from lossvet.verify.user_recipe import RECIPE
from lossvet.workers import machine
from lossvet.workers.client import Side


@dataclass
class _Quiet:
    """An observer of the conformance runs of a gate."""

    observer: Observer
    side: str

    def starting(self, frameworks: object) -> None:
        self.observer.say(f"judging {self.side} ...")

    def begin(self, greetings: object, plan: plan.Plan, done: int) -> None:
        self.observer.begin(plan.checks)

    def counted(self, checks: int) -> None:
        for _ in range(checks):
            self.observer.counted(f"checks of {self.side}")

    def remark(self, framework: str, text: str) -> None:
        self.observer.say(f"{framework}: {text}")


def compare_accuracy(
    report: Report, options: Options, sides: Mapping[Name, Side], frameworks: list[str], observer: Observer
) -> Report:
    """The same report, with what conformance says of head where it says other of base.

    Where the meaning has changed, and that is accepted, head alone is judged, as what it is now.
    """
    changed = report.meaning is not None and report.meaning.changed and report.meaning.colour != "red"
    judged_sides: tuple[Name, ...] = ("head",) if changed else NAMES
    results = {
        name: run.run(_run_options(options, sides[name], frameworks), _Quiet(observer, name)) for name in judged_sides
    }
    wrong: dict[Name, dict[tuple[str, str, str], summary.Finding]] = {"base": {}, "head": {}}
    wrong |= {name: {_key(f): f for f in _own(options, found.summary)} for name, found in results.items()}
    differences = [
        Difference(
            str(finding.cell),
            f"{finding.case} {finding.output}: {words(finding.verdict)}",
            as_wrong(wrong["base"][key].verdict if key in wrong["base"] else None, finding.verdict),
            finding.output,
        )
        for key, finding in wrong["head"].items()
    ]
    seen = {name: _own_only(options, found.summary) for name, found in results.items()}
    differences += vanished(seen.get("base", seen["head"]), seen["head"])
    reached = {name: ratchet.reached(_cells(options, found.summary)) for name, found in results.items()}
    now, before = reached["head"], reached.get("base", reached["head"])
    profile = machine.profile()
    if options.accuracy is not None:
        before = {c: r for c, r in ratchet.read(options.accuracy, profile).items() if _asked(c, options)}
    proposed = samples.FOLDER / "accuracy.txt"
    proposed.write_text(ratchet.write(now, profile))
    judged = sum(cell.checks for cell in _cells(options, results["head"].summary))
    given_up = [
        f"{found.incomplete:,} checks of {name} were given up" for name, found in results.items() if found.incomplete
    ]
    return replace(
        report,
        differences=(*report.differences, *differences),
        worse=tuple(ratchet.compare(before, now)),
        judged=report.judged + judged,
        proposed=proposed,
        unjudged=(*report.unjudged, *given_up, *(() if judged else ("no check was made",))),
    )


def _asked(cell: str, options: Options) -> bool:
    """Whether a line of the file is about what this gate judges: filters leave others out, and those are not gone."""
    variant, recipe, framework, *_, device = cell.split("/")
    wanted, loss = options.wanted, options.loss
    if loss is not None and framework != loss.framework:
        return False
    return (
        (recipe == RECIPE) == (loss is not None)
        and (not wanted.only or any(fnmatchcase(variant, pattern.partition("/")[0]) for pattern in wanted.only))
        and (not wanted.frameworks or framework in wanted.frameworks)
        and (wanted.device == "auto" or (device != "cpu" if wanted.device == "gpu" else device == wanted.device))
    )


def _run_options(options: Options, side: Side, frameworks: list[str]) -> RunOptions:
    only = tuple(dict.fromkeys(pattern.partition("/")[0] for pattern in options.wanted.only))
    selection = Selection(only=only, frameworks=tuple(frameworks), device=options.wanted.device)
    return RunOptions(selection, pythons=dict.fromkeys(frameworks, side.python), environment=side.environment)


def _cells(options: Options, found: summary.Summary) -> list[summary.CellSummary]:
    return [c for c in found.cells if options.loss is None or c.cell.recipe == RECIPE]


def _own(options: Options, found: summary.Summary) -> list[summary.Finding]:
    return [f for f in found.findings if options.loss is None or f.cell.recipe == RECIPE]


def vanished(base: summary.Summary, head: summary.Summary) -> list[Difference]:
    """Checks that base answers, right or wrong, and head no longer does."""
    then, now = (
        {(str(cell), case, output) for cell, case, output, verdict in found.seen if not isinstance(verdict, Absent)}
        for found in (base, head)
    )
    return [
        Difference(cell, f"{case} {output}: was judged in base, but head has no such result", False, output)
        for cell, case, output in sorted(then - now)
    ]


def _own_only(options: Options, found: summary.Summary) -> summary.Summary:
    """Where a loss is named, what was seen of it alone."""
    if options.loss is None:
        return found
    return replace(found, seen=tuple(s for s in found.seen if s[0].recipe == RECIPE))


def as_wrong(base: Verdict | None, head: Verdict) -> bool:
    """Whether base was wrong already, in the same way and not less; in the same words, if no number says how much."""
    if type(base) is not type(head):
        return False
    errors = [getattr(verdict, "ratio", 0.0) for verdict in (base, head)]
    if math.inf in errors:
        return words(head) == words(base)
    return not errors[1] > 1.5 * errors[0]


def _key(finding: summary.Finding) -> tuple[str, str, str]:
    return str(finding.cell), finding.case, finding.output


def words(verdict: Verdict) -> str:
    """What is wrong, of a verdict that says so."""
    return str(getattr(verdict, "why", "") or getattr(verdict, "message", "") or getattr(verdict, "how", "") or verdict)
