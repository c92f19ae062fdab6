"""The speed of head against base: all benchmarks screened, the suspicious ones measured afresh."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from lossvet.benchmarks import decide, engine, pairs, samples
from lossvet.benchmarks.decide import Finding
from lossvet.benchmarks.gate_report import Observer, Options
from lossvet.benchmarks.messages import Sampled
from lossvet.benchmarks.pairs import NAMES, Match, Name, Shot
from lossvet.benchmarks.subjects import Programme
from lossvet.conformance.journal import Journal
from lossvet.workers.client import Side
from lossvet.workers.messages import Greeting

SAID = ("suspicious and are measured afresh", "inconclusive and are measured once more")
"""At each look of `decide.LOOKS`."""


def matched(
    sides: Mapping[Name, Side], caches: Mapping[Name, Path], programmes: Mapping[Name, Programme]
) -> tuple[list[Match], list[Finding]]:
    """By framework, what there is on both sides alike; and what is on one side alone, which cannot pass."""
    base, head = (programmes[name].subjects for name in NAMES)
    matches, alone = [], []
    for framework in base.keys() | head.keys():
        old, new = base.get(framework, {}), head.get(framework, {})
        both = {s: new[s] for s in new if old.get(s) == new[s]}
        for s in old.keys() | new.keys():
            if s not in both:
                why = "is gone from head" if s not in new else "has no base" if s not in old else "reduces otherwise"
                alone.append(Finding(str(s), "missing", why=why, blame="base" if s not in old else "head"))
        if both:
            matches.append(Match(framework, sides, both, caches))
    return sorted(matches, key=lambda match: match.framework), alone


def compare_speed(
    options: Options, matches: Sequence[Match], greetings: Mapping[str, Greeting], observer: Observer
) -> tuple[list[Finding], str, Path]:
    """Screen all, confirm who is suspicious. The findings, why the run is void, and where its samples are."""
    path = samples.FOLDER / f"gate-{datetime.now().strftime('%Y%m%d-%H%M%S-%f')}.jsonl"
    asked = engine.Options(options.wanted, path=path, replicates=decide.SCREEN)
    book = Journal.create(path, engine.header(asked, greetings), again="lossvet gate")
    try:
        total = sum(len(match.subjects) for match in matches)
        observer.say(
            f"timing {total} benchmarks: {decide.SCREEN} pairs of processes, some minutes; more where it is close"
        )
        observer.begin(pairs.PASSES * decide.SCREEN * len(matches))
        shots, void = _measure(book, matches, range(decide.SCREEN), observer)
        measured = pairs.ratios(shots)
        found = decide.missing(shots, [str(s) for m in matches for s in m.subjects], measured)
        kept = {s: ratios for s, ratios in measured.items() if s not in found and s != pairs.DRIFT}
        suspects = {s for s, ratios in kept.items() if decide.suspicious(ratios)}
        found |= {s: decide.screened(s, ratios) for s, ratios in kept.items() if s not in suspects}
        if void:
            found |= {s: Finding(s, "void") for s in suspects}
        elif suspects:
            confirmed, void = _confirm(book, _only(matches, suspects), total, observer)
            found |= confirmed
        book.append(samples.End(engine.now()))
    finally:
        book.close()
    return list(found.values()), void, path


def _confirm(book: Journal, matches: Sequence[Match], total: int, observer: Observer) -> tuple[dict[str, Finding], str]:
    """Of these, fresh pairs, and of those that they leave open as many again; the findings, and why the run is void."""
    found: dict[str, Finding] = {}
    shots: list[Shot] = []
    count, void = decide.confirming(total), ""
    for look, words in zip(range(decide.LOOKS), SAID, strict=True):
        names = [str(s) for m in matches for s in m.subjects]
        observer.say(f"{len(names)} of {total} are {words}")
        observer.begin(pairs.PASSES * count * len(matches))
        first = decide.SCREEN + look * count
        more, void = _measure(book, matches, range(first, first + count), observer)
        shots += more
        measured = pairs.ratios(shots)
        missing = decide.missing(shots, names, measured)
        judged = [s for s in names if s not in missing]
        found |= missing | {s: Finding(s, "void") if void else decide.confirmed(s, measured[s], total) for s in judged}
        matches = _only(matches, {s for s in names if found[s].verdict == "inconclusive"})
        if void or not matches:
            break
    return found, void


def _only(matches: Sequence[Match], names: Collection[str]) -> list[Match]:
    """What has that name, of those matches where anything is."""
    found = [replace(m, subjects={s: r for s, r in m.subjects.items() if str(s) in names}) for m in matches]
    return [match for match in found if match.subjects]


def _measure(
    book: Journal, matches: Sequence[Match], numbers: Sequence[int], observer: Observer
) -> tuple[list[Shot], str]:
    """These pairs of every framework, and why they are void; each is measured at another time, and drifts by itself."""
    by_match = [list(_written(book, match.pairs(numbers, observer))) for match in matches]
    drifts = {m.framework: decide.drifted(pairs.ratios(own)) for m, own in zip(matches, by_match, strict=True)}
    void = "; ".join(f"{framework}: {words}" for framework, words in drifts.items() if words)
    return [shot for own in by_match for shot in own], void


def _written(book: Journal, shots: Iterator[Shot]) -> Iterator[Shot]:
    """Each written down before it counts."""
    for shot in shots:
        replicate = 2 * shot.pair + shot.round
        match shot.reply:
            case Sampled(number=number, blocks=blocks, prepare=prepare):
                place = (replicate, shot.order, shot.core)
                book.append(samples.Sample(shot.subject, *place, number, blocks, prepare, None, shot.side))
            case reply:
                book.append(samples.NoSample(f"{shot.side} {shot.subject}", replicate, str(reply)))
        yield shot
