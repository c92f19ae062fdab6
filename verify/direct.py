"""Two sides compared directly: the same inputs, and how far two sound results may be apart.

Equal where |a - b| <= 16 (Da + Db) + 64 u M: Da and Db are the change of each side when every float input moves by one
ulp (labels of 0 and 1 stay), M the largest magnitude in the answers to the probe, u the unit roundoff of the coarser
side. So the comparison needs no contract, and an ill-conditioned loss is given what its own conditioning takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lossvet.reference.dtypes import DTYPES
from lossvet.reference.types import Array
from lossvet.verify.arithmetic import rounded
from lossvet.verify.probes import Probe
from lossvet.verify.questions import Answer, Question, Side

NOTHING_SAID = "Undefined"
"""What a contract answers of inputs that it says nothing of."""
STEPS = 16.0
ROUNDINGS = 64.0


@dataclass(frozen=True)
class Parting:
    """How two answers to one probe compare: the largest difference as a share of what is allowed, and in which output.

    `informative` is False where both refuse, or both answer NaN.
    """

    probe: Probe
    source: Answer
    target: Answer
    ratio: float
    output: str = "loss"
    informative: bool = True

    @property
    def equal(self) -> bool:
        return self.ratio <= 1.0


def compared(source: Side, target: Side, wanted: Sequence[Probe], dtypes: tuple[str, str] = ("", "")) -> list[Parting]:
    """Both sides' answers to the probes, compared. Each is asked twice: as the probe is, and a ulp beside it.

    `dtypes` are those in which the sides are asked, where that is not the dtype of the questions.
    """
    count = len(wanted)
    answers = []
    for side, dtype in zip((source, target), dtypes, strict=True):
        questions = [in_dtype(probe.question, dtype) for probe in wanted]
        answers.append(side.ask([*questions, *(moved(question) for question in questions)]))
    return [
        parting(probe, *(given[i] for given in answers), *(given[count + i] for given in answers))
        for i, probe in enumerate(wanted)
    ]


def in_dtype(question: Question, dtype: str) -> Question:
    return Question(question.inputs, question.leaves, question.derivative, dtype or question.dtype)


def moved(question: Question) -> Question:
    """The question with every float input a ulp further from 0; labels and masks of 0 and 1 stay."""

    def one(role: str, array: Any) -> Any:
        values = np.asarray(array)
        if values.dtype.kind != "f":
            return array
        with np.errstate(all="ignore"):
            further = rounded(values * (1 + 2 * DTYPES[question.dtype].u), question.dtype)
        stays = (role in ("labels", "mask")) & ((values == 0) | (values == 1)) | (values == 0) | ~np.isfinite(values)
        return np.where(stays, values, further)

    inputs = {role: one(role, array) for role, array in question.inputs.items()}
    return Question(inputs, question.leaves, question.derivative, question.dtype)


def parting(probe: Probe, source: Answer, target: Answer, source_moved: Answer, target_moved: Answer) -> Parting:
    silent = any(answer.error.startswith(NOTHING_SAID) for answer in (source, target))
    if silent or (not source.answered and not target.answered):
        return Parting(probe, source, target, 0.0, informative=False)
    if source.value is None or target.value is None or source.value.size != target.value.size:
        return Parting(probe, source, target, np.inf)
    u = max(DTYPES.get(answer.dtype, DTYPES["float64"]).u for answer in (source, target))
    found = [_output("loss", source.value, target.value, source_moved.value, target_moved.value, u)]
    if np.isfinite(source.value).all() and np.isfinite(target.value).all():
        size = float(np.abs(source.value).max(initial=0.0))
        for leaf in source.gradients.keys() & target.gradients.keys():
            a, b = source.gradients[leaf], target.gradients[leaf]
            if a is None or b is None:
                continue  # a gradient that one side does not have is a facet of the records, and no number
            a_moved, b_moved = source_moved.gradients.get(leaf), target_moved.gradients.get(leaf)
            found.append(_output(f"gradient/{leaf}", a, b, a_moved, b_moved, u, size))
    ratio, output = found[0] if found[0][0] > 1 else max(found)
    return Parting(probe, source, target, ratio, output)


def _output(
    name: str, a: Array, b: Array, a_moved: Array | None, b_moved: Array | None, u: float, size: float = 0.0
) -> tuple[float, str]:
    if a.size != b.size:
        return np.inf, name
    with np.errstate(all="ignore"):
        x, y = a.ravel(), b.ravel()
        steps = sum(
            np.nan_to_num(np.abs(m.ravel() - v), nan=0.0, posinf=0.0)
            for m, v in ((a_moved, x), (b_moved, y))
            if m is not None and m.size == v.size
        )
        finite = np.concatenate([x[np.isfinite(x)], y[np.isfinite(y)]])
        largest = max(float(np.abs(finite).max(initial=0.0)), size)
        allowed = STEPS * steps + ROUNDINGS * u * largest + 1e-300
        same = (x == y) | (np.isnan(x) & np.isnan(y))
        ratios = np.where(same, 0.0, np.abs(x - y) / allowed)
        return float(np.nan_to_num(ratios, nan=np.inf).max(initial=0.0)), name


def values_only(partings: Sequence[Parting]) -> bool:
    """Whether results differ on some probe, and gradients in the logits on none."""
    results = any(not p.equal and p.output == "loss" for p in partings)
    return results and all(_same_gradient(p) for p in partings if p.informative)


def _same_gradient(p: Parting) -> bool:
    a, b = p.source.gradients.get("logits"), p.target.gradients.get("logits")
    if a is None or b is None or a.shape != b.shape:
        return False
    scale = max(float(np.abs(a).max(initial=0.0)), float(np.abs(b).max(initial=0.0)))
    return bool((np.abs(a - b) <= 1e-10 * (scale + 1e-3)).all())


def shown(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs as nested lists, for records and screens."""
    return {role: np.asarray(array).tolist() for role, array in inputs.items()}
