"""Counted."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="counted",
    asks="counted?",
    values=(
        Value("kept", says="has counted: kept", training="", change=""),
        Value("all", says="has counted: all", training="", change=""),
    ),
)
