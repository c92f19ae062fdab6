"""The records of the corpus, and the inputs on which its losses are called."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import numpy as np
from corpus_runner import CORPUS

Record = dict[str, Any]
DEFAULTS = {
    "family": "softmax", "input": "logits", "activation": "once", "log": "taken", "renormalised": "no", "clip": "none",
    "modulation": "none", "weighting": "none", "weight_scale": "raw", "weights_from": "argument",
    "weights_formula": "given",
    "cost_orientation": "true_rows", "denominator": "batch", "counted": "kept", "ignored": "none",
    "smoothing": "none", "smoothing_order": "terms", "axis": "class", "broadcast": "aligned", "labels": "as_given",
    "arguments": "as_named", "sign": "minus", "offset": "none", "gradient_logits": "exact", "gradient_labels": "exact",
    "gradient_weights": "exact", "precision": "follows_input", "upstream": "exact", "extra_terms": "none",
    "logits_map": "none", "label_shift": "none", "zero_denominator": "none", "side_effects": "none",
    "label_mixing": "each_term",
    "invalid_label": "none", "all_ignored": "none",
}  # fmt: skip
"""What a record leaves out. A loss that is no mean has no zero_denominator: none."""
NUMBERS = {
    "clip_epsilon", "gamma", "constants", "smoothing_alpha", "temperature", "cap", "margin", "z_scale",
    "entropy_scale", "hardened_at", "ignored_label", "offset_constant", "microbatches", "microbatch_rows",
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
    asked = {role.rpartition("=")[2] for role in record["roles"]} | set(re.findall(r"@(\w+)", record.get("init", "")))
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
        case "weightless":
            if not {"weights", "sample_weight"} & asked:
                return None
            given["weights"][0] = 0.0
            given["sample_weight"][2:3] = 0.0
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
    return {role: given[role] for role in sorted(asked)}


def nothing(record: Record, given: Record) -> str | None:
    """Makes what a mean divides by 0, in place: the role changed, or None where only an empty batch does."""
    contract = record.get("contract", {})
    if contract.get("denominator") == "argument":
        given["count"] = 0.0
        return "count"
    uses = str(record["roles"]) + record.get("init", "")
    by_weights = contract.get("denominator", "batch") in ("weights", "nonzero_weights", "total_class_weight")
    if contract.get("counted") == "all":
        return None
    if "mask" in uses and contract.get("weighting") == "mask" and by_weights:
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
