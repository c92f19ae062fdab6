"""The words of the reference as types: variant, case, and what a loss is asked for.

Letters, here and in every formula: N examples, C classes, x logits [N, C], t dense labels [N, C], y sparse labels [N],
w class weights [C], q pos_weight, M cost matrix [C, C] (rows the true class), v sample weights [N], a label smoothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lossvet.reference import output
from lossvet.reference.reductions import REDUCTIONS as REDUCTIONS
from lossvet.reference.reductions import Reduction as Reduction

Array = NDArray[np.float64]
Family = Literal["binary", "dense", "sparse"]
Undefined = Literal["", "zero_over_zero", "infinite", "label_out_of_range"]
"""Why mathematics leaves results of a case undefined: a mean divides 0 by 0; terms are inf - inf or 0 * inf; a label is
no class. Empty where it defines all of them. What frameworks document there is no matter of the reference."""


@dataclass(frozen=True, eq=False)
class Case:
    """One input to a variant, exact in every dtype that has `bits` significant bits.

    `labels` are float64 [N, C] (binary and dense families) or int64 [N] (sparse). `cotangent` multiplies the unreduced
    losses where the gradient of `none` is asked for; `direction` [N, C] is the second-order direction in the logits.
    """

    id: str
    bits: int
    logits: Array
    labels: NDArray[Any]
    params: Any
    cotangent: Array
    direction: Array
    hazards: tuple[str, ...] = ()
    undefined: Undefined = ""
    note: str = ""


@dataclass(frozen=True)
class Rows:
    """The closed form of a variant over some arithmetic (see `arithmetic.py`), before reduction and sample weights.

    `loss` has shape [N] or [N, C]; `weight`, the sample weight, [N] or is None where the variant has none.
    `pullback(g)` is the gradient of sum(g * loss) and `weight_pullback(g)` that of sum(g * weight), by leaf: a number,
    or a zero-argument callable where it is expensive and may not be needed;
    `hessian(g, u)` is the Hessian of sum(g * loss) in the logits, times u.
    """

    loss: Any
    pullback: Callable[[Any], dict[str, Any]]
    weight: Any = None
    weight_pullback: Callable[[Any], dict[str, Any]] = lambda g: {}
    hessian: Callable[[Any, Array], Any] | None = None


@dataclass(frozen=True)
class Variant:
    """One loss with one meaning. A file in `variants/` makes exactly one, named as the file is.

    `definition(b, logits, labels, params)` spells the textbook definition over the ball numbers of `balls.py`;
    `closed(a, logits, labels, params)` gives `Rows` over an arithmetic; `losses(ops, logits, labels, params)` and
    `weights(ops, logits, labels, params)` are the `composed` recipe, over a framework's operations. Sparse labels
    reach all of them already cleaned: an ignored row arrives with label 0 and is dropped afterwards.
    """

    name: str
    family: Family
    params: type
    formula: str
    definition: Callable[..., Any]
    closed: Callable[..., Rows]
    losses: Callable[..., Any]
    cases: Callable[[], Iterable[Case]]
    weights: Callable[..., Any] | None = None
    means: Mapping[str, str | tuple[str, ...]] | None = field(default=None, hash=False)
    """The contract of a row's loss, in the facets of `verify`; {} is the plain softmax cross-entropy, and None a loss
    that they have no words for: it is judged and timed, and no user loss is ever taken for it."""
    cancels: Literal["nowhere", "in_gradients", "everywhere"] = "nowhere"
    """Where terms of opposite signs meet whatever the labels are (`cancelling.py` says what labels do)."""
    pairs: bool = False
    """Whether `closed` goes through all pairs of classes, [N, C, C], and so is slow for many classes."""

    @property
    def reductions(self) -> tuple[Reduction, ...]:
        """The reductions that exist: those that divide by sample weights need sample weights."""
        return tuple(r for r, how in REDUCTIONS.items() if self.weights is not None or not how.by_weights)


def leaves(variant: Variant, case: Case) -> dict[str, Array]:
    """The inputs that gradients are taken in, by name: logits, dense labels, and the arrays among the params."""
    dense = {} if variant.family == "sparse" else {"labels": case.labels}
    return {"logits": case.logits, **dense, **array_params(case.params)}


def kept(family: Family, case: Case) -> NDArray[np.bool_]:
    """Which rows count, [N]: all but those of a sparse loss whose label is ignore_index."""
    every = np.ones(len(case.logits), bool)
    return np.asarray(case.labels != case.params.ignore_index) if family == "sparse" else every


def array_params(params: Any) -> dict[str, Array]:
    """The params that are arrays and given; the others are settings (ignore_index, label_smoothing)."""
    values = {f.name: getattr(params, f.name) for f in fields(params)}
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


def output_names(variant: Variant, case: Case) -> tuple[str, ...]:
    """Every output a case has, in the order in which it is judged: losses, gradients by reduction and leaf, and "hvp".

    "loss/mean" is the reduced loss; "gradient/mean/logits" its gradient; "gradient/none/logits" the gradient of
    sum(cotangent * loss), and "hvp" the Hessian of that sum, in the logits, times the direction.
    """
    losses = [output.loss(r) for r in variant.reductions]
    gradients = [output.gradient(r, leaf) for r in variant.reductions for leaf in leaves(variant, case)]
    return (*losses, *gradients, str(output.HVP))
