"""Labels out of range that the code of a loss names: whether it ignores rows with them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

from lossvet.verify.probes import CLASSES, STRANGE

MOST = 3
"""Labels of one loss: each is a question."""


def named_labels(function: Callable[..., Any], given: dict[str, Any]) -> tuple[int, ...]:
    """Integers below 0 or beyond the classes that are asked with, in the arguments that are given to a loss, in its
    defaults or in its body; without those that every loss is asked with."""
    found = dict.fromkeys(v for v in (*given.values(), *_constants(function)) if isinstance(v, int))
    named = (v for v in found if not isinstance(v, bool) and not 0 <= v < CLASSES and v not in STRANGE)
    return tuple(v for v in named if abs(v) < 2**31)[:MOST]


def _constants(function: Any) -> Iterator[Any]:
    """Defaults and literals of a function; of a class or an instance, of all its methods."""
    if isinstance(function, functools.partial):
        yield from (*function.args, *function.keywords.values())
        yield from _constants(function.func)
        return
    function = inspect.unwrap(function)
    code = getattr(function, "__code__", None)
    if isinstance(code, CodeType):
        yield from (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
        yield from _literals(code)
    elif not inspect.isbuiltin(function):
        kind = function if inspect.isclass(function) else type(function)
        for method in vars(kind).values():
            if inspect.isfunction(method):
                yield from _constants(method)


def _literals(code: CodeType) -> Iterator[Any]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _literals(constant)
        else:
            yield constant
