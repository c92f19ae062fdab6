"""What keeps a mean from dividing by zero."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="denominator_guard",
    asks="What guards the denominator against 0?",
    values=(
        Value(
            "none",
            says="divides by the denominator as it is",
            training="A batch whose weights are all 0 gives NaN, and one step with it destroys the model.",
            change="Leave the denominator alone.",
        ),
        Value(
            "added",
            says="adds a small constant to the denominator",
            training="The loss is smaller by a relative amount of the constant over the denominator; a batch of weight 0 "
            "has a loss of 0.",
            change="losses.sum() / (weights.sum() + guard)",
        ),
        Value(
            "floored",
            says="divides by at least a constant",
            training="Batches whose denominator is below the constant count for less than others; a batch of weight 0 has "
            "a loss of 0.",
            change="losses.sum() / weights.sum().clamp(min=guard)",
        ),
    ),
    numbers=("guard",),
)
