"""The journal of a run: a line for each record, with its checksum, written before the record is counted.

A line is `{"crc":"xxxxxxxx","record":{...}}`. It reaches the file in one write, so that a run killed at any moment
leaves whole lines and at most one torn line at the end, which is dropped when the run is resumed. Anything else is
damage, and is rejected by line number. A power failure is not covered: nothing is synced to the disk.
"""

from __future__ import annotations

import fcntl
import lzma
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from lossvet.conformance.records import Finished, Header, Judged, Record

FOLDER = Path(".lossvet")
SCHEMA = 6

_BEFORE, _BETWEEN, _AFTER = b'{"crc":"', b'","record":', b"}\n"
_BODY = len(_BEFORE) + 8 + len(_BETWEEN)
_ENCODER = msgspec.json.Encoder()


class JournalError(Exception):
    """A journal that cannot be used: damaged, locked, of another schema, or not written in full."""


@dataclass(frozen=True)
class Contents:
    """What a journal holds; `size` is where its last whole line ends."""

    header: Header
    judged: tuple[Judged, ...]
    finished: bool
    size: int


def line(record: msgspec.Struct) -> bytes:
    body = _ENCODER.encode(record)
    return b"%s%08x%s%s%s" % (_BEFORE, zlib.crc32(body), _BETWEEN, body, _AFTER)


def read(path: Path) -> Contents | None:
    """The contents; None where not even the header was written in full.

    Raises JournalError for a damaged line, naming it, and OSError where the file cannot be read.
    """
    found = list(records(path, Record))
    if not found:
        return None
    header, *rest = found
    if not isinstance(header, Header):
        raise JournalError(f"{path}:1: expected the header of a run, found a {header.__class__.__name__}")
    if header.schema != SCHEMA:
        raise JournalError(f"{path} has schema {header.schema}; this version of lossvet reads schema {SCHEMA}")
    finished = bool(rest) and isinstance(rest[-1], Finished)
    judged: dict[tuple[str, str], Judged] = {}
    for number, record in enumerate(rest[:-1] if finished else rest, 2):
        if not isinstance(record, Judged):
            raise JournalError(f"{path}:{number}: expected a judged case, found a {record.__class__.__name__}")
        if judged.setdefault((record.cell, record.case), record) is not record:
            raise JournalError(f"{path}:{number}: {record.case} in {record.cell} is judged twice")
    return Contents(header, tuple(judged.values()), finished, _whole(_data(path)))


def records(path: Path, kind: Any, schema: int = SCHEMA) -> Iterator[Any]:
    """The records of a file of such lines, of this type or union; a torn end is left out. The file may be packed (.xz).

    Raises JournalError for a damaged line, naming it, or where the header is of another schema; OSError where the file
    cannot be read.
    """
    decoder, data = msgspec.json.Decoder(kind), _data(path)
    for number, text in enumerate(data[: _whole(data)].splitlines(), 1):
        body, end = text[_BODY:-1], text[-1:]
        if text[:_BODY] != b"%s%08x%s" % (_BEFORE, zlib.crc32(body), _BETWEEN) or end != b"}":
            raise JournalError(
                f"{path}:{number}: the line is damaged (its checksum does not match); "
                "restore the file, or remove it and run again"
            )
        try:
            yield decoder.decode(body)
        except msgspec.DecodeError as error:
            raise JournalError(_other_schema(path, body, schema) or f"{path}:{number}: {error}") from None


def _other_schema(path: Path, body: bytes, schema: int) -> str:
    """The error for a header that another version wrote, and that may lack fields of this one; else empty."""
    try:
        found = msgspec.json.decode(body, type=_Any).schema
    except msgspec.DecodeError:
        return ""
    wrong = found is not None and found != schema
    return f"{path} has schema {found}; this version of lossvet reads schema {schema}" if wrong else ""


class _Any(msgspec.Struct, frozen=True):
    """What a header of any schema has."""

    schema: int | None = None


def _data(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix != ".xz":
        return data
    try:
        return lzma.decompress(data)
    except lzma.LZMAError as error:
        raise JournalError(f"{path} cannot be unpacked ({error}); restore the file") from None


def _whole(data: bytes) -> int:
    """Where the last whole line ends."""
    return data.rfind(b"\n") + 1


def unfinished(folder: Path = FOLDER) -> Path | None:
    """The newest journal in the folder that can be resumed: it has a header and did not come to its end."""
    for path in sorted(folder.glob("run-*.jsonl"), reverse=True):
        contents = read(path)
        if contents is not None and not contents.finished:
            return path
    return None


class Journal:
    """An open journal. One process at a time: it is locked while it is open."""

    def __init__(self, path: Path, flags: int = 0, again: str = "lossvet run --resume") -> None:
        """`again` is the command that goes on, or does it again, where the file could not be written."""
        self.path, self._again = path, again
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | flags, 0o644)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.close()
            raise JournalError(
                f"{path} is being written by another run; wait for it, or give another --journal"
            ) from None

    @classmethod
    def create(cls, path: Path, header: msgspec.Struct, again: str = "lossvet run --resume") -> Journal:
        """A new journal. Raises FileExistsError where the file is there already: nothing is ever overwritten."""
        path.parent.mkdir(parents=True, exist_ok=True)
        journal = cls(path, os.O_CREAT | os.O_EXCL, again)
        journal.append(header)
        return journal

    @classmethod
    def resume(cls, path: Path) -> tuple[Journal, Contents]:
        """An old journal, open at its end, without the torn line that it may have. Raises JournalError and OSError."""
        journal = cls(path)
        try:
            contents = read(path)
            if contents is None:
                raise JournalError(f"{path} has no header: its run never started; remove the file and run again")
            os.ftruncate(journal._fd, contents.size)
        except BaseException:
            journal.close()
            raise
        return journal, contents

    def append(self, record: msgspec.Struct) -> None:
        """Raises JournalError where the line did not get into the file whole (a full disk): it does not count then."""
        data = line(record)
        try:
            written = os.write(self._fd, data)
        except OSError as error:
            raise JournalError(
                f"{self.path} cannot be written: {error.strerror}; fix that, then: {self._again}"
            ) from None
        if written != len(data):
            raise JournalError(
                f"{self.path}: only {written} of {len(data)} bytes were written; free disk space, then: {self._again}"
            )

    def close(self) -> None:
        os.close(self._fd)
