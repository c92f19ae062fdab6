"""The parameters of whatever can be called: functions, objects, classes and functions that make a loss."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lossvet.verify import parameter_names as names

Parameter = inspect.Parameter
SKIPPED = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
POSITIONAL = tuple(Parameter(name, Parameter.POSITIONAL_ONLY) for name in ("logits", "labels"))
"""What is taken for granted of a built-in function that does not tell its parameters."""


@dataclass(frozen=True)
class Shape:
    """What is called: a function, or what a class or another function makes, which `making` has the parameters of.

    `swallows`: it takes whatever keyword arguments it is given (**kwargs).
    """

    name: str
    parameters: tuple[Parameter, ...]
    making: tuple[Parameter, ...] | None = None
    swallows: bool = False

    def text(self) -> str:
        """The parameters as they stand in a signature, those of the class or maker first."""
        made = "" if self.making is None else f"({', '.join(map(str, self.making))})"
        return f"{self.name}{made}({', '.join(map(str, self.parameters))})"


def of_callable(function: Callable[..., Any], name: str) -> Shape | None:
    """Its shape; None for a function that looks as if it made a loss: `of_made` has to see what it makes."""
    if inspect.isclass(function):
        return of_made(function, name, _method(function))
    parameters, swallows = _parameters(function)
    return None if _makes(parameters) else Shape(name, parameters, swallows=swallows)


def of_made(maker: Callable[..., Any], name: str, made: Callable[..., Any]) -> Shape:
    """The shape of what a class or a function makes."""
    parameters, swallows = _parameters(made)
    return Shape(name, parameters, makers(maker), swallows)


def makers(function: Callable[..., Any]) -> tuple[Parameter, ...]:
    """The parameters of a class, or of a function that makes a loss; none where it hands everything on by *args."""
    parameters = _parameters(function)[0]
    return () if parameters == POSITIONAL else parameters


def required(parameter: Parameter) -> bool:
    return parameter.default is Parameter.empty


def _parameters(function: Callable[..., Any]) -> tuple[tuple[Parameter, ...], bool]:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # a built-in function without a text signature
        return POSITIONAL, False
    kept = tuple(p for p in signature.parameters.values() if p.kind not in SKIPPED)
    if not kept and any(p.kind is Parameter.VAR_POSITIONAL for p in signature.parameters.values()):
        kept = POSITIONAL
    return kept, any(p.kind is Parameter.VAR_KEYWORD for p in signature.parameters.values())


def _method(kind: type) -> Callable[..., Any]:
    """What an instance of the class is called by, bound to an instance as far as the signature goes."""
    candidates = [getattr(kind, name, None) for name in ("__call__", "forward", "call")]
    for method in filter(callable, candidates):
        parameters = _unbound(method)
        if len(parameters) >= 2:
            return _WithoutSelf(parameters)
    return _WithoutSelf(POSITIONAL)


def _unbound(method: Any) -> tuple[Parameter, ...]:
    """Without self, and without *args and **kwargs, which stand for a method that hands everything on."""
    try:
        parameters = list(inspect.signature(method).parameters.values())[1:]
    except (TypeError, ValueError):
        return ()
    return tuple(p for p in parameters if p.kind not in SKIPPED)


class _WithoutSelf:
    """A callable that has nothing but a signature."""

    def __init__(self, parameters: tuple[Parameter, ...]) -> None:
        self.__signature__ = inspect.Signature(parameters)

    def __call__(self) -> None:
        raise TypeError("this stands for the signature of a method alone")


def _makes(parameters: tuple[Parameter, ...]) -> bool:
    """Whether a function with these parameters looks as if it made a loss: nothing in them is logits or labels."""
    said = {names.suggests(p.name) for p in parameters} & {"logits", "labels"}
    free = [p for p in parameters if required(p) and not names.suggests(p.name) and names.constant(p.name) is None]
    return not said and len(free) < 2
