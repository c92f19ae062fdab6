"""A loss of the user's own, added to its framework as one more recipe: judged and timed like any other.

The environment variable LOSSVET_OWN_LOSS says which: FRAMEWORK/VARIANT/REDUCTION=MODULE:FUNCTION. The function is
called as f(logits, labels, **params) with those of the variant's params that it names, and returns the loss, reduced as
REDUCTION says. It is imported in the worker of its framework, by that worker's interpreter.
"""

from __future__ import annotations

import importlib
import inspect
import os
from dataclasses import dataclass, fields, replace
from typing import Any, get_args

from lossvet.adapters.types import Adapter, Native
from lossvet.reference import variants
from lossvet.reference.types import Reduction

VARIABLE = "LOSSVET_OWN_LOSS"
RECIPE = "own"
FILE = "own loss"
"""The detail of an adapter that says from which file the loss comes."""


@dataclass(frozen=True)
class OwnLoss:
    """Where a loss is found, what it is meant to be, and how it reduces."""

    framework: str
    variant: str
    reduction: Reduction
    module: str
    function: str

    def __str__(self) -> str:
        return f"{self.framework}/{self.variant}/{self.reduction}={self.module}:{self.function}"


def parsed(text: str) -> OwnLoss:
    """The loss that FRAMEWORK/VARIANT[/REDUCTION]=MODULE:FUNCTION names. Raises ValueError where it names none."""
    what, equals, where = text.partition("=")
    module, colon, function = where.partition(":")
    framework, _, rest = what.partition("/")
    variant, _, named = rest.partition("/")
    if not (equals and colon and framework and variant and module and function):
        raise ValueError(f"{text!r} is not FRAMEWORK/VARIANT=MODULE:FUNCTION, as in torch/sparse=mylib.losses:mine")
    if variant not in variants.names():
        raise ValueError(f"no variant is called {variant!r}; there are: {', '.join(variants.names())}")
    reductions = variants.load(variant).reductions
    reduction = next((r for r in get_args(Reduction) if r == (named or "mean") and r in reductions), None)
    if reduction is None:
        raise ValueError(f"{variant} has no reduction {named!r}; it has: {', '.join(reductions)}")
    return OwnLoss(framework, variant, reduction, module, function)


def added(adapter: Adapter) -> Adapter:
    """The adapter with the user's loss, where the environment names one of its framework.

    Raises ValueError, ImportError or AttributeError where that names no loss.
    """
    text = os.environ.get(VARIABLE)
    if not text or (own := parsed(text)).framework != adapter.name:
        return adapter
    natives = {**adapter.native.get(own.variant, {}), RECIPE: _native(own, adapter)}
    file = getattr(importlib.import_module(own.module), "__file__", None) or ""
    return replace(adapter, native={**adapter.native, own.variant: natives}, details={**adapter.details, FILE: file})


def _native(own: OwnLoss, adapter: Adapter) -> Native:
    function = getattr(importlib.import_module(own.module), own.function)
    taken = inspect.signature(function).parameters
    every = any(p.kind is p.VAR_KEYWORD for p in taken.values())
    params = [f.name for f in fields(variants.load(own.variant).params) if f.name != "sample_weight"]
    passed = [name for name in params if every or name in taken]

    def call(logits: Any, labels: Any, given: Any, reduction: Reduction) -> Any:
        return function(logits, labels, **{name: getattr(given, name) for name in passed})

    return Native(
        call,
        f"{own.module}.{own.function}({', '.join(('logits', 'labels', *(f'{name}={name}' for name in passed)))})",
        reductions={own.reduction: ""},
        ignore_index="ignore_index" in passed,
        dtypes=adapter.dtypes,
    )
