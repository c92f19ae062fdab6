"""Recipes of adapters as losses of a user: F__VARIANT__RECIPE__REDUCTION is a function of this file, F a framework.

Its parameters have the names of the roles, those that the recipe takes.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

from lossvet.adapters.types import Native
from lossvet.reference import variants


def __getattr__(name: str) -> Any:
    if name.count("__") != 3 or name.startswith("_"):
        raise AttributeError(name)
    framework, variant, recipe, reduction = name.split("__")
    return loss(natives(framework)[variant][recipe], variant, reduction)


def natives(framework: str) -> Mapping[str, Mapping[str, Native]]:
    """Without loading the adapter, which the process that asks has done."""
    module = importlib.import_module(f"lossvet.adapters.{framework}_")
    names = {"tf": "tensorflow"}
    modules = [importlib.import_module(names.get(name, name)) for name in inspect.signature(module.natives).parameters]
    found: Mapping[str, Mapping[str, Native]] = module.natives(*modules)
    return found


def loss(native: Native, variant: str, reduction: Any) -> Any:
    made = variants.load(variant).params
    names = ["logits", "labels", *made.__annotations__]
    left_out = {
        name for name, takes in (("sample_weight", native.sample_weight), ("ignore_index", native.ignore_index))
        if not takes
    }  # fmt: skip
    kept = [name for name in names if name not in left_out]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = inspect.Signature([inspect.Parameter(name, kind) for name in kept])

    def call(*args: Any, **named: Any) -> Any:
        given = dict(signature.bind(*args, **named).arguments)
        logits, labels = given.pop("logits"), given.pop("labels")
        return native.call(logits, labels, made(**given), reduction)

    call.__signature__ = signature  # type: ignore[attr-defined]  # what inspect looks for
    return call
