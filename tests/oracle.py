"""A second opinion on the golden results: every variant once more, by hand from its formula, in mpmath.

Shares no code with `lossvet.reference`: neither the ball arithmetic nor the closed forms. Of the reference it sees
cases only, as data. Losses are evaluated at so many digits that nothing is lost; derivatives are those of these losses,
by a step along the imaginary axis (f(x + ih) = f(x) + ih f'(x) - ..., which cancels nothing), and Hessian products by
central differences of such derivatives. No derivative is spelled out anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from math import ceil, inf, isnan, nan
from typing import Any

import numpy as np
from mpmath import mp, mpc, mpf
from numpy.typing import NDArray

from lossvet.reference.types import Case, array_params

Numbers = NDArray[np.object_]  # mpf or mpc
Doubles = NDArray[np.float64]

FAR, FARTHER = 300_000.0, 900_000.0
"""Where an infinite logit stands while a derivative is taken: what differs between the two is infinite."""


# The variants --------------------------------------------------------------------------------------------------------


def times(*factors: Any) -> Any:
    """The product, where 0 * inf = 0."""
    product = mpf(1)
    for factor in factors:
        if factor == 0:
            return mpf(0)
        product = product * factor
    return product


def softplus(x: Any) -> Any:
    if mp.isinf(x):
        return x if x > 0 else mpf(0)
    return mp.log1p(mp.exp(x))


def power(x: Any) -> Any:
    return mpf(0) if x == -inf else mp.exp(x)


def nll(x: Sequence[Any], c: int) -> Any:
    """log(sum_j e^(x_j - x_c)): the class itself is the 1 of log1p."""
    others = sum((power(x_j) for j, x_j in enumerate(x) if j != c), mpf(0))
    if x[c] == -inf:
        return mpf(inf) if others != 0 else mpf(0)
    return mp.log1p(others / mp.exp(x[c]))


def log_complement(x: Sequence[Any], j: int) -> Any:
    """log(1 - p_j): of 1 / (1 + e^x_j / sum of the others' exponentials)."""
    others = sum((power(x_k) for k, x_k in enumerate(x) if k != j), mpf(0))
    return mpf(-inf) if others == 0 else -mp.log1p(power(x[j]) / others)


def cross_entropy(t: Sequence[Any], x: Sequence[Any]) -> Any:
    return sum((times(t_c, nll(x, c)) for c, t_c in enumerate(t) if t_c != 0), mpf(0))


def dot(a: Sequence[Any], b: Sequence[Any]) -> Any:
    return sum((times(p, q) for p, q in zip(a, b, strict=True)), mpf(0))


def smoothed(y: int, classes: int, alpha: float) -> list[Any]:
    return [(1 - mpf(alpha)) * int(c == y) + mpf(alpha) / classes for c in range(classes)]


def decision(x: Sequence[float]) -> int:
    return max(range(len(x)), key=lambda c: (x[c], -c))


def decisions(x: Numbers, t: Numbers, q: Callable[[int], Any]) -> list[Any]:
    n, classes = x.shape
    return [
        times(q(c), t[i, c], softplus(-x[i, c])) + times(1 - t[i, c], softplus(x[i, c]))
        for i in range(n)
        for c in range(classes)
    ]


def sigmoid(x: Numbers, t: Numbers, p: Mapping[str, Any]) -> tuple[list[Any], None]:
    return decisions(x, t, lambda c: mpf(1)), None


def pos_weight(x: Numbers, t: Numbers, p: Mapping[str, Any]) -> tuple[list[Any], None]:
    q = p["pos_weight"]
    return decisions(x, t, lambda c: q[c] if q.ndim else q[()]), None


def dynamic_pos_weight(x: Numbers, t: Numbers, p: Mapping[str, Any]) -> tuple[list[Any], None]:
    return decisions(x, t, lambda c: len(t) / (sum(t[:, c]) + mpf(1) / 10**6)), None


Rows = Iterator[tuple[Any, Any]]  # of each row the loss, and its sample weight or None


def softmax(x: Numbers, t: Numbers, p: Mapping[str, Any]) -> Rows:
    return ((cross_entropy(t_n, x_n), mpf(1)) for x_n, t_n in zip(x, t, strict=True))


def class_weight(x: Numbers, t: Numbers, p: Mapping[str, Any]) -> Rows:
    for x_n, t_n in zip(x, t, strict=True):
        s = dot(p["class_weight"], t_n)
        yield times(s, cross_entropy(t_n, x_n)), s


def class_weight_terms(x: Numbers, t: Numbers, p: Mapping[str, Any]) -> Rows:
    w = p["class_weight"]
    for x_n, t_n in zip(x, t, strict=True):
        yield cross_entropy([w_c * t_c for w_c, t_c in zip(w, t_n, strict=True)], x_n), dot(w, t_n)


def weighted_logits(x: Numbers, t: Numbers, p: Mapping[str, Any]) -> Rows:
    for x_n, t_n in zip(x, t, strict=True):
        yield cross_entropy(t_n, [times(w_c, x_c) for w_c, x_c in zip(p["class_weight"], x_n, strict=True)]), mpf(1)


def sparse(x: Numbers, y: Sequence[int], p: Mapping[str, Any]) -> Rows:
    return ((nll(x_n, y_n), mpf(1)) for x_n, y_n in zip(x, y, strict=True))


def sparse_class_weight(x: Numbers, y: Sequence[int], p: Mapping[str, Any]) -> Rows:
    for x_n, y_n in zip(x, y, strict=True):
        yield times(p["class_weight"][y_n], nll(x_n, y_n)), p["class_weight"][y_n]


def predicted_weight(x: Numbers, y: Sequence[int], p: Mapping[str, Any]) -> Rows:
    for x_n, y_n, decided in zip(x, y, p["decisions"], strict=True):
        w = p["class_weight"][decided]
        yield times(w, nll(x_n, y_n)), w


def cost_realized(x: Numbers, y: Sequence[int], p: Mapping[str, Any]) -> Rows:
    for x_n, y_n, decided in zip(x, y, p["decisions"], strict=True):
        cost = p["cost_matrix"][y_n, decided]
        yield times(cost, nll(x_n, y_n)), cost


def cost_expected(x: Numbers, y: Sequence[int], p: Mapping[str, Any]) -> Rows:
    for x_n, y_n in zip(x, y, strict=True):
        powers = [power(x_c) for x_c in x_n]
        yield dot(powers, p["cost_matrix"][y_n]) / sum(powers), None


def cost_complement(x: Numbers, y: Sequence[int], p: Mapping[str, Any]) -> Rows:
    for x_n, y_n in zip(x, y, strict=True):
        costs = p["cost_matrix"][y_n]
        yield sum((times(-m, log_complement(x_n, j)) for j, m in enumerate(costs) if j != y_n), mpf(0)), None


def smooth_terms(x: Numbers, y: Sequence[int], p: Mapping[str, Any]) -> Rows:
    w = p["class_weight"]
    for x_n, y_n in zip(x, y, strict=True):
        target = smoothed(y_n, len(x_n), p["label_smoothing"])
        yield cross_entropy([w_c * t_c for w_c, t_c in zip(w, target, strict=True)], x_n), w[y_n]


def smooth_sample(x: Numbers, y: Sequence[int], p: Mapping[str, Any]) -> Rows:
    for x_n, y_n in zip(x, y, strict=True):
        target = smoothed(y_n, len(x_n), p["label_smoothing"])
        s = dot(p["class_weight"], target)
        yield times(s, cross_entropy(target, x_n)), s


def smooth_after(x: Numbers, y: Sequence[int], p: Mapping[str, Any]) -> Rows:
    for x_n, y_n in zip(x, y, strict=True):
        w = p["class_weight"][y_n]
        yield times(w, cross_entropy(smoothed(y_n, len(x_n), p["label_smoothing"]), x_n)), w


BINARY = {f.__name__: f for f in (sigmoid, pos_weight, dynamic_pos_weight)}
DENSE = {f.__name__: f for f in (softmax, class_weight, class_weight_terms, weighted_logits)}
SPARSE = {
    f.__name__: f
    for f in (
        sparse, sparse_class_weight, predicted_weight, cost_realized, cost_expected, cost_complement, smooth_terms,
        smooth_sample, smooth_after,
    )
}  # fmt: skip


# Reductions ----------------------------------------------------------------------------------------------------------


def leaves(name: str, case: Case) -> dict[str, Doubles]:
    """What a derivative is taken with respect to: logits, dense labels, and every array among the params."""
    labels = {} if name in SPARSE else {"labels": case.labels}
    return {"logits": case.logits, **labels, **array_params(case.params)}


def exact(values: Doubles) -> Numbers:
    found = np.empty(np.shape(values), object)
    for index in np.ndindex(found.shape):
        found[index] = mpf(float(values[index]))
    return found


def reductions(name: str, case: Case, inputs: Mapping[str, Numbers]) -> dict[str, Any]:
    """By reduction: all losses for "none", in a list; one number for each of the others, None for 0 / 0."""
    params = {**vars(case.params), **inputs}
    x = inputs["logits"]
    if name in BINARY:
        losses, _ = BINARY[name](x, inputs["labels"], params)
        total = sum(losses, mpf(0))
        return {"none": losses, "sum": total, "mean": over(total, len(losses))}
    if name in DENSE:
        kept = list(range(len(x)))
        rows = DENSE[name](x, inputs["labels"], params)
    else:
        kept = [n for n, y in enumerate(case.labels) if y != params["ignore_index"]]
        params["decisions"] = [decision(case.logits[n]) for n in kept]  # made once: nothing is derived through them
        rows = SPARSE[name](x[kept], [int(case.labels[n]) for n in kept], params)
    given = params["sample_weight"]
    v = [mpf(1)] * len(x) if given is None else list(given)
    pairs = dict(zip(kept, rows, strict=True))
    losses = [times(v[n], pairs[n][0]) if n in pairs else mpf(0) for n in range(len(x))]
    total = sum(losses, mpf(0))
    found = {"none": losses, "sum": total, "mean": over(total, len(kept))}
    if all(weight is not None for _, weight in pairs.values()) and name not in ("cost_expected", "cost_complement"):
        weights = [times(v[n], weight) for n, (_, weight) in pairs.items()]
        found["weighted_mean"] = over(total, sum(weights, mpf(0)))
        found["nonzero_mean"] = over(total, sum(mp.re(weight) != 0 for weight in weights))
    return found


def over(total: Any, denominator: Any) -> Any:
    return None if mp.re(denominator) == 0 else total / denominator


# What a case comes to ------------------------------------------------------------------------------------------------


def losses(name: str, case: Case) -> dict[str, Doubles]:
    """ "loss/none" and so on, each rounded once to double; NaN where undefined."""
    with mp.workdps(60):
        found = reductions(name, case, {leaf: exact(value) for leaf, value in leaves(name, case).items()})
        shape = case.cotangent.shape
        return {
            f"loss/{reduction}": np.array([rounded(z) for z in value]).reshape(shape)
            if reduction == "none"
            else np.array(rounded(value))
            for reduction, value in found.items()
        }


def derivatives(name: str, case: Case) -> dict[str, Doubles]:
    """ "gradient/sum/logits" and so on, and "hvp", each rounded once to double; NaN where undefined."""
    if np.isfinite(case.logits).all():
        return _derivatives(name, case, case.logits)
    near, far = (_derivatives(name, case, np.clip(case.logits, -d, d)) for d in (FAR, FARTHER))
    found = {}
    for output, value in far.items():
        settled = (near[output] == value) | np.isnan(value)
        # By agreement: 0 * inf = 0 has no derivative in a label, nor has an infinite quotient in its weights.
        kind, _, quotient = output.partition("/weighted_mean/")
        undefined = output.endswith("/labels") or (kind == "gradient" and quotient not in ("", "logits"))
        found[output] = np.where(settled, value, nan if undefined else np.copysign(inf, value))
    return found


def _derivatives(name: str, case: Case, logits: Doubles) -> dict[str, Doubles]:
    # Steps and digits by how small a result may be beside another of its sum: e^-span, as far as doubles reach.
    scaled = logits * case.params.class_weight if name == "weighted_logits" else logits
    span = (
        2 * float(np.abs(scaled).max(initial=0.0)) if name in BINARY else float(np.ptp(scaled)) if logits.size else 0.0
    )
    extra = ceil(min(span, 1600.0) / 2.3)
    with mp.workdps(100 + 2 * extra):
        step = mpf(10) ** -(40 + extra)
        inputs = {leaf: exact(value) for leaf, value in {**leaves(name, case), "logits": logits}.items()}
        found: dict[str, Doubles] = {}

        def slopes(inputs: Mapping[str, Numbers], leaf: str, index: tuple[int, ...]) -> dict[str, Any]:
            moved = inputs[leaf].copy()
            moved[index] = mpc(moved[index], step)
            values = reductions(name, case, {**inputs, leaf: moved})
            values["none"] = sum((mpf(g) * z for g, z in zip(case.cotangent.flat, values["none"], strict=True)), mpf(0))
            return {reduction: None if z is None else mp.im(z) / step for reduction, z in values.items()}

        for reduction in reductions(name, case, inputs):
            found.update({f"gradient/{reduction}/{leaf}": np.zeros(np.shape(value)) for leaf, value in inputs.items()})
        for leaf, value in inputs.items():
            for index in np.ndindex(value.shape):
                for reduction, slope in slopes(inputs, leaf, index).items():
                    found[f"gradient/{reduction}/{leaf}"][index] = rounded(slope, step)
        found["hvp"] = np.zeros(logits.shape)
        ahead, behind = (inputs["logits"] + s * step * exact(case.direction) for s in (1, -1))
        for index in np.ndindex(logits.shape):
            forward, backward = (slopes({**inputs, "logits": x}, "logits", index)["none"] for x in (ahead, behind))
            found["hvp"][index] = rounded((forward - backward) / (2 * step), step)
    return found


def rounded(x: Any, noise: Any = 0) -> float:
    """The double nearest to x, 0 where x is no more than what the step leaves of an exact 0; NaN for None."""
    if x is None:
        return nan
    if not mp.isfinite(x):
        return float(x)
    if abs(x) < noise * mpf(10) ** -20:
        return 0.0
    sign, mantissa, exponent, bits = x._mpf_
    if exponent + bits < -1100:  # e^-(2^63) as a fraction would have 2^63 digits
        return 0.0
    try:
        return float(Fraction(int(mantissa)) * Fraction(2) ** exponent) * (-1 if sign else 1)
    except OverflowError:
        return -inf if sign else inf


def ulps(found: float, expected: float) -> float:
    """How far apart two doubles are, in ulp of the expected one; 0 where both are NaN or the same infinity."""
    if found == expected or (isnan(found) and isnan(expected)):
        return 0.0
    difference = abs(found - expected) / float(np.spacing(abs(expected)))
    return inf if isnan(difference) else difference
