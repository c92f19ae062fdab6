"""Smoothing."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="smoothing",
    asks="smoothing?",
    values=(
        Value("none", says="has smoothing: none", training="", change=""),
        Value("over_classes", says="has smoothing: over classes", training="", change=""),
        Value("over_others", says="has smoothing: over others", training="", change=""),
        Value("toward_half", says="has smoothing: toward half", training="", change=""),
        Value("global", says="has smoothing: global", training="", change=""),
    ),
    numbers=("smoothing_alpha",),
)
