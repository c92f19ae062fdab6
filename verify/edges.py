"""What a side does where mathematics gives no result: nothing to average, labels out of range, no rows at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lossvet.reference.types import Array
from lossvet.verify import batches
from lossvet.verify.contract import Contract, Setting
from lossvet.verify.matching import Asked, applies
from lossvet.verify.pipeline import Undefined, evaluate
from lossvet.verify.probes import ROWS, STRANGE, WEIGHTS, Probe

if TYPE_CHECKING:
    from lossvet.verify.session import Session


def dead(session: Session, first: Sequence[Asked]) -> str:
    """Why a side cannot be judged at all: it answers nothing, NaN, or always the same; empty where it can."""
    answers = [one.answer for one in first]
    errors = [a.error for a in answers if a.error]
    if errors and len(errors) == len(answers):
        return f"it raises on every probe: {errors[0]}"
    results = [a.value for a in answers if a.value is not None]
    if all(np.isnan(r).all() for r in results):
        return "it gives NaN on every probe"
    totals = [float(np.nan_to_num(r).sum()) for r in results]
    if len(set(totals)) == 1 and len(totals) > 1:
        return f"it returns {totals[0]:g} on every probe: a constant"
    return ""


def observed(session: Session, contract: Contract) -> dict[str, Setting]:
    """The edge facets and what a mean over nothing gives, as answers show them."""
    found: dict[str, Setting] = {}
    if contract["denominator"] in ("batch", "elements", "weights", "nonzero_weights", "argument", "total_class_weight"):
        over_nothing = _over_nothing(session, contract)
        rows = any(one.answer.value is not None and one.answer.value.size > 1 for one in session.asked)
        if not (rows and over_nothing == "empty"):  # where rows are averaged, an empty batch has none
            found["zero_denominator"] = "other" if over_nothing == "empty" else over_nothing
    if session.domain.labels == "sparse":
        found["invalid_label"] = _invalid(session, contract)
        if contract["ignored"] == "label":
            found["all_ignored"] = _all_ignored(session, contract)
    found["empty_batch"] = _empty(session)
    return found


def _over_nothing(session: Session, contract: Contract) -> str:
    """What the mean is where all that it divides by is 0: weights, else rows that count, else all rows."""
    domain = session.domain
    given = batches.inputs(domain, "simplex", 5, 14)
    by_argument = contract["denominator"] == "argument"  # which counts rows, and is 0 where none counts
    if domain.weights() and contract["denominator"] not in ("batch", "elements", "argument"):
        for role in domain.weights():
            given[role] = np.zeros_like(given[role])
    elif contract["ignored"] == "label" and contract["counted"] == "kept":
        given["labels"] = np.full_like(given["labels"], int(contract.number("ignored_label")))
    elif not by_argument:
        n = 1 if contract["label_shift"] == "next_token" else 0
        rows = ("logits", "labels", "sample_weight", "mask")
        given = {role: a[:n] if role in rows else a for role, a in given.items()}
    if by_argument:
        given["count"] = np.float64(0.0)
    (asked,) = session.ask([Probe("nothing to divide by", batches.ask(domain, given), "with a denominator of 0")])
    return _kind(asked)


def _kind(asked: Asked) -> str:
    answer = asked.answer
    if answer.error or answer.value is None:
        return "raises"
    if answer.value.size == 0:
        return "empty"
    if np.isnan(answer.value).any():
        return "nan"
    if (answer.value == 0).all():
        bad = any(g is not None and not np.isfinite(g).all() for g in answer.gradients.values())
        return "zero_with_nan_gradient" if bad else "zero"
    return "other"


def _invalid(session: Session, contract: Contract) -> str:
    """What three labels do that are no class: too large, -1 and -100."""
    words = []
    ignored = int(contract.number("ignored_label")) if contract["ignored"] == "label" else None
    for name, label in (("too large", None), ("-1", -1), ("-100", -100)):
        if label is not None and label == ignored:
            words.append(f"{name}: {'dropped' if contract['counted'] == 'kept' else 'zero'}")
        else:
            words.append(f"{name}: {_invalid_one(session, label, contract, ignored)}")
    return ", ".join(words)


def _invalid_one(session: Session, label: int | None, contract: Contract, ignored: int | None) -> str:
    """What one label does; None is one too large. No other row has the label that is ignored."""
    domain = session.domain
    given = batches.inputs(domain, "simplex", 5, 15, plain=True)
    c = given["logits"].shape[1]
    y = given["labels"].copy()
    y[y == ignored] = c - 1 if ignored != c - 1 else 0
    y[1] = c if label is None else label
    given["labels"] = y
    names = ("invalid", "as the last", "as the first")
    others = [y.copy(), y.copy(), y.copy()]
    others[1][1], others[2][1] = c - 1, 0
    asked = session.ask(
        [
            Probe(f"label {label} {n}", batches.ask(domain, {**given, "labels": o}))
            for n, o in zip(names, others, strict=True)
        ]
    )
    answer = asked[0].answer
    if answer.error or answer.value is None:
        return "raises"
    if np.isnan(answer.value).any():
        return "nan"
    classes = ((asked[1], c - 1, "clamped" if label is None else "wraps"), (asked[2], 0, "as_class_zero"))
    for one, known, word in classes:
        if known != ignored and one.answer.value is not None and np.allclose(one.answer.value, answer.value, rtol=1e-9):
            return word
    return _left_out(session, given, answer.value, contract) or "finite_wrong"


def _left_out(session: Session, given: Mapping[str, Any], value: Array, contract: Contract) -> str:
    """Whether the second row is left out: "zero" where it counts, "dropped" where it does not."""
    n = len(given["logits"])
    if value.size > 1:
        return "zero" if value.shape[:1] == (n,) and not np.any(value[1]) else ""
    rows = [i for i in range(n) if i != 1]
    fewer = {k: np.asarray(v)[rows] if k in ("logits", "labels", "sample_weight", "mask") else v
             for k, v in given.items()}  # fmt: skip
    (asked,) = session.ask([Probe("without the second row", batches.ask(session.domain, fewer))])
    without = asked.answer.value
    if without is None:
        return ""
    by_rows = ("batch", "elements", "weights", "nonzero_weights")  # all weights are 1 here
    share = len(rows) / n if contract["denominator"] in by_rows else 1.0
    if np.allclose(value, share * without, rtol=1e-9):
        return "zero"
    return "dropped" if np.allclose(value, without, rtol=1e-9) else ""


def _all_ignored(session: Session, contract: Contract) -> str:
    given = batches.inputs(session.domain, "simplex", 5, 14)
    given["labels"] = np.full_like(given["labels"], int(contract.number("ignored_label")))
    (asked,) = session.ask([Probe("everything ignored", batches.ask(session.domain, given))])
    kind = _kind(asked)
    if kind == "zero" and any(g is None for leaf, g in asked.answer.gradients.items() if leaf == "logits"):
        differentiable = any(one.answer.gradients.get("logits") is not None for one in session.informative())
        return "zero_detached" if differentiable else kind
    if kind in ("nan", "raises", "zero"):
        return kind
    return "nan_gradient" if kind == "zero_with_nan_gradient" else kind


def _empty(session: Session) -> str:
    given = batches.inputs(session.domain, "simplex", 5, 16, plain=True)
    rows = ("logits", "labels", "sample_weight", "mask")
    given = {**given, **{k: np.asarray(given[k])[:0] for k in rows if k in given}}
    (asked,) = session.ask([Probe("an empty batch", batches.ask(session.domain, given))])
    kind = _kind(asked)
    return "nan" if kind == "other" else kind.replace("zero_with_nan_gradient", "zero")


NEVER_CHECKED = (
    f"batches of more than {ROWS} rows, weights beyond {WEIGHTS[1]:.0f}, NaN and infinity in ignored rows",
    f"ignored labels other than {', '.join(map(str, (*STRANGE, 0)))} and those named in its code",
)
"""What no loss is asked with, in words."""


def not_checked(session: Session) -> tuple[str, ...]:
    """What no answer covers, in words."""
    found = list(NEVER_CHECKED)
    if not session.domain.differentiable:
        found.append("gradients: the framework has none")
    raised = {one.probe.shows or one.probe.name: one.answer.error for one in session.asked if one.answer.error}
    found += [
        f"inputs {shows}: it raises {error.splitlines()[0][:100]}" for shows, error in raised.items() if "soft" in shows
    ]
    return tuple(found)


def not_a_number(session: Session, contract: Contract) -> tuple[str, ...]:
    """A warning where the side gave NaN throughout and the contract, which it explains elsewhere, has numbers."""
    for one in session.asked:
        value = one.answer.value
        if value is None or not value.size or one.answer.answered or not applies(contract, one.probe.question.inputs):
            continue
        try:
            meant = evaluate(contract, one.probe.question.inputs).value
        except Undefined:
            continue
        if np.isfinite(meant).all():
            return (f"gives NaN {one.probe.shows}",)
    return ()


def side_effects(notes: Iterable[str]) -> str:
    """The facet, of what the calls of a loss did besides answering, as their notes say it: the gravest of it."""
    said = list(notes)
    if any(note.startswith("changes ") and note.endswith(" in place") for note in said):
        return "changes_arguments"
    changing = [note.removeprefix("calling it changes ") for note in said if note.startswith("calling it changes ")]
    random = any(note.startswith("uses global randomness") for note in said)
    if random or any("the seed of" in note for note in changing):
        return "global_randomness"
    if changing:
        return "global_state"
    return "prints" if "prints" in said else "none"


def warnings(session: Session) -> tuple[str, ...]:
    """What the calls did besides answering."""
    return tuple(dict.fromkeys(note for one in session.asked for note in one.answer.notes))
