"""Every facet there is: one file each, listed and never registered."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache

from lossvet.verify.facet import Facet


@cache
def facets() -> Mapping[str, Facet]:
    """By name, in the order of `ORDER`; one that has no place there comes last."""
    found = {m.name: importlib.import_module(f"{__name__}.{m.name}").FACET for m in pkgutil.iter_modules(__path__)}
    return {name: found[name] for name in sorted(found, key=lambda n: (ORDER.index(n) if n in ORDER else 99, n))}


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
