"""The inputs on which the corpus is called, and NumPy's words in which its formulas are written."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import tomllib
from corpus_runner import CORPUS, cotangent, leaves

Record = dict[str, Any]
DEFAULTS = {
    "family": "softmax", "input": "logits", "activation": "once", "log": "taken", "renormalised": "no", "clip": "none",
    "modulation": "none", "weighting": "none", "weight_scale": "raw", "weights_from": "argument",
    "cost_orientation": "true_rows", "denominator": "batch", "counted": "kept", "ignored": "none",
    "smoothing": "none", "smoothing_order": "terms", "axis": "class", "broadcast": "aligned", "labels": "as_given",
    "arguments": "as_named", "sign": "minus", "offset": "none", "gradient_logits": "exact", "gradient_labels": "exact",
    "gradient_weights": "exact", "precision": "follows_input", "upstream": "exact", "extra_terms": "none",
    "logits_map": "none", "label_shift": "none", "zero_denominator": "none", "side_effects": "none",
    "invalid_label": "none", "all_ignored": "none",
}  # fmt: skip
"""What a record leaves out. A loss that is no mean has no zero_denominator: none."""
NUMBERS = {
    "clip_epsilon", "clip_cap", "log_floor", "gamma", "weights", "counts_formula", "microbatches", "microbatch_rows",
    "smoothing_alpha", "temperature", "cap", "margin", "z_loss", "entropy",
}  # fmt: skip
"""The keys of a contract that are no facets: the numbers that go with them."""


def records() -> dict[str, Record]:
    """All records, by FILE.py::NAME."""
    found: dict[str, Record] = {}
    for path in sorted(CORPUS.glob("*.toml")):
        for loss in (document := tomllib.loads(path.read_text())).get("loss", []):
            file = f"{path.stem}.py"
            key = f"{file}::{loss['name']}"
            assert key not in found, f"{key} stands twice in {path.name}"
            found[key] = {**loss, "framework": document["framework"], "file": file}
    return found


def judged_when_ignored(record: Record) -> bool:
    """Whether the formula says what label -100 does: it has a k, and no other label is the one that is ignored."""
    return bool(re.search(r"\bk\b", record.get("formula", ""))) and "ignore_index" not in record


def pairs() -> list[Record]:
    """The table of pairs."""
    return list(tomllib.loads((CORPUS / "pairs.toml").read_text())["pair"])


def inputs(record: Record, case: str) -> Record | None:
    """What a loss is called with in a case, by role; None where the case does not exist for it."""
    random = np.random.default_rng(7)
    contract = record.get("contract", {})
    shifted = contract.get("label_shift") == "next_token"
    n, c = {"square": 3, "empty": int(shifted)}.get(case, 5), 3
    dense, binary = record["labels"] == "dense", contract.get("family") == "sigmoid" and record["labels"] == "dense"
    logits = np.round(random.normal(size=(5, c)) * 1.5, 3)[:n]
    labels = np.array([2, 0, 2, 1, 0])[:n]
    ignored = record.get("ignore_index", -100)
    onehot = np.eye(c)[labels]
    if binary:
        onehot = np.array([[1.0, 0, 1], [0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 0]])[:n]
    given: Record = {
        "weights": np.array([0.7, 2.0, 0.4]),
        "pos_weight": np.array([3.0, 0.5, 1.7]),
        "cost_matrix": np.array([[0.0, 1.0, 5.0], [2.0, 0.0, 0.5], [1.0, 3.0, 0.25]]),
        "sample_weight": np.array([1.0, 0.5, 2.0, 0.3, 1.2])[:n],
        "mask": np.array([1.0, 0, 1, 1, 0])[:n],
        "ignore_index": ignored,
        "count": 7.0,
    }
    for role, shape in record.get("shapes", {}).items():
        given[role] = np.array([0.6, 1.9]) if shape == "pair" else np.asarray(2.5)
    match case:
        case "soft":
            if not dense:
                return None
            onehot = np.round(random.uniform(0.1, 0.9, size=(n, c)), 3)
        case "ignored":
            if dense:
                return None
            labels = np.array([2, -100, 2, 1, -100])
        case "own":
            if "ignore_index" not in record:
                return None
            labels = np.array([2, ignored, 2, 1, ignored])
        case "far":
            logits = np.array([[0.0, 800, -800], [50, -50, 0], [1, 2, 3], [-1, 0, 12], [-900, 0, 0]])
        case "rows":
            logits = logits + np.array([[0.0], [900], [0], [-900], [0]])
        case "zero":
            logits = np.zeros_like(logits)
        case "nothing":
            empty = nothing(record, given)
            if empty is None:
                return None
            if empty == "labels":
                labels = np.full(n, ignored)
    if contract.get("input", "logits") != "logits":
        logits = np.exp(logits - logits.max(1, keepdims=True))
        logits = logits / (logits.sum(1, keepdims=True) if case != "soft" else 1.7)
        if contract["input"] == "log_probabilities":
            with np.errstate(divide="ignore"):
                logits = np.log(logits)
    given |= {"logits": logits, "labels": onehot if dense else labels.astype(np.int64)}
    asked = {role.rpartition("=")[2] for role in record["roles"]} | set(re.findall(r"@(\w+)", record.get("init", "")))
    return {role: given[role] for role in sorted(asked)}


def nothing(record: Record, given: Record) -> str | None:
    """Makes what a mean divides by 0, in place: the role that was changed, or None where an empty batch is all there is."""
    contract = record.get("contract", {})
    if contract.get("denominator") == "argument":
        given["count"] = 0.0
        return "count"
    uses = str(record["roles"]) + record.get("init", "")
    by_weights = contract.get("denominator", "batch") in ("weights", "nonzero_weights", "total_class_weight")
    if contract.get("counted") == "all":
        return None
    if "mask" in uses and contract.get("weighting") == "mask":
        given["mask"] = np.zeros(5)
        return "mask"
    if by_weights and contract.get("weight_scale", "raw") in ("raw", "squared"):
        for role in ("sample_weight", "weights"):
            if role in uses:
                given[role] = np.zeros_like(given[role])
                return role
    return "labels" if contract.get("ignored", "none") != "none" else None


def packed(values: Record) -> Record:
    """Inputs as JSON has them."""
    return {
        r: {"data": v.tolist(), "dtype": str(v.dtype), "shape": list(v.shape)} if isinstance(v, np.ndarray) else v
        for r, v in values.items()
    }


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
