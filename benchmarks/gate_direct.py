"""Accuracy of head against base for a loss that is not a variant: base's results in float64 are taken as true.

Both sides compute in float32, on inputs that float32 represents exactly, values and gradients in the logits. The error
of head may not exceed that of base by more than half and an ulp of the largest element.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from lossvet.benchmarks.gate_report import Difference
from lossvet.benchmarks.ratchet import GROWN, ULP
from lossvet.reference.types import Array
from lossvet.verify import canonical, probes
from lossvet.verify.comparing import FRESH, SEED
from lossvet.verify.known import Known
from lossvet.verify.questions import Answer, Question

UNIT = 2.0**-24
"""Of float32."""
OUTPUTS = ("loss", "gradient/logits")


@dataclass(frozen=True)
class Found:
    """Where head is less accurate than base, and how many answers were compared."""

    differences: tuple[Difference, ...] = ()
    number: int = 0


def no_worse(base: Known, head: Known, cell: str) -> Found:
    """`cell` is what the differences are called by. A loss that takes float32 alone has no float64 to be held against:
    base's float32 is what is true."""
    shared = canonical.common(base.domain, head.domain)
    wanted = [*probes.core(shared), *probes.weighted(shared), *probes.fresh(shared, FRESH, SEED)]
    questions = [_in(p.question, "float32") for p in wanted]
    true = base.side.ask([_in(q, "float64") for q in questions])
    before, now = (side.ask(questions) for side in (base.side, head.side))
    found, number = [], 0
    for output in OUTPUTS:
        old, new = (_errors(true, answers, output) for answers in (before, now))
        number += len(new)
        worst = max((error for error in old.values() if np.isfinite(error)), default=0.0)
        allowed = max(GROWN * worst, worst + ULP)
        bad = {i: error for i, error in new.items() if not error <= allowed and np.isfinite(old.get(i, np.inf))}
        if bad:
            at = max(bad, key=lambda i: bad[i])
            words = f"{output}: is {bad[at]:.3g} ulp off in float32 ({wanted[at].name}), but base {worst:.3g} at most"
            found.append(Difference(cell, words, known=False))
    return Found(tuple(found), number)


def _in(question: Question, dtype: str) -> Question:
    """The question with values that float32 holds, to be asked in a dtype."""
    inputs = {
        role: np.asarray(array, np.float32).astype(np.float64) if np.asarray(array).dtype.kind == "f" else array
        for role, array in question.inputs.items()
    }
    return msgspec.structs.replace(question, inputs=inputs, leaves=("logits",), dtype=dtype)


def _errors(true: Sequence[Answer], answers: Sequence[Answer], output: str) -> dict[int, float]:
    """By probe where there is a finite truth, the largest error in ulp of the largest element; infinite for an answer
    that is not there or not finite."""
    found = {}
    for i, (one, other) in enumerate(zip(true, answers, strict=True)):
        expected, given = _output(one, output), _output(other, output)
        if expected is None or not np.isfinite(expected).all() or not np.abs(expected).max(initial=0.0) > 0:
            continue
        if given is None or given.shape != expected.shape or not np.isfinite(given).all():
            found[i] = np.inf
        else:
            found[i] = float(np.abs(given - expected).max() / np.abs(expected).max() / UNIT)
    return found


def _output(answer: Answer, output: str) -> Array | None:
    return answer.value if output == "loss" else answer.gradients.get("logits")
