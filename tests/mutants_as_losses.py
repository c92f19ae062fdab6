"""Mutants and controls as losses of a user: NAME__REDUCTION is a function of this file."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from lossvet.adapters import steps


def __getattr__(name: str) -> Any:
    if name.count("__") != 1 or name.startswith("_"):
        raise AttributeError(name)
    from mutants import judged

    tested, reduction = name.split("__")
    return loss({**judged.MUTANTS, **judged.CONTROLS}[tested], reduction)


def loss(tested: Any, reduction: Any) -> Any:
    from mutants.frames import ADAPTER

    made = tested.recipe.variant.params
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    names = ["logits", "labels", *made.__annotations__]
    signature = inspect.Signature([inspect.Parameter(name, kind) for name in names])

    def call(*args: Any, **named: Any) -> Any:
        given = dict(signature.bind(*args, **named).arguments)
        logits, labels = given.pop("logits"), given.pop("labels")
        return steps.losses(tested.recipe, ADAPTER.ops, logits, labels, made(**given), (reduction,))[reduction]

    call.__signature__ = signature  # type: ignore[attr-defined]  # what inspect looks for
    return call
