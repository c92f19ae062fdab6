"""Gradient labels."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="gradient_labels",
    asks="gradient labels?",
    values=(
        Value("exact", says="has gradient labels: exact", training="", change=""),
        Value("stopped", says="has gradient labels: stopped", training="", change=""),
        Value("not_differentiable", says="has gradient labels: not differentiable", training="", change=""),
        Value("normalised_labels_only", says="has gradient labels: normalised labels only", training="", change=""),
    ),
)
