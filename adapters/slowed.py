"""Losses that are slower than they need be, on purpose: what a gate must find, for its self-test.

LOSSVET_SLOWED holds, by variant and name, how often the first row is multiplied by itself before the loss. Every
framework's tensors can be sliced and multiplied, so this knows none. One row only, since whoever reads all of them
first leaves them in the cache for the loss, and what was added then is not what it takes by itself. It works in modes
that run what is written; a compiler would leave out what nobody uses.
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


def recipe(name: int) -> str:
    """What the recipe of this name is called: of what it is slower by in per cent, or of its place in a trial."""
    return f"slowed_{name}"


def environment(times: Mapping[str, Mapping[int, int]]) -> dict[str, str]:
    """What makes a worker offer these recipes: by variant and name, how many multiplications are added."""
    return {VARIABLE: json.dumps({variant: {recipe(k): v for k, v in by.items()} for variant, by in times.items()})}


def added(adapter: Adapter) -> Adapter:
    """The adapter with slowed recipes and no others, where the environment asks for them."""
    text = os.environ.get(VARIABLE)
    if text is None:
        return adapter
    asked: dict[str, dict[str, int]] = json.loads(text)
    slow = {name: {own: _native(adapter, name, times) for own, times in by.items()} for name, by in asked.items()}
    return replace(adapter, native=slow)


def _native(adapter: Adapter, name: str, times: int) -> Native:
    """The framework's own loss where it has one, else the composed one; and before it so many multiplications."""
    natives = adapter.native.get(name, {})
    own = next((n for n in natives.values() if "mean" in n.reductions or "none" in n.reductions), None)
    variant = variants.load(name)

    def call(logits: Any, labels: Any, params: Any, reduction: Reduction) -> Any:
        row = logits[:1]
        for _ in range(times):
            row * row
        if own is not None:
            return own.call(logits, labels, params, reduction)
        return variant.losses(adapter.ops, logits, labels, params)

    return Native(call, f"{own.spelling if own else 'composed'}, slowed", own.reductions if own else {"none": ""})
