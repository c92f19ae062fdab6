"""What keeps the denominator from being 0?"""

from __future__ import annotations

from lossvet.verify.facet import Example, Facet, Value

FACET = Facet(
    name="denominator_guard",
    asks="What keeps the denominator from being 0?",
    values=(
        Value(
            name="none",
            says="divides by the denominator as it is",
            training=(
                "Rows of small weight count as much as any, where a batch holds no others. What a batch whose weights "
                "are all 0 gives is another question (zero_denominator)."
            ),
            change="Leave the denominator alone: `(w * loss).sum() / w.sum()`.",
        ),
        Value(
            name="added",
            says="adds a small constant to the denominator",
            training=(
                "Loss and gradient are smaller by the constant's share of the denominator: nothing for an ordinary "
                "batch, much for one whose weights are as small as the constant. A batch of weight 0 has a loss of 0."
            ),
            change="Add the constant to the divisor: `(w * loss).sum() / (w.sum() + guard)`.",
        ),
        Value(
            name="floored",
            says="divides by a constant where the denominator is below it",
            training=(
                "Batches with a denominator below the constant count less than others: with a floor of 1 and "
                "fractional weights that may be many. A batch of weight 0 has a loss of 0."
            ),
            change="Bound the divisor from below: `(w * loss).sum() / w.sum().clamp(min=guard)`.",
        ),
    ),
    example=Example(
        logits=((2.0, 0.0), (0.0, 1.0)),
        labels=(0, 1),
        weights={"sample_weight": (0.5, 0.25)},
        settings={"weighting": ("sample_weight",), "denominator": "weights", "guard": 1.0},
        losses={"none": 0.18903924, "added": 0.081016816, "floored": 0.14177943},
    ),
    numbers=("guard",),
)
