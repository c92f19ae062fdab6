"""Cost orientation."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="cost_orientation",
    asks="cost orientation?",
    values=(
        Value("true_rows", says="has cost orientation: true rows", training="", change=""),
        Value("predicted_rows", says="has cost orientation: predicted rows", training="", change=""),
    ),
)
