"""What does a mean give when there is nothing to divide by?"""

from __future__ import annotations

from lossvet.verify.facet import Example, Facet, Value

FACET = Facet(
    name="zero_denominator",
    asks="What does a mean give when there is nothing to divide by?",
    values=(
        Value(
            name="nan",
            says="gives NaN where it would divide by 0, as PyTorch does",
            training=(
                "One batch with all weights 0, or with every row ignored, makes all gradients NaN; the next step makes "
                "all parameters NaN, and the model is lost unless such steps are skipped."
            ),
            change="Divide without a guard: `(w * loss).sum() / w.sum()`.",
        ),
        Value(
            name="zero",
            says="gives 0 with gradients of 0 where it would divide by 0, as TF1 and Keras do",
            training="Such a batch is a step without this loss. Averages of losses over batches come out lower.",
            change="Divide safely, inside and out: `where(d > 0, total / where(d > 0, d, 1), 0)`.",
        ),
        Value(
            name="zero_with_nan_gradient",
            says="gives 0, but NaN gradients, where it would divide by 0",
            training=(
                "The loss looks well and the parameters are NaN one step later: `where` stops the value of 0/0 but not "
                "its derivative."
            ),
            change="Guard the result only: `where(d > 0, total / d, 0)`.",
        ),
        Value(
            name="raises",
            says="raises an exception where it would divide by 0",
            training="Training stops at such a batch, and says why.",
            change='Check first: `if d == 0: raise ValueError("no row has a weight")`.',
        ),
        Value(
            name="other",
            says="gives neither NaN nor 0 where it would divide by 0",
            training=(
                "The loss is infinite, or large and finite with a step to match. A small epsilon in the divisor does "
                "this where the rows that are summed are not those that are counted."
            ),
            change="Add an epsilon to the divisor, and leave the sum as it is: `total / (d + 1e-8)`.",
        ),
    ),
    example=Example(
        logits=((2.0, 0.0), (0.0, 1.0)),
        labels=(0, 1),
        weights={"sample_weight": (0.0, 0.0)},
        settings={"weighting": ("sample_weight",), "denominator": "weights"},
        losses={"nan": float("nan"), "zero": 0.0},
    ),
)
