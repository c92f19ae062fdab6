"""What every case must fulfil, or it is a mistake in a table."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from lossvet.reference.hazards import HAZARDS
from lossvet.reference.types import Array, Case, array_params

OUTCOMES = {"nan", "zero", "inf", "raises", "any"}


def check(case: Case) -> None:
    """Raises ValueError, naming the case, where shapes, dtypes, exactness, hazards or expectations are not as they must be."""
    for fault in _faults(case):
        raise ValueError(f"case {case.id}: {fault}")


def exact(values: Array, bits: int) -> bool:
    """Whether every number is finite or infinite, has so many significant bits, and is in the range of all dtypes that have.

    8 bits stand for bfloat16 and float16, 24 for float32, 53 for float64.
    """
    if np.isnan(values).any():
        return False
    finite = values[np.isfinite(values)]
    scaled = np.ldexp(np.frexp(finite)[0], bits)
    narrow = {8: np.float16, 24: np.float32, 53: np.float64}[bits]
    with np.errstate(over="ignore"):
        in_range = finite.astype(narrow).astype(np.float64) == finite
    return bool((scaled == np.rint(scaled)).all() and in_range.all())


def _faults(case: Case) -> list[str]:
    n, classes = case.logits.shape
    sparse, binary = case.labels.ndim == 1, case.cotangent.ndim == 2
    arrays = array_params(case.params)
    shapes = {
        "logits": (case.logits, [(n, classes)]),
        "labels": (case.labels, [(n,)] if sparse else [(n, classes)]),
        "cotangent": (case.cotangent, [(n, classes)] if binary else [(n,)]),
        "direction": (case.direction, [(n, classes)]),
        **{name: (value, _param_shapes(name, n, classes)) for name, value in arrays.items()},
    }
    faults = [f"{name} has shape {value.shape}" for name, (value, allowed) in shapes.items() if value.shape not in allowed]
    for name, (value, _) in shapes.items():
        dtype = np.dtype(np.int64 if name == "labels" and sparse else np.float64)
        if value.dtype != dtype:
            faults.append(f"{name} is {value.dtype} and not {dtype}")
        elif dtype == np.float64 and not exact(value, case.bits):
            faults.append(f"{name} is not exact in {case.bits} bits: {value}")
    if not exact(case.direction, 8):
        faults.append("direction is not exact in 8 bits")
    floats = [v for f in fields(case.params) if isinstance(v := getattr(case.params, f.name), float)]
    if not exact(np.array(floats), case.bits):
        faults.append(f"a setting among {floats} is not exact in {case.bits} bits")
    if sparse and "invalid_label" not in case.hazards:
        kept = case.labels[case.labels != case.params.ignore_index]
        if ((kept < 0) | (kept >= classes)).any():
            faults.append(f"labels {kept} are not all classes")
    if (case.logits == np.inf).any() and not binary:
        faults.append("a softmax of an infinite logit is undefined")
    faults += [f"no hazard is called {name!r}" for name in case.hazards if name not in HAZARDS]
    faults += [f"no outcome is called {name!r}" for name in case.expect.values() if name not in OUTCOMES]
    return faults


def _param_shapes(name: str, n: int, classes: int) -> list[tuple[int, ...]]:
    match name:
        case "sample_weight":
            return [(n,)]
        case "cost_matrix":
            return [(classes, classes)]
        case "pos_weight":
            return [(), (classes,)]
        case _:
            return [(classes,)]
