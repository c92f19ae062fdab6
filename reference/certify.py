"""Proven outcomes: every loss and gradient of a case as the double nearest to the truth.

A case is evaluated in ball arithmetic from the definition of its variant, with more and more bits until both ends of
every ball round to the same double (Ziv's strategy). Gradients come from differentiating the definition, one input at a
time, and never from a closed form. Classes that may be exchanged without a change of any input have the same
derivatives: of those, one is differentiated in. Needs the extra `certify`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, arb_series, ctx
from numpy.typing import NDArray

from lossvet.reference import balls, output
from lossvet.reference.outputs import undefined_where_infinite
from lossvet.reference.types import Array, Case, Reduction, Variant, array_params, leaves, output_names

FIRST_BITS, LAST_BITS = 128, 1 << 14
FAR = 2.0**20  # an infinite logit is taken as a limit: at this distance and at twice it
BY_ROW = ("loss/none", "gradient/none/logits", "hvp")
BY_CLASS = ("logits", "labels", "class_weight", "pos_weight")  # leaves whose last axis is that of the classes
INVALID = "invalid_label"  # hazard of cases some of whose labels are no class


def certify(variant: Variant, case: Case) -> dict[str, Array]:
    """All outputs of the case by name; NaN where the mathematics is undefined.

    Infinite logits are limits: the outcome is the double that both distances give, or infinite where it grows with the
    distance. (`outputs.undefined_where_infinite`: or undefined). Raises
    ArithmeticError where LAST_BITS bits do not settle the last place.
    """
    case = _without_ignored_logits(variant, case)
    if INVALID in case.hazards:
        return _without_invalid_rows(variant, case)
    if np.isfinite(case.logits).all():
        return _evaluate(variant, case)
    near, far = (_evaluate(variant, _at_distance(case, scale)) for scale in (FAR, 2 * FAR))
    return {name: _limit(name, near[name], far[name]) for name in near}


def shapes(variant: Variant, case: Case) -> dict[str, tuple[int, ...]]:
    """The shape of every output, by name."""
    by_leaf = {name: value.shape for name, value in leaves(variant, case).items()}

    def shape(name: str) -> tuple[int, ...]:
        of = output.parse(name)
        if of.kind == "loss":
            return case.cotangent.shape if of.reduction == "none" else ()
        return by_leaf[of.leaf]

    return {name: shape(name) for name in output_names(variant, case)}


def _without_ignored_logits(variant: Variant, case: Case) -> Case:
    """The case with 0 for the logits of ignored rows, whatever they are: infinite or NaN, which no ball holds.

    No outcome depends on them. An ignored row is no part of the batch: `_reductions` leaves it out before the
    definition sees any row, so that losses, weights and denominators are the same functions of the other rows at all
    values of its logits, at those included that are no numbers. A function that is constant in an input needs no value
    of it, nor a limit; its derivatives in that input are 0, the ones that are found at logits of 0.
    """
    if variant.family != "sparse":
        return case
    ignored = case.labels == case.params.ignore_index
    return dataclasses.replace(case, logits=np.where(ignored[:, None], 0.0, case.logits))


def _without_invalid_rows(variant: Variant, case: Case) -> dict[str, Array]:
    """Rows whose label is no class are undefined, and with them all that is not by row."""
    kept = case.labels == case.params.ignore_index
    invalid = ~kept & ((case.labels < 0) | (case.labels >= case.logits.shape[1]))
    found = _evaluate(variant, dataclasses.replace(case, labels=np.where(invalid, 0, case.labels)))
    for name, value in found.items():
        value[invalid if name in BY_ROW else ...] = np.nan
    return found


def _at_distance(case: Case, distance: float) -> Case:
    return dataclasses.replace(case, logits=np.clip(case.logits, -distance, distance))


def _limit(name: str, near: Array, far: Array) -> Array:
    settled = (near == far) | (np.isnan(near) & np.isnan(far))
    grows = np.abs(far) > 1.5 * np.abs(near)
    if not (settled | grows).all():
        raise ArithmeticError(f"{name} has no limit at an infinite logit: {near} at {FAR:g}, {far} at twice that")
    return np.where(settled, far, np.nan if undefined_where_infinite(name) else np.copysign(np.inf, far))


def _evaluate(variant: Variant, case: Case) -> dict[str, Array]:
    bits = FIRST_BITS
    while bits <= LAST_BITS:
        try:
            return _rounded(variant, case, bits)
        except _Unsettled:
            bits *= 2
    raise ArithmeticError(f"{case.id}: {LAST_BITS} bits do not settle the last place of every output")


class _Unsettled(Exception):
    """A ball whose ends round to different doubles: more bits are needed."""


def _rounded(variant: Variant, case: Case, bits: int) -> dict[str, Array]:
    ctx.prec, ctx.cap = bits, 4
    found = {name: np.zeros(shape) for name, shape in shapes(variant, case).items()}
    inputs = leaves(variant, case)
    for name, value in _reductions(variant, case, _Seed()).items():
        whole = found[output.loss(name)]
        whole[...] = _doubles(value, 0, whole.shape)
    first = _exchangeable(variant, case)
    for leaf, value in inputs.items():
        for index in _distinct(leaf, value.shape, first):
            for name, moved in _reductions(variant, case, _Seed({leaf: _unit(value.shape, index)})).items():
                slope = _inner(moved, case.cotangent) if name == "none" else moved
                found[output.gradient(name, leaf)][index] = _double(_coefficient(slope, 1))
    found[str(output.HVP)][...] = _hessian_product(variant, case, first)
    return {
        name: value[..., first] if output.parse(name).leaf in BY_CLASS and value.ndim else value
        for name, value in found.items()
    }


def _exchangeable(variant: Variant, case: Case) -> NDArray[np.int64]:
    """[C]: for each class the first of those with which it may be exchanged, itself where there is none before it.

    A definition treats all classes alike, but for what the labels say of them and for which is predicted. So where
    two classes have the same logits, labels, weights, cotangents and directions, and neither or both are predicted,
    exchanging them changes nothing, and their derivatives are equal. Costs are a matrix, and tell all classes apart.
    """
    classes = case.logits.shape[1]
    each = np.arange(classes)
    columns = [case.logits, case.direction, np.equal.outer(_argmax(case.logits), each)]
    columns.append(np.equal.outer(case.labels, each) if variant.family == "sparse" else case.labels)
    columns += [case.cotangent] if variant.family == "binary" else []
    for name, value in array_params(case.params).items():
        match name, value.ndim:
            case "sample_weight", _:
                continue
            case _, 0 | 1:
                columns.append(np.broadcast_to(value, (1, classes)))
            case _:
                columns.append(each[None])
    _, first, same = np.unique(np.vstack(columns), axis=1, return_index=True, return_inverse=True)
    return np.asarray(first[same.reshape(-1)])


def _argmax(logits: Array) -> NDArray[np.int64]:
    return logits.argmax(1) if logits.size else np.zeros(len(logits), np.int64)


def _distinct(leaf: str, shape: tuple[int, ...], first: NDArray[np.int64]) -> Iterator[tuple[int, ...]]:
    """The places of a leaf whose derivatives are none of those of an exchangeable class."""
    by_class = leaf in BY_CLASS and shape
    return (index for index in np.ndindex(shape) if not by_class or first[index[-1]] == index[-1])


def _hessian_product(variant: Variant, case: Case, first: NDArray[np.int64]) -> Array:
    """By polarisation: the second coefficients along e + u, e and u differ by e' H u."""

    def second(direction: Array) -> Any:
        moved = _reductions(variant, case, _Seed({"logits": direction}, order=2))["none"]
        return _coefficient(_inner(moved, case.cotangent), 2)

    product = np.zeros(case.logits.shape)
    along = second(case.direction)
    for index in _distinct("logits", product.shape, first):
        unit = _unit(product.shape, index)
        product[index] = _double(_sum_exactly(second, unit, case.direction) - second(unit) - along)
    return product


def _sum_exactly(second: Any, unit: Array, direction: Array) -> Any:
    total = unit + direction
    if not (total - direction == unit).all():
        raise ArithmeticError("a direction of second order needs so few bits that 1 can be added to it exactly")
    return second(total)


@dataclasses.dataclass(frozen=True)
class _Seed:
    """Which inputs move, and how fast: slopes by leaf name."""

    slopes: Mapping[str, Array] = dataclasses.field(default_factory=dict)
    order: int = 1

    def number(self, leaf: str, value: Array) -> Any:
        """The leaf as (lists of lists of) series."""
        slopes = self.slopes.get(leaf, np.zeros(value.shape))
        if value.ndim == 0:
            return balls.number(float(value), float(slopes), self.order)
        return [_Seed({leaf: s}, self.order).number(leaf, v) for v, s in zip(value, slopes, strict=True)]


def _reductions(variant: Variant, case: Case, seed: _Seed) -> dict[Reduction, Any]:
    """The losses by reduction, as series; None where a reduction divides by exactly 0."""
    n = len(case.logits)
    kept = [i for i in range(n) if variant.family != "sparse" or case.labels[i] != case.params.ignore_index]
    logits = seed.number("logits", case.logits)
    labels = list(map(int, case.labels)) if variant.family == "sparse" else seed.number("labels", case.labels)
    params = dataclasses.replace(case.params, **{k: seed.number(k, v) for k, v in array_params(case.params).items()})
    losses, weights = variant.definition(balls, [logits[i] for i in kept], [labels[i] for i in kept], params)
    if variant.family == "binary":
        elements = [loss for row in losses for loss in row]
        return {"none": elements, "sum": _total(elements), "mean": _over(_total(elements), len(elements))}
    v = params.sample_weight or [1] * n
    losses = {i: v[i] * loss for i, loss in zip(kept, losses, strict=True)}
    total = _total(losses.values())
    found: dict[Reduction, Any] = {
        "none": [losses.get(i, 0) for i in range(n)],
        "sum": total,
        "mean": _over(total, len(kept)),
    }
    if weights is not None:
        weights = [v[i] * weight for i, weight in zip(kept, weights, strict=True)]
        found["weighted_mean"] = _over(total, _total(weights))
        found["nonzero_mean"] = _over(total, sum(not _is_zero(w) for w in weights))
    return found


def _total(terms: Any) -> Any:
    return sum(terms, start=arb(0))


def _over(total: Any, denominator: Any) -> Any:
    return None if _is_zero(denominator) else total / denominator


def _is_zero(x: Any) -> bool:
    """Whether x is 0; undecided, for the time being, where a ball has 0 in it and more."""
    constant = _coefficient(x, 0)
    if constant == 0:
        return True
    if constant.contains(0):
        raise _Unsettled
    return False


def _inner(losses: Any, cotangent: Array) -> Any:
    return _total(arb(float(g)) * loss for g, loss in zip(cotangent.flat, losses, strict=True))


def _coefficient(x: Any, n: int) -> Any:
    if x is None:
        return None
    if isinstance(x, arb_series):
        return x[n]
    return arb(x) if n == 0 else arb(0)


def _doubles(value: Any, n: int, shape: tuple[int, ...]) -> Array:
    """The nth coefficients of one number, or of a list of them, in this shape."""
    numbers = value if isinstance(value, list) else [value]
    return np.array([_double(_coefficient(x, n)) for x in numbers], np.float64).reshape(shape)


def _double(ball: Any) -> float:
    """The double that every number of the ball rounds to, to nearest and ties to even; NaN for None."""
    if ball is None:
        return float("nan")
    if not ball.is_finite():
        raise _Unsettled
    low, high = _nearest(ball.lower()), _nearest(ball.upper())
    if low != high:
        raise _Unsettled
    return high + 0.0  # never -0.0


def _nearest(x: Any) -> float:
    mantissa, exponent = (int(part) for part in x.man_exp())
    if mantissa and mantissa.bit_length() + exponent < -1100:
        return 0.0
    if mantissa and mantissa.bit_length() + exponent > 1100:
        return float("inf") if mantissa > 0 else float("-inf")
    try:
        return float(Fraction(mantissa) * Fraction(2) ** exponent)
    except OverflowError:
        return float("inf") if mantissa > 0 else float("-inf")


def _unit(shape: tuple[int, ...], index: tuple[int, ...]) -> Array:
    unit = np.zeros(shape)
    unit[index] = 1.0
    return unit
