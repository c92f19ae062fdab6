"""What `reference.evaluate` takes beside plain NumPy, and how near it comes to `exact`: the table of docs/reference.md.

    .venv/bin/python tests/reference_speed.py [VARIANT ...]

The mean loss and all gradients of 1,024 x 1,000 logits, on one thread: the best of 15 calls of either, in turns. The
error is the largest difference from `exact=True`, over u = 2^-53 times the sum of the magnitudes of the terms of that
element; the error returned is the largest, over the same. Both are of 8 rows where `exact` goes through pairs of
classes.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy is imported

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests import magnitudes, plain_losses

from lossvet.reference import evaluate, output, variants
from lossvet.reference.outputs import outputs
from lossvet.reference.types import Case, Variant, array_params, leaves
from lossvet.reference.values import exact_outputs, values

N, C, ROWS_OF_PAIRS, CALLS = 1024, 1000, 8, 15
SEED = 20261128
UNIT = 2.0**-53


def drawn(variant: Variant) -> Case:
    """Normal logits, soft labels, weights that differ tenfold."""
    draw = np.random.default_rng(SEED)
    given: dict[str, Any] = {
        "pos_weight": draw.uniform(0.3, 3, C),
        "class_weight": draw.uniform(0.3, 3, C),
        "cost_matrix": draw.uniform(0, 4, (C, C)),
        "label_smoothing": 0.1,
    }
    return Case(
        id=f"{variant.name}/drawn",
        bits=53,
        logits=draw.normal(0, 3, (N, C)),
        labels=draw.integers(0, C, N) if variant.family == "sparse" else draw.uniform(0, 1, (N, C)),
        params=variant.params(**{k: v for k, v in given.items() if k in variant.params.__dataclass_fields__}),
        cotangent=np.broadcast_to(1.0, (N, C) if variant.family == "binary" else N),
        direction=np.broadcast_to(0.0, (N, C)),
    )


def best(calls: tuple[Callable[[], Any], ...]) -> list[float]:
    """Milliseconds of each, in turns."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(CALLS):
        for call, taken in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            taken.append(1e3 * (time.perf_counter() - start))
    return [min(taken) for taken in times]


def errors(variant: Variant, case: Case) -> tuple[float, float]:
    """The largest difference from the double-double reference and the largest error returned, over u and magnitudes."""
    names = (output.loss("mean"), *(output.gradient("mean", leaf) for leaf in leaves(variant, case)))
    if variant.pairs:
        few = slice(ROWS_OF_PAIRS)
        case = replace(case, logits=case.logits[few], labels=case.labels[few], cotangent=case.cotangent[few])
        case = replace(case, direction=case.direction[few])
    found, exact = values(variant, case, names), exact_outputs(variant, case, names)
    with np.errstate(all="ignore"):
        sizes = outputs(magnitudes, variant, case, names)
    off = returned = 0.0
    for name in names:
        size = np.broadcast_to(sizes[name].m, found[name].error.shape)
        counted = size > 1e-250
        difference = np.abs(found[name].value - exact[name])
        off = max(off, float((difference[counted] / size[counted]).max()) / UNIT)
        returned = max(returned, float((found[name].error[counted] / size[counted]).max()) / UNIT)
    return off, returned


def main(names: list[str]) -> None:
    print("| variant | NumPy, ms | `evaluate`, ms | ratio | error, u | error returned, u |")
    print("|---|---|---|---|---|---|")
    for name in names:
        variant = variants.load(name)
        case = drawn(variant)
        label = getattr(case.params, "label_smoothing", None)
        params = {**array_params(case.params), **({} if label is None else {"label_smoothing": label})}

        def plain(name: str = name, case: Case = case, params: Any = params) -> Any:
            return plain_losses.LOSSES[name](case.logits, case.labels, **params)

        def default(name: str = name, case: Case = case, params: Any = params) -> Any:
            return evaluate(name, case.logits, case.labels, **params)

        slow, quick = best((plain, default))
        off, returned = errors(variant, case)
        print(f"| {name} | {slow:.1f} | {quick:.1f} | {quick / slow:.2f} | {off:.2f} | {returned:.2f} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or list(variants.names()))
