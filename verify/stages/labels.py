"""From the labels as they are given to those that the terms are weighted by: shifted, hardened, smoothed, ignored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lossvet.verify.contract import Contract
from lossvet.verify.stages.batch import Batch, Undefined
from lossvet.verify.tape import Node, Tape


def batch(contract: Contract, tape: Tape, inputs: Mapping[str, Any]) -> Batch:
    """The batch with its labels ready. Raises Undefined where a label is no class."""
    leaves = {role: tape.leaf(array) for role, array in inputs.items() if np.asarray(array).dtype.kind == "f"}
    x, labels = leaves["logits"], inputs["labels"]
    sparse = np.asarray(labels).dtype.kind in "iu"
    if contract["arguments"] == "swapped":
        if sparse:
            raise Undefined("integer labels cannot be used as logits")
        x, dense = leaves["labels"], leaves["logits"]
    elif not sparse:
        dense = leaves["labels"]
    count, classes = x.shape[0], x.shape[1]
    kept = np.ones(count)
    if sparse:
        y = np.asarray(labels)
        if "ignored_label" in contract:
            kept = (y != contract.number("ignored_label")).astype(np.float64)
            y = np.where(kept > 0, y, 0)
        y = _moved(contract, y, classes)
        if ((y < 0) | (y >= classes)).any():
            raise Undefined(f"label {int(y[(y < 0) | (y >= classes)][0])} is not one of {classes} classes")
        dense = tape.lift(np.equal.outer(y, np.arange(classes)).astype(np.float64))
    elif contract["labels"] != "as_given":
        dense = _changed(contract, dense)
    if contract["gradient_labels"] in ("stopped", "not_differentiable"):
        dense = dense.stopped()
    terms = dense.stopped() if contract["gradient_labels"] == "through_weights" else dense
    if contract["label_shift"] == "next_token":
        x, dense, terms, kept = x[: count - 1], dense[1:], terms[1:], kept[1:]
    hard = dense.plain.argmax(1) if dense.shape[0] else np.zeros(0, int)
    return Batch(contract, tape, leaves, x, _smoothed(contract, terms), dense, kept, hard, sparse)


def _moved(contract: Contract, y: Any, classes: int) -> Any:
    match contract["labels"]:
        case "shifted_by_one":
            return (y - 1) % classes
        case "reversed":
            return classes - 1 - y
        case _:
            return y


def _changed(contract: Contract, t: Node) -> Node:
    match contract["labels"]:
        case "hardened" if contract["family"] == "sigmoid":
            return t.tape.lift(
                (t.plain >= (contract.number("hardened_at") if "hardened_at" in contract else 0.5)).astype(np.float64)
            )
        case "hardened":
            return t.tape.lift(np.equal.outer(t.plain.argmax(1), np.arange(t.shape[1])).astype(np.float64))
        case "shifted_by_one":
            return t[:, (np.arange(t.shape[1]) + 1) % t.shape[1]]
        case "reversed" if contract["family"] == "sigmoid":
            return 1.0 - t
        case "reversed":
            return t[:, np.arange(t.shape[1])[::-1]]
        case _:
            return t


def _smoothed(contract: Contract, t: Node) -> Node:
    kind, classes = contract["smoothing"], t.shape[1]
    if kind == "none":
        return t
    alpha = contract.number("smoothing_alpha")
    match kind:
        case "over_classes":
            return (1 - alpha) * t + alpha / classes
        case "over_others" if classes > 1:
            return (1 - alpha) * t + (1.0 - t) * (alpha / (classes - 1))
        case "toward_half":
            return (1 - alpha) * t + alpha / 2
        case _:
            raise Undefined(f"smoothing {kind} of {classes} classes")
