"""From what the loss takes as logits to log-probabilities: maps of the logits, softmax or sigmoid, clipping."""

from __future__ import annotations

from lossvet.verify.spelling import weights
from lossvet.verify.spelling.writer import Writer

BY_PROBABILITY = ("clamped", "floored", "added")
"""Clips that are applied to probabilities, and not to their logarithms."""


def write(w: Writer) -> None:
    """Leaves `log_p`, of a sigmoid `log_q` too, and `p` where the loss needs it."""
    _mapped(w)
    if w.contract["gradient_logits"] == "stopped":
        w.let(w.x, w.op("stop", x=w.x))
    if w.binary:
        _sigmoid(w)
    else:
        _softmax(w)


def _mapped(w: Writer) -> None:
    c = w.contract
    match c["logits_map"]:
        case "scaled":
            w.let(w.x, f"{w.x} / {c.number('temperature')!r}")
        case "softcapped":
            cap = c.number("cap")
            w.let(w.x, f"{cap!r} * {w.op('tanh', x=f'({w.x} / {cap!r})')}")
        case "margin":
            from lossvet.verify.spelling import labels

            scale = f" / {c.number('temperature')!r}" if "temperature" in c else ""
            w.let(w.x, f"({w.x} - {c.number('margin')!r} * {labels.dense(w)}){scale}")
    if "weighted_logits" in c.weighting:
        w.let(w.x, f"{w.x} * {weights.scaled(w, 'class_weight')}")


def needs_p(w: Writer) -> bool:
    c = w.contract
    costly = {"cost_expected", "cost_complement"} & set(c.weighting)
    return bool(costly) or c["extra_terms"] == "entropy" or c["log"] == "missing" or c["clip"] in BY_PROBABILITY


def _softmax(w: Writer) -> None:
    c, x = w.contract, w.x
    axis = -1 if c["axis"] == "class" else 0
    by_p = c["clip"] in BY_PROBABILITY or c["log"] == "missing"
    match c["input"]:
        case "logits":
            if c["activation"] == "twice":
                x = w.let("once", w.op("softmax", x=x, axis=axis))
            if by_p or needs_p(w):
                w.let("p", w.op("softmax", x=x, axis=axis))
            if not by_p and "cost_expected" not in c.weighting:
                w.let("log_p", w.op("log_softmax", x=x, axis=axis))
        case "log_probabilities":
            w.let("log_p", x)
            if needs_p(w):
                w.let("p", w.op("exp", x="log_p"))
        case _:
            w.let("p", w.op("softmax", x=x, axis=axis) if c["activation"] == "twice" else x)
            if c["renormalised"] == "yes":
                total = w.op("column", x=w.op("sum_classes", x="p")) if axis == -1 else w.op("sum_rows", x="p")
                w.let("p", f"p / {total}")
            if c["clip"] not in BY_PROBABILITY and c["log"] != "missing" and "cost_expected" not in c.weighting:
                w.let("log_p", w.op("log", x="p"))
    match c["clip"]:
        case "clamped" | "floored" as kind:
            w.let("p", clipped(w, kind, "p"))
            w.let("log_p", w.op("log", x="p"))
        case "added":
            w.let("log_p", w.op("log", x=f"(p + {c.number('clip_epsilon')!r})"))
        case "log_floor":
            w.let("log_p", w.op("floor", x="log_p", low=-c.number("clip_epsilon")))
    if c["log"] == "missing":
        w.let("log_p", "p")


def clipped(w: Writer, kind: str, p: str) -> str:
    e = w.contract.number("clip_epsilon")
    return w.op("clip", x=p, low=repr(e), high=f"1 - {e!r}") if kind == "clamped" else w.op("floor", x=p, low=repr(e))


def _sigmoid(w: Writer) -> None:
    c, x = w.contract, w.x
    needs = needs_p(w) or c["modulation"] == "focal"
    if c["activation"] == "twice":
        x = w.let("once", w.op("sigmoid", x=x))
    match c["input"]:
        case kind if kind == "logits" or c["activation"] == "twice":
            if needs:
                w.let("p", w.op("sigmoid", x=x))
                w.let("q", w.op("sigmoid", x=f"(-{x})"))
            log_p, log_q = w.op("log_sigmoid", x=x), w.op("log_sigmoid", x=f"(-{x})")
        case "log_probabilities":
            w.let("p", w.op("exp", x=x))
            w.let("q", "1 - p")
            log_p, log_q = x, w.op("log", x="q")
        case _:
            w.let("p", x)
            w.let("q", "1 - p")
            log_p, log_q = w.op("log", x="p"), w.op("log", x="q")
    match c["clip"]:
        case "clamped":
            w.let("p", clipped(w, "clamped", "p"))
            w.let("q", "1 - p")
            log_p, log_q = w.op("log", x="p"), w.op("log", x="q")
        case "floored":
            log_p, log_q = (w.op("log", x=clipped(w, "floored", name)) for name in ("p", "q"))
        case "added":
            log_p, log_q = (w.op("log", x=f"({name} + {c.number('clip_epsilon')!r})") for name in ("p", "q"))
        case "log_floor":
            low = -c.number("clip_epsilon")
            log_p, log_q = w.op("floor", x=log_p, low=low), w.op("floor", x=log_q, low=low)
    if c["log"] == "missing":
        log_p, log_q = "p", "1 - p"
    w.let("log_p", log_p)
    w.let("log_q", log_q)
