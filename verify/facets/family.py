"""Family."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="family",
    asks="family?",
    values=(
        Value("softmax", says="has family: softmax", training="", change=""),
        Value("sigmoid", says="has family: sigmoid", training="", change=""),
    ),
)
