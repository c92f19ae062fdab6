"""Gradient weights."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="gradient_weights",
    asks="gradient weights?",
    values=(
        Value("exact", says="has gradient weights: exact", training="", change=""),
        Value("stopped", says="has gradient weights: stopped", training="", change=""),
        Value("not_differentiable", says="has gradient weights: not differentiable", training="", change=""),
    ),
)
