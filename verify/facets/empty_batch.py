"""What is the loss of a batch without rows?"""

from __future__ import annotations

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="empty_batch",
    asks="What is the loss of a batch without rows?",
    values=(
        Value(
            name="nan",
            says="gives NaN for a batch without rows",
            training=(
                "An empty batch (a filtered shard, an image without objects) makes the running loss NaN. Gradients of "
                "parameters that no row reached are mostly 0."
            ),
            change="Take the mean of nothing: `loss.mean()`.",
        ),
        Value(
            name="zero",
            says="gives 0 for a batch without rows",
            training="The batch has no effect.",
            change="Divide by at least 1: `loss.sum() / max(N, 1)`.",
        ),
        Value(
            name="raises",
            says="raises an exception for a batch without rows",
            training="Training stops at such a batch.",
            change="Check first: `if N == 0: raise ValueError`.",
        ),
        Value(
            name="empty",
            says="gives an empty array for a batch without rows",
            training="The caller reduces it: a sum is 0, a mean NaN.",
            change='Do not reduce: `reduction="none"`.',
        ),
    ),
    edge=True,
)
