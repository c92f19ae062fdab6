"""Log."""

from lossvet.verify.facet import Facet, Value

FACET = Facet(
    name="log",
    asks="log?",
    values=(
        Value("taken", says="has log: taken", training="", change=""),
        Value("missing", says="has log: missing", training="", change=""),
        Value("broken_max", says="has log: broken max", training="", change=""),
    ),
)
