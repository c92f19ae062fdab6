"""Batches that a side of verify is asked with: what it can take, and inputs by role for it.

Numbers are multiples of 1/64, so that they are exact in every dtype that a side may compute in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lossvet.verify.questions import Question

Inputs = dict[str, Any]


@dataclass(frozen=True)
class Domain:
    """What a side can be asked: which roles it takes, labels of which kind, and how many classes (None: any number).

    `scalars` names the roles that want one number where an array could stand; `one_column`, that logits are [N, 1].
    `differentiable` says whether it may have gradients at all; none of NumPy's functions has one. `probabilities`, that
    it refuses anything but rows in (0, 1) that sum to 1 in place of logits; `dtype`, in which it is asked;
    `strange_labels`, labels beside the usual ones that are no class and that it may leave out.
    """

    roles: tuple[str, ...]
    labels: Literal["sparse", "dense"]
    classes: int | None = None
    scalars: tuple[str, ...] = ()
    one_column: bool = False
    differentiable: bool = True
    probabilities: bool = False
    dtype: str = "float64"
    strange_labels: tuple[int, ...] = ()

    def weights(self) -> tuple[str, ...]:
        return tuple(role for role in self.roles if role not in ("logits", "labels"))


KINDS = ("simplex", "interval", "logits")
"""What stands in for logits: rows of probabilities that sum to 1, numbers in (0, 1) that do not, of both signs."""


def numbers(kind: str, n: int, c: int, seed: int) -> NDArray[np.float64]:
    """[n, c] of one of `KINDS`, in multiples of 1/64."""
    rng = np.random.default_rng([seed, n, c])
    match kind:
        case "simplex":
            cuts = np.sort(np.array([rng.choice(np.arange(3, 62), c - 1, replace=False) for _ in range(n)]), axis=1)
            cuts = cuts.reshape(n, c - 1)
            edges = np.concatenate([np.zeros((n, 1)), cuts, np.full((n, 1), 64)], axis=1)
            return np.diff(edges, axis=1) / 64
        case "interval":
            return rng.integers(6, 58, (n, c)) / 64.0
        case _:
            return rng.integers(-160, 161, (n, c)) / 64.0


def classes(n: int, c: int, seed: int) -> NDArray[np.int64]:
    """[n] classes, unbalanced, every one present where there is room, never 0, 1, 2... in order."""
    rng = np.random.default_rng([seed, n, c, 7])
    y = rng.integers(0, c, n)
    y[: min(n, c)] = rng.permutation(c)[: min(n, c)]
    if n > c:
        y[c] = y[0]
    return rng.permutation(y)


def soft(n: int, c: int, seed: int, total: bool) -> NDArray[np.float64]:
    """Soft labels [n, c]; with `total` every row sums to 1, else none does."""
    return numbers("simplex", n, c, seed + 100) if total else numbers("interval", n, c, seed + 100)


def one_hot(y: NDArray[np.int64], c: int) -> NDArray[np.float64]:
    return np.equal.outer(y, np.arange(c)).astype(np.float64)


def weights(domain: Domain, n: int, c: int, seed: int, y: NDArray[np.int64]) -> Inputs:
    """Unequal weights for every role that the domain has, none of them 0, none summing to 1 or to C."""
    rng = np.random.default_rng([seed, n, c, 11])
    made: Inputs = {
        "class_weight": np.resize([0.5, 2.0, 3.25, 1.25, 4.5, 0.75, 2.5, 1.75], c) + seed / 8,
        "pos_weight": np.resize([3.0, 0.5, 2.25, 1.5, 0.75, 2.0, 4.0, 1.25], c) + seed / 8,
        "binary_weights": np.array([0.75, 2.5]) + seed / 8,
        "cost_matrix": (rng.integers(4, 200, (c, c)) / 64.0) * (1 - np.eye(c)) + np.diag(rng.integers(1, 40, c) / 64.0),
        "sample_weight": rng.integers(16, 192, n) / 64.0,
        "mask": (np.arange(n) % 3 != 1).astype(np.float64),
        "count": np.float64(n + 2.5),
    }
    return {role: _scalar(domain, role, made[role]) for role in domain.weights() if role in made}


def unit(domain: Domain, n: int, c: int) -> Inputs:
    """Weights that change nothing: ones; a cost of 1 for every wrong class; the count that there is."""
    made: Inputs = {
        "class_weight": np.ones(c),
        "pos_weight": np.ones(c),
        "binary_weights": np.ones(2),
        "cost_matrix": 1.0 - np.eye(c),
        "sample_weight": np.ones(n),
        "mask": np.ones(n),
        "count": np.float64(n),
    }
    return {role: _scalar(domain, role, made[role]) for role in domain.weights() if role in made}


def _scalar(domain: Domain, role: str, array: Any) -> Any:
    return np.float64(np.ravel(array)[0]) if role in domain.scalars else np.asarray(array, np.float64)


def inputs(domain: Domain, kind: str, n: int, seed: int, *, plain: bool = False, c: int | None = None) -> Inputs:
    """A batch of n rows: labels are classes, or one-hot; weights are unequal, or `plain`."""
    c = c or domain.classes or (1 if domain.one_column else 3)
    if domain.probabilities:
        kind = "simplex"
    x = numbers(kind if c > 1 or kind != "simplex" else "interval", n, c, seed)
    if c > 1:
        y = classes(n, c, seed)
        labels: Any = y if domain.labels == "sparse" else one_hot(y, c)
    else:
        y = np.zeros(n, np.int64)
        labels = ((np.arange(n) * 3 + seed) % 5 < 2).astype(np.float64)[:, None]
    more = unit(domain, n, c) if plain else weights(domain, n, c, seed, y)
    return {"logits": x, "labels": labels, **more}


def other_classes(domain: Domain) -> int | None:
    """A second number of classes, for what takes any: with one number alone, what depends on it cannot be told from a
    number in the code."""
    return None if domain.classes or domain.one_column else 5


def leaves(domain: Domain, given: Mapping[str, Any]) -> tuple[str, ...]:
    """The roles of these inputs in which a gradient can be asked for: those of floats, and counts not among them."""
    if not domain.differentiable:
        return ()
    return tuple(r for r, a in given.items() if np.asarray(a).dtype.kind == "f" and r not in ("count", "mask"))


def ask(domain: Domain, given: Inputs, derivative: str = "gradient", dtype: str = "") -> Question:
    wanted = leaves(domain, given) if derivative != "value" else ()
    return Question(given, wanted, derivative if wanted else "value", dtype or domain.dtype)
