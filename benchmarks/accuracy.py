"""The judge's verdict on the results of a timed call, against the reference, on the workload of the same call.

Workloads are larger than cases and have no golden file. All of a small one is judged; of a large one, rows or columns
of the gradient, with the cotangent that the reduction has there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context, parent_process

import numpy as np

from lossvet.adapters.types import Outcome
from lossvet.benchmarks import subjects, workloads
from lossvet.benchmarks.messages import Sampled
from lossvet.benchmarks.samples import Accuracy
from lossvet.benchmarks.subjects import Subject
from lossvet.benchmarks.workloads import Shape
from lossvet.conformance import records
from lossvet.conformance.judge import judge
from lossvet.conformance.run import CannotJudge
from lossvet.conformance.types import Absent, Verdict
from lossvet.reference import variants
from lossvet.reference.bounds import Bound, bounds
from lossvet.reference.fast import arithmetic
from lossvet.reference.types import Array, Case, Reduction, Variant
from lossvet.reference.values import values
from lossvet.workers import messages
from lossvet.workers.lifecycle import end_with_parent

Truth = Mapping[str, tuple[Array, Mapping[str, Bound]]]
"""By output: what is true, and by dtype how far an answer may be from it."""


def judge_all(
    reductions: Mapping[Subject, Reduction], answers: Mapping[Subject, Sampled], processes: int
) -> Iterator[Accuracy]:
    """One record for each subject that answered. What is true of a workload is found once for all that computed it.

    Raises CannotJudge where a worker made another workload than this process does.
    """
    wanted: dict[tuple[str, Shape, Reduction], set[str]] = {}
    for subject in answers:
        key = (subject.cell.variant, subject.shape, reductions[subject])
        wanted.setdefault(key, set()).add(subject.cell.dtype)
    by_key: dict[object, list[Subject]] = {}
    for subject in answers:
        by_key.setdefault((subject.cell.variant, subject.shape, reductions[subject]), []).append(subject)
    with pool(processes) as workers:
        tasks = {key: workers.submit(truth, *key, tuple(sorted(dtypes))) for key, dtypes in wanted.items()}
        for key, task in tasks.items():
            true, judged, digest = task.result()
            for subject in by_key[key]:
                if answers[subject].workload != digest:
                    raise CannotJudge(
                        f"the workload of {subject} differs in its worker: install the same NumPy in both interpreters"
                    )
                found = {name: messages.outcome(m) for name, m in answers[subject].outcomes.items()}
                verdicts = {name: _verdict(subject, name, o, true) for name, o in found.items()}
                compact = {name: records.compact(verdict) for name, verdict in verdicts.items()}
                yield Accuracy(str(subject), key[2], judged, compact)


def pool(processes: int) -> ProcessPoolExecutor:
    """Processes that end with this one, however it ends. Spawned: a fork of one that has threads may wait for ever."""
    return ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_end_with_parent)


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None, "a process of a pool has a parent"
    end_with_parent(parent.sentinel)


def _verdict(subject: Subject, output: str, outcome: Outcome, true: Truth) -> Verdict:
    if output not in true:
        return Absent("for a workload this large only the gradient is judged")
    golden, by_dtype = true[output]
    return judge(outcome, golden, by_dtype[subject.cell.dtype], subject.cell.dtype)


def truth(name: str, at: Shape, reduction: Reduction, dtypes: tuple[str, ...]) -> tuple[Truth, str, str]:
    """What is true of a workload, or of the part of it that is judged; and which part that is, in words; its digest."""
    variant, case = variants.load(name), workloads.workload(name, at)
    chosen = workloads.judged(variant, case)
    names, digest = subjects.outputs("train", reduction), workloads.digest(case)
    if chosen is None:
        return _true(variant, case, dtypes, names), "all", digest
    gradient, none = names[1], "gradient/none/logits"
    some = workloads.part(variant, case, chosen, 1.0 / _denominator(variant, case, reduction))
    kind, whole = ("columns", at.c) if variant.family == "binary" else ("rows", at.n)
    words = f"{chosen.stop} of {whole} {kind} of the gradient"
    return {gradient: _true(variant, some, dtypes, (none,))[none]}, words, digest


def _true(variant: Variant, case: Case, dtypes: tuple[str, ...], names: tuple[str, ...]) -> Truth:
    """The reference's outputs, and bounds in which its own error has its place."""
    found, by_dtype = values(variant, case, names), bounds(variant, case, dtypes, names)

    def widened(bound: Bound, error: Array) -> Bound:
        return replace(bound, W=bound.W + error, S=bound.S + error, R=bound.R + error)

    return {n: (found[n].value, {d: widened(by_dtype[d][n], found[n].error) for d in dtypes}) for n in names}


def _denominator(variant: Variant, case: Case, reduction: Reduction) -> float:
    """What the sum of all losses is divided by."""
    if variant.family == "binary":
        return float(case.logits.size)
    kept = case.labels != case.params.ignore_index if variant.family == "sparse" else np.ones(len(case.logits), bool)
    if reduction == "mean":
        return float(kept.sum())
    rows = variant.closed(arithmetic, case.logits[kept], case.labels[kept], case.params)
    return float(arithmetic.plain(rows.weight.sum(0)))
