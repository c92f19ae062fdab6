"""Which inputs compensated float64 can be used for, and what may underflow for those.

For all others the double-double reference stands in: it follows limits at infinite logits, and its products do not
overflow where they are cut in two.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lossvet.reference.types import Array, Case, Variant, array_params

LARGEST = 2.0**100
"""No input is larger: a product of eight is then in range."""
SMALLEST = 2.0**-20
"""No number that is divided by is smaller; but for the sums in `complement.py`, which may be SMALLEST_REST."""
SMALLEST_REST = 2.0**-100


class OutOfRangeError(Exception):
    """A number was found that is too small to be divided by, or that may be 0 and may not."""


def underflow(variant: Variant, case: Case) -> float | None:
    """The most that products which underflow may have cost an output; None where an input is out of range.

    2^-1070 each, times what they are multiplied by. -inf may mask a class where no term has its logit: of sparse labels
    alone.
    """
    n, c = case.logits.shape
    if n == 0 or c == 1 or not _logits_in_range(variant, case):
        return None
    scale = 1.0
    for a in _factors(variant, case):
        size = _size(a)
        if not size <= LARGEST:
            return None
        scale *= max(1.0, size) ** 2
    divided = SMALLEST**-2 / (SMALLEST_REST if variant.pairs else 1.0)
    return float(n * c * divided * scale * 2.0**-1070)


def _factors(variant: Variant, case: Case) -> Iterator[Array]:
    if variant.family != "sparse":
        yield case.labels
    yield from array_params(case.params).values()
    yield case.cotangent


def _size(a: Array) -> float:
    """The largest magnitude; NaN where a number is NaN."""
    return float(max(a.max(), -a.min())) if any(a.strides) else abs(float(a.flat[0]))


def _logits_in_range(variant: Variant, case: Case) -> bool:
    x, labels = case.logits, case.labels
    if _size(x) <= LARGEST:
        return True
    if variant.family != "sparse":
        return False
    kept = labels != case.params.ignore_index
    x, labels = x[kept], labels[kept]
    inside = np.abs(x) <= LARGEST
    if inside.all():
        return True
    masks = not variant.pairs and not hasattr(case.params, "label_smoothing")
    return masks and bool((inside | np.isneginf(x)).all() and np.isfinite(x[np.arange(len(x)), labels]).all())
