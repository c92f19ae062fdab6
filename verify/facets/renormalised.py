"""Renormalised."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="renormalised",
    asks="renormalised?",
    values=(
        Value("no", says="has renormalised: no", training="", change=""),
        Value("yes", says="has renormalised: yes", training="", change=""),
    ),
)
