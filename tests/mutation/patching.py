"""A mutant in code that is loaded already: functions get its code, and whoever imported them calls the mutant."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from inspect import CO_OPTIMIZED
from types import CodeType, FunctionType

Place = tuple[str, int]
"""A function of a file: its qualified name and its first line."""


def changed(was: str, now: str) -> Mapping[Place, CodeType] | None:
    """The functions whose code differs, each with its new code, the outermost of those that are nested; None where what
    an import runs differs as well. Raises SyntaxError."""
    old, new = (compile(source, "<mutant>", "exec", dont_inherit=True) for source in (was, now))
    return _differing(old, new)


def loaded(path: str) -> Mapping[Place, list[FunctionType]]:
    """The functions of a file that there are now: methods, lambdas and what a decorator wraps among them."""
    found: dict[Place, list[FunctionType]] = {}
    for one in gc.get_objects():
        if isinstance(one, FunctionType) and one.__code__.co_filename == path:
            found.setdefault(_place(one.__code__), []).append(one)
    return found


def put(codes: Mapping[Place, CodeType], functions: Mapping[Place, list[FunctionType]]) -> None:
    """From now on, the functions at these places have this code, where there are any."""
    for place, code in codes.items():
        for function in functions.get(place, ()):
            function.__code__ = code


def _differing(old: CodeType, new: CodeType) -> dict[Place, CodeType] | None:
    if _own(old) != _own(new):
        return None
    found: dict[Place, CodeType] = {}
    for was, now in zip(_nested(old), _nested(new), strict=True):
        if was == now:
            continue
        if was.co_flags & CO_OPTIMIZED:  # it is a function; else the body of a class
            if (was.co_freevars, _place(was)) != (now.co_freevars, _place(now)):
                return None
            found[_place(was)] = now
        elif (inner := _differing(was, now)) is None:
            return None
        else:
            found |= inner
    return found


def _own(code: CodeType) -> tuple[object, ...]:
    """What a body does by itself. Constants with their types: True is equal to 1."""
    constants = [(type(one), None if isinstance(one, CodeType) else one) for one in code.co_consts]
    return code.co_code, constants, code.co_names


def _nested(code: CodeType) -> Iterator[CodeType]:
    return (one for one in code.co_consts if isinstance(one, CodeType))


def _place(code: CodeType) -> Place:
    return code.co_qualname, code.co_firstlineno
