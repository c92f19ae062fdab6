"""The results of head's timed calls, against base: a loss can be right on all cases and wrong at the size timed.

Both sides compute their results once, on the same inputs. Results with the same bits need not be judged, for head then
is as right as base; a result that changed is compared with the reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from lossvet.adapters.types import Measured
from lossvet.benchmarks import accuracy, subjects
from lossvet.benchmarks.gate_accuracy import as_wrong, words
from lossvet.benchmarks.gate_report import Difference, Observer
from lossvet.benchmarks.messages import Failed, Measure, Reply, Sampled
from lossvet.benchmarks.pairs import NAMES, Match, Name
from lossvet.benchmarks.subjects import Subject
from lossvet.conformance import records
from lossvet.conformance.types import Absent, Differs, Errored, Verdict
from lossvet.workers import messages
from lossvet.workers.machine import cores

BUDGET_NS = 1_000_000
"""The calls are timed as ever, and nobody looks at these times."""

Verdicts = Mapping[Subject, Mapping[str, Verdict]]


@dataclass(frozen=True)
class Compared:
    """Answers of head that are wrong, each known where base's is as wrong; how many have base's bits or were judged;
    and why there was none of others, by subject."""

    differences: tuple[Difference, ...] = ()
    number: int = 0
    unanswered: Mapping[str, str] = field(default_factory=dict)


def compare_answers(matches: Sequence[Match], observer: Observer) -> Compared:
    """Raises CannotJudge where a side makes another workload than this process does."""
    observer.begin(len(NAMES) * sum(len(match.subjects) for match in matches))
    replies = {name: _replies(matches, name, observer) for name in NAMES}
    base, head = ({s: r for s, r in replies[name].items() if isinstance(r, Sampled)} for name in NAMES)
    changed = [s for s in head if s not in base or head[s].outcomes != base[s].outcomes]
    if changed:
        observer.say(f"{len(changed)} of {len(head)} results changed and are judged")
    now = _judged(matches, head, changed)
    if large := [s for s, found in now.items() if any(isinstance(v, Absent) for v in found.values())]:
        observer.say(
            f"{len(large)} of these are too large to be judged completely: part of the gradient of each is judged"
        )
    wrong = [s for s, found in now.items() if any(isinstance(v, Differs | Errored) for v in found.values())]
    before = _judged(matches, base, [s for s in wrong if s in base])
    differences = [
        Difference(str(s), f"{output}: {words(verdict)}", as_wrong(before.get(s, {}).get(output), verdict))
        for s, found in now.items()
        for output, verdict in found.items()
        if isinstance(verdict, Differs | Errored)
    ]
    differences += [
        Difference(str(s), f"{output}: is not finite, but was in base", known=False)
        for s in large
        for output, verdict in now[s].items()
        if isinstance(verdict, Absent) and s in base and _finite(base[s], output) and not _finite(head[s], output)
    ]
    unjudged = [s for s, found in now.items() if all(isinstance(v, Absent) for v in found.values())]
    unanswered = {str(s): r.error for s, r in replies["head"].items() if isinstance(r, Failed)}
    return Compared(tuple(differences), len(head) - len(unjudged), unanswered)


def _replies(matches: Sequence[Match], name: Name, observer: Observer) -> Mapping[Subject, Reply]:
    found = {}
    for match in matches:
        with match.client(name, cores()[0]) as client:
            for subject, reduction in match.subjects.items():
                outputs = subjects.outputs(subject.task, reduction)
                found[subject] = client.ask(Measure(str(subject), outputs, whole=True, budget=BUDGET_NS))
                observer.counted(f"{match.framework}: results of {name}")
    return found


def _finite(answer: Sampled, output: str) -> bool:
    found = messages.outcome(answer.outcomes[output])
    return isinstance(found, Measured) and bool(np.isfinite(found.value).all())


def _judged(matches: Sequence[Match], answers: Mapping[Subject, Sampled], of: Sequence[Subject]) -> Verdicts:
    reductions = {subject: reduction for match in matches for subject, reduction in match.subjects.items()}
    judged = accuracy.judge_all(reductions, {s: answers[s] for s in of}, len(cores()))
    return {subjects.subject(a.subject): {n: records.verdict(v) for n, v in a.verdicts.items()} for a in judged}
