"""From what the loss takes as logits to log-probabilities: maps of the logits, softmax or sigmoid, clipping."""

from __future__ import annotations

import numpy as np

from lossvet.verify.stages import weights
from lossvet.verify.stages.batch import Batch
from lossvet.verify.tape import Node


def apply(batch: Batch) -> None:
    """Sets p, log_p and, of a sigmoid, log_q."""
    x = _mapped(batch, batch.x)
    if batch.contract["gradient_logits"] == "stopped":
        x = x.stopped()
    batch.mapped = x
    if batch.binary:
        _sigmoid(batch, x)
    else:
        _softmax(batch, x)
    assert batch.p is not None
    if batch.q is None:
        batch.q = 1.0 - batch.p
    if batch.contract["log"] == "missing":
        batch.log_p = batch.p
        batch.log_q = None if batch.log_q is None else 1.0 - batch.p


def _mapped(batch: Batch, x: Node) -> Node:
    c = batch.contract
    match c["logits_map"]:
        case "scaled":
            x = x / c.number("temperature")
        case "softcapped":
            x = (x / c.number("cap")).tanh() * c.number("cap")
        case "margin":
            x = (x - batch.given * c.number("margin")) / (c.number("temperature") if "temperature" in c else 1.0)
    if "mask" in c.weighting and c["ignored"] == "leaking":  # a row of zeros costs log C, or log 2 an element
        x = x * batch.role("mask").column()
    if "weighted_logits" in c.weighting:
        x = x * weights.scaled(batch, batch.role("class_weight"))
    return x


def _softmax(batch: Batch, x: Node) -> None:
    c = batch.contract
    axis = 1 if c["axis"] == "class" else 0
    log_p: Node | None
    row_sums = c["gradient_logits"] != "normalised_labels_only" or axis == 0
    match c["input"]:
        case "logits":
            log_p = x.log_softmax(axis, row_sums=row_sums)
            if c["activation"] == "twice":
                log_p = log_p.exp().log_softmax(axis)
            batch.p, batch.q = log_p.exp(), log_p.unlikely()
        case "log_probabilities":
            log_p, batch.p = x, x.exp()
        case _:
            batch.p = x
            if c["activation"] == "twice":
                batch.p = x.log_softmax(axis).exp()
            if c["renormalised"] == "yes":
                batch.p = batch.p / batch.p.sum(axis).reshape((x.shape[0], 1) if axis == 1 else (1, x.shape[1]))
            log_p = None
    if c["clip"] in ("clamped", "floored", "added"):
        batch.p, log_p = _clipped(batch, batch.p)
        batch.q = 1.0 - batch.p
    elif log_p is None:
        log_p = batch.p.log()
    if c["clip"] == "log_floor":
        log_p = log_p.where(log_p.plain >= -c.number("clip_epsilon"), -c.number("clip_epsilon"))
    batch.log_p = log_p


def _sigmoid(batch: Batch, x: Node) -> None:
    c = batch.contract
    match c["input"]:
        case "logits":
            if c["activation"] == "twice":
                x = x.log_sigmoid().exp()
            batch.log_p, batch.log_q = x.log_sigmoid(), (-x).log_sigmoid()
            batch.p, batch.q = batch.log_p.exp(), batch.log_q.exp()
            if c["clip"] == "log_floor":  # of a probability that was computed first: 1 - p is 0 where p rounds to 1
                batch.q = 1.0 - batch.p
                batch.log_q = batch.q.log()
        case "log_probabilities":
            batch.p = x.exp()
            batch.log_p, batch.log_q = x, (1.0 - batch.p).log()
        case _:
            batch.p = x
            if c["activation"] == "twice":
                batch.p = x.log_sigmoid().exp()
            if c["clip"] not in ("clamped", "floored", "added"):
                batch.log_p, batch.log_q = batch.p.log(), (1.0 - batch.p).log()
    if c["clip"] in ("clamped", "floored", "added"):
        before = batch.p
        batch.p, batch.log_p = _clipped(batch, before)
        if c["clip"] == "clamped":
            batch.q = 1.0 - batch.p
            batch.log_q = batch.q.log()
        else:
            batch.log_q = _clipped(batch, 1.0 - before)[1]
            batch.p, batch.q = before, 1.0 - before
    elif c["clip"] == "log_floor":
        floor = -c.number("clip_epsilon")
        assert batch.log_p is not None
        assert batch.log_q is not None
        batch.log_p = batch.log_p.where(batch.log_p.plain >= floor, floor)
        batch.log_q = batch.log_q.where(batch.log_q.plain >= floor, floor)


def _clipped(batch: Batch, p: Node) -> tuple[Node, Node]:
    """The probabilities that the rest of the loss sees, and their logarithms."""
    epsilon = batch.contract.number("clip_epsilon")
    match batch.contract["clip"]:
        case "clamped":
            p = p.clamped(epsilon, 1 - epsilon)
            return p, p.log()
        case "floored":
            p = p.clamped(epsilon, np.inf)
            return p, p.log()
        case _:
            return p, (p + epsilon).log()
