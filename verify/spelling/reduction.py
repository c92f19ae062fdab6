"""From the losses of rows to the result: what they are divided by, and what that gives where it is 0."""

from __future__ import annotations

from lossvet.verify.spelling import weights
from lossvet.verify.spelling.writer import Unspellable, Writer

WEIGHTS = ("weights", "nonzero_weights")
COUNTS = ("batch", "elements", "batch_squared")


def write(w: Writer) -> None:
    c = w.contract
    if c["denominator"] == "unreduced":
        result = "losses"
    elif "after_mean" in c.weighting or c["broadcast"] == "outer":
        result = _after_mean(w)
    else:
        result = _divided(w)
    if c["offset"] == "constant":
        result = f"{result} + {c.number('offset_constant')!r}"
    w.returns(result)


def _after_mean(w: Writer) -> str:
    role = next((r for r in ("sample_weight", "class_weight", "mask") if r in w.roles), "sample_weight")
    scaled = weights.scaled(w, role)
    if role == "class_weight":
        scaled = w.op("take", w=scaled, y="labels") if w.sparse else w.op("sum_classes", x=f"(labels * {scaled})")
    return f"{_divided(w)} * {w.op('mean', x=scaled)}"


def safe(w: Writer) -> bool:
    """Whether a mean over nothing is to be 0."""
    c = w.contract
    ones = c["denominator"] in WEIGHTS and not w.weights
    empty = (c["denominator"] in COUNTS or ones) and c["empty_batch"] == "zero"
    return c["zero_denominator"] == "zero" or c["all_ignored"] == "zero" or empty


def _divided(w: Writer) -> str:
    c, total = w.contract, w.op("sum", x="losses")
    kind, guard = c.value("denominator"), c["denominator_guard"]
    if kind in WEIGHTS and not w.weights:  # every weight is 1
        kind = "elements" if w.binary else "batch"
    counted = kind in COUNTS and (not w.kept or c["counted"] == "all")
    if kind == "sum":
        return total
    if counted and guard == "none" and c["zero_denominator"] != "raises":
        if not safe(w) and kind == ("elements" if w.binary else "batch"):
            return w.op("mean", x="losses")
        rows = w.op("some_row" if safe(w) else "rows", x=w.x)
        return f"{total} / {_times(w, kind, rows)}"
    d = _denominator(w, kind, counted)
    match guard:
        case "added":
            return f"{total} / ({d} + {c.number('guard')!r})"
        case "floored" if not counted:
            return f"{total} / {w.op('floor', x=f'({d})', low=repr(c.number('guard')))}"
        case "floored":
            return f"{total} / {w.op('some_row', x=w.x)}"
    if kind in COUNTS and safe(w):
        d = w.op("floor", x=w.op("count", x="kept"), low="1")
        return f"{total} / {_times(w, kind, d)}"
    return _guarded(w, total, d)


def _guarded(w: Writer, total: str, d: str) -> str:
    """What a mean gives where it would divide by 0, as the contract has it."""
    c = w.contract
    if safe(w):
        w.let("total_weight", d)
        w.let("some", w.op("differ", a="total_weight", b=0))
        w.say("safe twice: the inner where prevents a NaN gradient where the denominator is 0")
        return w.where("some", f"{total} / {w.where('some', 'total_weight', '1')}", "0.0")
    match c["zero_denominator"]:
        case "zero_with_nan_gradient":
            w.let("total_weight", d)
            return w.where(w.op("differ", a="total_weight", b=0), f"{total} / total_weight", "0.0")
        case "raises":
            w.let("total_weight", d)
            if not w.check("total_weight == 0", "the denominator is 0: every weight is 0, or there are no rows"):
                w.remark("zero_denominator=raises")
            return f"{total} / total_weight"
    return f"{total} / ({d})"


def _times(w: Writer, kind: str, rows: str) -> str:
    match kind:
        case "elements":
            return f"({rows} * {w.op('classes_float', x=w.x)})"
        case "batch_squared":
            return f"{rows} ** 2"
        case _:
            return rows


def _denominator(w: Writer, kind: str, counted: bool) -> str:
    match kind:
        case "batch" | "elements" | "batch_squared":
            return _times(w, kind, w.op("rows", x=w.x) if counted else w.op("count", x="kept"))
        case "weights" | "nonzero_weights":
            return w.op("sum", x="weights") if kind == "weights" else w.op("count", x=w.op("differ", a="weights", b=0))
        case "total_class_weight":
            return w.op("sum", x=weights.of_classes(w))
        case "argument":
            return "count"
        case other:
            raise Unspellable(f"denominator={other} depends on how a batch is split, not only on the loss")
