"""Axis."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="axis",
    asks="axis?",
    values=(
        Value("class", says="has axis: class", training="", change=""),
        Value("batch", says="has axis: batch", training="", change=""),
    ),
)
