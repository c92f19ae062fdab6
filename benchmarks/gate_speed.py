"""The speed of head against base: all benchmarks screened, the suspicious ones measured afresh."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from lossvet.benchmarks import engine, gate, pairs, samples
from lossvet.benchmarks.client import Side
from lossvet.benchmarks.gate import Finding
from lossvet.benchmarks.gate_report import Observer, Options
from lossvet.benchmarks.messages import Sampled
from lossvet.benchmarks.pairs import NAMES, Match, Name, Shot
from lossvet.benchmarks.subjects import Programme
from lossvet.conformance.journal import Journal
from lossvet.conformance.messages import Greeting


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
    asked = engine.Options(options.wanted, path=path, replicates=gate.SCREEN)
    book = Journal.create(path, engine.header(asked, greetings), again="lossvet gate")
    try:
        total = sum(len(match.subjects) for match in matches)
        observer.begin(pairs.PASSES * gate.SCREEN * len(matches))
        shots, void = _measure(book, matches, range(gate.SCREEN), observer)
        measured = pairs.ratios(shots)
        found = gate.missing(shots, [str(s) for m in matches for s in m.subjects], measured)
        suspects = {str(s) for m in matches for s in m.subjects if str(s) not in found}
        suspects = {s for s in suspects if gate.suspicious(measured[s])}
        again = [replace(m, subjects={s: r for s, r in m.subjects.items() if str(s) in suspects}) for m in matches]
        again = [match for match in again if match.subjects]
        found |= {
            s: gate.screened(s, ratios)
            for s, ratios in measured.items()
            if s not in found and s not in suspects and s != pairs.DRIFT
        }
        if again and not void:
            observer.say(f"{len(suspects)} of {total} are suspicious and are measured afresh")
            confirm = gate.confirming(total)
            observer.begin(pairs.PASSES * confirm * len(again))
            shots, void = _measure(book, again, range(gate.SCREEN, gate.SCREEN + confirm), observer)
            measured = pairs.ratios(shots)
            found |= gate.missing(shots, sorted(suspects), measured)
        for subject in suspects - found.keys():
            ratios = measured[subject]
            found[subject] = Finding(subject, "void") if void else gate.confirmed(subject, ratios, total)
        book.append(samples.End(engine.now()))
    finally:
        book.close()
    return list(found.values()), void, path


def _measure(
    book: Journal, matches: Sequence[Match], numbers: Sequence[int], observer: Observer
) -> tuple[list[Shot], str]:
    """These pairs of every framework, and why they are void; each is measured at another time, and drifts by itself."""
    by_match = [list(_written(book, match.pairs(numbers, observer))) for match in matches]
    drifts = {m.framework: gate.drifted(pairs.ratios(own)) for m, own in zip(matches, by_match, strict=True)}
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
                book.append(samples.Lost(f"{shot.side} {shot.subject}", replicate, str(reply)))
        yield shot
