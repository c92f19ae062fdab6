"""Clip."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="clip",
    asks="clip?",
    values=(
        Value("none", says="has clip: none", training="", change=""),
        Value("clamped", says="has clip: clamped", training="", change=""),
        Value("floored", says="has clip: floored", training="", change=""),
        Value("added", says="has clip: added", training="", change=""),
        Value("log_floor", says="has clip: log floor", training="", change=""),
        Value("capped", says="has clip: capped", training="", change=""),
    ),
    numbers=("clip_epsilon",),
)
