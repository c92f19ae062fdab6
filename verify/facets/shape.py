"""Shape."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="shape",
    asks="shape?",
    values=(
        Value("explained", says="has shape: explained", training="", change=""),
        Value("extra_axis", says="has shape: extra axis", training="", change=""),
        Value("one_element", says="has shape: one element", training="", change=""),
    ),
    edge=True,
)
