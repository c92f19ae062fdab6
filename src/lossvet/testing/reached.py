"""What a function can be seen to use, without calling it: the globals that its code names, and what it closes over."""

from __future__ import annotations

import functools
import sys
from collections.abc import Collection, Iterator
from types import CodeType, FunctionType, MethodType
from typing import Any

from lossvet.adapters.presence import package

DEPTH = 3
"""How many functions deep the code of a loss is looked through: it may be a wrapper of a helper."""


def reached(function: Any, closed: Collection[str], depth: int = DEPTH, seen: set[int] | None = None) -> Iterator[Any]:
    """What the code of a function names among its globals or closes over, and that of the functions among these.

    The functions of the packages that are `closed` are named, and not looked into.
    """
    seen = set() if seen is None else seen
    if id(function) in seen:
        return
    seen.add(id(function))
    for plain in _functions(function, closed):
        enclosed = [cell.cell_contents for cell in plain.__closure__ or () if _filled(cell)]
        for thing in (*_named(plain), *enclosed):
            yield thing
            own = isinstance(thing, FunctionType | MethodType | functools.partial | type)
            if depth > 1 and own and package(thing) not in closed:
                yield from reached(thing, closed, depth - 1, seen)


def _functions(thing: Any, closed: Collection[str]) -> list[FunctionType]:
    """The Python functions that run when it is called."""
    if isinstance(thing, functools.partial):
        return _functions(thing.func, closed)
    if isinstance(thing, MethodType):
        return _functions(thing.__func__, closed)
    if isinstance(thing, FunctionType):
        wrapped = getattr(thing, "__wrapped__", None)
        return [thing, *(_functions(wrapped, closed) if wrapped is not None else [])]
    if (wrapped := getattr(thing, "__wrapped__", getattr(thing, "python_function", None))) is not None:
        return _functions(wrapped, closed)  # of jax.jit, tf.function
    kind = thing if isinstance(thing, type) else type(thing)
    if package(kind) in closed:
        return []
    methods = [kind.__dict__.get(name) for name in ("__init__", "__call__", "forward", "call")]
    return [method for method in methods if isinstance(method, FunctionType)]


def _named(function: FunctionType) -> Iterator[Any]:
    """The values of the globals that the code names, nested functions included."""
    for name in dict.fromkeys(_names(function.__code__)):
        if name in function.__globals__:
            yield function.__globals__[name]
        elif name in sys.modules:  # imported within the function
            yield sys.modules[name]


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018  # asked for what it raises
    except ValueError:
        return False
    return True
