"""Arguments."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="arguments",
    asks="arguments?",
    values=(
        Value("as_named", says="has arguments: as named", training="", change=""),
        Value("swapped", says="has arguments: swapped", training="", change=""),
        Value("swallowed", says="has arguments: swallowed", training="", change=""),
    ),
)
