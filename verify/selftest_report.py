"""What verify made of its corpus: the confusion matrix, all that is not right, and whether that is good enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from lossvet.verify.answer import Identified
from lossvet.verify.contract import Contract
from lossvet.verify.corpus_records import Pair, Record
from lossvet.verify.differences import written
from lossvet.verify.facets import facets
from lossvet.verify.grading import OUTCOMES, PAIR_OUTCOMES, Grade, PairGrade

SINGLES = 1.0
"""The share of losses with one fault, or none, that are to be named exactly, or ambiguous with the record among it."""
SEVERAL = 0.95
"""The share of losses with several faults that are to be named so; and of pairs that are to be told apart rightly."""
HEADS = {"confirmed": "named", "ambiguous": "ambiguous", "other": "other", "unexplained": "unexplained",
         "cannot_judge": "no answer", "wrong": "WRONG"}  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """A loss of the corpus with its answer, None where it could not be called, and the way of calling it."""

    record: Record
    grade: Grade
    found: Identified | None = None
    way: int = 0
    differentiable: bool = True
    seconds: float = 0.0


@dataclass(frozen=True)
class JudgedPair:
    """A pair of the corpus with what became of it."""

    pair: Pair
    grade: PairGrade
    seconds: float = 0.0


@dataclass(frozen=True)
class Report:
    """`losses` and `pairs` as they were judged, in the order in which they were done; `seconds` for all of it."""

    losses: Sequence[Judged]
    pairs: Sequence[JudgedPair] = field(default=())
    seconds: float = 0.0

    def text(self) -> str:
        """The tables, then everything that is not right, then what is ambiguous."""
        return "\n".join(self._lines()) + "\n"

    @property
    def verdict(self) -> tuple[int, str]:
        """Exit code 0 where all is reached that is to be, else 1; and the sentence that says what is missing."""
        missing = list(self._missing())
        if missing:
            return 1, f"verify falls short: {'; '.join(missing)}"
        return 0, f"verify is right on {len(self.losses)} losses and {len(self.pairs)} pairs of known meaning"

    def _missing(self) -> Iterator[str]:
        wrong = sum(j.grade.outcome == "wrong" and not j.record.outside for j in self.losses)
        outside = sum(j.grade.outcome == "wrong" and bool(j.record.outside) for j in self.losses)
        alarms = sum(j.grade.outcome == "false_alarm" for j in self.pairs)
        if wrong:
            yield f"{wrong} confirmed wrongly"
        if outside:
            yield f"{outside} confirmed although no contract describes them"
        if alarms:
            yield f"{alarms} equal pairs called different"
        for words, judged, share in self._shares():
            if judged and sum(judged) < share * len(judged):
                yield f"{sum(judged)} of {len(judged)} {words} right; {share:.0%} required"

    def _shares(self) -> Iterator[tuple[str, list[bool], float]]:
        """What is counted, whether each of it is right, and the share that has to be."""
        within = [j for j in self.losses if not j.record.outside]
        yield "losses with at most one fault", [j.grade.right for j in within if not j.record.several], SINGLES
        yield "losses with several faults", [j.grade.right for j in within if j.record.several], SEVERAL
        yield "losses that no contract describes", [j.grade.right for j in self.losses if j.record.outside], 1.0
        yield "pairs", [j.grade.right for j in self.pairs], SEVERAL

    def _lines(self) -> Iterator[str]:
        yield "By facet: the value planted, and the outcome for the losses that have it"
        yield from _table(self.losses, _planted)
        yield ""
        yield "By framework"
        yield from _table(self.losses, lambda judged: [judged.record.framework])
        if self.pairs:
            yield ""
            yield "Pairs"
            count = Counter(judged.grade.outcome for judged in self.pairs)
            yield from (f"  {words:<45} {count[name]:>5}" for name, words in PAIR_OUTCOMES.items())
        yield ""
        for words, judged, share in self._shares():
            if judged:
                reached = sum(judged) / len(judged)
                yield f"{words}: {sum(judged)} of {len(judged)} right ({reached:.1%}; {share:.0%} wanted)"
        yield from _part("Not right", [line for j in self.losses if not j.grade.right for line in told(j)])
        yield from _part("Pairs not right", [line for j in self.pairs if not j.grade.right for line in told_pair(j)])
        ambiguous = [j for j in self.losses if j.grade.right and j.grade.outcome == "ambiguous"]
        yield from _part("Ambiguous", [line for j in ambiguous for line in told(j)])
        yield ""
        yield f"{len(self.losses)} losses and {len(self.pairs)} pairs in {self.seconds:.0f} s"


def _planted(judged: Judged) -> Iterable[str]:
    """The rows to which a loss belongs: its faults with their values; "sound" or "outside" where it has none."""
    if judged.record.outside:
        return ["outside"]
    (contract, *_) = judged.record.contracts
    return [f"{name} {written(contract, name)}" for name in judged.record.faults] or ["sound"]


def _table(losses: Sequence[Judged], rows: Callable[[Judged], Iterable[str]]) -> Iterator[str]:
    found: dict[str, Counter[str]] = {}
    for judged in losses:
        for row in rows(judged):
            found.setdefault(row, Counter())[judged.grade.outcome] += 1
    width = max((len(row) for row in found), default=0)
    yield f"  {'':<{width}} {' '.join(f'{HEADS[name]:>11}' for name in OUTCOMES)}"
    for row in sorted(found):
        counts = (str(found[row][name] or "-") for name in OUTCOMES)
        yield f"  {row:<{width}} {' '.join(f'{count:>11}' for count in counts)}"


def _part(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield from ("", title, *(f"  {line}" for line in lines))


def told(judged: Judged) -> Iterator[str]:
    record, found = judged.record, judged.found
    yield f"{record.key} ({judged.seconds:.1f} s): {OUTCOMES[judged.grade.outcome]}"
    yield f"    record:   {' | '.join(map(spelled, record.contracts)) or 'outside: ' + record.outside}"
    if found is not None and found.candidates:
        yield f"    answered: {' | '.join(map(spelled, found.candidates))}"
    if judged.grade.why:
        yield f"    {judged.grade.why}"


def told_pair(judged: JudgedPair) -> Iterator[str]:
    yield f"{judged.pair.key} ({judged.seconds:.1f} s): {PAIR_OUTCOMES[judged.grade.outcome]}"
    yield f"    wanted:   {judged.pair.verdict} in {', '.join(judged.pair.facets) or 'nothing'}"
    if judged.grade.why:
        yield f"    answered: {judged.grade.why}"


def spelled(contract: Contract) -> str:
    """A contract in one line, by its departures."""
    return ", ".join(f"{name} {written(contract, name)}" for name in contract if name in facets()) or "the default"
