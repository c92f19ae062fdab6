"""In which facets two records differ, as far as both sides can be asked, and the words for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from lossvet.reference.types import Array
from lossvet.verify import canonical
from lossvet.verify.answer import Difference
from lossvet.verify.batches import Domain
from lossvet.verify.contract import Contract
from lossvet.verify.facets import facets
from lossvet.verify.pipeline import Undefined, evaluate
from lossvet.verify.sides import domain_of

LAST_CLASS = 100
"""A label beyond this is too large for any class: 255 is one that people ignore."""
ONLY_WITHOUT_ROWS = (
    "One of the losses divides by the number of rows, which is 0 only in an empty batch. If all weights are 0, that "
    "loss is 0."
)
"""What a difference in `zero_denominator` does to training where it is at an edge."""


def differences(source: Contract, target: Contract, domain: Domain, observed: bool = False) -> tuple[Difference, ...]:
    """The facets in which the contracts differ on what both sides can be asked, in the order in which they are told.

    A facet whose value makes no difference there (class_weight or class_weight_terms, of labels that are classes) is a
    matter of format. An edge that only one of the records holds is not compared, unless both were `observed`; nor is a
    gradient that one side refuses.
    """
    found = []
    for name in facets():
        if _setting(source, name) == _setting(target, name) or _missing(source, target, name):
            continue
        if name in canonical.OBSERVED:
            if facets()[name].edge and not _both_tell(source, target, name, observed):
                continue
        elif not _shows(source, target, name, domain) and not (name == "weighting" and _apart(source, target, domain)):
            continue
        found.append(_told(source, target, name, edge=_at_an_edge(source, target, name)))
    return tuple(found)


def _both_tell(source: Contract, target: Contract, name: str, observed: bool) -> bool:
    """Whether both records tell of an edge; one that was observed and is the default stands in no record."""
    if name == "all_ignored":
        return all(one["ignored"] == "label" for one in (source, target))
    return observed or (name in source and name in target)


def _at_an_edge(source: Contract, target: Contract, name: str) -> bool:
    """Whether the facet tells only of inputs that one side refuses, or that have no rows."""
    if name == "zero_denominator":
        return any(_by_all_rows(contract) for contract in (source, target))
    return name in ("ignored", "counted") and _refused(source, target)


def _by_all_rows(contract: Contract) -> bool:
    """Whether nothing but an empty batch leaves the mean without anything to divide by."""
    left_out = contract["ignored"] != "none" and contract["counted"] == "kept"
    return contract["denominator"] in ("batch", "elements") and not left_out


def _refused(source: Contract, target: Contract) -> bool:
    """Whether they part only on labels that one of the two refuses: nobody trains on these unawares."""
    labels = {one.number("ignored_label") for one in (source, target) if one["ignored"] == "label"}
    outcomes = [{_outcome(one, label) for one in (source, target)} for label in labels]
    return bool(labels) and all(len(both) == 1 or "raises" in both for both in outcomes)


def _outcome(contract: Contract, label: float) -> str:
    """What is done with a row of this label, in the words of `invalid_label`; "" for a class, and for what is not
    known."""
    if contract["ignored"] == "label" and contract.number("ignored_label") == label:
        return "dropped" if contract["counted"] == "kept" else "zero"
    told = dict(part.split(": ") for part in str(contract["invalid_label"]).split(", ") if ": " in part)
    return told.get(f"{label:g}", told.get("too large", "") if label > LAST_CLASS else "")


def _apart(source: Contract, target: Contract, domain: Domain) -> bool:
    """Whether each weights by a role that the other has not, and that both can therefore not be asked with."""
    return all(set(domain_of(one).weights()) - set(domain.roles) for one in (source, target))


def _missing(source: Contract, target: Contract, name: str) -> bool:
    """Whether it is about a gradient that one of the two cannot give, which is no number to compare."""
    return name in ("gradient_labels", "gradient_weights") and "not_differentiable" in (source[name], target[name])


def _shows(source: Contract, target: Contract, name: str, domain: Domain) -> bool:
    """Whether changing this facet alone, of one record or of the other, changes what the loss is."""
    if name == "arguments" and "swallowed" in (source[name], target[name]):
        return True  # no result shows it, and every caller has to know it
    swapped = ((source, target), (target, source))
    return any(canonical.parted(one, _with(one, other, name), domain) is not None for one, other in swapped)


def shows_on(source: Contract, target: Contract, name: str, inputs: Mapping[str, Any]) -> bool:
    """Whether this facet alone, of one contract or of the other, changes the loss or its gradient on these inputs."""
    swapped = ((source, target), (target, source))
    try:
        return any(_apart_on(one, _with(one, other, name), inputs) for one, other in swapped)
    except Undefined:
        return False


def _apart_on(one: Contract, other: Contract, inputs: Mapping[str, Any]) -> bool:
    a, b = (evaluate(contract, inputs, ("logits",)) for contract in (one, other))
    if a.value.shape != b.value.shape:
        return True
    x, y = a.gradients["logits"], b.gradients["logits"]
    return not _close(a.value, b.value) or (x is not None and y is not None and not _close(x, y))


def _close(x: Array, y: Array) -> bool:
    with np.errstate(all="ignore"):
        return np.allclose(x, y, rtol=1e-3, atol=1e-6, equal_nan=True)


def _with(one: Contract, other: Contract, name: str) -> Contract:
    """The first contract with a facet, numbers included, as the second has it."""
    changed = {name: other[name]}
    changed |= {number: other[number] for number in facets()[name].numbers if number in other}
    return one.with_(changed)


def _setting(contract: Contract, name: str) -> tuple[object, ...]:
    own = [contract[n] for n in facets()[name].numbers if n in contract]
    return (contract[name], *(round(v, 9) if isinstance(v, float) else v for v in own))


def written(contract: Contract, name: str) -> str:
    """A facet's value with its numbers, as `--accept` takes it: "weights", "added 1e-07", "class_weight+mask"."""
    setting = contract[name]
    value = "+".join(str(s) for s in setting) or "none" if isinstance(setting, tuple) else str(setting)
    own = [n for n in facets()[name].numbers if n in contract]
    return " ".join([value, *(_number(contract[n]) for n in own)])


def _number(setting: object) -> str:
    if isinstance(setting, tuple):
        return ",".join(f"{v:g}" for v in setting)
    return f"{setting:g}"


def _told(source: Contract, target: Contract, name: str, edge: bool = False) -> Difference:
    facet = facets()[name]
    old, new = (list(_values(contract, name)) for contract in (source, target))
    gone, come = [v for v in old if v not in new], [v for v in new if v not in old]
    says = f"The old loss {_says(name, gone or old)}; the new one {_says(name, come or new)}."
    if facet.edge:  # a record of answers, such as "too_large: raises"
        return Difference(name, written(source, name), written(target, name), True, edge=True,
                          says=f"{facet.asks} Old: {written(source, name)}. New: {written(target, name)}.")  # fmt: skip
    training = " ".join(facet.value(v).training for v in come or new if facet.value(v).training)
    change = " ".join(facet.value(v).change for v in gone or old if facet.value(v).change)
    if edge and name == "zero_denominator":
        training = ONLY_WITHOUT_ROWS
    return Difference(name, written(source, name), written(target, name), True, says, training, change, edge=edge)


def _values(contract: Contract, name: str) -> Iterator[str]:
    setting = contract[name]
    if isinstance(setting, tuple):
        yield from (str(v) for v in setting) if setting else ("none",)
    else:
        yield str(setting)


def _says(name: str, values: list[str]) -> str:
    facet = facets()[name]
    return " and ".join(facet.value(v).says for v in values if any(v == known.name for known in facet.values)) or (
        ", ".join(values)
    )
