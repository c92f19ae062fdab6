"""Offset."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="offset",
    asks="offset?",
    values=(
        Value("none", says="has offset: none", training="", change=""),
        Value("constant", says="has offset: constant", training="", change=""),
        Value("label_entropy", says="has offset: label entropy", training="", change=""),
    ),
    numbers=("offset_constant",),
)
