"""Logits map."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="logits_map",
    asks="logits map?",
    values=(
        Value("none", says="has logits map: none", training="", change=""),
        Value("scaled", says="has logits map: scaled", training="", change=""),
        Value("softcapped", says="has logits map: softcapped", training="", change=""),
        Value("margin", says="has logits map: margin", training="", change=""),
    ),
    numbers=("temperature", "cap", "margin"),
)
