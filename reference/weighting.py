"""Class weights from the frequencies of the classes.

Compute weights once, from the whole training set. Weights computed from a batch change from batch to batch, and a class
that is missing from the batch is an error here. A common factor of all weights has no effect under the reduction
`weighted_mean`; under `mean` it is a factor on the learning rate.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from lossvet.reference.types import Array

Normalise = Literal["one", "classes"]


def inverse_frequency(
    counts: Any, *, normalise: Normalise | None = None, floor: float | None = None, balanced: bool = False
) -> Array:
    """Weights w [C] inversely proportional to the number of examples of each class, from `counts` n [C], N = sum(n).

    w_c = N / n_c, or N / (C n_c) where `balanced`: then the weights of all N examples sum to N, as with
    class_weight="balanced" of scikit-learn, after G. King and L. Zeng, Logistic Regression in Rare Events Data, 2001.
    `normalise` divides the weights by their sum ("one") or by their mean ("classes": they sum to C); then `balanced`
    makes no difference.

    Raises ValueError for counts that are not [C] or are negative, and, naming it, for a class that never occurs, unless
    a `floor` is given: then n_c is at least the floor. N is the sum of the original counts.

    >>> inverse_frequency([6, 3, 1])
    array([ 1.66666667,  3.33333333, 10.        ])
    >>> inverse_frequency([6, 3, 1], balanced=True)
    array([0.55555556, 1.11111111, 3.33333333])
    >>> inverse_frequency([6, 3, 1], normalise="one")
    array([0.11111111, 0.22222222, 0.66666667])
    >>> inverse_frequency([6, 3, 0])
    Traceback (most recent call last):
    ...
    ValueError: class 2 never occurs, so it has no weight; leave the class out, or give it a count above 0
    >>> inverse_frequency([6, 3, 0], floor=0.5)
    array([ 1.5,  3. , 18. ])
    """
    if floor is not None and not floor > 0:
        raise ValueError(f"floor is {floor}; expected more than 0")
    given = _checked(counts)
    n = given if floor is None else np.maximum(given, floor)
    _all_occur(n)
    share = float(len(n)) if balanced else 1.0
    return _normalised(given.sum() / (share * n), normalise)


def effective_number(counts: Any, beta: float, *, normalise: Normalise | None = None) -> Array:
    """Weights w [C] inversely proportional to the effective number of examples of each class, from `counts` n [C].

    w_c = (1 - beta) / (1 - beta ** n_c), 0 <= beta <= 1: equal weights at beta = 0, and 1 / n_c in the limit beta = 1.
    From Y. Cui and others, Class-Balanced Loss Based on Effective Number of Samples, CVPR 2019, who normalise to
    "classes". Accurate near beta = 1, where both differences would cancel if computed as written.

    Raises ValueError for counts that are not [C] or are negative, for a beta outside [0, 1] and, naming it, for a class
    that never occurs.

    >>> effective_number([1, 2, 3], 0.5)
    array([1.        , 0.66666667, 0.57142857])
    >>> effective_number([6, 3, 1], 1.0)
    array([0.16666667, 0.33333333, 1.        ])
    >>> effective_number([6, 3, 1], 0.0)
    array([1., 1., 1.])
    """
    if not 0 <= beta <= 1:
        raise ValueError(f"beta is {beta}; expected 0 <= beta <= 1")
    n = _checked(counts)
    _all_occur(n)
    match beta:
        case 0:
            weights = np.ones_like(n)
        case 1:
            weights = 1 / n
        case _:
            # From beta = 1/2 on, 1 - beta is exact, and log1p of it keeps the digits that log(beta) would lose.
            log_beta = np.log1p(-(1 - beta)) if beta > 0.5 else np.log(beta)
            weights = (1 - beta) / -np.expm1(n * log_beta)
    return _normalised(weights, normalise)


def _checked(counts: Any) -> Array:
    """The counts as float64 [C]. Raises ValueError unless they are finite and none is negative."""
    n = np.asarray(counts, dtype=np.float64)
    if n.ndim != 1 or n.size == 0:
        raise ValueError(f"counts have shape {list(n.shape)}; expected [C], one for each class")
    if not (np.isfinite(n) & (n >= 0)).all():
        raise ValueError(f"counts are {n.tolist()}; expected finite numbers, none negative")
    return n


def _all_occur(n: Array) -> None:
    """Raises ValueError, naming it, for the first class that never occurs."""
    for c in np.flatnonzero(n == 0):
        raise ValueError(
            f"class {c} never occurs, so it has no weight; leave the class out, or give it a count above 0"
        )


def _normalised(weights: Array, normalise: Normalise | None) -> Array:
    match normalise:
        case None:
            return weights
        case "one":
            return np.asarray(weights / weights.sum())
        case "classes":
            return np.asarray(weights * (len(weights) / weights.sum()))
        case _:
            raise ValueError(f"normalise is {normalise!r}; expected None, 'one' or 'classes'")
