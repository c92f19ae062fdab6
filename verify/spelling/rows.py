"""From log-probabilities to the weighted loss of each row, or of each element of a binary loss."""

from __future__ import annotations

from lossvet.verify.spelling import labels, weights
from lossvet.verify.spelling.writer import Unspellable, Writer

TERMS = {"class_weight_terms", "weighted_labels"}


def write(w: Writer) -> None:
    """Leaves `losses`, [N] or of a binary loss [N, C]; names in `w.weights` what a weighted mean divides by."""
    c = w.contract
    losses = _binary(w) if w.binary else _softmax(w)
    if c["sign"] == "plus":
        losses = f"-{losses}"
    w.let("losses", losses)
    if not w.binary and c["clip"] == "capped":
        w.let("losses", w.op("ceil", x="losses", high=c.number("clip_epsilon")))
    _regularised(w)
    _weighted(w)
    if "valid" in [line.split(" = ")[0] for line in w.lines]:
        nan = w.where("valid", "1.0", "float('nan')")
        w.let("losses", f"losses * {w.op('cast', x=w.op('column', x=nan) if w.binary else nan)}")
    if w.kept:
        kept = w.op("column", x="kept") if w.binary else "kept"
        w.let("losses", w.where(kept, "losses", "0.0"))
        if w.weights:
            w.let("weights", w.where(kept, "weights", "0.0"))


def _softmax(w: Writer) -> str:
    c = w.contract
    if "cost_expected" in c.weighting:
        return w.op("sum_classes", x=f"(p * {weights.costs(w)})")
    if "cost_complement" in c.weighting:
        costs = weights.costs(w)
        return f"-{w.op('sum_classes', x=f'({costs} * (1 - {labels.smoothed(w)}) * {_log_complement(w)})')}"
    focal = c["modulation"] == "focal"
    if w.sparse and c["smoothing"] == "none":
        w.let("log_p", w.op("pick", x="log_p", y="labels"))
        terms = f"{_focal(w)} * log_p" if focal else "log_p"
        if TERMS & set(c.weighting):
            terms = f"{w.op('take', w=weights.of_classes(w), y='labels')} * {terms}"
        return f"-({terms})"
    t = labels.smoothed(w)
    if c["input"] == "probabilities" and c["clip"] == "none":
        w.let("log_p", w.where(f"{w.op('equal', a=t, b=0)} & {w.op('equal', a='p', b=0)}", "0.0", "log_p"))
        w.lines[-1] += "  # 0 log 0 = 0"
    terms = f"{t} * {_focal(w)} * log_p" if focal else f"{t} * log_p"
    if TERMS & set(c.weighting):
        terms = f"{weights.of_classes(w)} * {terms}"
    losses = f"-{w.op('sum_classes', x=f'({terms})')}"
    if c["offset"] == "label_entropy":
        log_t = w.op("log", x=w.where(f"{t} > 0", t, "1.0"))
        losses += f" + {w.op('sum_classes', x=f'({t} * {log_t})')}"
    return f"({losses})"


def _focal(w: Writer) -> str:
    """(1 - p) ** gamma, without cancelling where p is known by its logarithm."""
    c = w.contract
    by_p = c["input"] == "probabilities" or c["clip"] != "none"
    q = "(1 - p)" if by_p else f"(-{w.op('expm1', x='log_p')})"
    if by_p and w.sparse and c["smoothing"] == "none":
        q = f"(1 - {w.op('pick', x='p', y='labels')})"
    return _factor(w, f"{q} ** {c.number('gamma')!r}")


def _factor(w: Writer, power: str) -> str:
    """The modulating factor, as a constant where the contract stops its gradient."""
    return w.op("stop", x=power) if w.contract["gradient_logits"] == "factor_stopped" else power


def _log_complement(w: Writer) -> str:
    """log(1 - p); of logits as the log-sum-exp without the class less that with it."""
    c = w.contract
    if c["input"] != "logits" or c["clip"] != "none" or c["logits_map"] != "none":
        return w.op("log", x="(1 - p)")
    nothing = w.op("array", values="-float('inf')", like=w.x)
    others = w.where(w.op("eye", x=w.x), nothing, w.op("outer_row", x=w.x))
    w.let("others", w.op("logsumexp", x=others))
    return f"(others - {w.op('column', x=w.op('logsumexp', x=w.x))})"


def _binary(w: Writer) -> str:
    c, t = w.contract, labels.smoothed(w)
    positive, negative = f"{t} * log_p", f"(1 - {t}) * log_q"
    if c["modulation"] == "focal":
        of_positives, of_negatives = (_factor(w, f"{x} ** {c.number('gamma')!r}") for x in ("q", "p"))
        positive, negative = f"{of_positives} * {positive}", f"{of_negatives} * {negative}"
    if "pos_weight" in c.weighting:
        positive = f"{weights.of_positives(w)} * {positive}"
    if "neg_weight" in c.weighting:
        negative = f"{weights.scaled(w, 'pos_weight')} * {negative}"
    if "both_sides" in c.weighting:
        both = weights.scaled(w, "binary_weights")
        positive, negative = f"{both}[1] * {positive}", f"{both}[0] * {negative}"
    losses = f"-({positive} {'-' if c['sign'] == 'plus_on_one_term' else '+'} {negative})"
    if "pos_weight_on_hard_labels" in c.weighting:
        losses = f"{w.where(w.op('equal', a=t, b=1), weights.scaled(w, 'pos_weight'), '1.0')} * ({losses})"
    if (TERMS | {"class_weight"}) & set(c.weighting):
        losses = f"{weights.of_classes(w)} * ({losses})"
        w.weights = w.let("weights", f"{weights.of_classes(w)} * {w.op('ones_like', x=w.x)}")
    return f"({losses})"


def _regularised(w: Writer) -> None:
    c = w.contract
    match c["extra_terms"]:
        case "z_loss":
            w.let("losses", f"losses + {c.number('z_scale')!r} * {w.op('logsumexp', x=w.x)} ** 2")
        case "entropy" if not w.sparse or c["smoothing"] != "none":
            w.let("losses", f"losses + {c.number('entropy_scale')!r} * {w.op('sum_classes', x='(p * log_p)')}")
        case "entropy":
            log_p = w.op("log_softmax", x=w.x, axis=-1)
            w.let("losses", f"losses + {c.number('entropy_scale')!r} * {w.op('sum_classes', x=f'(p * {log_p})')}")


def _weighted(w: Writer) -> None:
    c = w.contract
    own = "" if w.binary or c["broadcast"] == "outer" else _own(w)
    if own:
        w.weights = w.let("weights", own)
        w.let("losses", "weights * losses")
    elif TERMS & set(c.weighting) and not w.binary and c["denominator"] in ("weights", "nonzero_weights"):
        w.weights = w.let("weights", _of_rows(w, sparse=w.sparse))
    for role in ("sample_weight", "mask"):
        if role not in c.weighting or c["broadcast"] == "outer":
            continue
        rows = weights.scaled(w, role) if not own else role
        rows = f"{rows}[1:]" if c["label_shift"] == "next_token" else rows
        if w.binary:
            rows = w.op("column", x=rows)
            if c["denominator"] in ("weights", "nonzero_weights"):
                rows = f"{rows} * {w.op('ones_like', x=w.x)}"
        before = w.weights
        w.weights = w.let("weights", f"weights * {rows}" if before else rows)
        w.let("losses", f"losses * {rows}" if before else "weights * losses")


def _of_rows(w: Writer, sparse: bool) -> str:
    """The weight of each row's label, [N]."""
    w_c = weights.of_classes(w)
    if sparse:
        return w.op("take", w=w_c, y="labels")
    return w.op("sum_classes", x=f"({labels.dense(w)} * {w_c})")


def _own(w: Writer) -> str:
    """An expression for what multiplies each row, [N]; empty where nothing does."""
    c = w.contract
    if "class_weight" in c.weighting:
        if c["broadcast"] == "class_for_batch":
            raise Unspellable("broadcast=class_for_batch has a meaning only where there are as many rows as classes")
        if c["smoothing"] != "none" and c["smoothing_order"] == "sample":
            return w.op("sum_classes", x=f"({labels.smoothed(w)} * {weights.of_classes(w)})")
        return _of_rows(w, w.sparse)
    if "predicted_weight" in c.weighting:
        return w.op("take", w=weights.of_classes(w), y=w.op("argmax", x=w.x))
    if "cost_realized" in c.weighting:
        return w.op("pick", x=weights.costs(w), y=w.op("argmax", x=w.x))
    return ""
