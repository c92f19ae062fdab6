"""A run, from its options to its result, and the result again from only the journal."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lossvet import adapters
from lossvet.conformance import documented, journal, ledger, plan, pool, resume, summary
from lossvet.conformance.journal import Contents, JournalError
from lossvet.conformance.judging import Judging
from lossvet.conformance.options import Options, restored
from lossvet.conformance.plan import Plan
from lossvet.conformance.pool import Pool
from lossvet.conformance.records import Finished
from lossvet.conformance.session import Observer, Session
from lossvet.conformance.summary import Summary
from lossvet.reference import vectors
from lossvet.reference.vectors import Golden
from lossvet.workers import caches, machine, messages
from lossvet.workers.messages import Greeting, Hello, Unavailable


class CannotJudge(Exception):
    """Something that was named or required is not there, or nothing at all is."""


class Interrupted(Exception):
    """Ctrl-C or SIGTERM; `path` holds all that was counted."""

    def __init__(self, path: Path, done: int, checks: int) -> None:
        super().__init__(f"interrupted after {done:,} of {checks:,} checks; they are stored in {path}")
        self.path = path


@dataclass(frozen=True)
class Result:
    """A finished run. `problems` are the ledger's; `made` (checks) and `seconds` are those of this process."""

    summary: Summary
    plan: Plan
    greetings: Mapping[str, Greeting]
    problems: tuple[str, ...]
    path: Path
    made: int
    seconds: float

    @property
    def versions(self) -> dict[str, str]:
        return messages.versions(self.greetings)

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
        bad += [f"{len(self.problems)} ledger entries do not match"] if self.problems else []
        if bad:
            return 1, f"failing: {', '.join(bad)}"
        if broken := [g for g in self.greetings.values() if isinstance(g, Unavailable) and not g.missing]:
            return 3, "cannot judge: " + "; ".join(f"{g.name} does not start ({g.reason})" for g in broken)
        if self.incomplete:
            return 3, f"cannot judge: {self.incomplete:,} checks were given up; try again with: lossvet run --resume"
        if totals["checks"] == totals["uninformative"]:
            made = "could have failed" if totals["checks"] else "was made"
            return 3, f"cannot judge: no check {made}"
        return 0, f"no check fails: {totals['agrees']:,} agree, {totals['deviates']:,} show known deviations"


@contextmanager
def uncollected() -> Iterator[None]:
    """Within it, Python looks for no cycles among objects: what a run keeps is in none, and to look through a hundred
    thousand records again and again takes a fifth of its time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@uncollected()
def run(options: Options, observer: Observer, load: Callable[[str], Sequence[Golden]] = vectors.load) -> Result:
    """Do what the options say.

    Raises plan.NothingMatches for filters and names that match nothing, CannotJudge where something required is
    missing, resume.CannotResume, JournalError, GoldenError and LedgerError for files that cannot be used, Interrupted
    for Ctrl-C.
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
        book, before, finished = resume.opened(options, made, greetings)
        try:
            judged = {(j.cell, j.case): j for j in before}
            observer.begin(greetings, made, sum(len(j.verdicts) for j in before))
            for remark in remarks:
                observer.remark(remark.framework, remark.text)
            dtypes = {item.cell.dtype for item in made}
            judging = Judging(made, ledger.read(greetings.values()), documented.read(), dtypes)
            jobs = options.jobs or machine.workers()
            session = Session(made, greetings, lanes, book, judging, observer, judged, jobs)
            session.work()
            if not finished and len(judged) == sum(1 for _ in made):
                book.append(Finished(resume.now()))
        except KeyboardInterrupt:
            raise Interrupted(book.path, sum(len(j.verdicts) for j in judged.values()), made.checks) from None
        finally:
            book.close()
    folded = summary.fold(made, judged.values())
    problems = _problems(folded, options.confirmed)
    return Result(folded, made, greetings, problems, book.path, session.made, time.monotonic() - started)


@uncollected()
def loaded(path: Path, load: Callable[[str], Sequence[Golden]] = vectors.load) -> tuple[Result, Contents]:
    """What was said of a run, again, from its journal alone, and that journal.

    Raises JournalError for a file that is damaged, of another version of lossvet, or without a header.
    """
    contents = journal.read(path)
    if contents is None:
        raise JournalError(f"{path} has no header: its run never started")
    header = contents.header
    other = f"{path} was judged by golden results or a ledger of another version; make the run again"
    try:
        selection = restored(header.options).selection
        made = plan.make(header.greetings, plan.choose(load, selection.only), selection)
        if resume.standard(made) != header.standard:
            raise JournalError(other)
        folded = summary.fold(made, contents.judged)
    except (plan.NothingMatches, ValueError, KeyError) as error:
        raise JournalError(f"{other} ({error})") from None
    problems = _problems(folded, False) if contents.finished else ()
    return Result(folded, made, header.greetings, problems, path, 0, 0.0), contents


def _problems(folded: Summary, confirmed: bool) -> tuple[str, ...]:
    """How the results contradict the ledger; if all has to be `confirmed`, with what was not confirmed."""
    unconfirmed = ledger.unconfirmed(folded.seen) if confirmed else ()
    return (*ledger.stale(folded.seen), *unconfirmed)


def _present(greetings: Mapping[str, Greeting], needed: Iterable[str], device: str) -> None:
    """Raises CannotJudge if a named framework is missing, if all are, or if none has the device."""
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
