"""Does the result have the shape that the other facets explain?"""

from __future__ import annotations

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="shape",
    asks="Does the result have the shape that the other facets explain?",
    values=(
        Value(
            name="explained",
            says="returns the shape that its reduction explains: a scalar, [N] or [N, C]",
            training="What multiplies or sums the result sees the shape that it expects.",
            change="Return the reduced loss as it is, without `keepdims` or a reshape.",
        ),
        Value(
            name="extra_axis",
            says="returns an axis of length 1 that the reduction does not explain, such as [N, 1]",
            training=(
                "No difference by itself. Multiplied by weights [N] it broadcasts to [N, N], and the weights silently "
                "become a common factor."
            ),
            change="Keep the reduced axis: `loss.sum(-1, keepdims=True)`.",
        ),
        Value(
            name="one_element",
            says="returns an array of one element instead of a scalar, such as [1]",
            training="No difference in most frameworks; jax.grad refuses it, and stacked losses gain an axis.",
            change="Reshape: `loss.reshape(1)`.",
        ),
    ),
    edge=True,
)
