"""Losses that are slower than they need be, on purpose: what a gate must find, for its self-test.

LOSSVET_SLOWED holds, by variant, how many hundredths of the rows are multiplied by themselves inside the loss for each
per cent of slowdown. Every framework's tensors can be sliced and multiplied, so this knows none. It works in modes that
run what is written; a compiler would leave out what nobody uses.
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
PERCENTS = (0, 2, 5, 10)


def recipe(percent: int) -> str:
    """The name of the recipe that is slower by this much."""
    return f"slowed_{percent}"


def environment(rows: Mapping[str, float]) -> dict[str, str]:
    """What makes a worker offer these recipes; `rows` in per cent of all for each per cent of slowdown, by variant."""
    return {VARIABLE: json.dumps(dict(rows))}


def added(adapter: Adapter) -> Adapter:
    """The adapter, with slowed recipes of every variant where the environment asks for them."""
    text = os.environ.get(VARIABLE)
    if text is None:
        return adapter
    rows: dict[str, float] = json.loads(text)
    slow = {
        name: {recipe(percent): _native(adapter, name, percent * rows.get(name, 0.0) / 100) for percent in PERCENTS}
        for name in variants.names()
    }
    return replace(adapter, native={name: {**adapter.native.get(name, {}), **own} for name, own in slow.items()})


def _native(adapter: Adapter, name: str, share: float) -> Native:
    """The framework's own loss where it has one, else the composed one; and before it, work on this share of rows."""
    natives = adapter.native.get(name, {})
    own = next((n for n in natives.values() if "mean" in n.reductions or "none" in n.reductions), None)
    variant = variants.load(name)

    def call(logits: Any, labels: Any, params: Any, reduction: Reduction) -> Any:
        whole, rest = divmod(round(share * len(logits)), len(logits))
        for _ in range(whole):
            logits * logits
        if rest:
            logits[:rest] * logits[:rest]
        if own is not None:
            return own.call(logits, labels, params, reduction)
        return variant.losses(adapter.ops, logits, labels, params)

    return Native(call, f"{own.spelling if own else 'composed'}, slowed", own.reductions if own else ("none",))
