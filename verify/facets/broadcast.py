"""Broadcast."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="broadcast",
    asks="broadcast?",
    values=(
        Value("aligned", says="has broadcast: aligned", training="", change=""),
        Value("outer", says="has broadcast: outer", training="", change=""),
        Value("class_for_batch", says="has broadcast: class for batch", training="", change=""),
    ),
)
