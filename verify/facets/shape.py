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
            training="None.",
            change="Return the reduced loss as it is.",
        ),
        Value(
            name="extra_axis",
            says="returns an axis of length 1 that the reduction does not explain, such as [N, 1]",
            training=(
                "None by itself. Multiplied by weights [N] it broadcasts to [N, N], and weights turn into a common "
                "factor without a message."
            ),
            change="Keep the reduced axis: `loss.sum(-1, keepdims=True)`. (Drop `keepdims`, or squeeze.)",
        ),
        Value(
            name="one_element",
            says="returns an array of one element instead of a scalar, such as [1]",
            training="None in most frameworks; jax.grad refuses it, and stacked losses gain an axis.",
            change="Reshape: `loss.reshape(1)`. (`loss.reshape(())` gives the scalar.)",
        ),
    ),
    edge=True,
)
