"""What the timed calls of head compute, against base: who is right on the cases may be wrong at the size that is timed.

Both sides are asked once for their answers, on the same inputs. The same bits need no judge, for head is then what base
is; an answer that changed is held against what is true.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lossvet.benchmarks import accuracy, subjects
from lossvet.benchmarks.client import cores
from lossvet.benchmarks.gate_accuracy import as_wrong, words
from lossvet.benchmarks.gate_report import Difference, Observer
from lossvet.benchmarks.messages import Measure, Sampled
from lossvet.benchmarks.pairs import NAMES, Match, Name
from lossvet.benchmarks.subjects import Subject
from lossvet.conformance import records
from lossvet.conformance.types import Differs, Errored, Verdict

BUDGET_NS = 1_000_000
"""The calls are timed as ever, and nobody looks at these times."""

Answers = Mapping[Subject, Sampled]
Verdicts = Mapping[Subject, Mapping[str, Verdict]]


def compare_answers(matches: Sequence[Match], observer: Observer) -> tuple[list[Difference], int]:
    """Answers of head that are wrong, each known where base's is as wrong; and how many were compared.

    Who gives no answer is left to the measurements, where a subject without a sample cannot pass. Raises CannotJudge
    where a side makes another workload than this process does.
    """
    observer.begin(len(NAMES) * sum(len(match.subjects) for match in matches))
    base, head = (_answers(matches, name, observer) for name in NAMES)
    changed = [s for s in head if s not in base or head[s].outcomes != base[s].outcomes]
    if changed:
        observer.say(f"{len(changed)} of {len(head)} answers changed and are judged")
    wrong = {s: found for s, found in _judged(matches, head, changed).items() if any(map(_is_wrong, found.values()))}
    before = _judged(matches, base, [s for s in wrong if s in base])
    differences = [
        Difference(str(subject), f"{output}: {words(verdict)}", as_wrong(before.get(subject, {}).get(output), verdict))
        for subject, found in wrong.items()
        for output, verdict in found.items()
        if _is_wrong(verdict)
    ]
    return differences, len(head)


def _answers(matches: Sequence[Match], name: Name, observer: Observer) -> Answers:
    found = {}
    for match in matches:
        with match.client(name, cores()[0]) as client:
            for subject, reduction in match.subjects.items():
                outputs = subjects.outputs(subject.task, reduction)
                reply = client.ask(Measure(str(subject), outputs, whole=True, budget=BUDGET_NS))
                if isinstance(reply, Sampled):
                    found[subject] = reply
                observer.counted(f"{match.framework}: answers of {name}")
    return found


def _judged(matches: Sequence[Match], answers: Answers, of: Sequence[Subject]) -> Verdicts:
    reductions = {subject: reduction for match in matches for subject, reduction in match.subjects.items()}
    judged = accuracy.judge_all(reductions, {s: answers[s] for s in of}, len(cores()))
    return {subjects.subject(a.subject): {n: records.verdict(v) for n, v in a.verdicts.items()} for a in judged}


def _is_wrong(verdict: Verdict) -> bool:
    return isinstance(verdict, Differs | Errored)
