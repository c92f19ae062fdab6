"""NumPy's words for the formulas of the corpus, and their exact gradients: independent of any framework."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from corpus_runner import cotangent, leaves

Record = dict[str, Any]


def _lse(x: Any) -> Any:
    top = x.real.max(1, keepdims=True)
    return np.log(np.exp(x - top).sum(1)) + top[:, 0]


def _ce(x: Any, t: Any) -> Any:
    return (t * (_lse(x)[:, None] - x)).sum(1) if np.ndim(t) == 2 else _lse(x) - _pick(x, t)


def _pick(x: Any, y: Any) -> Any:
    return x[np.arange(len(y)), y]


def _p(x: Any, y: Any = None) -> Any:
    p = np.exp(x - _lse(x)[:, None])
    return p if y is None else _pick(p, y)


def _sp(x: Any) -> Any:
    small = np.log1p(np.exp(np.where(x.real > 0, -x, x)))
    return np.where(x.real > 0, x + small, small)


def _clamp(z: Any, low: float, high: float) -> Any:
    return np.where(z.real < low, low, np.where(z.real > high, high, z))


def _xlogx(t: Any) -> Any:
    return np.where(t.real == 0, 0, t * np.log(np.where(t.real == 0, 1, t)))


WORDS = {
    "ce": _ce, "lse": _lse, "P": _p, "logP": lambda x: x - _lse(x)[:, None], "pick": _pick, "sp": _sp,
    "sig": lambda x: 1 / (1 + np.exp(-x)), "bce": lambda x, t: t * _sp(-x) + (1 - t) * _sp(x), "clamp": _clamp,
    "xlogx": _xlogx, "top": lambda x: x.real.argmax(1), "trunc": lambda t: np.trunc(t.real), "log": np.log,
    "log1p": np.log1p, "tanh": np.tanh, "where": np.where, "array": np.array, "real": np.real,
    "atleast": lambda z, low: np.where(z.real < low, low, z), "mean_of": lambda zs: sum(zs) / len(zs),
}  # fmt: skip
"""Functions of NumPy that keep complex numbers, so that a formula can be differentiated by a complex step."""
LETTERS = {
    "x": "logits", "w": "weights", "q": "pos_weight", "M": "cost_matrix", "v": "sample_weight", "m": "mask",
    "count": "count",
}  # fmt: skip


def formula(record: Record, values: Record) -> Any:
    """The loss by the record's formula: independent of any framework."""
    n, c = values["logits"].shape
    names: Record = {letter: values[role] for letter, role in LETTERS.items() if role in values}
    names |= {"N": n, "C": c, "onehot": lambda y: np.eye(c)[y]}
    if record["labels"] == "sparse":
        ignored = record.get("ignore_index", -100)
        names["k"] = (values["labels"] != ignored).astype(np.int64)
        names["y"] = np.where((values["labels"] < 0) | (values["labels"] >= c), 0, values["labels"])
    else:
        names["t"] = values["labels"]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the mean of an empty slice is what is asked for
        return np.asarray(eval(record["formula"], {**WORDS, **names}))


def gradients(record: Record, values: Record) -> dict[str, Any]:
    """The formula's gradients by a complex step: exact to the last digits."""
    found = {}
    for leaf in leaves(values):
        flat = np.zeros(values[leaf].size)
        for i in range(flat.size):
            moved = values[leaf].astype(np.complex128)
            moved.reshape(-1)[i] += 1e-30j
            out = formula(record, {**values, leaf: moved})
            flat[i] = (out.imag * cotangent(out.shape)).sum() / 1e-30
        found[leaf] = flat.reshape(values[leaf].shape)
    return found
