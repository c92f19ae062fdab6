"""Labels: shifted, ignored, checked against the range of classes, made dense where terms need it, and smoothed."""

from __future__ import annotations

from lossvet.verify.spelling.writer import Unspellable, Writer


def write(w: Writer) -> None:
    c = w.contract
    if c["arguments"] == "swapped":
        if w.sparse:
            raise Unspellable("arguments=swapped: integer labels cannot be used as logits")
        w.lines.append(f"{w.x}, labels = (labels, {w.x})")
    if c["label_shift"] == "next_token":
        w.let(w.x, f"{w.x}[:-1]")
        w.let("labels", "labels[1:]")
    if c["gradient_labels"] != "exact" and not w.sparse:
        w.let("labels", w.op("stop", x="labels"))
    if w.sparse:
        _sparse(w)
    elif c["labels"] != "as_given":
        _changed(w)


def _sparse(w: Writer) -> None:
    c = w.contract
    if c["ignored"] == "label":
        w.kept = w.let("kept", w.op("differ", a="labels", b=int(c.number("ignored_label"))))
        w.let("labels", w.where("kept", "labels", "0"))
    classes = w.op("classes", x=w.x)
    match c["labels"]:
        case "shifted_by_one":
            w.let("labels", f"(labels - 1) % {classes}")
        case "reversed":
            w.let("labels", f"{classes} - 1 - labels")
    kinds = invalid(c["invalid_label"])
    if w.kept:
        kinds.pop(f"{int(c.number('ignored_label'))}", None)
    _held(w, kinds, classes)
    w.given = w.t = ""  # dense labels are made where they are needed


def invalid(facet: object) -> dict[str, str]:
    """What each of the labels "too large", "-1" and "-100" does; of an unknown one, "raises"."""
    found = dict.fromkeys(("too large", "-1", "-100"), "raises")
    text = str(facet)
    if ":" in text:
        found |= {name: word for name, _, word in (part.partition(": ") for part in text.split(", "))}
    return found


def _held(w: Writer, kinds: dict[str, str], classes: str) -> None:
    """Labels that are no class, as the contract has them."""
    low = [kinds[name] for name in ("-1", "-100") if name in kinds]
    if "wraps" in low:
        w.let("labels", w.where("labels < 0", f"labels + {classes}", "labels"))
        low = [kind for kind in low if kind != "wraps"]
    elif low and low[0] in ("clamped", "as_class_zero"):
        w.let("labels", w.where("labels < 0", "0", "labels"))
        low = []
    high = [kinds["too large"]]
    if high[0] == "clamped":
        w.let("labels", w.where(f"labels >= {classes}", f"{classes} - 1", "labels"))
        high = []
    elif high[0] == "as_class_zero":
        w.let("labels", w.where(f"labels >= {classes}", "0", "labels"))
        high = []
    loud = low + high
    if not loud:
        return
    if set(loud) == {"nan"}:
        _nan(w, classes)
    elif w.dialect.labels == "silent":
        w.remark("invalid_label=raises")
        _nan(w, classes)
    elif w.dialect.labels == "checked":
        w.check(f"((labels < 0) | (labels >= {classes})).any()", "a label is out of range")
    else:
        w.remark("invalid_label=raises")


def _nan(w: Writer, classes: str) -> None:
    w.let("valid", f"(labels >= 0) & (labels < {classes})")
    w.let("labels", w.where("valid", "labels", "0"))


def _changed(w: Writer) -> None:
    """Dense labels that are not used as they are given."""
    match w.contract["labels"]:
        case "hardened" if w.binary:
            w.let("labels", w.op("cast", x="labels >= 0.5"))
        case "hardened":
            w.let("labels", w.op("one_hot", y=w.op("argmax", x="labels"), x=w.x))
        case "reversed" if w.binary:
            w.let("labels", "1 - labels")
        case other:
            raise Unspellable(f"labels={other} cannot be written for dense labels")


def dense(w: Writer) -> str:
    """The name of the labels [N, C] before smoothing, which are made here if they were not yet."""
    if not w.given:
        w.given = w.t = w.let("one_hot", w.op("one_hot", y="labels", x=w.x))
    return w.given


def smoothed(w: Writer) -> str:
    """The name of the labels [N, C] that the terms are weighted by."""
    c, given = w.contract, dense(w)
    if c["smoothing"] == "none" or w.t != given:
        return w.t
    alpha, classes = c.number("smoothing_alpha"), w.op("classes_float", x=w.x)
    match c["smoothing"]:
        case "over_classes":
            text = f"{1 - alpha!r} * {given} + {alpha!r} / {classes}"
        case "over_others":
            text = f"{1 - alpha!r} * {given} + (1 - {given}) * {alpha!r} / ({classes} - 1)"
        case "toward_half":
            text = f"{1 - alpha!r} * {given} + {alpha / 2!r}"
        case other:
            raise Unspellable(f"smoothing={other} depends on how classes are split among devices")
    w.t = w.let("smoothed", text)
    return w.t
