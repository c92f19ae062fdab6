"""`lossvet verify --selftest`: verify tested on losses whose meaning is known."""

from __future__ import annotations

import multiprocessing
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from lossvet.verify import comparing, grading
from lossvet.verify.binding import Options
from lossvet.verify.bound import domain
from lossvet.verify.corpus_records import Pair, Record, Selection
from lossvet.verify.grading import Grade, PairGrade
from lossvet.verify.known import Known, of_loss
from lossvet.verify.remote import Remote, RemoteSide
from lossvet.verify.selftest_report import Judged, JudgedPair, Report, told, told_pair
from lossvet.verify.sources import SourceError
from lossvet.verify.verify import RemoteLoss

BATCH = 8
"""Losses, or pairs, to a worker: its start takes as long as a few losses."""
PROCESSES = 2

T = TypeVar("T")
R = TypeVar("R")


def run(selection: Selection | None = None, *, processes: int = PROCESSES) -> Report:
    """Identify every loss of the corpus, compare every pair, and say how right the answers are; progress on stderr.

    Raises ValueError where nothing is selected.
    """
    selection = selection or Selection()
    records = selection.losses()
    start = time.monotonic()
    judged = list(_shared(_losses, _by_file(records.values()), processes))
    known = {one.record.key: one for one in judged if one.found is not None}
    pairs = [pair for pair in selection.pairs() if {pair.source, pair.target} <= known.keys()]
    work = [(pair, known[pair.source], known[pair.target]) for pair in _by_frameworks(pairs, records)]
    compared = list(_shared(_pairs, _batched(work), processes))
    return Report(judged, compared, time.monotonic() - start)


def _by_file(records: Any) -> list[Sequence[Record]]:
    """Batches of losses of one file."""
    ordered = sorted(records, key=lambda record: record.path)
    return [batch for _, same in groupby(ordered, lambda r: r.path) for batch in _batched(list(same))]


def _batched(every: Sequence[T]) -> list[Sequence[T]]:
    return [every[start : start + BATCH] for start in range(0, len(every), BATCH)]


def _by_frameworks(pairs: Sequence[Pair], records: dict[str, Record]) -> list[Pair]:
    return sorted(pairs, key=lambda pair: (records[pair.source].framework, records[pair.target].framework))


def _shared(work: Callable[[T], list[R]], batches: Sequence[T], processes: int) -> Iterator[R]:
    """The results of all batches, worked on by so many processes; in this one where it is one."""
    if processes == 1 or len(batches) == 1:
        for batch in batches:
            yield from work(batch)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for done in pool.imap_unordered(work, batches):
            yield from done


def _losses(batch: Sequence[Record]) -> list[Judged]:
    """Losses of one framework, in one worker."""
    with ExitStack() as stack:
        first = batch[0]
        remote = stack.enter_context(Remote(first.spec, Options(init=first.init)))
        return [_loss(remote, record) for record in batch]


def _loss(remote: Remote, record: Record) -> Judged:
    start = time.monotonic()
    try:
        remote.another(record.spec, Options(init=record.init)).load()
        known = of_loss(RemoteLoss(remote, record.spec))
        assert isinstance(known.side, RemoteSide), "it is in a worker"
        found, way = known.identified, known.side.which
        grade = grading.of_loss(record, found, known.domain)
    except SourceError as error:
        found, way, grade = None, 0, _refused(record, error)
    except Exception as error:  # an error of our own costs the loss, and not the losses after it
        found, way, grade = None, 0, Grade("cannot_judge", False, failed(error))
    judged = Judged(record, grade, found, way, remote.differentiable, time.monotonic() - start)
    _progress(told(judged), grade.right)
    return judged


def failed(error: Exception) -> str:
    """What an error of verify itself is told as, with the place that raised it."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"verify failed: {type(error).__name__} at {Path(last.filename).name}:{last.lineno}: {error}"


def _refused(record: Record, error: SourceError) -> Grade:
    return Grade("cannot_judge", bool(record.outside) or record.maybe_outside, error.sentence)


Work = tuple[Pair, Judged, Judged]


def _pairs(batch: Sequence[Work]) -> list[JudgedPair]:
    """Pairs of identified losses, each side in a worker that stays for the pairs after it."""
    workers: dict[tuple[str, str], Remote] = {}
    with ExitStack() as stack:

        def opened(judged: Judged, place: str) -> Known:
            record, where = judged.record, (place, judged.record.framework)
            options = Options(init=record.init)
            if where not in workers:
                workers[where] = stack.enter_context(Remote(record.spec, options))
            way, side = workers[where].another(record.spec, options).load().sides()[judged.way]
            assert judged.found is not None, "only identified losses are compared"
            return Known(side, domain(way.binding, judged.differentiable), judged.found)

        return [_pair(pair, opened, source, target) for pair, source, target in batch]


def _pair(pair: Pair, opened: Callable[[Judged, str], Known], source: Judged, target: Judged) -> JudgedPair:
    start = time.monotonic()
    records = {judged.record.key: judged.record for judged in (source, target)}
    try:
        found = comparing.compare(opened(source, "source"), opened(target, "target"))
        grade = grading.of_pair(pair, records, found)
    except SourceError as error:
        grade = PairGrade("cannot_judge", False, error.sentence)
    except Exception as error:
        grade = PairGrade("cannot_judge", False, failed(error))
    judged = JudgedPair(pair, grade, time.monotonic() - start)
    _progress(told_pair(judged), grade.right)
    return judged


def _progress(lines: Iterable[str], right: bool) -> None:
    """The first line of what there is to tell of an answer that is right, all of it otherwise; in one piece."""
    first, *more = lines
    print("\n".join([f"{'ok ' if right else 'NOT'} {first}", *([] if right else more)]), file=sys.stderr, flush=True)
