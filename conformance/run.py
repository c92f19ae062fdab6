"""A run, from what was asked for to what is said of it: workers greeted, answers judged, written and counted."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import msgspec

import lossvet
from lossvet import adapters, conformance, reference, workers
from lossvet.conformance import deviations, journal, ledger, plan, pool, records, summary
from lossvet.conformance.journal import Contents, Journal, JournalError
from lossvet.conformance.judging import Judging
from lossvet.conformance.plan import Item, Plan, Selection
from lossvet.conformance.pool import Answered, Broken, Ended, Lost, Pool, Question, Remark, Task
from lossvet.conformance.records import Finished, Header, Judged
from lossvet.conformance.summary import Summary
from lossvet.conformance.types import Absent, Verdict
from lossvet.reference import vectors
from lossvet.reference.vectors import Golden
from lossvet.workers import caches, messages
from lossvet.workers.messages import Greeting, Hello, Unavailable

COMPILES_MOST = ("tensorflow", "jax", "tensorflow_v1", "torch")
"""Who goes first, so that the longest is not begun last; anybody else comes between."""

AT_ONCE = 2


class CannotJudge(Exception):
    """Something that was named or required is not there, or nothing at all is."""


class CannotResume(Exception):
    """There is no run to resume, or it was another run."""


class Interrupted(Exception):
    """Ctrl-C or SIGTERM; `path` holds all that was counted."""

    def __init__(self, path: Path, done: int, checks: int) -> None:
        super().__init__(f"interrupted after {done:,} of {checks:,} checks; they are kept in {path}")
        self.path = path


@dataclass(frozen=True)
class Options:
    """What was asked for, apart from how it is shown. `pythons` gives the interpreters that are not this one."""

    selection: Selection = field(default_factory=Selection)
    require: tuple[str, ...] = ()
    pythons: Mapping[str, str] = field(default_factory=dict)
    limit: float = 120.0
    cold: bool = False
    resume: bool = False
    confirmed: bool = False
    """Whether a known deviation in a version in which nobody confirmed it is a problem."""
    journal: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    """What the workers' environment has beside that of this process."""


class Observer(Protocol):
    """Who watches a run."""

    def starting(self, frameworks: Sequence[str]) -> None: ...
    def begin(self, greetings: Mapping[str, Greeting], plan: Plan, done: int) -> None: ...
    def counted(self, checks: int) -> None: ...
    def remark(self, framework: str, text: str) -> None: ...


@dataclass(frozen=True)
class Result:
    """A run that came to its end. `problems` are the ledger's; `made` (checks) and `seconds` are of this process."""

    summary: Summary
    plan: Plan
    greetings: Mapping[str, Greeting]
    problems: tuple[str, ...]
    path: Path
    made: int
    seconds: float

    @property
    def versions(self) -> dict[str, str]:
        return versions(self.greetings)

    @property
    def incomplete(self) -> int:
        """Checks that were planned and have no record: cells given up."""
        return sum(cell.not_run for cell in self.summary.cells)

    @property
    def verdict(self) -> tuple[int, str]:
        """The exit code and the sentence for it."""
        totals = self.summary.totals
        bad = [
            f"{totals[name]:,} checks {said}"
            for name, said in (("differs", "differ"), ("errored", "raise, crash or hang"))
            if totals[name]
        ]
        bad += [f"{len(self.problems)} ledger entries do not hold"] if self.problems else []
        if bad:
            return 1, f"not as it should be: {', '.join(bad)}"
        if broken := [g for g in self.greetings.values() if isinstance(g, Unavailable) and not g.missing]:
            return 3, "cannot judge: " + "; ".join(f"{g.name} does not start ({g.reason})" for g in broken)
        if self.incomplete:
            return 3, f"cannot judge: {self.incomplete:,} checks were given up; again: lossvet run --resume"
        if totals["checks"] == totals["uninformative"]:
            made = "could have failed" if totals["checks"] else "was made"
            return 3, f"cannot judge: not one check {made}"
        return 0, f"no check fails: {totals['agrees']:,} agree, {totals['deviates']:,} show known deviations"


def versions(greetings: Mapping[str, Greeting]) -> dict[str, str]:
    return {name: g.version for name, g in greetings.items() if isinstance(g, Hello)}


def run(options: Options, observer: Observer, load: Callable[[str], Sequence[Golden]] = vectors.load) -> Result:
    """Do what the options say.

    Raises plan.NothingMatches for filters and names that match nothing, CannotJudge where something required is
    missing, CannotResume, JournalError, GoldenError and LedgerError for files that cannot be used, Interrupted for
    Ctrl-C.
    """
    started = time.monotonic()
    names = adapters.names()
    named = options.selection.frameworks
    for what, given in (("--framework", named), ("--require", options.require), ("--python", options.pythons)):
        plan.known(what, given, names)
    ledger.read()
    # A name that is misspelt is refused before anything starts; all of them are read while the frameworks start.
    known = plan.choose(load, options.selection.only) if options.selection.only else None
    asked = [name for name in names if not named or name in named or name in options.require]
    cache = None if options.cold else caches.default()
    pythons = {name: options.pythons.get(name, sys.executable) for name in asked}
    observer.starting(asked)
    with Pool(pythons, {**caches.environment(cache), **options.environment}, options.limit) as lanes:
        goldens = plan.choose(load, ()) if known is None else known
        greetings, remarks = pool.greetings(lanes)
        _present(greetings, {*named, *options.require}, options.selection.device)
        made = plan.make(greetings, goldens, options.selection)
        book, before, finished = _journal(options, made, greetings)
        try:
            judged = {(j.cell, j.case): j for j in before}
            observer.begin(greetings, made, sum(len(j.verdicts) for j in before))
            for remark in remarks:
                observer.remark(remark.framework, remark.text)
            session = _Session(made, lanes, book, Judging(made, ledger.read(greetings.values())), observer, judged)
            session.work()
            if not finished and len(judged) == sum(1 for _ in made):
                book.append(Finished(_now()))
        except KeyboardInterrupt:
            raise Interrupted(book.path, sum(len(j.verdicts) for j in judged.values()), made.checks) from None
        finally:
            book.close()
    folded = summary.fold(made, judged.values())
    problems = _problems(folded, options.confirmed)
    return Result(folded, made, greetings, problems, book.path, session.made, time.monotonic() - started)


def loaded(path: Path, load: Callable[[str], Sequence[Golden]] = vectors.load) -> tuple[Result, Contents]:
    """What was said of a run, again, from its journal alone, and that journal.

    Raises JournalError for a file that is damaged, of another version of lossvet, or not even begun.
    """
    contents = journal.read(path)
    if contents is None:
        raise JournalError(f"{path} was not even begun: it has no header")
    header = contents.header
    other = f"{path} was made by another version of lossvet, of its golden results or of its ledger; run it again"
    try:
        selection = restored(header.options).selection
        made = plan.make(header.greetings, plan.choose(load, selection.only), selection)
        if _digest(made, header.greetings) != header.digest:
            raise JournalError(other)
        folded = summary.fold(made, contents.judged)
    except (plan.NothingMatches, ValueError, KeyError) as error:
        raise JournalError(f"{other} ({error})") from None
    problems = _problems(folded, False) if contents.finished else ()
    return Result(folded, made, header.greetings, problems, path, 0, 0.0), contents


def _problems(folded: Summary, confirmed: bool) -> tuple[str, ...]:
    """What is not as the ledger says; where all has to be `confirmed`, what nobody has confirmed is not."""
    unconfirmed = ledger.unconfirmed(folded.seen) if confirmed else ()
    return (*ledger.stale(folded.seen), *unconfirmed)


def _present(greetings: Mapping[str, Greeting], needed: Iterable[str], device: str) -> None:
    """Raises CannotJudge where a framework that was named is not there, or nobody is, or nobody has the device."""
    lacking = [g for g in greetings.values() if isinstance(g, Unavailable)]
    if named := [g for g in lacking if g.name in set(needed)]:
        why = (f"{g.name} {'is not installed' if g.missing else 'does not start'} ({g.reason})" for g in named)
        raise CannotJudge(f"{'; '.join(why)}; see: lossvet doctor")
    there = [g for g in greetings.values() if isinstance(g, Hello)]
    if lost := [g.name for g in there if g.name in set(needed) and not plan.devices(g, device)]:
        raise CannotJudge(f"{', '.join(lost)} sees no device {device!r}; see: lossvet doctor")
    if not there:
        raise CannotJudge("no framework is installed; see: lossvet doctor")
    if not any(plan.devices(g, device) for g in there):
        found = ", ".join(f"{g.name}: {' '.join(g.devices)}" for g in there)
        raise CannotJudge(f"no framework sees a device {device!r}; they see: {found}")


def _journal(
    options: Options, made: Plan, greetings: Mapping[str, Greeting]
) -> tuple[Journal, tuple[Judged, ...], bool]:
    """The journal to write, what it holds already, and whether that is all."""
    header = Header(
        schema=journal.SCHEMA,
        digest=_digest(made, greetings),
        lossvet=lossvet.__version__,
        versions=versions(greetings),
        options=stored(options),
        started=_now(),
        greetings={name: _public(greeting) for name, greeting in greetings.items()},
    )
    if not options.resume:
        path = options.journal or _fresh()
        try:
            return Journal.create(path, header), (), False
        except FileExistsError:
            raise CannotResume(f"{path} exists; continue it with --resume, or give another --journal") from None
    book, contents = Journal.resume(resumable(options.journal))
    then = contents.header
    changed = [
        f"{name} is {header.versions.get(name, 'not there')} now and was {then.versions.get(name, 'not there')}"
        for name in sorted({*then.versions, *header.versions})
        if then.versions.get(name) != header.versions.get(name)
    ]
    changed += [f"lossvet is {header.lossvet} now and was {then.lossvet}"] if then.lossvet != header.lossvet else []
    if changed or then.digest != header.digest:
        book.close()
        why = "; ".join(changed) or "the cases, the adapters or the options have changed since"
        raise CannotResume(f"{book.path} is of another run: {why}; begin anew with: lossvet run")
    return book, contents.judged, contents.finished


def _digest(made: Plan, greetings: Mapping[str, Greeting]) -> str:
    """Of all that verdicts depend on: what is asked, golden results with their inputs, the ledger, our own source, the
    frameworks."""
    found = hashlib.sha256(made.digest.encode())
    for package in (adapters, reference, workers, conformance):
        for path in sorted(Path(package.__path__[0]).rglob("*.py")):
            found.update(f"{path.name}\0".encode() + path.read_bytes())
    found.update((vectors.FOLDER / "manifest.json").read_bytes() + deviations.DEFAULT.read_bytes())
    for name, greeting in sorted(greetings.items()):
        details = sorted(greeting.details.items()) if isinstance(greeting, Hello) else greeting.reason
        found.update(f"{name}\0{details}\n".encode())
    return found.hexdigest()


def _public(greeting: Greeting) -> Greeting:
    if not isinstance(greeting, Hello):
        return greeting
    return msgspec.structs.replace(greeting, python=messages.interpreter(greeting.python))


def resumable(path: Path | None) -> Path:
    """The journal to resume: this one, or the newest that is unfinished. Raises CannotResume where there is none."""
    found = path or journal.unfinished()
    if found is None or not found.exists():
        where = f"in {journal.FOLDER}/" if path is None else f"at {path}"
        raise CannotResume(f"there is no unfinished run {where}; begin one with: lossvet run")
    return found


def stored(options: Options) -> dict[str, object]:
    """The options that decide what is asked, as the journal keeps them."""
    return {**asdict(options.selection), "require": options.require, "pythons": dict(options.pythons)}


def restored(options: dict[str, object]) -> Options:
    """The options that a journal kept."""
    kept = dict(options)
    require, pythons = kept.pop("require"), kept.pop("pythons")
    return Options(
        msgspec.convert(kept, Selection),
        msgspec.convert(require, tuple[str, ...]),
        msgspec.convert(pythons, dict[str, str]),
    )


def _fresh() -> Path:
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    return journal.FOLDER / f"run-{stamp}.jsonl"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass
class _Session:
    """The work itself: the one place where a verdict becomes a record, and a record is counted."""

    plan: Plan
    workers: Pool
    book: Journal
    judging: Judging
    observer: Observer
    judged: dict[tuple[str, str], Judged]
    made: int = 0

    def work(self) -> None:
        waiting = self._start_order()
        busy = 0
        self._say_absent()
        while waiting or busy:
            while waiting and busy < AT_ONCE:
                framework = waiting.pop(0)
                self.workers.give(framework, self._tasks(self.plan.items[framework]))
                busy += 1
            match self.workers.events.get():
                case Answered(cell, answer):
                    outcomes = {name: messages.outcome(m) for name, m in answer.outcomes.items()}
                    verdicts = self.judging.judge(cell, answer.case, outcomes)
                    self._count(str(cell), answer.case, verdicts, answer.seconds, answer.compiled)
                case Lost(cell, question, verdict):
                    self.observer.remark(cell.framework, f"{question.case} in {cell}: {verdict}")
                    self._count(str(cell), question.case, dict.fromkeys(question.outputs, verdict))
                case Remark(framework, text):
                    self.observer.remark(framework, text)
                case Ended(framework):
                    self.workers.release(framework)
                    busy -= 1
                case Broken(_, error):
                    raise error

    def _count(
        self, cell: str, case: str, verdicts: Mapping[str, Verdict], seconds: float = 0.0, compiled: int = 0
    ) -> None:
        """Written first, counted then: what is counted is never lost."""
        written = {output: records.compact(verdict) for output, verdict in verdicts.items()}
        record = Judged(cell, case, round(seconds, 6), compiled, written)
        self.book.append(record)
        self.judged[cell, case] = record
        self.made += len(verdicts)
        self.observer.counted(len(verdicts))

    def _start_order(self) -> list[str]:
        left = {item.cell.framework for item in self.plan if not self._done(item)}
        ranks = {name: rank for rank, name in enumerate(COMPILES_MOST[:3])}
        for framework in self.plan.items.keys() - left:
            self.workers.release(framework)
        return sorted(left, key=lambda name: (ranks.get(name, 4 if name == "torch" else 3), name))

    def _say_absent(self) -> None:
        for item in self.plan:
            if item.absent and not self._done(item):
                self._count(str(item.cell), item.case, dict.fromkeys(item.outputs, Absent(item.absent)))

    def _done(self, item: Item) -> bool:
        return (str(item.cell), item.case) in self.judged

    def _tasks(self, items: Iterable[Item]) -> list[Task]:
        by_cell: dict[object, list[Item]] = {}
        for item in items:
            if not self._done(item):
                by_cell.setdefault(item.cell, []).append(item)
        return [
            Task(
                some[0].cell,
                tuple(Question(i.case, self.judging.message(i.cell.variant, i.case), i.outputs) for i in some),
            )
            for some in by_cell.values()
        ]
