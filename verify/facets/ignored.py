"""Ignored."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="ignored",
    asks="ignored?",
    values=(
        Value("none", says="has ignored: none", training="", change=""),
        Value("label", says="has ignored: label", training="", change=""),
        Value("leaking", says="has ignored: leaking", training="", change=""),
    ),
    numbers=("ignored_label",),
)
