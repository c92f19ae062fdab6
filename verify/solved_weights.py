"""Weights written into the code: found by solving for them, since a result is linear in the weights of its classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from lossvet.reference.types import Array
from lossvet.verify.batches import Domain, one_hot
from lossvet.verify.contract import UNITS, Contract
from lossvet.verify.leads import Leads
from lossvet.verify.matching import Asked, applies
from lossvet.verify.pipeline import Undefined, evaluate
from lossvet.verify.space import GAMMA, bases


class Accuracy(NamedTuple):
    """How far, relative to the results, a solution may be from explaining them, and how many digits a weight may have
    that somebody wrote: few enough that no other number comes so close to one by chance."""

    residual: float
    digits: int


ACCURACY = {"float64": Accuracy(1e-9, 6), "float32": Accuracy(2e-6, 3)}
"""By the dtype of the answers."""


def contracts(domain: Domain, asked: Sequence[Asked], leads: Leads) -> Iterator[Contract]:
    """Every plain or focal loss with weights by label that explains the results, whatever it is divided by."""
    if set(domain.roles) & {"class_weight", "pos_weight", "binary_weights", "cost_matrix"}:
        return
    accuracy = ACCURACY[domain.dtype]
    for base in bases(domain):
        if not leads.allow(base):
            continue
        for gamma in (0.0, *GAMMA.usual):
            core = base if gamma == 0 else base.with_(modulation="focal", gamma=gamma)
            for denominator in ("batch", "elements", "sum", "weights"):
                found = _solved(core, denominator, asked, accuracy.residual)
                if found is not None:
                    yield _named(core, denominator, found, accuracy)


def _solved(core: Contract, denominator: str, asked: Sequence[Asked], residual: float) -> Array | None:
    """Weights by label, [C] or [2]; None where none explain the results, or the results do not determine them."""
    equations: list[Array] = []
    right: list[float] = []
    for one in asked:
        parts = _parts(core, one)
        if parts is None or (equations and len(parts[0]) != len(equations[0])):
            continue  # as many weights as classes: those of one number of classes are solved for
        sums, counts, elements = parts
        assert one.answer.value is not None
        result = float(one.answer.value.sum())
        if denominator == "weights":
            equations.append(sums - result * counts)
            right.append(0.0)
        else:
            divisor = {"batch": len(one.probe.question.inputs["logits"]), "elements": elements, "sum": 1}[denominator]
            equations.append(sums / divisor)
            right.append(result)
    unknown = len(equations[0]) if equations else 0
    if len(equations) < unknown + 2:
        return None
    matrix, results = np.array(equations), np.array(right)
    if not (np.isfinite(matrix).all() and np.isfinite(results).all()):
        return None
    if denominator == "weights":
        _, sizes, rows = np.linalg.svd(matrix)
        if sizes[-1] > residual * sizes[0] or sizes[-2] < 1e-4 * sizes[0]:
            return None
        found = rows[-1] / rows[-1].mean()
        return None if np.ptp(found) < 1e-6 else found
    found, _, rank, _ = np.linalg.lstsq(matrix, results, rcond=None)
    if rank < unknown or np.abs(matrix @ found - results).max() > residual * (np.abs(results).max() + 1e-3):
        return None
    return None if np.allclose(found, 1.0, atol=1e-8) else found


def _parts(core: Contract, one: Asked) -> tuple[Array, Array, int] | None:
    """The losses of a batch summed by label, how many there are of each, and the number of elements."""
    inputs: dict[str, Any] = one.probe.question.inputs
    if not one.answer.answered or not applies(core, inputs):
        return None
    try:
        losses = evaluate(core.with_(denominator="unreduced"), inputs).value
    except Undefined:
        return None
    labels = inputs["labels"]
    if core["family"] == "sigmoid":
        t = labels if labels.ndim == 2 else one_hot(labels, inputs["logits"].shape[1])
        at = [t == 0, t == 1]
    else:
        y = labels if labels.ndim == 1 else labels.argmax(1)
        at = [y == c for c in range(inputs["logits"].shape[1])]
    return np.array([losses[a].sum() for a in at]), np.array([float(a.sum()) for a in at]), inputs["logits"].size


def _named(core: Contract, denominator: str, found: Array, accuracy: Accuracy) -> Contract:
    if denominator == "weights":  # only their ratios matter: as they were probably written
        scales = ((count / w) for w in found if w > 1e-9 for count in range(1, UNITS + 1))
        found = next((found * scale for scale in scales if _short(found * scale, accuracy)), found)
    rounded = tuple(_as_written(w, accuracy) if abs(w) > 1e-12 else 0.0 for w in found)
    weighting = "both_sides" if core["family"] == "sigmoid" else "class_weight"
    if np.ptp(found) < 1e-9:
        rounded = rounded[:1]
    return core.with_(weighting=weighting, weights_from="constant", constants=rounded, denominator=denominator)


def looks_written(contract: Contract) -> bool:
    """Whether its weights look as if somebody had written them: 0.75 over all elements is 0.0625 over rows of 12."""
    return _short(np.array(contract["constants"], float), ACCURACY["float64"])


def _as_written(weight: float, accuracy: Accuracy) -> float:
    short = float(f"{weight:.{accuracy.digits}g}")
    return short if abs(short - weight) <= accuracy.residual * abs(weight) else float(weight)


def _short(found: Array, accuracy: Accuracy) -> bool:
    return all(float(f"{w:.{accuracy.digits}g}") == _as_written(w, accuracy) for w in found)
