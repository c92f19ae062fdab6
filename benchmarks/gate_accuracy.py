"""What is judged in head, against base: differences that base had not, and accuracy that may not become worse."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from lossvet.adapters import own_loss
from lossvet.benchmarks import ratchet, samples
from lossvet.benchmarks.gate_report import Difference, Observer, Options, Report
from lossvet.benchmarks.pairs import NAMES, Name
from lossvet.conformance import plan, run, summary
from lossvet.conformance.plan import Selection
from lossvet.conformance.types import Absent, Verdict
from lossvet.workers import machine
from lossvet.workers.client import Side


@dataclass
class _Quiet:
    """Who watches the conformance runs of a gate."""

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
    """The same report, with what conformance says of head where it says other of base."""
    results = {name: run.run(_run_options(options, sides[name], frameworks), _Quiet(observer, name)) for name in NAMES}
    wrong = {name: {_key(f): f for f in _own(options, results[name].summary)} for name in NAMES}
    differences = [
        Difference(
            str(finding.cell),
            f"{finding.case} {finding.output}: {words(finding.verdict)}",
            as_wrong(wrong["base"][key].verdict if key in wrong["base"] else None, finding.verdict),
        )
        for key, finding in wrong["head"].items()
    ]
    seen = {name: _own_only(options, results[name].summary) for name in NAMES}
    differences += vanished(seen["base"], seen["head"])
    now, before = (ratchet.reached(_cells(options, results[name].summary)) for name in ("head", "base"))
    profile = machine.profile()
    if options.accuracy is not None:
        before = {c: r for c, r in ratchet.read(options.accuracy, profile).items() if _asked(c, options)}
    proposed = samples.FOLDER / "accuracy.txt"
    proposed.write_text(ratchet.write(now, profile))
    judged = sum(cell.checks for cell in _cells(options, results["head"].summary))
    given_up = [
        f"{results[name].incomplete:,} checks of {name} were given up" for name in NAMES if results[name].incomplete
    ]
    return replace(
        report,
        differences=(*report.differences, *differences),
        worse=tuple(ratchet.compare(before, now)),
        judged=report.judged + judged,
        proposed=proposed,
        unjudged=(*report.unjudged, *given_up, *(() if judged else ("not one check was made",))),
    )


def _asked(cell: str, options: Options) -> bool:
    """Whether a line of the file is about what this gate judges: filters leave others out, and those are not gone."""
    variant, recipe, framework, *_, device = cell.split("/")
    wanted, loss = options.wanted, options.loss
    if loss is not None and (variant, framework) != (loss.variant, loss.framework):
        return False
    return (
        (recipe == own_loss.RECIPE) == (loss is not None)
        and (not wanted.only or any(fnmatchcase(variant, pattern.partition("/")[0]) for pattern in wanted.only))
        and (not wanted.frameworks or framework in wanted.frameworks)
        and (wanted.device == "auto" or (device != "cpu" if wanted.device == "gpu" else device == wanted.device))
    )


def _run_options(options: Options, side: Side, frameworks: list[str]) -> run.Options:
    variants = [pattern.partition("/")[0] for pattern in options.wanted.only]
    only = (options.loss.variant,) if options.loss else tuple(dict.fromkeys(variants))
    selection = Selection(only=only, frameworks=tuple(frameworks), device=options.wanted.device)
    return run.Options(selection, pythons=dict.fromkeys(frameworks, side.python), environment=side.environment)


def _cells(options: Options, found: summary.Summary) -> list[summary.CellSummary]:
    return [c for c in found.cells if options.loss is None or c.cell.recipe == own_loss.RECIPE]


def _own(options: Options, found: summary.Summary) -> list[summary.Finding]:
    return [f for f in found.findings if options.loss is None or f.cell.recipe == own_loss.RECIPE]


def vanished(base: summary.Summary, head: summary.Summary) -> list[Difference]:
    """Checks that base answers, right or wrong, and head no longer does."""
    then, now = (
        {(str(cell), case, output) for cell, case, output, verdict in found.seen if not isinstance(verdict, Absent)}
        for found in (base, head)
    )
    return [
        Difference(cell, f"{case} {output}: was judged in base, and head has no such answer", known=False)
        for cell, case, output in sorted(then - now)
    ]


def _own_only(options: Options, found: summary.Summary) -> summary.Summary:
    """Where a loss is named, what was seen of it alone."""
    if options.loss is None:
        return found
    return replace(found, seen=tuple(s for s in found.seen if s[0].recipe == own_loss.RECIPE))


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
