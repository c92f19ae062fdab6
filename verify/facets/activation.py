"""Activation."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="activation",
    asks="activation?",
    values=(
        Value("once", says="has activation: once", training="", change=""),
        Value("twice", says="has activation: twice", training="", change=""),
    ),
)
