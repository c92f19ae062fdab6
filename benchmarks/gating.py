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
from lossvet.adapters import own_loss
from lossvet.benchmarks import ratchet, subjects
from lossvet.benchmarks.bench_client import BenchClient
from lossvet.benchmarks.gate import Finding
from lossvet.benchmarks.gate_accuracy import compare_accuracy
from lossvet.benchmarks.gate_answers import Compared, compare_answers
from lossvet.benchmarks.gate_report import Observer, Options, Report
from lossvet.benchmarks.gate_speed import compare_speed, matched
from lossvet.benchmarks.pairs import NAMES, Match, Name
from lossvet.conformance import plan
from lossvet.conformance.run import CannotJudge
from lossvet.workers import machine
from lossvet.workers.client import Side
from lossvet.workers.machine import cores
from lossvet.workers.messages import Greeting, Hello, Unavailable


def run_gate(options: Options, observer: Observer) -> Report:
    """Raises CannotJudge, plan.NothingMatches, BaselineError, JournalError and what a conformance run raises."""
    if options.accuracy is not None:
        ratchet.read(options.accuracy, machine.profile())  # what is wrong with it is said before minutes are spent
    sides = {name: _environment(options, side) for name, side in options.sides.items()}
    frameworks = _frameworks(options)
    with tempfile.TemporaryDirectory(prefix="lossvet-gate-") as folder:
        caches: dict[Name, Path] = {name: Path(folder) / name for name in NAMES}
        greetings = {name: {f: _greet(f, sides[name], caches[name]) for f in frameworks} for name in NAMES}
        there = [f for f in frameworks if all(isinstance(greetings[name][f], Hello) for name in NAMES)]
        gone = [_gone(f, greetings) for f in frameworks if f not in there and isinstance(greetings["base"][f], Hello)]
        lacking = [_lacking(f, greetings) for f in frameworks if not isinstance(greetings["base"][f], Hello)]
        unjudged = _unjudged(lacking, options)
        if not there and not gone:
            raise CannotJudge(f"no framework is there on both sides: {'; '.join(filter(None, lacking))}")
        if not there:
            return Report({}, tuple(gone), (), (), unjudged=unjudged)
        _distinct(options, greetings, there)
        programmes = {name: subjects.choose({f: greetings[name][f] for f in there}, options.wanted) for name in NAMES}
        for mode, why in programmes["head"].left_out.items():
            observer.say(f"not timed: {mode} ({why}); ask for it with --mode")
        matches, alone = matched(sides, caches, programmes)
        compared, unanswered = _answers(matches, observer)
        findings, void, path = compare_speed(options, matches, greetings["head"], observer)
    versions = {f: {name: _version(greetings[name][f]) for name in NAMES} for f in there}
    findings = sorted((*gone, *alone, *findings), key=lambda finding: finding.subject)
    unjudged = (*unjudged, *_untimed(programmes), *unanswered, *_unanswered(compared, findings))
    report = Report(versions, tuple(findings), compared.differences, (), void, compared.number, path, unjudged=unjudged)
    try:
        return compare_accuracy(report, options, sides, there, observer)
    except (CannotJudge, plan.NothingMatches) as error:  # what was measured is said all the same
        return replace(report, unjudged=(*report.unjudged, f"accuracy: {error}"))


def _answers(matches: Sequence[Match], observer: Observer) -> tuple[Compared, tuple[str, ...]]:
    """What `compare_answers` says, and why it says nothing, where it cannot judge."""
    try:
        return compare_answers(matches, observer), ()
    except (CannotJudge, BrokenProcessPool) as error:  # times are compared all the same
        return Compared(), (f"answers: {error}",)


def _unanswered(compared: Compared, findings: Sequence[Finding]) -> list[str]:
    """Subjects of head that gave times and no answer; those without times are findings of their own."""
    missing = {finding.subject for finding in findings if finding.verdict == "missing"}
    return [f"no answer of {s}: {why}" for s, why in compared.unanswered.items() if s not in missing]


def _distinct(options: Options, greetings: Mapping[Name, Mapping[str, Greeting]], there: Iterable[str]) -> None:
    """Raises CannotJudge where the loss on both sides is one file although the sides are two folders."""
    if options.loss is None or options.sides["base"] == options.sides["head"]:
        return
    for framework in there:
        base, head = (greetings[name][framework] for name in NAMES)
        same = _file(base) == _file(head) != ""
        if same and options.sides["base"].python == options.sides["head"].python:
            raise CannotJudge(
                f"{options.loss.module} is {_file(head)} on both sides: neither of the folders holds it, and "
                "PYTHONPATH names a third that does"
            )


def _file(greeting: Greeting) -> str:
    return greeting.details.get(own_loss.FILE, "") if isinstance(greeting, Hello) else ""


def _untimed(programmes: Mapping[Name, subjects.Programme]) -> list[str]:
    """Frameworks that are there and of which nothing is timed."""
    own = {name: programmes[name].subjects for name in NAMES}
    return [f"nothing of {f} is timed" for f in own["head"] if not own["head"][f] and not own["base"].get(f)]


def _environment(options: Options, side: Side) -> Side:
    if options.loss is None:
        return side
    return replace(side, environment={**side.environment, own_loss.VARIABLE: str(options.loss)})


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
    return "; ".join(f"{framework} is not there in {name} ({g.reason})" for name, g in gone.items())


def _unjudged(lacking: Iterable[str], options: Options) -> tuple[str, ...]:
    """Of frameworks that are on one side alone, or were named."""
    named = options.wanted.frameworks or ((options.loss.framework,) if options.loss else ())
    return tuple(words or f"{', '.join(named)} is not there" for words in lacking if words or named)


def side(path: Path) -> Side:
    """The side that an interpreter, or a checkout, makes: one's modules are found before those installed.

    Raises ValueError where the path is neither.
    """
    if path.is_dir():
        folders = [str(p) for p in (path / "src", path) if p.is_dir()]
        # an empty entry would be the current folder, and a base that lacks a module would find that of somebody else
        inherited = filter(None, [os.environ.get("PYTHONPATH")])
        return Side(sys.executable, {"PYTHONPATH": os.pathsep.join([*folders, *inherited])})
    if os.access(path, os.X_OK):
        return Side(str(path))
    raise ValueError(f"{path} is neither an interpreter nor a folder; give one, as in /opt/old/bin/python or ../main")
