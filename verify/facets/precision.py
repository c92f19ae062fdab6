"""Precision."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="precision",
    asks="precision?",
    values=(
        Value("follows_input", says="has precision: follows input", training="", change=""),
        Value("float32", says="has precision: float32", training="", change=""),
        Value("float64", says="has precision: float64", training="", change=""),
        Value("bfloat16", says="has precision: bfloat16", training="", change=""),
        Value("float16", says="has precision: float16", training="", change=""),
        Value("low_precision_accumulation", says="has precision: low precision accumulation", training="", change=""),
    ),
)
