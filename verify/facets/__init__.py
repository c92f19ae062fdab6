"""Every facet there is: one file of words and numbers each, listed and never registered."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from lossvet.verify.facet import Example, Facet, Value


@cache
def facets() -> Mapping[str, Facet]:
    """By name, in the order of `ORDER`; one that has no place there comes last."""
    found = {path.stem: _facet(path) for path in Path(__file__).parent.glob("*.toml")}
    return {name: found[name] for name in sorted(found, key=lambda n: (ORDER.index(n) if n in ORDER else 99, n))}


def _facet(path: Path) -> Facet:
    """Raises TypeError for a key that a facet, a value or an example has not."""
    table = _tuples(tomllib.loads(path.read_text()))
    values = tuple(Value(**value) for value in table.pop("values"))
    example = Example(**{"weights": {}, **table.pop("example")}) if "example" in table else None
    return Facet(path.stem, values=values, example=example, **table)


def _tuples(found: Any) -> Any:
    """What was read, with tuples for lists."""
    if isinstance(found, dict):
        return {name: _tuples(value) for name, value in found.items()}
    return tuple(map(_tuples, found)) if isinstance(found, list) else found


ORDER = (
    "family",
    "input",
    "activation",
    "log",
    "renormalised",
    "clip",
    "modulation",
    "weighting",
    "weight_scale",
    "weights_from",
    "weights_formula",
    "cost_orientation",
    "denominator",
    "denominator_guard",
    "counted",
    "ignored",
    "smoothing",
    "smoothing_order",
    "axis",
    "broadcast",
    "labels",
    "label_mixing",
    "label_shift",
    "arguments",
    "sign",
    "offset",
    "logits_map",
    "extra_terms",
    "gradient_logits",
    "gradient_labels",
    "gradient_weights",
    "upstream",
    "precision",
    "zero_denominator",
    "side_effects",
    "invalid_label",
    "all_ignored",
    "empty_batch",
    "shape",
)
"""What a loss means first, what it does with gradients next, edges last: the order in which differences are told."""
