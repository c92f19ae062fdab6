"""Calling a loss as a plan says, and finding the loss in what it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lossvet.verify.binding import Argument, Constant, Plan, Role

LOSS_KEYS = ("loss", "total_loss", "ce_loss", "loss_ce", "cross_entropy")
"""Under which key or attribute a result of several parts has the loss."""


class NoLoss(Exception):
    """What was returned holds no loss; the message says what it is."""


def call(function: Callable[..., Any], plan: Plan, tensors: Mapping[str, Any], sizes: tuple[int, int]) -> Any:
    """What the loss returns for tensors by role; `sizes` are N and C. An argument whose role is missing is left out."""
    called = function if plan.made_with is None else make(function, plan, tensors, sizes)
    positional, named = _arguments(plan.arguments, tensors, sizes)
    return called(*positional, **named)


def make(function: Callable[..., Any], plan: Plan, tensors: Mapping[str, Any], sizes: tuple[int, int]) -> Any:
    """What a class or a function that makes a loss makes, as the plan says."""
    positional, named = _arguments(plan.made_with or (), tensors, sizes)
    return function(*positional, **named)


def _arguments(
    arguments: tuple[Argument, ...], tensors: Mapping[str, Any], sizes: tuple[int, int]
) -> tuple[list[Any], dict[str, Any]]:
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for argument in arguments:
        match argument:
            case Role(role=role):
                if role not in tensors:
                    continue
                value = tensors[role]
            case Constant(value=value, size=size):
                value = {"batch": sizes[0], "classes": sizes[1]}[value] if size else value
        if argument.by_position:
            positional.append(value)
        else:
            named[argument.parameter] = value
    return positional, named


def loss_of(result: Any) -> tuple[Any, str]:
    """The tensor or number that is the loss, and a note where it had to be picked out. Raises NoLoss."""
    if _numeric(result):
        return result, "" if hasattr(result, "shape") else "returns a Python number, which has no gradient"
    if isinstance(result, Mapping):
        for key in LOSS_KEYS:
            if _numeric(result.get(key)):
                return result[key], f"returns a mapping, of which {key!r} is used"
        result = tuple(result.values())
        found = "a mapping"
    else:
        found = "a tuple" if isinstance(result, tuple) else f"a {type(result).__name__}"
    if isinstance(result, tuple | list):
        numeric = [part for part in result if _numeric(part)]
        scalars = [part for part in numeric if not hasattr(part, "shape") or len(part.shape) == 0]
        if numeric:
            taken = (scalars or numeric)[0]
            place = next(i for i, part in enumerate(result) if part is taken)
            return taken, f"returns {found}: its {'first part' if place == 0 else f'part {place}'} is taken"
    for key in LOSS_KEYS:
        if _numeric(getattr(result, key, None)):
            return getattr(result, key), f"returns {found}: its .{key} is taken"
    raise NoLoss(f"returns {'None' if result is None else found}; expected a tensor or a number")


def _numeric(thing: Any) -> bool:
    """Whether this is a tensor of any framework, or a number."""
    if isinstance(thing, bool | str | type) or thing is None:
        return False
    return isinstance(thing, int | float) or (hasattr(thing, "shape") and hasattr(thing, "dtype"))
