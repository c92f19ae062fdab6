"""Where weights come from and how they are scaled before they are applied to a loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from lossvet.verify.stages.batch import Batch, Undefined
from lossvet.verify.tape import Node


def scaled(batch: Batch, w: Node) -> Node:
    """Weights of classes as the contract's `weight_scale` has them, stopped where no gradient passes."""
    c = batch.contract
    if c["gradient_weights"] in ("stopped", "not_differentiable"):
        w = w.stopped()
    count = float(np.prod(w.shape)) if w.shape else 1.0
    if not w.shape and c["weight_scale"] in ("sum_to_one", "sum_to_classes", "softmaxed"):
        raise Undefined("a single weight cannot be rescaled")
    match c["weight_scale"]:
        case "sum_to_one":
            return w / w.sum()
        case "sum_to_classes":
            return w / w.sum() * count
        case "softmaxed":
            return w.log_softmax(-1).exp()
        case "inverted":
            return 1.0 / w
        case "squared":
            return w * w
        case "rooted":
            return w.power(0.5)
        case _:
            return w


def of_classes(batch: Batch) -> Node:
    """Weights [C]: the argument, constants in the code, or what the counts of the batch give."""
    c = batch.contract
    match c["weights_from"]:
        case "batch_counts":
            return scaled(batch, batch.tape.lift(_from_counts(batch)))
        case "constant":
            return scaled(batch, _constants(batch, batch.x.shape[1]))
        case "argument":
            return scaled(batch, batch.role("class_weight"))
        case other:
            raise Undefined(f"weights from {other}")


def of_both_sides(batch: Batch) -> Node | tuple[Node, Node]:
    """Weights of the labels 0 and 1 of a binary loss: the argument, constants in the code, or from the labels."""
    if batch.contract["weights_from"] == "constant":
        return _constants(batch, 2)
    if batch.contract["weights_from"] in ("batch_counts", "image_counts"):
        return _shares(batch)
    return scaled(batch, batch.role("binary_weights"))


def _shares(batch: Batch) -> tuple[Node, Node]:
    """The share of ones, for the zeros, and of zeros, for the ones, of the batch or each row, with their gradient."""
    if batch.contract["weights_formula"] != "others_share":
        raise Undefined(f"weights of two sides by the formula {batch.contract['weights_formula']}")
    count, classes = batch.given.shape
    if batch.contract["weights_from"] == "batch_counts":
        ones = (batch.given.sum() / float(count * classes)).reshape((1, 1))
    else:
        ones = (batch.given.sum(1) / float(classes)).column()
    return ones, 1.0 - ones


def _constants(batch: Batch, count: int) -> Node:
    """The weights in the code, as many as there are classes; one of them stands for all."""
    constants = batch.contract["constants"]
    if not isinstance(constants, tuple) or len(constants) not in (1, count):
        raise Undefined(f"the weights in the code are {constants}; this batch needs {count}")
    return batch.tape.lift(np.resize(np.array([float(w) for w in constants]), count))


def of_positives(batch: Batch) -> Node:
    """Weights of positive labels, [] or [C]: the argument, or from the labels of the batch, with their gradient."""
    if batch.contract["weights_formula"] == "negatives_per_positive":
        positives = batch.given.sum(0).plain
        return batch.tape.lift((batch.given.shape[0] - positives) / np.maximum(positives, 1.0))
    if batch.contract["weights_from"] == "batch_counts":
        return scaled(batch, float(batch.given.shape[0]) / (batch.given.sum(0) + 1e-6))
    return scaled(batch, batch.role("pos_weight"))


def _from_counts(batch: Batch) -> Any:
    counts = (batch.given.plain * batch.kept[:, None]).sum(0)
    total, classes = counts.sum(), len(counts)
    with np.errstate(divide="ignore"):
        match batch.contract["weights_formula"]:
            case "inverse":
                found = 1 / counts
            case "total":
                found = total / counts
            case "balanced":
                found = total / (classes * counts)
            case "others_share":
                found = 1 - counts / total
            case "effective_number":
                beta = batch.contract.number("beta")
                found = (1 - beta) / (1 - beta**counts)
            case other:
                raise Undefined(f"weights by the formula {other}")
    return np.where(counts > 0, found, 0.0)
