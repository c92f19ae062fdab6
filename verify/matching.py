"""Whether a contract explains an answer: every element of result and gradients within the derived bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lossvet.reference.types import Array
from lossvet.verify.contract import Contract
from lossvet.verify.pipeline import Undefined, evaluate
from lossvet.verify.probes import Probe
from lossvet.verify.questions import Answer

ROUGH = 2e-5
"""How far, relative to the result, a first look lets a contract be: guards against log 0 and against 0/0 move a loss by
so much, and a gradient computed in float32 is off by so much. Nothing is confirmed by a rough look."""


SATURATED = 25.0
"""Of a loss that floors logarithms nothing is said of the gradient where a logit is larger: PyTorch's floor at -100 is
not differentiated, and its gradient there is (p - t) / max(p (1 - p), 1e-12)."""
MODERATE = 10.0
"""Of a loss whose logarithm is taken naively nothing is said where logits are larger than this."""


@dataclass(frozen=True)
class Asked:
    """A probe with its answer."""

    probe: Probe
    answer: Answer
    rough: float = ROUGH
    """How far a first look lets a contract be from it, relative to the result."""


@dataclass(frozen=True)
class Fit:
    """`ratio` is the largest error as a share of the bound (inf where shapes or kinds differ), at the output `where`.

    `informative` is False where the answer says nothing: no result, or NaN throughout, or the contract says nothing of
    the inputs.
    """

    ratio: float
    where: str = ""
    informative: bool = True

    @property
    def fits(self) -> bool:
        return self.ratio <= 1.0


NOTHING = Fit(0.0, informative=False)


def applies(contract: Contract, inputs: Mapping[str, Any]) -> bool:
    """Whether the inputs are such as the contract is about.

    Of a label that is no class it says nothing, unless it ignores that one (`edges` tells what a side does with
    it); nor of large logits, if it takes the logarithm naively; nor of numbers in place of probabilities that are
    none; nor of labels between 0 and 1, where it is told for hard ones alone.
    """
    y = np.asarray(inputs["labels"])
    if y.dtype.kind in "iu":
        strange = (y < 0) | (y >= inputs["logits"].shape[1])
        if (strange & ~(y == contract["ignored_label"] if "ignored_label" in contract else False)).any():
            return False
    elif contract["label_mixing"] == "other" and not np.isin(y, (0, 1)).all():
        return False
    x = inputs["labels" if contract["arguments"] == "swapped" else "logits"]
    if contract["log"] == "broken_max" and np.abs(x).max(initial=0.0) > MODERATE:
        return False
    if contract["input"] != "probabilities":
        return True
    return bool(((x >= 0) & (x <= 1)).all())


def roughly(contract: Contract, asked: Asked, gradients: bool = False) -> bool:
    """Whether the result, and where asked its gradients, are what the contract says, within `ROUGH`."""
    if not asked.answer.answered or not applies(contract, asked.probe.question.inputs):
        return True
    leaves = _told(contract, asked.answer) if gradients and not _leaks(contract, asked) else ()
    try:
        meant = evaluate(contract, asked.probe.question.inputs, leaves)
    except Undefined:
        return False
    assert asked.answer.value is not None
    if not _close(asked.answer.value, meant.value, asked.rough):
        return False
    if not np.isfinite(meant.value).all():
        return True
    return all(
        _same_gradient(
            *spared(contract, asked, leaf, asked.answer.gradients[leaf], meant.gradients.get(leaf)), asked.rough
        )
        for leaf in leaves
    )


def _told(contract: Contract, answer: Answer) -> tuple[str, ...]:
    """The leaves of whose gradient answer and contract say something: a backward pass that raises for another reason
    than that there is none says nothing."""
    return tuple(
        leaf
        for leaf in answer.gradients
        if (leaf not in answer.refused or answer.refused[leaf].startswith("not differentiable"))
        and not (leaf == "labels" and contract["label_mixing"] == "other")
    )


def _leaks(contract: Contract, asked: Asked) -> bool:
    """Whether there are rows that leave the result and not the gradient: what they add to it is not said."""
    return (
        contract["ignored"] == "leaking"
        and "ignored_label" in contract
        and bool((asked.probe.question.inputs["labels"] == contract["ignored_label"]).any())
    )


def _same_gradient(got: Array | None, meant: Array | None, rough: float) -> bool:
    if got is None or meant is None:
        return not np.any(got if meant is None else meant)
    return _close(got, meant, rough)


def _close(got: Array, meant: Array, rough: float) -> bool:
    if got.size != meant.size:
        return False
    with np.errstate(all="ignore"):
        got, meant = got.ravel(), meant.ravel()
        scale = np.abs(meant[np.isfinite(meant)]).max(initial=0.0) + 1e-3
        return bool((_alike(got, meant) | (np.abs(got - meant) <= rough * scale)).all())


def fit(contract: Contract, asked: Asked, gradients: bool = True, dtype: str = "float64") -> Fit:
    """How well the contract explains the answer, against the bound of sound code in `dtype`."""
    answer, question = asked.answer, asked.probe.question
    if not answer.answered or not applies(contract, question.inputs):
        return NOTHING
    gradients = gradients and not _leaks(contract, asked)
    leaves = _told(contract, answer) if gradients else ()
    try:
        meant = evaluate(contract, question.inputs, leaves, bounds_for=dtype)
    except Undefined:
        return Fit(np.inf, "loss")
    got = answer.value
    assert got is not None
    assert meant.bound is not None
    found = [Fit(_ratio(got, meant.value, meant.bound), "loss")]
    if not np.isfinite(meant.value).all() or not found[0].fits:
        return found[0]  # where the result is infinite or undefined, its gradient is a convention
    # a maximum of the whole batch that is differentiated gathers the rounding of every row in one element
    gathered = len(question.inputs["logits"]) if contract["log"] == "broken_max" else 1
    for leaf in leaves:
        got_gradient, expected = spared(contract, asked, leaf, answer.gradients[leaf], meant.gradients.get(leaf))
        ratio = _gradient_ratio(got_gradient, expected, (meant.gradient_bounds or {}).get(leaf))
        found.append(Fit(ratio / gathered, f"gradient/{leaf}"))
    return max(found, key=lambda one: one.ratio)


def spared(
    contract: Contract, asked: Asked, leaf: str, got: Array | None, meant: Array | None
) -> tuple[Array | None, Array | None]:
    """Both gradients, with what the contract leaves open set to what was answered: of a loss that is wrong at 0 the
    elements whose logit is 0, of one that drops small entries those that are 0, of one that floors those beyond it; of
    one that takes off the entropy of the labels, in labels that are 0."""
    if got is None or meant is None or got.shape != meant.shape:
        return got, meant
    if contract["clip"] == "log_floor" and leaf in ("logits", "labels"):
        x = asked.probe.question.inputs["logits"]
        floored = np.abs(x) > SATURATED if contract["input"] == "logits" else (x < 1e-12) | (x > 1 - 1e-12)
        meant = np.where(floored, got, meant)
    if leaf == "labels" and contract["offset"] == "label_entropy":  # t log t has no finite derivative at 0
        return got, np.where(asked.probe.question.inputs["labels"] == 0, got, meant)
    if leaf != "logits":
        return got, meant
    if contract["input"] == "probabilities":  # 0 times the infinite derivative of log 0 is 0 or NaN, as it is written
        meant = np.where(np.isnan(meant), got, meant)
    match contract["gradient_logits"]:
        case "wrong_at_zero":
            return got, np.where(asked.probe.question.inputs["logits"] == 0, got, meant)
        case "filtered":
            return got, np.where((got == 0) & (np.abs(meant) <= _least(meant[got != 0])), got, meant)
        case _:
            return got, meant


def _least(kept: Array) -> float:
    """The smallest entry of a gradient that was not dropped, than which what is dropped is smaller; infinite where none
    was kept."""
    return float(np.abs(kept).min(initial=np.inf))


def _gradient_ratio(got: Array | None, expected: Array | None, bound: Array | None) -> float:
    if got is None:
        return 0.0 if expected is None or not np.any(expected) else np.inf
    if expected is None or bound is None:
        return 0.0 if not np.any(got) else np.inf
    return _ratio(got, expected, bound)


def _ratio(got: Array, meant: Array, bound: Array) -> float:
    if got.size != meant.size:
        return np.inf
    with np.errstate(all="ignore"):
        got, meant, bound = got.ravel(), meant.ravel(), np.broadcast_to(bound, meant.shape).ravel()
        error = np.abs(got - meant)
        ratios = np.where(_alike(got, meant), 0.0, error / np.maximum(bound, 1e-300))
        return float(np.nan_to_num(ratios, nan=np.inf).max(initial=0.0))


def _alike(got: Array, meant: Array) -> Any:
    """Equal, infinities included, or both NaN."""
    return (got == meant) | (np.isnan(got) & np.isnan(meant))
