"""All outputs of a case, by compensated float64 or by double-double numbers, each with a bound on its error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from lossvet.reference import closed, output
from lossvet.reference.bounds import Arithmetic, Profile
from lossvet.reference.constants import HEAD_ROOM
from lossvet.reference.fast import arithmetic, inputs
from lossvet.reference.fast.carried import DOUBLE
from lossvet.reference.fast.elements import rounded
from lossvet.reference.fast.pairs import UNIT
from lossvet.reference.outputs import outputs, undefined_where_infinite
from lossvet.reference.types import Array, Case, Variant, array_params, leaves, output_names

PRIMITIVE = 2.0**-84
"""A double-double log1p loses the most, 2^-82 of a result at the seam between series and Newton steps: 4 of these, and
`constants.C_LOSS` allows 16."""
UNDERFLOW = 2.0**-1066
"""What a product that underflows may cost a double-double number, with head-room: its low part, and the last place."""


@dataclass(frozen=True)
class Value:
    """An output as float64, NaN where it is undefined, and a bound on the magnitude of its error, both of its shape."""

    value: Array
    error: Array


def values(variant: Variant, case: Case, names: Iterable[str] | None = None) -> Mapping[str, Value]:
    """The outputs of these names, or all, by name: each within 4 u times the sum of the magnitudes of its terms.

    u is 2^-53. The terms are those that the closed form adds up, over classes, over rows and in a difference; products
    and quotients have the magnitudes of their parts multiplied and divided. The error is derived
    (`fast/elements.py`), with what may have underflowed added to it. Inputs out of range (`fast/inputs.py`) and Hessian
    products are worked out by double-double numbers.
    """
    wanted = tuple(output_names(variant, case) if names is None else names)
    first_order = tuple(name for name in wanted if output.parse(name) != output.HVP)
    found: Mapping[str, Value] = {}
    if first_order and (lost := inputs.underflow(variant, case)) is not None:
        with suppress(inputs.OutOfRangeError):
            found = _compensated(variant, case, first_order, lost)
    rest = tuple(name for name in wanted if name not in found)
    more = exact_values(variant, case, rest) if rest else {}
    return {name: found[name] if name in found else more[name] for name in wanted if name in found or name in more}


def exact_values(variant: Variant, case: Case, names: tuple[str, ...] | None = None) -> Mapping[str, Value]:
    """The same by double-double numbers, at some hundred times the price: correct to the last bit or nearly so.

    The error is a rounding, and what `bounds.py` derives for primitives with an error of 2^-84, relative to them.
    """
    found = exact_outputs(variant, case, names)
    doubled = Arithmetic((Profile(PRIMITIVE, DOUBLE, shift=0.0, relative=True),))
    with np.errstate(all="ignore"):
        within = outputs(doubled, variant, case, tuple(found))

    def error(name: str) -> Array:
        flushed = UNDERFLOW * within[name].k
        e = HEAD_ROOM * within[name].e[0] + UNIT * np.abs(found[name]) + np.where(np.isfinite(flushed), flushed, 0.0)
        return np.where(np.isfinite(found[name]), e, 0.0)

    return {name: Value(value, error(name)) for name, value in found.items()}


def exact_outputs(variant: Variant, case: Case, names: tuple[str, ...] | None = None) -> dict[str, Array]:
    """The outputs of these names, or all, by name, by double-double numbers, without their errors."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore", under="ignore"):
        found = {name: np.array(number.hi) for name, number in outputs(closed, variant, case, names).items()}
    return {
        name: np.where(np.isinf(x), np.nan, x) if undefined_where_infinite(name) else x for name, x in found.items()
    }


def _compensated(variant: Variant, case: Case, names: tuple[str, ...], lost: float) -> Mapping[str, Value]:
    _keep_freed_memory()
    own = _own_memory(case)
    shapes = {name: np.shape(leaf) for name, leaf in leaves(variant, case).items()}

    def shape(name: str) -> tuple[int, ...]:
        of = output.parse(name)
        if of.kind == "gradient":
            return shapes[of.leaf]
        return np.shape(case.cotangent) if of.reduction == "none" else ()

    with np.errstate(all="ignore"):
        found = outputs(arithmetic, variant, own, names)
        rounded_ones = {name: rounded(number, shape(name)) for name, number in found.items()}
    for _, error in rounded_ones.values():
        error += lost
    return {name: Value(value, error) for name, (value, error) in rounded_ones.items()}


def _keep_freed_memory() -> None:
    """Where blocks come and go, the C library should not give each back to the system, and be given it empty again.

    That would take several times what the arithmetic takes. glibc keeps blocks that are freed up to the size of the
    largest that ever was, 32 MiB at most (mallopt(3), M_MMAP_THRESHOLD); of this one no page is touched.
    """
    np.empty(2**25 - 2**16, np.uint8)


def _own_memory(case: Case) -> Case:
    """The case with inputs that are arrays in memory, for a broadcast number counts as a number in `arithmetic.py`."""
    own = {name: np.array(a) if a.ndim and not all(a.strides) else a for name, a in array_params(case.params).items()}
    return replace(
        case,
        logits=np.ascontiguousarray(case.logits),
        labels=np.ascontiguousarray(case.labels),
        params=replace(case.params, **own),
    )
