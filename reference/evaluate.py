"""The public reference: one variant, one input, one reduction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

import numpy as np

from lossvet.reference import output, variants
from lossvet.reference.types import Array, Case, Family, Reduction, kept, leaves
from lossvet.reference.values import exact_values, values


@dataclass(frozen=True)
class Evaluation:
    """A loss, float64 of shape [], [N] or [N, C], and the gradients of its sum, by the input differentiated in.

    `loss_error` and `gradient_errors`, of the same shapes, bound the error of each number.
    """

    loss: Array
    gradients: Mapping[str, Array]
    loss_error: Array
    gradient_errors: Mapping[str, Array]


def evaluate(
    variant: str, logits: Any, labels: Any, *, reduction: Reduction = "mean", exact: bool = False, **params: Any
) -> Evaluation:
    """The loss and its gradients, each with its error: at most 4 u times the sum of the magnitudes of its terms.

    `variant` is a name from `lossvet.reference.variants.names()`. `logits` has shape [N, C]; `labels` [N, C], or [N]
    integers for a variant of the sparse family. `params` are the fields of the variant's own parameters: pos_weight,
    class_weight, cost_matrix, sample_weight, label_smoothing, ignore_index. All are read as float64. u is 2^-53.

    With `exact` the loss and its gradients are correct to the last bit or nearly so, as a proof needs them: they are
    computed in double-double arithmetic, which takes some hundred times as long, and N x C x C numbers for
    cost_complement. Inputs that are infinite, or not between 2^-100 and 2^100, are always evaluated in this way.

    0/0 gives NaN: a mean over no rows is undefined. Infinite logits are treated as limits, with 0 * inf = 0; a softmax
    takes -inf only, and NaN gives NaN.

    Raises KeyError for an unknown variant, TypeError for unknown or missing parameters, ValueError for shapes that do
    not fit, labels out of range, or a reduction that the variant does not have.

    >>> evaluate("sparse", [[0.0, 0.0]], [1], reduction="sum").loss
    array(0.69314718)
    """
    chosen = variants.load(variant)
    if reduction not in chosen.reductions:
        raise ValueError(f"{variant} has no reduction {reduction!r}; it has: {', '.join(chosen.reductions)}")
    known = {f.name: f for f in fields(chosen.params)}
    if strange := sorted(params.keys() - known.keys()):
        raise TypeError(
            f"{variant} has no parameter {', '.join(strange)}; its parameters: {', '.join(known) or 'none'}"
        )
    required = [f.name for f in known.values() if f.default is MISSING]
    if lacking := [name for name in required if params.get(name) is None]:
        raise TypeError(f"{variant} needs {', '.join(lacking)}")
    arrays = {
        n: np.asarray(v, np.float64) if "Array" in str(known[n].type) and v is not None else v
        for n, v in params.items()
    }
    x = np.asarray(logits, np.float64)
    case = Case(
        id=f"{variant}/given",
        bits=53,
        logits=x,
        labels=_labels(labels) if chosen.family == "sparse" else np.asarray(labels, np.float64),
        params=chosen.params(**arrays),
        cotangent=np.broadcast_to(1.0, x.shape if chosen.family == "binary" else x.shape[:1]),
        direction=np.broadcast_to(0.0, x.shape),
    )
    check_shapes(chosen.family, case)
    loss = output.loss(reduction)
    gradients = {leaf: output.gradient(reduction, leaf) for leaf in leaves(chosen, case)}
    found = (exact_values if exact else values)(chosen, case, (loss, *gradients.values()))
    return Evaluation(
        found[loss].value,
        {leaf: found[name].value for leaf, name in gradients.items()},
        found[loss].error,
        {leaf: found[name].error for leaf, name in gradients.items()},
    )


def _labels(labels: Any) -> Any:
    found = np.asarray(labels)
    return found if found.size else found.astype(np.int64)  # an empty list has no integers in it to be seen


def check_shapes(family: Family, case: Case) -> None:
    """Raise ValueError, naming what was found and expected, unless all shapes and integer labels fit the logits."""
    x, y, params = case.logits, case.labels, case.params
    if x.ndim != 2 or x.shape[1] == 0:
        raise ValueError(f"logits have shape {list(x.shape)}; expected [N, C] with C >= 1")
    n, c = x.shape
    if family == "sparse":
        if y.shape != (n,) or y.dtype.kind not in "iu":
            raise ValueError(f"labels are {y.dtype} of shape {list(y.shape)}; expected integers of shape [{n}]")
        if wrong := sorted({int(i) for i in y if not 0 <= i < c and i != params.ignore_index}):
            raise ValueError(f"labels {wrong} are outside [0, {c}) and not ignore_index ({params.ignore_index})")
    elif y.shape != (n, c):
        raise ValueError(f"labels have shape {list(y.shape)}; expected that of the logits, [{n}, {c}]")
    if family != "binary" and np.isposinf(np.fmax.reduce(x[kept(family, case)], axis=None, initial=-np.inf)):
        raise ValueError(
            "a logit is +inf, for which a softmax has no limit independent of the other logits; -inf masks a class"
        )
    if not 0 <= (alpha := getattr(params, "label_smoothing", 0.0)) <= 1:
        raise ValueError(f"label_smoothing is {alpha}; expected a share in [0, 1]")
    expected: dict[str, list[tuple[int, ...]]] = {
        "class_weight": [(c,)],
        "cost_matrix": [(c, c)],
        "sample_weight": [(n,)],
        "pos_weight": [(), (c,)],
    }
    for name, shapes in expected.items():
        value = getattr(params, name, None)
        if value is not None and value.shape not in shapes:
            wanted = " or ".join(str(list(shape)) for shape in shapes)
            raise ValueError(f"{name} has shape {list(value.shape)}; expected {wanted}")
