"""What left the range of a dtype where an answer is infinite, NaN or 0 and the exact result is in range: by its name.

Only where the dtype has less range than the one that its sums are to be computed in, as float16 has: elsewhere an
answer that is infinite has another cause.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lossvet.conformance.types import Differs
from lossvet.reference import output as outputs
from lossvet.reference.dtypes import DTYPES
from lossvet.reference.reductions import DIVISORS, Reduction
from lossvet.reference.vectors import Golden

SUM, ON_THE_WAY = "the sum of the losses", "a value on the way"


def explained(differs: Differs, golden: Golden, output: str, dtype: str) -> Differs:
    """The difference, with a note that says what left the range, where something did."""
    of, got, true = DTYPES[dtype], differs.got, differs.golden
    if got is None or true is None or not np.isfinite(true) or of.e_max == DTYPES[of.accumulates_in].e_max:
        return differs
    past = [name for name, size in sizes(golden, outputs.parse(output).reduction) if size >= of.overflow]
    if np.isfinite(got) and not (got == 0 and past):
        return differs
    words = f"{' and '.join(past) or ON_THE_WAY} left the range of {dtype}"
    return replace(differs, notes=(*differs.notes, words))


def sizes(golden: Golden, reduction: Reduction) -> Iterator[tuple[str, float]]:
    """What a mean adds up and what it divides by, and how large they are."""
    if reduction in DIVISORS:
        total, mean = (np.abs(golden.outputs[outputs.loss(of)]) for of in ("sum", reduction))
        yield SUM, float(total)
        with np.errstate(all="ignore"):
            yield DIVISORS[reduction], float(total / mean)
