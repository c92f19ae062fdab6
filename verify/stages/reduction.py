"""From the losses of rows to the result: what they are divided by, and what is added to it."""

from __future__ import annotations

import numpy as np

from lossvet.verify.stages import weights
from lossvet.verify.stages.batch import Batch, Undefined
from lossvet.verify.tape import Node


def apply(batch: Batch, losses: Node) -> Node:
    """The result: [], or the losses themselves where the contract does not reduce."""
    c = batch.contract
    if c["denominator"] == "unreduced":
        result = losses
    elif c["denominator"] == "microbatches":
        result = _mean_of_means(batch, losses)
    elif "after_mean" in c.weighting or c["broadcast"] == "outer":
        result = _after_mean(batch, losses)
    else:
        divisor = denominator(batch)
        result = losses.sum() / divisor if isinstance(divisor, Node) or divisor != 1.0 else losses.sum()
    if c["offset"] == "constant":
        result = result + c.number("offset_constant")
    return result


def _mean_of_means(batch: Batch, losses: Node) -> Node:
    """The mean, over micro-batches, of each one's mean by its weights: so many of them, or of so many rows each."""
    c, count = batch.contract, losses.shape[0]
    assert batch.row_weight is not None
    if "microbatch_rows" in c:
        rows, parts = int(c.number("microbatch_rows")), -1
    else:
        parts = int(c.number("microbatches"))
        rows = -(-count // parts)
    if rows < 1 or count < 1:
        raise Undefined("a mean over micro-batches of no rows")
    starts = range(0, count, rows)
    weight = batch.row_weight * batch.ones()
    means = [losses[i : i + rows].sum() / weight[i : i + rows].sum() for i in starts]
    total = means[0]
    for mean in means[1:]:
        total = total + mean
    return total / float(parts if parts > 0 else len(means))


def denominator(batch: Batch) -> Node | float:
    """What the sum is divided by, its guards against 0 included."""
    c = batch.contract
    found = _denominator(batch)
    match c["denominator_guard"]:
        case "added":
            return found + c.number("guard")
        case "floored":
            floor = c.number("guard")
            return found.where(found.plain >= floor, floor) if isinstance(found, Node) else max(found, floor)
        case _:
            return found


def _denominator(batch: Batch) -> Node | float:
    c = batch.contract
    assert batch.row_weight is not None
    counted = float(batch.kept.sum()) if c["counted"] == "kept" else float(len(batch.kept))
    match c["denominator"]:
        case "sum":
            return 1.0
        case "batch":
            return counted
        case "elements":
            return counted * batch.x.shape[1]
        case "batch_squared":
            return counted * float(len(batch.kept))  # averaged over the rows that count, and over all once more
        case "weights":
            return (batch.row_weight + batch.tape.lift(np.zeros(batch.ones().shape))).sum()
        case "nonzero_weights":
            return float(np.count_nonzero(np.broadcast_to(batch.row_weight.plain, batch.ones().shape)))
        case "total_class_weight":
            return weights.of_classes(batch).sum()
        case "argument":
            return batch.role("count")
        case other:
            raise Undefined(f"a mean by {other}")


def _after_mean(batch: Batch, losses: Node) -> Node:
    """The mean of the losses times the mean of the weights: weights that meet a loss which is reduced already.

    An N by N broadcast of weights against losses has the same mean.
    """
    role = next((r for r in ("sample_weight", "class_weight", "mask") if r in batch.leaves), None)
    if role is None:
        raise Undefined("weights after the mean, but the batch has no weights")
    w = weights.scaled(batch, batch.leaves[role])
    if role == "class_weight":
        w = (batch.given * w).sum(1)
    divisor = denominator(batch)
    return losses.sum() / divisor * (w.sum() / float(w.shape[0]))
