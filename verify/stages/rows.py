"""From log-probabilities to the weighted loss of each row, or of each element of a binary loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from lossvet.verify.stages import weights
from lossvet.verify.stages.batch import Batch, Undefined
from lossvet.verify.tape import Node


def apply(batch: Batch) -> Node:
    """The losses: [N], or [N, C] of a binary loss; ignored rows are 0."""
    losses = _binary(batch) if batch.binary else _softmax(batch)
    losses = _regularised(batch, losses)
    losses = _weighted(batch, losses)
    kept = batch.kept[:, None] if batch.binary else batch.kept
    return losses if kept.all() else losses.where(np.broadcast_to(kept > 0, losses.shape), 0.0)


def _times(t: Node, factor: Node) -> Node:
    """Labels times a factor, where a label of 0 takes no part even if the factor (log p, a weight) is infinite."""
    lost = (t.plain == 0) & ~np.isfinite(factor.plain)
    if not lost.any():
        return t * factor
    zeros = np.zeros(lost.shape)
    return t * (factor + zeros).where(~lost, 0.0)


def _softmax(batch: Batch) -> Node:
    c, log_p, p = batch.contract, batch.log_p, batch.p
    assert log_p is not None
    assert p is not None
    assert batch.q is not None
    if "cost_expected" in c.weighting:
        return (p * _costs(batch)).sum(1)
    if "cost_complement" in c.weighting:
        return -_times(_costs(batch) * (1.0 - batch.t), _log_complement(batch)).sum(1)
    t = batch.t
    if {"class_weight_terms", "weighted_labels"} & set(c.weighting):
        t = t * weights.of_classes(batch)
    terms = _times(t, log_p)
    if c["modulation"] == "focal":
        terms = terms * _factor(batch, batch.q)
    if c["offset"] == "label_entropy":
        terms = terms - _times(batch.t, batch.t.where(batch.t.plain > 0, 1.0).log())
    losses = _signed(batch, (-terms.sum(1)).noted())
    if c["clip"] == "capped":
        losses = losses.where(losses.plain <= c.number("clip_epsilon"), c.number("clip_epsilon"))
    return losses


def _log_complement(batch: Batch) -> Node:
    """log(1 - p) [N, C]; from logits as lse without the class less lse, which is finite where p rounds to 1."""
    c, classes = batch.contract, batch.x.shape[1]
    assert batch.q is not None
    if classes < 2:
        return batch.x * 0.0
    if c["input"] != "logits" or c["clip"] != "none" or c["logits_map"] != "none":
        return batch.q.log()
    others = np.array([[k for k in range(classes) if k != j] for j in range(classes)])
    assert batch.log_p is not None
    without = batch.x[:, others]
    lse_without = (without - without.log_softmax(2))[:, :, 0]
    return lse_without - (batch.x - batch.log_p)


def _factor(batch: Batch, p: Node) -> Node:
    """The modulating factor of a focal loss, p^gamma."""
    found = p.power(batch.contract.number("gamma"))
    return found.stopped() if batch.contract["gradient_logits"] == "factor_stopped" else found


def _binary(batch: Batch) -> Node:
    c, t, p = batch.contract, batch.t, batch.p
    assert batch.log_p is not None
    assert batch.log_q is not None
    assert p is not None
    assert batch.q is not None
    positive, negative = _times(t, batch.log_p), _times(1.0 - t, batch.log_q)
    mixed = c["label_mixing"] == "interpolated"
    if c["modulation"] == "focal" and mixed:
        factor = _factor(batch, t * batch.q + (1.0 - t) * p)
        positive, negative = positive * factor, negative * factor
    elif c["modulation"] == "focal":
        positive = positive * _factor(batch, batch.q)
        negative = negative * _factor(batch, p)
    if "pos_weight" in c.weighting and mixed:
        weight = weights.of_positives(batch) * t + (1.0 - t)
        positive, negative = positive * weight, negative * weight
    elif "pos_weight" in c.weighting:
        positive = positive * weights.of_positives(batch)
    if "neg_weight" in c.weighting:
        negative = negative * weights.scaled(batch, batch.role("pos_weight"))
    if "both_sides" in c.weighting:
        zeros, ones = (weights.of_both_sides(batch)[side] for side in (0, 1))
        if mixed:
            zeros = ones = ones * t + zeros * (1.0 - t)
        positive, negative = positive * ones, negative * zeros
    if c["sign"] == "plus_on_one_term":
        negative = -negative
    losses = -(positive + negative)
    if "pos_weight_on_hard_labels" in c.weighting:
        q = weights.scaled(batch, batch.role("pos_weight"))
        losses = losses * (q + batch.tape.lift(np.zeros(losses.shape))).where(t.plain == 1, 1.0)
    if {"class_weight", "class_weight_terms", "weighted_labels"} & set(c.weighting):
        losses = losses * weights.of_classes(batch)
    return _signed(batch, losses)


def _signed(batch: Batch, losses: Node) -> Node:
    return -losses if batch.contract["sign"] == "plus" else losses


def _regularised(batch: Batch, losses: Node) -> Node:
    c = batch.contract
    match c["extra_terms"]:
        case "z_loss":
            assert batch.log_p is not None
            assert batch.mapped is not None
            lse = (batch.mapped - batch.mapped.log_softmax(1))[:, 0]
            return losses + lse * lse * c.number("z_scale")
        case "entropy":
            assert batch.p is not None
            assert batch.log_p is not None
            return losses + (batch.p * batch.log_p).sum(1) * c.number("entropy_scale")
        case _:
            return losses


def _costs(batch: Batch) -> Node:
    """Costs [N, C] of each row's class against every prediction."""
    costs = weights.scaled(batch, batch.role("cost_matrix"))
    rows, classes = np.arange(costs.shape[0]), costs.shape[0]
    if batch.contract["cost_orientation"] == "predicted_rows":
        costs = costs[rows[None, :], rows[:, None]]
    if batch.sparse:
        return costs[batch.classes]
    return (batch.given.reshape((*batch.given.shape, 1)) * costs.reshape((1, classes, classes))).sum(1)


def _weighted(batch: Batch, losses: Node) -> Node:
    """The losses with the weights of rows; what a weighted mean divides by is kept in `row_weight`."""
    c = batch.contract
    weight = batch.ones()
    own = None if c["broadcast"] == "outer" else _row_weight(batch)
    if own is not None:
        weight = weight * own
        losses = losses * own
    elif "class_weight_terms" in c.weighting or "weighted_labels" in c.weighting:
        w = weights.of_classes(batch)
        weight = weight * w if batch.binary else (batch.given * w).sum(1)
    elif "class_weight" in c.weighting and batch.binary:
        weight = weight * weights.of_classes(batch)
    for role in ("sample_weight", "mask"):
        leaks = role == "mask" and c["ignored"] == "leaking"
        if role in c.weighting and c["broadcast"] != "outer" and not leaks:
            rows = batch.role(role)
            if c["gradient_weights"] in ("stopped", "not_differentiable"):
                rows = rows.stopped()
            if c["label_shift"] == "next_token":
                rows = rows[1:]
            if c["weight_scale"] != "raw" and not own:
                rows = weights.scaled(batch, rows)
            rows = rows.column() if batch.binary else rows
            weight, losses = weight * rows, losses * rows
    kept: Any = batch.kept[:, None] if batch.binary else batch.kept
    batch.row_weight = weight if kept.all() or c["counted"] == "all" else weight * kept
    return losses


def _row_weight(batch: Batch) -> Node | None:
    """What multiplies each row, [N]; None where nothing does."""
    c = batch.contract
    if batch.binary:
        return None
    if "class_weight" in c.weighting and c["broadcast"] == "class_for_batch":
        if batch.x.shape[0] != batch.x.shape[1]:
            raise Undefined("weights of classes apply to rows only where there are as many of both")
        return weights.of_classes(batch)
    if "class_weight" in c.weighting:
        labels = batch.t if c["smoothing_order"] == "sample" and c["smoothing"] != "none" else batch.given
        return _times(labels, weights.of_classes(batch)).sum(1)
    if "predicted_weight" in c.weighting and c["weights_from"] == "prediction":
        assert batch.p is not None
        likeliest = batch.p[np.arange(batch.p.shape[0]), batch.p.plain.argmax(1)]
        return likeliest if c["gradient_logits"] == "through_weights" else likeliest.stopped()
    if "predicted_weight" in c.weighting:
        return weights.of_classes(batch)[batch.x.plain.argmax(1)]
    if "cost_realized" in c.weighting:
        costs = _costs(batch)
        return costs[np.arange(costs.shape[0]), batch.x.plain.argmax(1)]
    return None
