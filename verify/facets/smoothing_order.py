"""Smoothing order."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="smoothing_order",
    asks="smoothing order?",
    values=(
        Value("terms", says="has smoothing order: terms", training="", change=""),
        Value("sample", says="has smoothing order: sample", training="", change=""),
        Value("after", says="has smoothing order: after", training="", change=""),
    ),
)
