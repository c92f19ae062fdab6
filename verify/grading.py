"""How right a result of verify is for a loss, or for a pair, whose meaning is known."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from lossvet.verify import canonical, differences
from lossvet.verify.answer import Comparison, Identified
from lossvet.verify.batches import Domain
from lossvet.verify.contract import Contract
from lossvet.verify.corpus_records import Pair, Record
from lossvet.verify.facets import facets
from lossvet.verify.matching import applies
from lossvet.verify.pipeline import Undefined, evaluate
from lossvet.verify.probes import fresh

Outcome = Literal["confirmed", "ambiguous", "other", "unexplained", "cannot_judge", "wrong"]
OUTCOMES: dict[Outcome, str] = {
    "confirmed": "confirmed: its record, exactly",
    "ambiguous": "ambiguous, its record among the candidates",
    "other": "ambiguous, its record not among the candidates",
    "unexplained": "unexplained",
    "cannot_judge": "cannot be judged",
    "wrong": "confirmed as something else",
}
"""What can become of a loss, in the order of the columns."""
SEEN = ("gradient_logits", "gradient_labels", "gradient_weights", "upstream")
"""Facets that are compared by name, as those of `canonical.OBSERVED` are: they say what is done with gradients."""
SEED = 900_000


@dataclass(frozen=True)
class Grade:
    """What became of a loss: `right` where that is what is to be reached; `why` says what differs where it is not."""

    outcome: Outcome
    right: bool
    why: str = ""


def of_loss(record: Record, found: Identified, domain: Domain) -> Grade:
    """The grade of an identified loss. `domain` is what it could be asked."""
    if found.status in ("unexplained", "cannot_judge"):
        return Grade(found.status, bool(record.outside) or record.maybe_outside, found.reason)
    if not record.contracts:
        return Grade("wrong" if found.status == "confirmed" else "other", False, "no contract describes it")
    apart = [
        [parting(expected, answered, record, domain) for expected in record.contracts] for answered in found.candidates
    ]
    met = any("" in ways for ways in apart)
    why = "" if met else min(apart[0], key=len)
    if found.status == "confirmed":
        return Grade("confirmed" if met else "wrong", met, why)
    return Grade("ambiguous" if met else "other", met, why or f"to tell them apart: {found.needed}")


def parting(expected: Contract, answered: Contract, record: Record, domain: Domain) -> str:
    """In what two contracts differ, as "denominator: weights, not batch"; empty where they are one meaning.

    What is only seen, as gradients that are stopped, has to have the same name. Everything else has to have the same
    loss and gradients on every probe, those included that had no part in identifying it.
    """
    compared = [name for name in facets() if not _invisible(name, expected, record, domain)]
    found = [
        name for name in departing_all(expected, answered) if name in compared and not _told(name, expected, answered)
    ]
    if not found:
        return ""
    named = [name for name in found if name in (*SEEN, *canonical.OBSERVED)]
    if not named and not _told_apart(_plain(expected), _plain(answered), domain):
        return ""
    return "; ".join(
        f"{name}: {differences.written(answered, name)}, not {differences.written(expected, name)}" for name in found
    )


def departing_all(one: Contract, other: Contract) -> Iterator[str]:
    """The facets in which two contracts differ, numbers to six digits, what a mean over nothing gives included."""
    for name, facet in facets().items():
        if one[name] != other[name] or not all(_near(one, other, number) for number in facet.numbers):
            yield name


def _near(one: Contract, other: Contract, number: str) -> bool:
    if (number in one) != (number in other):
        return False
    a, b = (_numbers(contract[number]) for contract in (one, other))
    return len(a) == len(b) and all(math.isclose(x, y, rel_tol=1e-6) for x, y in zip(a, b, strict=True))


def _numbers(setting: object) -> tuple[float, ...]:
    return tuple(float(s) for s in setting) if isinstance(setting, tuple) else (float(setting),)  # type: ignore[arg-type]  # a number


def _invisible(name: str, expected: Contract, record: Record, domain: Domain) -> bool:
    """Whether nothing that the side can be asked shows the facet, or the record does not tell it."""
    if facets()[name].edge:
        return name not in record.edges
    match name:
        case "gradient_logits" | "upstream":
            return not domain.differentiable
        case "gradient_labels":
            return not domain.differentiable or domain.labels == "sparse"
        case "gradient_weights":
            return not domain.differentiable or not set(domain.weights()) - {"mask", "count"}
        case "zero_denominator":
            return expected["denominator"] in ("sum", "unreduced")
    return False


def _told(edge: str, expected: Contract, answered: Contract) -> bool:
    """Whether an answer of several parts, as "-1: wraps, -100: raises", has the one that the record tells."""
    if not facets()[edge].edge:
        return False
    return str(expected[edge]) in (part.rpartition(": ")[2] for part in str(answered[edge]).split(", "))


def _plain(contract: Contract) -> Contract:
    """The contract with exact gradients: those that depart are compared by name."""
    return contract.with_(dict.fromkeys(SEEN, "exact"))


def _told_apart(a: Contract, b: Contract, domain: Domain) -> bool:
    if canonical.parted(a, b, domain) is not None:
        return True
    for probe in fresh(domain, 40, SEED):
        inputs, leaves = probe.question.inputs, probe.question.leaves
        if not (applies(a, inputs) and applies(b, inputs)):
            continue
        try:
            one, other = (evaluate(contract, inputs, leaves) for contract in (a, b))
        except Undefined:
            return True
        if not canonical.equal(one, other):
            return True
    return False


PairOutcome = Literal["right", "facets", "unexplained", "equal_on_probes", "cannot_judge", "false_alarm", "missed"]
PAIR_OUTCOMES: dict[PairOutcome, str] = {
    "right": "the verdict and the facets are right",
    "facets": "the verdict is right, but the facets are not",
    "unexplained": "unexplained",
    "equal_on_probes": "equal on all that was tried",
    "cannot_judge": "cannot be judged",
    "false_alarm": "equal, but called different",
    "missed": "different, but called the same",
}


@dataclass(frozen=True)
class PairGrade:
    outcome: PairOutcome
    right: bool
    why: str = ""


def of_pair(pair: Pair, records: dict[str, Record], found: Comparison) -> PairGrade:
    """The grade of a comparison."""
    named = {d.facet for d in found.differences if not d.edge}
    says = " in ".join(filter(None, (found.verdict, ", ".join(sorted(named)))))
    match found.verdict:
        case "cannot_judge":
            return PairGrade("cannot_judge", False, found.reason)
        case "equal_on_probes":
            return PairGrade("equal_on_probes", pair.outside and pair.verdict == "same")
        case "unexplained":
            right = pair.outside and pair.verdict == "different" and found.counterexample is not None
            return PairGrade("right" if right else "unexplained", right, "" if right else says)
    if pair.verdict == "same" and found.verdict != "same":
        return PairGrade("false_alarm", False, says)
    if pair.verdict != "same" and found.verdict == "same":
        return PairGrade("missed", False, says)
    wanted = ways_to_differ(pair, records)
    right = found.verdict == pair.verdict and (pair.verdict == "same" or any(named == way for way in wanted))
    return PairGrade("right" if right else "facets", right, "" if right else f"{says}, not {_listed(wanted)}")


def ways_to_differ(pair: Pair, records: dict[str, Record]) -> list[set[str]]:
    """The facets in which the two are said to differ; where a record has several contracts, by each of them."""
    source, target = records[pair.source], records[pair.target]
    ways = [_weighty(a, b) for a in source.contracts for b in target.contracts]
    return [set(pair.facets), *ways]


def _weighty(a: Contract, b: Contract) -> set[str]:
    """The facets in which two contracts differ, without edges and gradients that one of them cannot give."""
    return {n for n in departing_all(a, b) if not facets()[n].edge and "not_differentiable" not in (a[n], b[n])}


def _listed(ways: Sequence[set[str]]) -> str:
    return " or ".join(dict.fromkeys(", ".join(sorted(way)) or "none" for way in ways))
