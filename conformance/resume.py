"""The journal of a run: started, or continued if it belongs to the same run; otherwise the difference is named."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

import lossvet
from lossvet import adapters, conformance, reference, workers
from lossvet.conformance import deviations, documented, journal
from lossvet.conformance.journal import Journal
from lossvet.conformance.options import Options, stored
from lossvet.conformance.plan import Plan
from lossvet.conformance.records import Header, Judged
from lossvet.reference import vectors
from lossvet.workers import messages
from lossvet.workers.messages import Greeting, Hello


class CannotResume(Exception):
    """There is no run to resume, or it was another run."""


def opened(options: Options, made: Plan, greetings: Mapping[str, Greeting]) -> tuple[Journal, tuple[Judged, ...], bool]:
    """The journal to write, what it holds already, and whether that is all."""
    header = Header(
        schema=journal.SCHEMA,
        digest=digest(made, greetings),
        standard=standard(made),
        lossvet=lossvet.__version__,
        versions=messages.versions(greetings),
        options=stored(options),
        started=now(),
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
        f"{name} is {header.versions.get(name, 'missing')} now and was {then.versions.get(name, 'missing')}"
        for name in sorted({*then.versions, *header.versions})
        if then.versions.get(name) != header.versions.get(name)
    ]
    changed += [f"lossvet is {header.lossvet} now and was {then.lossvet}"] if then.lossvet != header.lossvet else []
    if changed or then.digest != header.digest:
        book.close()
        why = "; ".join(changed) or "the cases, the adapters or the options have changed since"
        raise CannotResume(f"{book.path} belongs to another run: {why}; start a new run with: lossvet run")
    return book, contents.judged, contents.finished


def resumable(path: Path | None) -> Path:
    """The journal to resume: this one, or the newest that is unfinished. Raises CannotResume where there is none."""
    found = path or journal.unfinished()
    if found is None or not found.exists():
        where = f"in {journal.FOLDER}/" if path is None else f"at {path}"
        raise CannotResume(f"there is no unfinished run {where}; start one with: lossvet run")
    return found


def standard(made: Plan) -> str:
    """Of what is judged, and by which standard: the checks, golden results with their inputs, the ledger, documented
    behaviour."""
    found = hashlib.sha256(made.digest.encode())
    for path in (vectors.FOLDER / "manifest.json", deviations.DEFAULT, documented.DEFAULT):
        found.update(path.read_bytes())
    return found.hexdigest()


def digest(made: Plan, greetings: Mapping[str, Greeting]) -> str:
    """Of all that verdicts depend on: the standard, lossvet's own source with its tables, the frameworks."""
    found = hashlib.sha256(standard(made).encode())
    for package in (adapters, reference, workers, conformance):
        folder = Path(package.__path__[0])
        for path in sorted([*folder.rglob("*.py"), *folder.rglob("*.toml")]):
            found.update(f"{path.name}\0".encode() + path.read_bytes())
    for name, greeting in sorted(greetings.items()):
        details = sorted(greeting.details.items()) if isinstance(greeting, Hello) else greeting.reason
        found.update(f"{name}\0{details}\n".encode())
    return found.hexdigest()


def _public(greeting: Greeting) -> Greeting:
    if not isinstance(greeting, Hello):
        return greeting
    return msgspec.structs.replace(greeting, python=messages.interpreter(greeting.python))


def _fresh() -> Path:
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    return journal.FOLDER / f"run-{stamp}.jsonl"


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
