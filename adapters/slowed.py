"""Losses slowed on purpose by a known share, which the gate must find in its self-test.

LOSSVET_SLOWED holds, by variant and name, the share of the rows for which the loss is computed. A loss of 5 % more rows
does 5 % more of everything, whatever slows the machine meanwhile. (Any other extra work would have to be calibrated,
and a slowdown of 5 % becomes 4 or 7 % when neighbours come or go.) Every framework's tensors can be sliced, so this
module knows no framework.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lossvet.adapters.types import Adapter, Native
from lossvet.reference import variants
from lossvet.reference.types import Reduction

VARIABLE = "LOSSVET_SLOWED"


def recipe(percent: int) -> str:
    """What the recipe is called that is to be slower by so many per cent."""
    return f"slowed_{percent}"


def environment(shares: Mapping[str, Mapping[int, float]]) -> dict[str, str]:
    """What makes a worker offer these recipes: by variant and per cent, a share of the rows."""
    return {VARIABLE: json.dumps({variant: {recipe(p): v for p, v in by.items()} for variant, by in shares.items()})}


def added(adapter: Adapter) -> Adapter:
    """The adapter with slowed recipes and no others, where the environment asks for them."""
    text = os.environ.get(VARIABLE)
    if text is None:
        return adapter
    asked: dict[str, dict[str, float]] = json.loads(text)
    slow = {name: {own: _native(adapter, name, share) for own, share in by.items()} for name, by in asked.items()}
    return replace(adapter, native=slow)


def _native(adapter: Adapter, name: str, share: float) -> Native:
    """The framework's own loss where it has one, else the composed one, of the first rows."""
    natives = adapter.native.get(name, {})
    own = next((n for n in natives.values() if "mean" in n.reductions or "none" in n.reductions), None)
    variant = variants.load(name)

    def call(logits: Any, labels: Any, params: Any, reduction: Reduction) -> Any:
        rows = round(share * len(logits))
        if own is not None:
            return own.call(logits[:rows], labels[:rows], params, reduction)
        return variant.losses(adapter.ops, logits[:rows], labels[:rows], params)

    return Native(call, f"{own.spelling if own else 'composed'}, slowed", own.reductions if own else {"none": ""})
