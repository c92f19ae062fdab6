"""Sign."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="sign",
    asks="sign?",
    values=(
        Value("minus", says="has sign: minus", training="", change=""),
        Value("plus", says="has sign: plus", training="", change=""),
        Value("plus_on_one_term", says="has sign: plus on one term", training="", change=""),
    ),
)
