"""Numbers in JSON, bit for bit: floats as hex strings ("0x1.8p+0", "nan", "-inf"), whole numbers as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def encoded(value: Any) -> Any:
    """Nested lists, tuples and arrays of any dtype, floats as hex strings in them; None, True, False stay."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    match value:
        case bool() | int() | None:
            return value
        case float():
            return value.hex()
        case list() | tuple():
            return [encoded(v) for v in value]
    raise TypeError(f"{type(value).__name__} is neither a number nor a list of numbers")


def decoded(value: Any) -> Any:
    """What `encoded` was given, tuples and arrays as lists. Raises ValueError where a string is no number."""
    match value:
        case str():
            return float.fromhex(value)
        case list():
            return [decoded(v) for v in value]
        case bool() | int() | float() | None:
            return value
    raise ValueError(f"expected numbers, hex strings and lists of them; found {type(value).__name__}")


def encoded_inputs(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {role: encoded(value) for role, value in inputs.items()}


def decoded_inputs(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {role: decoded(value) for role, value in inputs.items()}


def arrays(inputs: Mapping[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """Inputs by role as a question holds them: int64 where every number is whole by type, float64 elsewhere.

    Labels of an empty batch come out as int64. Raises ValueError for ragged lists.
    """
    return {role: _array(role, value) for role, value in inputs.items()}


def _array(role: str, value: Any) -> np.ndarray[Any, Any]:
    found = np.asarray(value)
    if found.size == 0 and role == "labels" and found.ndim == 1:
        return found.astype(np.int64)
    return found.astype(np.int64 if found.dtype.kind in "iub" else np.float64)


def shape(value: Any) -> tuple[int, ...]:
    """The shape of nested lists of equal lengths; () of a number or None."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return ()
    return (len(value), *(shape(value[0]) if len(value) else ()))
