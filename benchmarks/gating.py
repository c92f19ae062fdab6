"""`lossvet gate` at work: conformance, accuracy and speed of head against base, in one job."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

from lossvet import adapters
from lossvet.benchmarks import ratchet, subjects
from lossvet.benchmarks.bench_client import BenchClient
from lossvet.benchmarks.decide import Finding
from lossvet.benchmarks.gate_accuracy import compare_accuracy
from lossvet.benchmarks.gate_answers import Compared, compare_answers
from lossvet.benchmarks.gate_compare import Gone, Identifying
from lossvet.benchmarks.gate_report import Observer, Options, Report
from lossvet.benchmarks.gate_speed import compare_speed, matched
from lossvet.benchmarks.pairs import NAMES, Match, Name
from lossvet.benchmarks.workloads import Shape
from lossvet.conformance import plan
from lossvet.conformance.run import CannotJudge
from lossvet.verify.answer import Binding
from lossvet.verify.user_recipe import RECIPE
from lossvet.workers import machine
from lossvet.workers.client import Side
from lossvet.workers.machine import cores
from lossvet.workers.messages import Greeting, Hello, Unavailable


def run_gate(options: Options, observer: Observer) -> Report:
    """Meaning first, of a loss of the user's own, then accuracy, then speed; such a loss that is red goes no further.

    Raises CannotJudge, SourceError, plan.NothingMatches, BaselineError, JournalError and what a conformance run raises.
    """
    if options.accuracy is not None:
        ratchet.read(options.accuracy, machine.profile())  # what is wrong with it is said before minutes are spent
    frameworks = _frameworks(options)
    with tempfile.TemporaryDirectory(prefix="lossvet-gate-") as folder:
        caches: dict[Name, Path] = {name: Path(folder) / name for name in NAMES}
        if options.loss is None:
            return _measured(options, Report({}, (), (), ()), options.sides, frameworks, caches, observer)
        asked = Identifying(options.loss, options.sides, options.folders, options.accepts, options.contract)
        empty = Path(folder) / "empty"
        empty.mkdir()
        try:
            meaning, direct = asked.meaning(caches, empty, options.all, observer.say)
        except Gone as gone:
            finding = Finding(options.loss.framework, "missing", why=str(gone), blame="head")
            return Report({}, (finding,), (), (), stopped="meaning")
        report = Report({}, (), direct.differences, (), judged=direct.number, meaning=meaning)
        if not options.all and (meaning.colour != "green" or report.red):
            return replace(report, stopped="meaning" if meaning.colour != "green" else "accuracy")
        if not meaning.recipes:
            why = "it is not timed: no variant has all its arguments, so there is no workload for it"
            return replace(report, stopped="accuracy", unjudged=(why,))
        chosen = meaning.recipes["head"]
        wanted = replace(
            options.wanted,
            only=(f"{chosen.variant}/{RECIPE}",),
            shapes=_shapes(options.wanted.shapes, meaning.comparison.target.binding),
        )
        sides = {
            name: replace(side, environment={**side.environment, **meaning.recipes[name].environment()})
            for name, side in options.sides.items()
        }
        return _measured(replace(options, wanted=wanted), report, sides, frameworks, caches, observer)


def _measured(
    options: Options,
    report: Report,
    sides: Mapping[Name, Side],
    frameworks: Sequence[str],
    caches: Mapping[Name, Path],
    observer: Observer,
) -> Report:
    """The report, with accuracy and speed."""
    greetings = {name: {f: _greet(f, sides[name], caches[name]) for f in frameworks} for name in NAMES}
    there = [f for f in frameworks if all(isinstance(greetings[name][f], Hello) for name in NAMES)]
    gone = [_gone(f, greetings) for f in frameworks if f not in there and isinstance(greetings["base"][f], Hello)]
    lacking = [_lacking(f, greetings) for f in frameworks if not isinstance(greetings["base"][f], Hello)]
    unjudged = _unjudged(lacking, options)
    if not there and not gone:
        raise CannotJudge(f"no framework is installed on both sides: {'; '.join(filter(None, lacking))}")
    if not there:
        return replace(report, findings=tuple(gone), unjudged=unjudged)
    programmes = {name: subjects.choose({f: greetings[name][f] for f in there}, options.wanted) for name in NAMES}
    for mode, why in programmes["head"].left_out.items():
        observer.say(f"not timed: {mode} ({why}); request it with --mode")
    matches, alone = matched(sides, caches, programmes)
    judged = report.meaning is None or report.meaning.judged
    compared, unanswered = _answers(matches, observer) if judged else (Compared(), ())
    report = replace(
        report,
        versions={f: {name: _version(greetings[name][f]) for name in NAMES} for f in there},
        findings=(*gone, *alone),
        differences=(*report.differences, *compared.differences),
        judged=report.judged + compared.number,
        unjudged=(*unjudged, *_untimed(programmes), *unanswered),
    )
    if judged:
        try:
            report = compare_accuracy(report, options, sides, there, observer)
        except (CannotJudge, plan.NothingMatches) as error:  # what can be measured is said all the same
            report = replace(report, unjudged=(*report.unjudged, f"accuracy: {error}"))
    if report.red and options.loss is not None and not options.all:
        return replace(report, stopped="accuracy")
    found, void, path = compare_speed(options, matches, greetings["head"], observer)
    findings = sorted((*report.findings, *found), key=lambda finding: finding.subject)
    unjudged = (*report.unjudged, *_unanswered(compared, findings))
    return replace(report, findings=tuple(findings), void=void, path=path, unjudged=unjudged)


def _shapes(shapes: Sequence[Shape], binding: Binding | None) -> tuple[Shape, ...]:
    """The shapes that are timed, with the number of classes that the loss takes where it takes but one."""
    classes = 0 if binding is None else binding.classes or int(binding.layout != "nc")
    return tuple(dict.fromkeys(replace(s, c=classes) if classes else s for s in shapes))


def _answers(matches: Sequence[Match], observer: Observer) -> tuple[Compared, tuple[str, ...]]:
    """What `compare_answers` says, and why it says nothing, where it cannot judge."""
    try:
        return compare_answers(matches, observer), ()
    except (CannotJudge, BrokenProcessPool) as error:  # times are compared all the same
        return Compared(), (f"answers: {error}",)


def _unanswered(compared: Compared, findings: Sequence[Finding]) -> list[str]:
    """Subjects of head that gave times and no answer; those without times are findings of their own."""
    missing = {finding.subject for finding in findings if finding.verdict == "missing"}
    return [f"no result of {s}: {why}" for s, why in compared.unanswered.items() if s not in missing]


def _untimed(programmes: Mapping[Name, subjects.Programme]) -> list[str]:
    """Frameworks that are there and of which nothing is timed."""
    own = {name: programmes[name].subjects for name in NAMES}
    return [f"no benchmark of {f} is timed" for f in own["head"] if not own["head"][f] and not own["base"].get(f)]


def _frameworks(options: Options) -> list[str]:
    names = adapters.names()
    plan.known("--framework", options.wanted.frameworks, names)
    named = (options.loss.framework,) if options.loss else options.wanted.frameworks
    plan.known("--loss", named, names)
    return [name for name in names if not named or name in named]


def _greet(framework: str, side: Side, cache: Path) -> Greeting:
    with BenchClient(framework, side, cores()[0], cache) as client:
        return client.greeting


def _version(greeting: Greeting) -> str:
    return greeting.version if isinstance(greeting, Hello) else ""


def _gone(framework: str, greetings: Mapping[Name, Mapping[str, Greeting]]) -> Finding:
    """A framework, or the loss that was named in it, that head has not and base has: all its benchmarks are gone."""
    head = greetings["head"][framework]
    why = head.reason if isinstance(head, Unavailable) else ""
    return Finding(framework, "missing", why=f"head: {why}", blame="head")


def _lacking(framework: str, greetings: Mapping[Name, Mapping[str, Greeting]]) -> str:
    """Why a framework is not compared; empty where neither side has it, which nobody asked for."""
    gone = {name: g for name in NAMES if not isinstance(g := greetings[name][framework], Hello)}
    if len(gone) == 2 and all(g.missing for g in gone.values()):
        return ""
    return "; ".join(f"{framework} is missing in {name} ({g.reason})" for name, g in gone.items())


def _unjudged(lacking: Iterable[str], options: Options) -> tuple[str, ...]:
    """Of frameworks that are on one side alone, or were named."""
    named = options.wanted.frameworks or ((options.loss.framework,) if options.loss else ())
    return tuple(words or f"{', '.join(named)} is missing" for words in lacking if words or named)


def side(path: Path) -> Side:
    """The side that an interpreter, or a checkout, makes: one's modules are found before those installed.

    Raises ValueError where the path is neither.
    """
    if not path.exists():
        raise ValueError(
            f"{path} does not exist; give an interpreter or a folder, such as /opt/old/bin/python or ../main"
        )
    if path.is_dir():
        folders = [str(p) for p in (path / "src", path) if p.is_dir()]
        # an empty entry would be the current folder, and a base that lacks a module would find that of somebody else
        inherited = filter(None, [os.environ.get("PYTHONPATH")])
        return Side(sys.executable, {"PYTHONPATH": os.pathsep.join([*folders, *inherited])})
    if os.access(path, os.X_OK):
        return Side(str(path))
    raise ValueError(
        f"{path} is neither an interpreter nor a folder; give one of these, such as /opt/old/bin/python or ../main"
    )
