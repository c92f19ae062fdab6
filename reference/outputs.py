"""From the closed form of a variant to all that a case is judged by: losses, reductions, gradients, Hessian product."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, assert_never

import numpy as np

from lossvet.reference import output
from lossvet.reference.output import HVP
from lossvet.reference.types import Array, Case, Reduction, Variant, leaves, output_names


def outputs(a: Any, variant: Variant, case: Case, names: tuple[str, ...] | None = None) -> dict[str, Any]:
    """All outputs by name (`types.output_names`), over the arithmetic `a`; where names are given, those alone.

    With k the sample weights times those of the variant, a reduction is A / D: A = sum(v * loss), D one of 1, the
    number of losses that count, sum(k), and the number of non-zero k. Its gradient is that of A over D, less A / D^2
    times that of D, which is not zero for sum(k) alone.
    """
    logits, labels, kept = _clean(variant, case)
    rows = variant.closed(a, logits, labels, case.params)
    v = _sample_weight(a, variant, case, kept)
    loss = rows.loss if v is None else v * rows.loss
    weight: Any = None if rows.weight is None else v * rows.weight
    total = loss.sum((0, 1)) if variant.family == "binary" else loss.sum(0)
    counts = kept.sum() if variant.family != "binary" else case.logits.size
    wanted = output_names(variant, case) if names is None else names
    asked_for = [output.parse(name) for name in wanted]
    into = tuple(leaf for leaf in leaves(variant, case) if any(o.leaf == leaf for o in asked_for if o != HVP))

    def asked(by_leaf: dict[str, Any]) -> dict[str, Any]:
        return {leaf: value() if callable(value) else value for leaf, value in by_leaf.items() if leaf in into}

    def gradient(g: Any, along_weight: Any = None) -> dict[str, Any]:
        """The gradient of sum(g * loss), plus that of sum(along_weight * weight)."""
        found = asked(rows.pullback(g if v is None else g * v))
        if "sample_weight" in into:
            found["sample_weight"] = a.exact(kept) * g * rows.loss
        if along_weight is not None:
            more = asked(rows.weight_pullback(along_weight * v))
            if "sample_weight" in into:
                more["sample_weight"] = a.exact(kept) * along_weight * rows.weight
            found.update({name: found[name] + value if name in found else value for name, value in more.items()})
        return {leaf: found[leaf] for leaf in into}

    def reduced(reduction: Reduction) -> tuple[Any, Callable[[], dict[str, Any]]]:
        """The reduced loss, and how to have its gradient."""
        each = a.exact(np.broadcast_to(1.0, np.shape(case.cotangent)))
        denominator: Any
        match reduction:
            case "none":
                return loss, lambda: gradient(a.exact(case.cotangent))
            case "sum":
                return total, lambda: gradient(each)
            case "mean":
                denominator = a.exact(float(counts))
            case "nonzero_mean":
                denominator = a.exact(float(np.count_nonzero(a.plain(weight))))
            case "weighted_mean":
                denominator = weight.sum(0)
            case _:
                assert_never(reduction)
        if not a.plain(denominator).all():
            return a.exact(np.nan), lambda: {
                name: a.exact(np.full(np.shape(leaf), np.nan)) for name, leaf in leaves(variant, case).items()
            }
        value = total / denominator
        along = -each * value / denominator if reduction == "weighted_mean" else None
        return value, lambda: gradient(each / denominator, along)

    found: dict[str, Any] = {}
    for reduction in variant.reductions:
        kinds = {o.kind for o in asked_for if o.reduction == reduction and o != HVP}
        if not kinds:
            continue
        found[output.loss(reduction)], gradients = reduced(reduction)
        if "gradient" in kinds:
            found.update({output.gradient(reduction, leaf): value for leaf, value in gradients().items()})
    if HVP in asked_for and rows.hessian is not None:
        g = a.exact(case.cotangent)
        found[str(HVP)] = rows.hessian(g if v is None else g * v, case.direction)
    return {name: found[name] for name in wanted if name in found}


def undefined_where_infinite(name: str) -> bool:
    """Whether an infinite element of this output is undefined.

    So is the derivative in a label whose term is infinite, for 0 * inf = 0 is a convention and has none; and that of an
    infinite weighted mean in a weight, where the quotient rule subtracts infinities.
    """
    o = output.parse(name)
    return o.kind == "gradient" and (o.leaf == "labels" or (o.reduction == "weighted_mean" and o.leaf != "logits"))


def _clean(variant: Variant, case: Case) -> tuple[Array, Any, Array]:
    """Logits and labels with 0 in place of ignored rows, whatever stood there, and 1.0 for every kept row, [N]."""
    every = np.broadcast_to(1.0, len(case.logits))
    if variant.family != "sparse":
        return case.logits, case.labels, every
    ignored = case.labels == case.params.ignore_index
    if not ignored.any():
        return case.logits, case.labels, every
    return (
        np.where(ignored[:, None], 0.0, case.logits),
        np.where(ignored, 0, case.labels),
        (~ignored).astype(np.float64),
    )


def _sample_weight(a: Any, variant: Variant, case: Case, kept: Array) -> Any:
    if variant.family == "binary":
        return None
    given = case.params.sample_weight
    return a.exact(kept) if given is None else a.exact(kept) * a.leaf(given)
