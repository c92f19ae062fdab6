"""Modulation."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="modulation",
    asks="modulation?",
    values=(
        Value("none", says="has modulation: none", training="", change=""),
        Value("focal", says="has modulation: focal", training="", change=""),
    ),
    numbers=("gamma",),
)
