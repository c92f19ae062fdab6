"""Label shift."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="label_shift",
    asks="label shift?",
    values=(
        Value("none", says="has label shift: none", training="", change=""),
        Value("next_token", says="has label shift: next token", training="", change=""),
    ),
)
