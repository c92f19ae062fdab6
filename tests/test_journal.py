"""The journal: what is written is read again as it was, what is torn is dropped, and what is damaged is refused."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import pytest

from lossvet.benchmarks import samples
from lossvet.conformance import journal, records
from lossvet.conformance.journal import Journal, JournalError
from lossvet.conformance.records import Finished, Header, Judged
from lossvet.conformance.types import Absent, Agrees, Crashed, Deviates, Differs, Errored, TimedOut, Verdict

INF, NAN = float("inf"), float("nan")
HEADER = Header(
    journal.SCHEMA,
    "d" * 64,
    "e" * 64,
    "0.1.0",
    {"torch": "2.13.0"},
    {"level": "quick"},
    "2026-01-01T00:00:00+00:00",
    {},
)
VERDICTS: tuple[Verdict, ...] = (
    Agrees(0.25, 1.5, 0.5, "shift-invariant", 1e-6, ("raises ValueError",)),
    Agrees(0.0, INF, 0.0, "absolute", INF),
    Differs("is outside the bound in 1 of 12", (0, 2), 0.1, 1 / 3, 7.0e5),
    Differs("is NaN", (1,), NAN, -INF),
    Deviates("tf-zero", Differs("is outside the bound", (), 1.0, 0.5, 3.0), "element [0] is 2"),
    Absent("NumPy has no derivatives"),
    Errored("ValueError", 'hostile "\n\x1b[31m\\'),
    Crashed("SIGSEGV"),
    TimedOut(120.0),
)


def judged(number: int) -> Judged:
    verdicts = {f"loss/{i}": records.compact(v) for i, v in enumerate(VERDICTS)}
    return Judged("sigmoid/composed/torch/eager/float32/cpu", f"sigmoid/{number}", 0.01, 2, verdicts)


def write(path: Path, cases: int) -> list[Judged]:
    book = Journal.create(path, HEADER)
    written = [judged(number) for number in range(cases)]
    for record in written:
        book.append(record)
    book.close()
    return written


@pytest.mark.parametrize("verdict", VERDICTS, ids=lambda v: type(v).__name__)
def test_a_verdict_comes_back(verdict: Verdict) -> None:
    import msgspec

    text = msgspec.json.encode(records.compact(verdict))
    assert repr(records.verdict(msgspec.json.decode(text))) == repr(verdict)


@pytest.mark.parametrize("found", [[], ["Agrees"], ["Nobody", 1], ["Absent", "a", "b"], "Absent", 3])
def test_what_is_no_verdict_is_refused(found: object) -> None:
    with pytest.raises(ValueError, match="is not a verdict"):
        records.verdict(found)  # type: ignore[arg-type]  # no verdict, on purpose


def test_a_journal_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "run-1.jsonl"
    written = write(path, 3)
    contents = journal.read(path)
    assert contents is not None
    assert contents.header == HEADER
    assert list(contents.judged) == written
    assert not contents.finished
    assert contents.size == path.stat().st_size


def test_a_torn_end_is_dropped_wherever_it_is_torn(tmp_path: Path) -> None:
    path = tmp_path / "run-1.jsonl"
    written = write(path, 2)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        contents = journal.read(path)
        lines = whole[:length].count(b"\n")
        if lines == 0:
            assert contents is None
            continue
        assert contents is not None
        assert list(contents.judged) == written[: lines - 1]
    path.write_bytes(whole[:-1])
    book, contents = Journal.resume(path)
    book.append(written[1])
    book.append(Finished("now"))
    book.close()
    again = journal.read(path)
    assert again is not None
    assert list(again.judged) == written
    assert again.finished


def test_any_flipped_bit_before_the_end_is_found_and_named(tmp_path: Path) -> None:
    path = tmp_path / "run-1.jsonl"
    write(path, 2)
    whole = path.read_bytes()
    for position in range(len(whole) - 1):  # flipping the last newline makes a torn line, which is asked again
        damaged = bytearray(whole)
        damaged[position] ^= 1 << (position % 8)
        path.write_bytes(bytes(damaged))
        line = whole[:position].count(b"\n") + 1
        with pytest.raises(JournalError, match=rf":{line}:|schema"):
            journal.read(path)


def test_a_header_of_another_schema_is_refused_as_such_whatever_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "run-1.jsonl"
    for reader, schema in ((journal.read, journal.SCHEMA), (samples.read, samples.SCHEMA)):
        body = b'{"kind":"header","schema":1,"greetings":[["another","shape"]]}'
        path.write_bytes(b'{"crc":"%08x","record":%s}\n' % (zlib.crc32(body), body))
        with pytest.raises(JournalError, match=rf"has schema 1; this version of lossvet reads schema {schema}"):
            reader(path)


def test_a_record_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run-1.jsonl"
    write(path, 1)
    book, _ = Journal.resume(path)
    book.append(judged(0))
    book.close()
    with pytest.raises(JournalError, match="is judged twice"):
        journal.read(path)


def test_two_runs_cannot_write_one_journal(tmp_path: Path) -> None:
    path = tmp_path / "run-1.jsonl"
    book = Journal.create(path, HEADER)
    with pytest.raises(JournalError, match="another run"):
        Journal.resume(path)
    book.close()
    with pytest.raises(FileExistsError):
        Journal.create(path, HEADER)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, a disk without room")
def test_a_full_disk_is_an_error_and_nothing_counts() -> None:
    book = Journal(Path("/dev/full"))
    with pytest.raises(JournalError, match="No space left"):
        book.append(judged(0))
    book.close()


def test_the_newest_unfinished_journal_is_found(tmp_path: Path) -> None:
    assert journal.unfinished(tmp_path) is None
    for name in ("run-1", "run-2", "run-3", "run-4"):
        write(tmp_path / f"{name}.jsonl", 1)
    (tmp_path / "run-4.jsonl").write_bytes(b'{"crc":')  # killed at its first breath: there is nothing to resume
    book, _ = Journal.resume(tmp_path / "run-3.jsonl")
    book.append(Finished("now"))
    book.close()
    assert journal.unfinished(tmp_path) == tmp_path / "run-2.jsonl"
